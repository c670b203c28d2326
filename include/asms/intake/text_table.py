"""Reading CSV as people save it: any of three delimiters and of the encodings in use, one sheet of texts.

The address of a value is 'line:field'. Decimal commas are left to staging, which types the texts.
"""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from asms.intake.book import MAX_SHEET_CELLS, Kind, Sheet
from asms.intake.problem import ProblemError

SHEET_NAME = "CSV"
_DELIMITERS = (";", "\t", ",")
_SNIFFED_LINES = 200
_NO_TEXT = frozenset(map(chr, range(32))) - set("\t\r\n\f\v")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class _TextSheet(Sheet):
    """The lines of a CSV; ``lines`` are their numbers in the file, which differ from the row's where a text spans lines."""

    is_lettered = False

    def __init__(self, rows: Sequence[Sequence[str]], lines: Sequence[int], delimiter: str) -> None:
        width = max(map(len, rows), default=0)
        super().__init__(SHEET_NAME, [[*row, *[""] * (width - len(row))] for row in rows])
        self._sizes = [len(row) for row in rows]
        self._lines = lines
        self._delimiter = delimiter

    def address_in(self, column: int) -> Callable[[int], str]:
        return lambda row: f"{self._lines[row - 1]}:{column}"

    def find_broken_rows(self, header: int) -> Mapping[int, ProblemError]:
        """Rows whose fields do not match the titles: '12,5' parted by commas would be read as 12, with a reason of 5."""
        expected = self._sizes[header - 1] if header else 0
        broken = {}
        for row, size in enumerate(self._sizes[header:], start=header + 1):
            texts = self.grid[row - 1]
            is_surplus = any(text.strip() for text in texts[expected:])
            if any(texts) and expected and (is_surplus or (self._delimiter == "," and size != expected)):
                broken[row] = ProblemError(
                    "LINE_FIELD_COUNT",
                    f"У рядку {self._lines[row - 1]} полів {size}, а заголовків {expected}; роздільник «{self._delimiter}»",
                    f"Line {self._lines[row - 1]} has {size} fields and the header {expected}; delimiter “{self._delimiter}”",
                    sheet=self.name,
                    cell=self.address(row, min(size, expected + 1)),
                    value_found=self._delimiter.join(texts[:size])[:500],
                )
        return broken


class TextTable:
    """A CSV file: one sheet."""

    kind: Final[Kind] = "csv"
    sheet_names: Final = (SHEET_NAME,)
    visible_sheet_names: Final = (SHEET_NAME,)

    def __init__(self, data: bytes) -> None:
        """Read ``data``. Raises ProblemError FILE_TEXT_UNREADABLE or SHEET_TOO_LARGE."""
        text = _decode(data)
        first, _, rest = text.partition("\n")
        if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=;"):
            self._sheet = _parse(rest, first.strip()[-1], first_line=2)
        else:
            self._sheet = _parse(text, _sniff(text), first_line=1)

    def sheet(self, name: str) -> Sheet:  # noqa: ARG002 - there is one
        return self._sheet


def _decode(data: bytes) -> str:
    """The text, in the encoding that its first bytes name, else UTF-8, else that of Ukrainian Windows."""
    named = next((encoding for bom, encoding in _BOMS.items() if data.startswith(bom)), None)
    for encoding in (named,) if named else ("utf-8", "cp1251"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _NO_TEXT.isdisjoint(text):
            return text
    raise ProblemError(
        "FILE_TEXT_UNREADABLE",
        "Це не книга .xlsx, не JSON і не текст у кодуванні UTF-8 чи Windows-1251",
        "This is no .xlsx workbook, no JSON and no text encoded as UTF-8 or Windows-1251",
        value_found=repr(data[:16].decode("ascii", "replace")),
    )


def _sniff(text: str) -> str:
    """The delimiter that cuts most lines into the same number of fields, more than one."""

    def fit(delimiter: str) -> tuple[int, int]:
        lines = csv.reader(io.StringIO(text), delimiter=delimiter)
        try:
            sizes = Counter(len(row) for _, row in zip(range(_SNIFFED_LINES), lines, strict=False) if len(row) > 1)
        except csv.Error:
            return (0, 0)
        size, count = max(sizes.items(), key=lambda item: (item[1], item[0]), default=(0, 0))
        return (count, size)

    return max(_DELIMITERS, key=fit)


def _parse(text: str, delimiter: str, first_line: int) -> _TextSheet:
    rows: list[list[str]] = []
    lines: list[int] = []
    width = 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        start = first_line
        for row in reader:
            rows.append(row)
            lines.append(start)
            start = reader.line_num + first_line
            width = max(width, len(row))
            if width * len(rows) > MAX_SHEET_CELLS:
                raise ProblemError(
                    "SHEET_TOO_LARGE",
                    f"Таблиця має понад {MAX_SHEET_CELLS} клітинок",
                    f"The table has more than {MAX_SHEET_CELLS} cells",
                    sheet=SHEET_NAME,
                    cell=f"{lines[-1]}:{len(row)}",
                )
    except csv.Error as error:
        raise ProblemError(
            "FILE_TEXT_UNREADABLE",
            f"Рядок {reader.line_num}: таблицю CSV не вдається розібрати",
            f"Line {reader.line_num}: the CSV table cannot be taken apart ({error})",
            sheet=SHEET_NAME,
            cell=f"{reader.line_num}:1",
        ) from error
    return _TextSheet(rows, lines, delimiter)
