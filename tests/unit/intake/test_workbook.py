"""Every kind of broken or hostile workbook is made here and must be refused by name; every kind of value must come as found."""

import io
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from math import isfinite
from random import Random

import pytest
import python_calamine
from openpyxl import Workbook as NewWorkbook

from asms.intake.book import CellValue, Sheet, describe, number_text, number_texts
from asms.intake.problem import ProblemError
from asms.intake.workbook import Workbook

SHEET_PART = "xl/worksheets/sheet1.xml"
OLE = bytes.fromhex("d0cf11e0a1b11ae1")


def _workbook(fill: Callable[..., None] | None = None) -> bytes:
    workbook = NewWorkbook()
    if fill:
        fill(workbook.active)
    buffer = io.BytesIO()
    workbook.save(buffer)
    return buffer.getvalue()


def _with_part(data: bytes, name: str, content: bytes) -> bytes:
    """The same archive with one part replaced or added."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in source.namelist():
            if entry != name:
                archive.writestr(entry, source.read(entry))
        archive.writestr(name, content)
    return target.getvalue()


def _with_rows(rows: str) -> bytes:
    """A workbook whose only sheet holds these rows of XML."""
    data = _workbook()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        xml = archive.read(SHEET_PART).decode()
    filled, count = re.subn(r"<sheetData\s*/>|<sheetData></sheetData>", f"<sheetData>{rows}</sheetData>", xml)
    assert count == 1
    return _with_part(data, SHEET_PART, filled.encode())


def _zeros(megabytes: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open(SHEET_PART, "w", force_zip64=True) as part:
            for _ in range(megabytes):
                part.write(b"\0" * (1 << 20))
    return target.getvalue()


def _lying_zip() -> bytes:
    """An archive whose directory says 10 bytes where 60 MB come out."""
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = bomb.compress(b" " * (60 << 20)) + bomb.flush()
    name = b"xl/workbook.xml"
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, zlib.crc32(b" " * 10), len(packed), 10, len(name), 0)
    local = b"PK\x03\x04" + fields + name + packed
    central = b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + end


def _encrypted_entries() -> bytes:
    data = bytearray(_workbook())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 4)
    return bytes(data)


MALFORMED = {
    "empty": (lambda: b"", "FILE_EMPTY"),
    "old xls renamed": (lambda: OLE + b"\0" * 600 + "Workbook".encode("utf-16-le"), "FILE_OLD_XLS"),
    "password": (lambda: OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le"), "FILE_PASSWORD"),
    "password on the archive": (_encrypted_entries, "FILE_PASSWORD"),
    "truncated zip": (lambda: _workbook()[:3000], "FILE_TRUNCATED"),
    "damaged inside": (lambda: _flip(_workbook()), "FILE_TRUNCATED"),
    "html named xlsx": (lambda: b"<html><table></table></html>", "FILE_NOT_A_WORKBOOK"),
    "csv named xlsx": ("Код;Значення\n".encode, "FILE_NOT_A_WORKBOOK"),
    "docx named xlsx": (lambda: _zip({"word/document.xml": b"<w/>"}), "FILE_NOT_A_WORKBOOK"),
    "workbook part is no xml": (lambda: _zip({"xl/workbook.xml": b"nothing"}), "FILE_NOT_A_WORKBOOK"),
    "1 GB of zeros": (lambda: _zeros(1024), "FILE_TOO_LARGE_UNPACKED"),
    "30 MB packed 1:1000": (lambda: _zeros(30), "FILE_TOO_LARGE_UNPACKED"),
    "six thousand parts": (lambda: _zip({f"x{n}": b"" for n in range(6000)}), "FILE_TOO_LARGE_UNPACKED"),
    "entity bomb": (
        lambda: _with_part(_workbook(), SHEET_PART, b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet>&a;</worksheet>'),
        "FILE_UNSAFE_XML",
    ),
    "external entity": (
        lambda: _with_part(
            _workbook(), "xl/sharedStrings.xml", b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><sst>&a;</sst>'
        ),
        "FILE_UNSAFE_XML",
    ),
    "DTD in UTF-16": (
        lambda: _with_part(_workbook(), SHEET_PART, "<!DOCTYPE x><worksheet/>".encode("utf-16")),
        "FILE_UNSAFE_XML",
    ),
}


def _zip(parts: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


def _flip(data: bytes) -> bytes:
    """Spoil one byte in the middle of the first part's packed bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        first = archive.infolist()[0]
    at = first.header_offset + 30 + len(first.filename) + first.compress_size // 2
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_file_is_refused_by_name(kind: str) -> None:
    make, rule_id = MALFORMED[kind]
    with pytest.raises(ProblemError) as refusal:
        Workbook(make())
    assert refusal.value.rule_id == rule_id
    assert refusal.value.message_uk != refusal.value.message_en


