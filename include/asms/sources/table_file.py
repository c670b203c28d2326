"""A table in a file as publishers of open data send it: CSV, XLSX or JSON, alone or in a ZIP; told by content, not by name.

What belongs: cutting bytes into a header and rows of text, and what is wrong with the bytes. What does not: what a column means.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import python_calamine

from asms.findings import Finding
from asms.sources import SourceError
from asms.sources.http import read_json
from asms.sources.new_column import titles_of

_LARGEST = 256 * 2**20  # bytes out of a ZIP
_DATA_NAMES = (".csv", ".txt", ".xlsx", ".json")
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.MULTILINE)
_HEADER_WITHIN = 6  # rows at the top of a sheet


@dataclass(frozen=True)
class Table:
    """``lines`` holds the number of each line (the header's is before them) and its cells, text or None, as many as ``header``."""

    header: tuple[str, ...]
    lines: tuple[tuple[int, tuple[str | None, ...]], ...]
    findings: tuple[Finding, ...] = ()


def read_table(data: bytes, dataset: str, required: Sequence[str]) -> Table:
    """Cut ``data`` into a table that has the columns ``required`` (by title, blanks around and case left out).

    A line with another number of fields is left out, with a Finding on ``dataset``. Raises SourceError for bytes that are no
    such table (conflict markers of a version control, a JSON object in place of a list, two tables in a ZIP) or lack a column.
    """
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if "xl/workbook.xml" not in archive.namelist():
                return read_table(_unpack(archive), dataset, required)
        grid = _sheet_lines(data, required)
    elif data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        grid = _json_lines(data)
    else:
        grid = csv_lines(data)
    head_no, titles = next(grid, (0, []))
    header = tuple(" ".join((title or "").split()).casefold() for title in titles)
    missing = [title for title in required if title not in header]
    if missing:
        raise SourceError(
            f"the table lacks the column(s) {', '.join(missing)}; its header is {', '.join(header)[:200] or '(empty)'}: "
            "the publisher has changed it, and the reader must follow"
        )
    lines: list[tuple[int, tuple[str | None, ...]]] = []
    findings: list[Finding] = []
    for line_no, cells in grid:
        if len(cells) == len(header):
            lines.append((line_no, tuple(cell if cell and cell.strip() else None for cell in cells)))
        else:
            findings.append(_left_out(dataset, line_no, cells, len(header)))
    if not lines:
        raise SourceError(f"the table has a header (line {head_no}) and no rows")
    return Table(header, tuple(lines), tuple(findings))


def odd_values(table: Table, dataset: str, patterns: Mapping[str, re.Pattern[str]]) -> list[Finding]:
    """A Finding for each value that does not match the pattern of its column; empty cells are no values."""
    columns = {title: at for at, title in enumerate(table.header) if title in patterns}
    return [
        Finding(
            rule_id="SOURCE_VALUE_INVALID",
            dataset=dataset,
            message_uk=f"Рядок {line_no}, {title}: «{value}»; значення не використано",
            message_en=f"line {line_no}, {title}: '{value}'; the value is not used",
            cell=f"{title}:{line_no}",
            value_found=value[:200],
            value_expected=patterns[title].pattern,
        )
        for line_no, cells in table.lines
        for title, at in columns.items()
        if (value := cells[at]) is not None and not patterns[title].fullmatch(value.strip())
    ]


def csv_lines(data: bytes) -> Iterator[tuple[int, Sequence[str]]]:
    """Number and cells of each line that is not blank. UTF-8 or cp1251, parted by commas, semicolons or tabs.

    Raises SourceError for conflict markers of a version control, or quotes that do not close.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1251", errors="replace")
    text = text.replace("\0", "")  # PostgreSQL takes none, not even in what a finding quotes
    conflict = _CONFLICT.search(text)
    if conflict:
        line_no = text.count("\n", 0, conflict.start()) + 1
        raise SourceError(
            f"line {line_no} is a conflict marker of a version control ({conflict.group().strip()}): the file holds two versions at "
            "once; tell its publisher"
        )
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells))
    except csv.Error as error:
        raise SourceError(f"line {reader.line_num} is not CSV ({error}); save the table as «CSV UTF-8»") from error


def _json_lines(data: bytes) -> Iterator[tuple[int, Sequence[str | None]]]:
    try:
        records = read_json(data)
    except ValueError as error:
        raise SourceError(f"the answer is neither JSON nor another table ({error})") from error
    if isinstance(records, dict):
        raise SourceError(
            f"the list of records has become an object with the keys {', '.join(list(records)[:3])} …: the publisher has changed it, "
            "and the reader must follow"
        )
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise SourceError("the answer is a list of something else than records")
    titles = titles_of(records)
    yield 1, titles
    for number, record in enumerate(records, start=2):
        yield number, [None if record.get(title) is None else str(record[title]) for title in titles]


def _sheet_lines(data: bytes, required: Sequence[str]) -> Iterator[tuple[int, Sequence[str | None]]]:
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
        grids = [book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names]
    except python_calamine.CalamineError as error:
        raise SourceError(f"the answer is not a workbook that can be read ({error})") from error
    for grid in grids:
        for at, cells in enumerate(grid[:_HEADER_WITHIN]):
            titles = [str(cell).strip().casefold() for cell in cells]
            if all(title in titles for title in required):
                yield from (
                    (no, [cell_text(cell) for cell in line])
                    for no, line in enumerate(grid[at:], start=at + 1)
                    if any(line)
                )
                return
    yield 1, [str(cell) for grid in grids[:1] for cell in (grid[0] if grid else [])]


def cell_text(value: object) -> str | None:
    """A spreadsheet's cell as text, as found; None when it is empty. Readers give whole numbers as floats, so the «.0» goes."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if value is not None and str(value).strip() else None


def _unpack(archive: zipfile.ZipFile) -> bytes:
    """The one file with data in a ZIP."""
    members = [member for member in archive.infolist() if member.filename.casefold().endswith(_DATA_NAMES)]
    if len(members) != 1:
        raise SourceError(f"the ZIP holds {len(members)} tables ({', '.join(archive.namelist()[:5])}); one is expected")
    if members[0].file_size > _LARGEST:
        raise SourceError(f"{members[0].filename} in the ZIP is larger than {_LARGEST // 2**20} MB")
    try:
        return archive.read(members[0])
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise SourceError(f"{members[0].filename} in the ZIP cannot be unpacked ({error})") from error


def _left_out(dataset: str, line_no: int, cells: Sequence[str | None], expected: int) -> Finding:
    return Finding(
        rule_id="SOURCE_ROW_UNREADABLE",
        dataset=dataset,
        message_uk=f"Рядок {line_no}: полів {len(cells)}, а у заголовку {expected}; рядок не завантажено",
        message_en=f"line {line_no} has {len(cells)} fields and the header {expected}; the row was left out",
        cell=str(line_no),
        value_found=";".join(cell or "" for cell in cells)[:200],
        value_expected=str(expected),
    )
