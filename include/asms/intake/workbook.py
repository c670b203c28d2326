"""Reading workbooks that strangers send: measured before they are opened, values only, never formulas or macros.

What the library opens is a copy of the XML parts that were unpacked here under a limit, so that sizes that lie, entries
that overlap and parts that nobody needs never reach it. Values come from calamine; where it gives a blank, the sheet's XML
tells a formula that was never computed, an error and a truly empty cell apart.
"""

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from io import BytesIO
from math import isfinite
from typing import Any, Final
from xml.etree import ElementTree
from xml.parsers import expat

import python_calamine
from zlib_ng import zlib_ng

from asms.intake.book import (
    EMPTY,
    MAX_FILE_BYTES,
    MAX_SHEET_CELLS,
    CellValue,
    Kind,
    Sheet,
    column_letters,
    column_number,
)
from asms.intake.problem import ProblemError

MAX_UNPACKED_BYTES = 100 << 20
MAX_ENTRIES = 5_000
MAX_RATIO = 200  # a sheet formatted to its last row packs about 20 to 1; deflate's limit is 1032 to 1
_RATIO_MATTERS_FROM = 10 << 20

OLE_START = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")
_WORKBOOK_PART = "xl/workbook.xml"
_DTD = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_CELL_TAG = re.compile(rb"<(?:\w+:)?c(?:\s([^>]*))?>")
_CELL_REF = re.compile(rb"""\br\s*=\s*["']([A-Za-z]+)(\d+)["']""")
_LONGEST_LETTERS, _LONGEST_DIGITS = 3, 7  # of an address; the library goes on counting far beyond what programs have
_ROW_TAG = re.compile(rb"<(?:\w+:)?row[\s>]")
# Beyond CZ9999, or not spelled r="…" first of all. A sheet without such cells is known to be small, and its cells are found by
# their address.
_ODD_CELL = re.compile(rb'<c(?=[\s/>])(?! r="[A-C]?[A-Z][1-9]\d{0,3}")')
_PREFIXED_CELL = re.compile(rb":c[\s/>]")
_FORMULA = re.compile(rb"<f[\s/>]")
_BROKEN_ARCHIVE: tuple[type[Exception], ...] = (
    zipfile.BadZipFile, zlib_ng.error, struct.error, EOFError, OSError, NotImplementedError, ValueError,
)  # type: ignore[assignment] # fmt: skip # zlib_ng.error is typed as an instance
_LOCAL_HEAD = struct.Struct("<4s22xHH")
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class _WorkbookSheet(Sheet):
    """A sheet of a workbook. Where calamine gives a blank, the sheet's XML tells what stands there."""

    def __init__(self, name: str, grid: Sequence[Sequence[Any]], xml: bytes) -> None:
        super().__init__(name, grid)
        self._xml = xml

    def _behind_blank(self, row: int, column: int, found: object) -> CellValue:
        if found == "" and not self._may_hide:
            return EMPTY
        start = self._xml.rfind(f'<c r="{column_letters(column)}{row}"'.encode())
        if start < 0:
            return self._all_hidden.get((row, column), EMPTY) if self._is_odd else EMPTY
        end = min((at for tag in (b"<c ", b"</row") if (at := self._xml.find(tag, start + 1)) > 0), default=start)
        # the scanner takes a cell's row from its row's element
        return _scan_cells(b'<row r="%d">%b</row>' % (row, self._xml[start:end])).get((row, column), EMPTY)

    @cached_property
    def _may_hide(self) -> bool:
        """Whether the XML may hold a formula or an error: most sheets hold neither."""
        return b'"e"' in self._xml or b"'e'" in self._xml or _FORMULA.search(self._xml) is not None

    @cached_property
    def _is_odd(self) -> bool:
        return _is_odd(self._xml)

    @cached_property
    def _all_hidden(self) -> dict[tuple[int, int], CellValue]:
        """What calamine gives as a blank or as infinity, by row and column."""
        return _scan_cells(self._xml)


