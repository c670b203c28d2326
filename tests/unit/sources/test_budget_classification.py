"""Lists of budget codes come in more than one form; a wrong entry is told and left out, a wrong file is refused."""

from pathlib import Path

import pytest

from asms.sources import SourceError
from asms.sources.budget_classification import FEED, read_list

TWO_FORMS = {
    "tkpkmb_2025-04-28.json": '[{"code": "1010", "name": "Садки", "beginDate": "2025-02-18", "parentCode": "1000"}]',
    "tkpkmb_2026-08-18.json": '{"1010": {"name": "Садки", "beginDate": "2025-02-18", "parentCode": "1000"}}',
}


def rows(name: str, text: str) -> list[dict[str, object]]:
    return [dict(zip(FEED.columns, row, strict=True)) for row in read_list(name, text.encode()).rows]


def test_a_list_and_an_object_by_code_are_one_thing() -> None:
    (first,), (second,) = (rows(name, text) for name, text in TWO_FORMS.items())
    assert first == second
    assert (first["budget_item"], first["classification_type"], first["code"]) == ("EXPENSES", "PROGRAM", "1010")
    assert (first["begin_date"], first["parent_code"], first["end_date"]) == ("2025-02-18", "1000", None)


def test_zeros_lost_from_a_code_come_back() -> None:
    found = rows("kfkv_from_openbudget.csv", 'COD_CONS_MB_FK,NAME\n111.0,"Органи влади, усі"\n1090.0,Інше\n')
    assert [(row["code"], row["name"]) for row in found] == [("0111", "Органи влади, усі"), ("1090", "Інше")]
    assert [row["code"] for row in rows("kekv_uk.json", '{"2000": "Поточні видатки"}')] == ["2000"]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('{"code": "10А0", "name": "Садки"}', "not made of digits"),
        ('{"code": "1010", "name": " "}', "has no name"),
        ('{"code": "1010", "name": "Садки", "endDate": "31.12.2025"}', "endDate is no date"),
    ],
)
def test_a_wrong_entry_is_told_and_left_out(entry: str, words: str) -> None:
    reading = read_list("tkpkmb_2025.json", f'[{entry}, {{"code": "1021", "name": "Школи"}}]'.encode())
    assert [row[3] for row in reading.rows] == ["1021"]
    (finding,) = reading.findings
    assert words in finding.message_en
    assert (finding.rule_id, finding.file_name, finding.cell) == (
        "CLASSIFICATION_LINE_INVALID",
        "tkpkmb_2025.json",
        "1",
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("list.json", "[]", "is no list of budget codes"),
        ("tkpkmb_1.json", "[]", "lists no codes"),
        ("tkpkmb_1.json", '[{"kod": "1010"}]', "without code or name"),
        ("tkpkmb_1.json", '"1010"', "neither a list"),
        ("tkpkmb_1.json", "[", "not JSON"),
        ("kdb_1.csv", "code,name,more\n1,2,3\n", "a code and its name"),
        ("kdb_1.csv", "name,code\nПодаток,11010100\n", "not made of digits.*has changed its form"),
        ("kdb_1.csv", "code,name\n<<<<<<< HEAD\n11010100,Податок\n", "unfinished git merge"),
    ],
)
def test_a_wrong_file_is_refused(name: str, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_list(name, text.encode())


def test_the_real_lists_are_read_whole(real_data: Path) -> None:
    """One line of КФКВ has no code."""
    folder = real_data / "classifications"
    counts = {file.name: read_list(file.name, file.read_bytes()) for file in sorted(folder.iterdir()) if file.is_file()}
    assert {name: (len(list(reading.rows)), len(reading.findings)) for name, reading in counts.items()} == {
        "kdb_from_openbudget.csv": (302, 0), "kekv_from_openbudget.csv": (40, 0), "kekv_uk.json": (56, 0),
        "kfkv_from_openbudget.csv": (67, 1), "tkpkmb_2025-04-28.json": (508, 0), "tkpkmb_2026-08-18.json": (507, 0),
    }  # fmt: skip
