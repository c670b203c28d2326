"""The register of members and users: what a spreadsheet saves, and what people get wrong in it."""

from dataclasses import dataclass
from datetime import date

import pytest

from asms.sources import SourceError
from asms.sources.members import Row, read_register

TITLES = "municipality_code,is_member,registered_from,registered_to"


@dataclass(frozen=True)
class Found:
    municipality_code: str | None


def resolve(text: str) -> Found:
    return Found(text if text.startswith("UA") else None)


def rows(text: str, encoding: str = "utf-8") -> list[Row]:
    reading = read_register(text.encode(encoding), resolve)
    assert list(reading.findings) == []
    return list(reading.rows)  # type: ignore[arg-type]  # rows of this reader


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_way_a_spreadsheet_saves_it(encoding: str, delimiter: str) -> None:
    lines = [TITLES, "UA1,так,2015-02-01,31.12.2020", "", "UA2,ХИБНІСТЬ,1.2.2015,", "UA3, True ,,"]
    assert rows("\r\n".join(lines).replace(",", delimiter), encoding) == [
        (2, "UA1", "UA1", True, date(2015, 2, 1), date(2020, 12, 31)),
        (4, "UA2", "UA2", False, date(2015, 2, 1), None),
        (5, "UA3", "UA3", True, None, None),
    ]


def test_columns_may_stand_in_any_order() -> None:
    text = "is_member,registered_to,municipality_code,registered_from\nні,,UA1,2020-01-01"
    assert rows(text) == [(2, "UA1", "UA1", False, date(2020, 1, 1), None)]


def test_terms_that_meet_do_not_overlap() -> None:
    text = f"{TITLES}\nUA1,ні,2015-01-01,2020-01-01\nUA1,так,2020-01-01,\nUA1,так,,"
    assert [row[0] for row in rows(text)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("line", "cell", "words"),
    [
        ("Вінниця,так,2020-01-01,", "A3", "no hromada"),
        ("UA1,,2020-01-01,", "B3", "neither yes nor no"),
        ("UA1,так,2020-13-01,", "C3", "no date"),
        ("UA1,так,2020,", "C3", "no date"),
        ("UA1,так,2020-01-01,2020-01-01", "D3", "ends before it begins"),
        ("UA1,так,,2020-01-01", "C3", "does not begin"),
        ("UA1,ні,,", "C3", "neither a member nor a user"),
        ("UA9,ні,2000-01-01,", "C3", "overlaps that of line 2"),
        ("UA1,так", "A3", "2 fields"),
        ("UA1,так,2020-01-01,,Петренко", "A3", "5 fields"),
    ],
)
def test_a_wrong_line_is_told_and_left_out(line: str, cell: str, words: str) -> None:
    reading = read_register(f"{TITLES}\nUA9,так,2020-01-01,\n{line}\n".encode(), resolve)
    assert [row[0] for row in reading.rows] == [2]
    (finding,) = reading.findings
    assert (finding.rule_id, finding.cell) == ("MEMBER_LINE_INVALID", cell)
    assert words in finding.message_en
    assert "Петренко" not in str(finding), "nothing about persons is kept"


@pytest.mark.parametrize("text", ["", "\n\n", "municipality_code,is_member\nUA1,так", f"{TITLES},phone\n"])
def test_what_is_no_register_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(SourceError, match="registered_from"):
        read_register(text.encode(), resolve)