class Workbook:
    """A workbook that passed the measuring; sheets are read when asked for."""

    kind: Final[Kind] = "xlsx"

    def __init__(self, data: bytes, *, is_guarded: bool = False) -> None:
        """Check and open ``data``. ``is_guarded`` leaves the extent of sheets to the memory limit of this process.

        Raises ProblemError with the rule that it breaks: FILE_EMPTY, FILE_PASSWORD, FILE_OLD_XLS, FILE_NOT_A_WORKBOOK,
        FILE_TRUNCATED, FILE_TOO_LARGE_UNPACKED, FILE_UNSAFE_XML.
        """
        _check_kind(data)
        self._is_guarded = is_guarded
        self._parts = _unpack(data)
        with _library_errors():
            self._workbook = python_calamine.CalamineWorkbook.from_filelike(BytesIO(_pack(self._parts)))
            sheets = [
                sheet
                for sheet in self._workbook.sheets_metadata
                if sheet.typ == python_calamine.SheetTypeEnum.WorkSheet
            ]
        self.sheet_names = tuple(sheet.name for sheet in sheets)
        self.visible_sheet_names = tuple(
            sheet.name for sheet in sheets if sheet.visible == python_calamine.SheetVisibleEnum.Visible
        )
        self._sheets: dict[str, Sheet] = {}

    def sheet(self, name: str) -> Sheet:
        """Read one sheet. Raises ProblemError SHEET_TOO_LARGE when a stray cell stretches it beyond all bounds."""
        if name not in self._sheets:
            xml = self._parts.get(self._part_names.get(name, ""), b"")
            if not self._is_guarded and _is_odd(xml):
                _check_extent(name, xml)
            with _library_errors():
                grid = self._workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
            self._sheets[name] = _WorkbookSheet(name, grid, xml)
        return self._sheets[name]

    @cached_property
    def _part_names(self) -> dict[str, str]:
        """Name of the XML part of each sheet."""
        with _library_errors():
            relations = ElementTree.fromstring(self._parts["xl/_rels/workbook.xml.rels"])  # noqa: S314 - no DTD in it
            targets = {relation.get("Id"): relation.get("Target", "") for relation in relations}
            tree = ElementTree.fromstring(self._parts[_WORKBOOK_PART])  # noqa: S314 - no DTD in it
            sheets = [element for element in tree.iter() if element.tag.endswith("}sheet")]
        names = {sheet.get("name", ""): targets.get(sheet.get(_RELATION), "") for sheet in sheets}
        return {name: to.lstrip("/") if to.startswith("/") else f"xl/{to}" for name, to in names.items()}


def _check_kind(data: bytes) -> None:
    if not data:
        raise ProblemError("FILE_EMPTY", "Файл порожній: 0 байтів", "The file is empty: 0 bytes")
    if len(data) > MAX_FILE_BYTES:
        raise ProblemError(
            "FILE_TOO_LARGE",
            f"Файл має {len(data) >> 20} МБ; приймаються файли до {MAX_FILE_BYTES >> 20} МБ",
            f"The file has {len(data) >> 20} MB; files up to {MAX_FILE_BYTES >> 20} MB are taken",
        )
    if data.startswith(OLE_START):
        if _ENCRYPTED_STREAM in data:
            raise ProblemError("FILE_PASSWORD", "Файл захищено паролем", "The file is protected with a password")
        raise ProblemError(
            "FILE_OLD_XLS",
            "Це книга старого формату .xls (Excel 97–2003), хоч би яке розширення вона мала",
            "This is a workbook of the old .xls format (Excel 97–2003), whatever its extension says",
        )
    if not data.startswith(ZIP_STARTS):
        raise ProblemError(
            "FILE_NOT_A_WORKBOOK",
            f"Це не книга .xlsx: файл починається з {_show(data)}",
            f"This is no .xlsx workbook: the file begins with {_show(data)}",
        )


def _show(data: bytes) -> str:
    return repr(data[:16].decode("ascii", "replace"))


