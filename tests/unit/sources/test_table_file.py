"""Tables of open data: told by content, refused with a reason, nothing lost in silence."""

import io
import json
import zipfile

import openpyxl
import pytest

from asms.sources import SourceError
from asms.sources.new_column import new_columns
from asms.sources.table_file import read_table

REQUIRED = ("code", "total")
ROWS = [["Code ", "Назва", "TOTAL"], ["01", "Їжак", "5"], ["02", "", ""]]


def _csv(delimiter: str = ",") -> str:
    return "\r\n".join(delimiter.join(row) for row in ROWS) + "\r\n"


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["Звіт"])
    for row in ROWS:
        book.worksheets[0].append([cell or None for cell in row])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _xlsx_with_three_headers() -> bytes:
    """A title, the name of a group over two columns, and the titles proper."""
    book = openpyxl.load_workbook(io.BytesIO(_xlsx()))
    sheet = book.worksheets[0]
    sheet.insert_rows(2)
    sheet["B2"] = "Показники"
    sheet.merge_cells("B2:C2")
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _zip(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_", "."), content)
    return buffer.getvalue()


def _json() -> bytes:
    return json.dumps([{"Code ": "01", "Назва": "Їжак", "TOTAL": 5}, {"Code ": "02"}]).encode()


@pytest.mark.parametrize(
    "data",
    [
        _csv().encode(), _csv(";").encode("utf-8-sig"), _csv("\t").encode("cp1251"), _xlsx(), _xlsx_with_three_headers(), _json(),
        _zip(a_csv=_csv(";").encode("cp1251"), readme_pdf=b"%PDF"), _zip(b_xlsx=_xlsx()),
    ],
    ids=["utf-8", "bom", "cp1251", "xlsx", "three headers", "json", "zip of csv", "zip of xlsx"],
)  # fmt: skip
def test_every_format_gives_the_same_table(data: bytes) -> None:
    table = read_table(data, "t", REQUIRED)
    assert table.header == ("code", "назва", "total")
    assert [cells for _, cells in table.lines] == [("01", "Їжак", "5"), ("02", None, None)]
    assert table.findings == ()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_csv().replace("TOTAL", "Sum").encode(), "lacks the column.* total; its header is code, назва, sum"),
        (b"code,total\n<<<<<<< HEAD\n1,2\n=======\n1,3\n>>>>>>> theirs\n", "line 2 is a conflict marker"),
        (
            json.dumps({"01": {"code": "01", "total": 5}}).encode(),
            "list of records has become an object with the keys 01",
        ),
        (b'[{"code": 1, "tot', "neither JSON nor"),
        (b"[1, 2]", "something else than records"),
        (b"code,total\n", "no rows"),
        (b"", r"\(empty\)"),
        (b'code,total\n"1,2\n', "lacks|not CSV|no rows"),
        (_zip(a_csv=b"code,total\n1,2\n", b_csv=b"code,total\n1,2\n"), "2 tables"),
        (_zip(a_pdf=b"%PDF"), "0 tables"),
        (_xlsx()[:900], "lacks the column"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_reason(data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_table(data, "t", REQUIRED)


def test_a_row_of_another_length_is_told_and_the_others_stand() -> None:
    table = read_table(b"code,total\n1,2\n3,4,5\n6,7\n", "t", REQUIRED)
    assert [no for no, _ in table.lines] == [2, 4]
    assert [(one.rule_id, one.cell, one.value_found) for one in table.findings] == [
        ("SOURCE_ROW_UNREADABLE", "3", "3;4;5")
    ]


def test_a_new_column_is_told() -> None:
    table = read_table(b"code,total,note\n1,2,x\n", "t", REQUIRED)
    assert [(one.rule_id, one.cell) for one in new_columns(table.header, "t", REQUIRED)] == [
        ("SOURCE_COLUMN_NEW", "note")
    ]