def test_no_more_is_unpacked_than_the_directory_admits() -> None:
    data = _lying_zip()
    tracemalloc.start()
    with pytest.raises(ProblemError):
        Workbook(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 << 20


def test_a_stray_cell_in_the_far_corner_is_named() -> None:
    def fill(sheet: object) -> None:
        sheet["A1"] = 1  # type: ignore[index]
        sheet["XFD1048576"] = 1  # type: ignore[index]

    workbook = Workbook(_workbook(fill))
    with pytest.raises(ProblemError) as refusal:
        workbook.sheet("Sheet")
    assert (refusal.value.rule_id, refusal.value.sheet, refusal.value.cell) == (
        "SHEET_TOO_LARGE",
        "Sheet",
        "XFD1048576",
    )


@pytest.mark.parametrize("address", ["A99999999999", "AAAAAAAA1", "A" + "9" * 5000, "xfd1048576"])
def test_an_address_that_no_program_has_is_named(address: str) -> None:
    """The library would ask for gigabytes, and end the process that gets none."""
    workbook = Workbook(_with_rows(f'<row r="1"><c r="A1"><v>1</v></c><c r="{address}"><v>1</v></c></row>'))
    with pytest.raises(ProblemError) as refusal:
        workbook.sheet("Sheet")
    assert refusal.value.rule_id == "SHEET_TOO_LARGE"
    assert refusal.value.cell is not None and address.startswith(refusal.value.cell)


def test_formatting_to_the_last_row_is_no_content() -> None:
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" s="0"/></row>'
    sheet = Workbook(_with_rows(rows)).sheet("Sheet")
    assert sheet.value(1, 1) == CellValue("1", "number")


def test_cells_without_addresses_are_counted_in_place() -> None:
    workbook = Workbook(_with_rows("<row><c><v>1</v></c><c><v>2</v></c></row><row><c/><c><f>A1</f></c></row>"))
    sheet = workbook.sheet("Sheet")
    assert [sheet.value(1, 1).text, sheet.value(1, 2).text] == ["1", "2"]
    assert sheet.value(2, 2) == CellValue("=A1", "formula_without_value")


@pytest.mark.parametrize("row", [1, 17])
def test_blanks_are_told_apart(row: int) -> None:
    cells = (
        '<c r="A1"><f>SUM(B1:C1)</f></c>'
        '<c r="B1"><f>1+1</f><v></v></c>'
        '<c r="C1" t="str"><f>IF(1=2,"x","")</f><v></v></c>'
        '<c r="D1" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
        '<c r="E1" t="e"><v>#N/A</v></c>'
        '<c r="F1" s="0"/>'
        '<c r="G1"><v>1e400</v></c>'
        '<c r="H1"><f>2+2</f><v>4</v></c>'
    )
    cells = re.sub(r'r="([A-H])1"', rf'r="\g<1>{row}"', cells)
    rows = f'<row r="{row}">{cells}</row>'
    sheet = Workbook(_with_rows(rows)).sheet("Sheet")
    assert [sheet.value(row, column) for column in range(1, 10)] == [
        CellValue("=SUM(B1:C1)", "formula_without_value"),
        CellValue("=1+1", "formula_without_value"),
        CellValue(None, "empty"),
        CellValue("#DIV/0!", "error"),
        CellValue("#N/A", "error"),
        CellValue(None, "empty"),
        CellValue("1e400", "text"),
        CellValue("4", "number"),
        CellValue(None, "empty"),
    ]


def test_a_cell_outside_of_the_sheet_is_empty() -> None:
    sheet = Workbook(_with_rows('<row r="1"><c r="A1"><v>1</v></c></row>')).sheet("Sheet")
    assert sheet.value(99, 99) == CellValue(None, "empty")
    assert sheet.value(0, 0) == CellValue(None, "empty")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5.0, CellValue("5", "number")),
        (0.1, CellValue("0.1", "number")),
        (-0.0, CellValue("0", "number")),
        (2536000000.0, CellValue("2536000000", "number")),
        (1.5e300, CellValue("1.5e+300", "number")),
        (True, CellValue("TRUE", "boolean")),
        (date(2024, 5, 1), CellValue("2024-05-01", "date")),
        (datetime(2024, 5, 1, 3, 4), CellValue("2024-05-01 03:04:00", "date")),  # noqa: DTZ001 - a workbook has no zones
        (time(3, 4), CellValue("03:04:00", "date")),
        (timedelta(hours=30), CellValue("1 day, 6:00:00", "date")),
        (" 12,5 ", CellValue(" 12,5 ", "text")),
        ("  ", CellValue("  ", "text")),
        ("", CellValue(None, "empty")),
    ],
)
def test_values_come_as_found(value: object, expected: CellValue) -> None:
    assert describe(value) == expected


def test_numbers_are_spelled_together_as_each_alone() -> None:
    chance = Random(1)  # noqa: S311 - values for a test
    plain = [round(chance.uniform(-1e6, 1e6), chance.randint(0, 6)) for _ in range(500)] + [5.0, 0.0, 0.1, 1e15, 0.0001]
    for odd in ([], [-0.0], [1e16, -1e300], [1e-5, 5e-324], [float("inf"), float("nan")]):
        values = plain + odd
        assert number_texts(values) == {value: number_text(value) for value in values if isfinite(value)}
    assert number_texts([]) == {}


def test_merged_cells_are_read_as_the_library_reads_them() -> None:
    def fill(sheet: object) -> None:
        sheet["B2"], sheet["D4"] = "над стовпцями", 4  # type: ignore[index]
        sheet.merge_cells("B2:C3")  # type: ignore[attr-defined]

    data = _workbook(fill)
    alone = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_name("Sheet")
    assert alone.merged_cell_ranges
    assert Workbook(data).sheet("Sheet").grid == alone.to_python(skip_empty_area=False)


def test_macros_are_never_unpacked() -> None:
    workbook = Workbook(_with_part(_workbook(), "xl/vbaProject.bin", b"evil"))
    assert workbook.sheet_names == ("Sheet",)
    assert "xl/vbaProject.bin" not in workbook._parts


def test_address() -> None:
    sheet = Sheet("EDU", [])
    assert (sheet.address(17, 4), sheet.address(1, 27)) == ("D17", "AA1")