def _unpack(data: bytes) -> dict[str, bytes]:
    """Unpack the XML parts under the limits, each checked against its own size and checksum, and for a DTD."""
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _measure(archive, len(data))
            parts = {
                info.filename: _read_part(data, info)
                for info in archive.infolist()
                if info.filename.endswith((".xml", ".rels")) or info.filename == "[Content_Types].xml"
            }
    except _BROKEN_ARCHIVE as error:
        raise ProblemError(
            "FILE_TRUNCATED",
            f"Файл обірвано або пошкоджено ({len(data)} байтів): його архів не розпаковується",
            f"The file is cut short or damaged: its archive cannot be unpacked ({error})",
        ) from error
    if _WORKBOOK_PART not in parts:
        raise ProblemError(
            "FILE_NOT_A_WORKBOOK",
            "Це архів ZIP, але не книга .xlsx: у ньому немає xl/workbook.xml",
            "This is a ZIP archive but no .xlsx workbook: it has no xl/workbook.xml",
        )
    for name, part in parts.items():
        # one letter is looked for ten times as fast as two
        if (b"!" in part and b"<!" in part and _DTD.search(part)) or b"\0" in part:
            raise ProblemError(
                "FILE_UNSAFE_XML",
                f"Частина {name} містить визначення DTD чи сутностей або записана не в UTF-8; у справжніх книгах так не буває",
                f"Part {name} holds a DTD or entity definitions, or is not written in UTF-8; real workbooks never do that",
                value_found=name,
            )
    return parts


def _read_part(data: bytes, info: zipfile.ZipInfo) -> bytes:
    """Unpack one entry, never beyond the size that the directory declares. Raises BadZipFile when it is not what it says."""
    signature, name_size, extra_size = _LOCAL_HEAD.unpack_from(data, info.header_offset)
    start = info.header_offset + _LOCAL_HEAD.size + name_size + extra_size
    packed = data[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        inflater = zlib_ng.decompressobj(-zlib_ng.MAX_WBITS)
        part = inflater.decompress(packed, info.file_size + 1)
    else:
        part = packed
    is_known = signature == ZIP_STARTS[0] and info.compress_type in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)
    if not is_known or len(part) != info.file_size or zlib_ng.crc32(part) != info.CRC:
        raise zipfile.BadZipFile(f"{info.filename} is not what the archive's directory says")
    return part


def _measure(archive: zipfile.ZipFile, packed: int) -> None:
    """Refuse an archive by what its directory declares; reading later stops at the declared sizes."""
    entries = archive.infolist()
    if any(info.flag_bits & 1 for info in entries):
        raise ProblemError("FILE_PASSWORD", "Архів файлу захищено паролем", "The file's archive has a password")
    unpacked = sum(info.file_size for info in entries)
    ratio = unpacked / packed
    if (
        unpacked > MAX_UNPACKED_BYTES
        or len(entries) > MAX_ENTRIES
        or (unpacked > _RATIO_MATTERS_FROM and ratio > MAX_RATIO)
    ):
        figures_uk = f"{unpacked >> 20} МБ після розпакування, стиснення 1:{ratio:.0f}, частин {len(entries)}"
        figures_en = f"{unpacked >> 20} MB unpacked, packed 1:{ratio:.0f}, {len(entries)} parts"
        raise ProblemError(
            "FILE_TOO_LARGE_UNPACKED",
            f"Файл завеликий усередині: {figures_uk}; межа {MAX_UNPACKED_BYTES >> 20} МБ, 1:{MAX_RATIO}, {MAX_ENTRIES}",
            f"The file is too large inside: {figures_en}; limits {MAX_UNPACKED_BYTES >> 20} MB, 1:{MAX_RATIO}, {MAX_ENTRIES}",
            value_found=f"{unpacked} B",
        )


def _pack(parts: Mapping[str, bytes]) -> bytes:
    """An archive of the parts without compression: what the library opens has nothing left to unpack.

    For merged cells, which nobody asks for, the library goes through a sheet once more, up to the list of them. With an empty
    list before the cells it is done at once.
    """
    local, central, offset = [], [], 0
    for name, part in parts.items():
        encoded = name.encode()
        if name.startswith("xl/worksheets/"):
            part = part.replace(b"<sheetData", b"<mergeCells></mergeCells><sheetData", 1)  # noqa: PLW2901
        # version, UTF-8 names, stored, 1 January 1980, checksum, both sizes, size of the name, no extra field
        fields = struct.pack(
            "<HHHHHIIIHH", 20, 0x800, 0, 0, 33, zlib_ng.crc32(part), len(part), len(part), len(encoded), 0
        )
        local += [b"PK\x03\x04", fields, encoded, part]
        central += [b"PK\x01\x02\x14\0", fields, struct.pack("<HHHII", 0, 0, 0, 0, offset), encoded]
        offset += 4 + len(fields) + len(encoded) + len(part)
    directory = b"".join(central)
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(parts), len(parts), len(directory), offset, 0)
    return b"".join((*local, directory, end))


@contextmanager
def _library_errors() -> Iterator[None]:
    """Turn whatever a parser throws at a broken workbook into one problem. A panic in Rust is no Exception in Python."""
    try:
        yield
    except (python_calamine.CalamineError, ElementTree.ParseError, expat.ExpatError, LookupError, ValueError) as error:
        raise _broken(error) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise _broken(error) from error
        raise


def _broken(error: BaseException) -> ProblemError:
    return ProblemError(
        "FILE_NOT_A_WORKBOOK",
        "Книгу не вдається відкрити: її внутрішня будова не така, як у файлів .xlsx",
        f"The workbook cannot be opened: {error}",
    )


def _is_odd(xml: bytes) -> bool:
    """Whether a cell of a sheet stands far away, or does not say where it stands as every spreadsheet program says it."""
    return (_ODD_CELL.search(xml) or _PREFIXED_CELL.search(xml)) is not None


def _check_extent(name: str, xml: bytes) -> None:
    """Refuse a sheet whose filled cells span more than the dense grid may hold."""
    last_row, last_column, furthest, unplaced = 0, 0, "", 0
    for match in _CELL_TAG.finditer(xml):
        attributes = match.group(1) or b""
        if attributes.endswith(b"/"):
            continue  # formatted but empty: takes no place in the grid
        reference = _CELL_REF.search(attributes)
        if reference is None:
            unplaced += 1
            continue
        letters, digits = (part.decode() for part in reference.groups())
        if len(letters) > _LONGEST_LETTERS or len(digits) > _LONGEST_DIGITS:
            shown = f"{letters}{digits}"[:20]
            raise ProblemError(
                "SHEET_TOO_LARGE",
                f"На аркуші є клітинка з адресою {shown}, якої не має жодна програма",
                f"The sheet has a cell at {shown}, which no program has",
                sheet=name,
                cell=shown,
            )
        row, column = int(digits), column_number(letters)
        if row > last_row or column > last_column:
            furthest = f"{letters}{row}"
        last_row, last_column = max(last_row, row), max(last_column, column)
    if unplaced:
        last_row, last_column = max(last_row, len(_ROW_TAG.findall(xml))), max(last_column, unplaced)
    if last_row * last_column > MAX_SHEET_CELLS:
        raise ProblemError(
            "SHEET_TOO_LARGE",
            f"Аркуш тягнеться на {last_row} рядків і {last_column} стовпців через клітинку далеко від таблиці",
            f"The sheet spans {last_row} rows and {last_column} columns because of a cell far away from the table",
            sheet=name,
            cell=furthest or None,
        )


class _CellScanner:
    """Walks a sheet's XML and keeps the cells that a reader of values cannot show."""

    def __init__(self) -> None:
        self.found: dict[tuple[int, int], CellValue] = {}
        self._row = self._column = 0
        self._type = ""
        self._texts: dict[str, str] = {}
        self._current: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if name == "row":
            self._row = int(attributes.get("r", self._row + 1))
            self._column = 0
        elif name == "c":
            letters = attributes.get("r", "").rstrip("0123456789")
            self._column = column_number(letters) if letters else self._column + 1
            self._type, self._texts = attributes.get("t", "n"), {}
        elif name in ("f", "v"):
            self._current = name
            self._texts[name] = ""

    def characters(self, text: str) -> None:
        if self._current:
            self._texts[self._current] += text

    def end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in ("f", "v"):
            self._current = None
        elif name == "c":
            value = self._texts.get("v", "")
            if self._type == "e":
                self.found[self._row, self._column] = CellValue(value or "#ERROR", "error")
            elif "f" in self._texts and not value and self._type != "str":
                self.found[self._row, self._column] = CellValue(f"={self._texts['f']}", "formula_without_value")
            elif self._type == "n" and value and not isfinite(float(value)):
                # beyond what a double can hold: kept as it was written, for staging to refuse as no number
                self.found[self._row, self._column] = CellValue(value, "text")


def _scan_cells(xml: bytes) -> dict[tuple[int, int], CellValue]:
    scanner = _CellScanner()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = scanner.start
    parser.EndElementHandler = scanner.end
    parser.CharacterDataHandler = scanner.characters
    with _library_errors():
        parser.Parse(xml, True)
    return scanner.found
