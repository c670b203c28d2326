"""What a file of every layout is read as: sheets of cells, each cell with the address that people find it by in their file."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from asms.intake.problem import ProblemError

Kind = Literal["xlsx", "csv", "json"]
ValueType = Literal["number", "text", "boolean", "date", "error", "formula_without_value", "empty"]

MAX_FILE_BYTES = 50 << 20
_OTHERWISE = ("e", "n", "-0.0", "0.0000")
"""In numbers as msgspec writes them: what ``number_text`` may write in another way."""
MAX_SHEET_CELLS = 5_000_000  # a sheet is kept as a dense grid, so one stray cell in the far corner would cost gigabytes


class CellValue(NamedTuple):
    """A value as found. ``text`` is None when the cell is empty; a formula never computed gives its own text."""

    text: str | None
    type: ValueType


EMPTY = CellValue(None, "empty")


class Sheet:
    """One sheet's values; rows and columns count from 1. ``grid`` is rectangular, '' stands for what is blank."""

    is_lettered = True
    """Whether a cell's address is its column's letters and its row's number, whatever the sheet holds."""

    def __init__(self, name: str, grid: Sequence[Sequence[Any]]) -> None:
        self.name = name
        self.grid = grid

    @property
    def row_count(self) -> int:
        return len(self.grid)

    @property
    def column_count(self) -> int:
        return len(self.grid[0]) if self.grid else 0

    def value(self, row: int, column: int) -> CellValue:
        """Value of a cell; a cell outside of what the sheet holds is empty."""
        found = self._at(row, column)
        if found == "" or (isinstance(found, float) and not isfinite(found)):
            return self._behind_blank(row, column, found)
        return describe(found)

    def text(self, row: int, column: int) -> str:
        """What stands in a cell, for finding one's way: without blanks around it, '' when there is nothing."""
        found = self._at(row, column)
        return (found if isinstance(found, str) else describe(found).text or "").strip()

    def address(self, row: int, column: int) -> str:
        """Name of a cell as people find it: (17, 4) → 'D17'."""
        return self.address_in(column)(row)

    def address_in(self, column: int) -> Callable[[int], str]:
        """``address`` of one column as a function of the row, for those who need thousands."""
        return f"{column_letters(column)}{{}}".format

    def find_broken_rows(self, header: int) -> Mapping[int, ProblemError]:  # noqa: ARG002 - layouts of text look at it
        """Rows below ``header`` that cannot be used, each with what is wrong with it."""
        return {}

    def _at(self, row: int, column: int) -> Any:
        if 1 <= row <= self.row_count and 1 <= column <= self.column_count:
            return self.grid[row - 1][column - 1]
        return ""

    def _behind_blank(self, row: int, column: int, found: object) -> CellValue:  # noqa: ARG002 - a workbook looks further
        """What stands where the grid shows a blank, or an infinity."""
        return EMPTY


class Book(Protocol):
    """A file that passed the measuring; sheets are read when asked for."""

    @property
    def kind(self) -> Kind: ...
    @property
    def sheet_names(self) -> tuple[str, ...]: ...
    @property
    def visible_sheet_names(self) -> tuple[str, ...]: ...
    def sheet(self, name: str) -> Sheet:
        """Read one sheet. Raises ProblemError when it cannot be held."""


def describe(value: object) -> CellValue:
    """Text and type of a value as its reader gives it; numbers in their shortest form: 5.0 → '5', 0.1 → '0.1'."""
    if isinstance(value, bool):
        return CellValue(str(value).upper(), "boolean")
    if isinstance(value, int | float):
        return CellValue(number_text(value), "number")
    if isinstance(value, datetime):
        return CellValue(value.isoformat(sep=" "), "date")
    if isinstance(value, date | time | timedelta):
        return CellValue(str(value), "date")
    return CellValue(str(value), "text") if value != "" else EMPTY


def address(row: int, column: int) -> str:
    """Name of a workbook's cell: (17, 4) → 'D17'."""
    return f"{column_letters(column)}{row}"


def split_address(cell: str) -> tuple[int, int]:
    """Row and column of a workbook's cell: 'D17' → (17, 4)."""
    letters = cell.rstrip("0123456789")
    return int(cell[len(letters) :]), column_number(letters)


# Not openpyxl's: to import it takes numpy in, and every process that reads files would pay for it.
def column_letters(number: int) -> str:
    """Name of a column: 4 → 'D', 28 → 'AB'."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def column_number(letters: str) -> int:
    """Number of a column by its name: 'AB' → 28. Raises ValueError for what is no such name."""
    number = 0
    if not re.fullmatch("[A-Za-z]{1,3}", letters):
        raise ValueError(f"{letters[:10]!r} is no column")
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def number_text(value: float) -> str:
    """The shortest text that gives ``value`` back, without a needless fraction; a negative zero is a zero."""
    return (repr(value) if value.__class__ is int else repr(value + 0.0)).removesuffix(".0")


def number_texts(values: Sequence[float]) -> dict[float, str]:
    """``number_text`` of each of ``values`` that is finite: what thousands of calls cost is saved by one."""
    text = msgspec.json.encode(values).decode()[1:-1]
    if any([mark in text for mark in _OTHERWISE]):
        return {value: number_text(value) for value in values if isfinite(value)}
    return dict(zip(values, f"{text},".replace(".0,", ",").split(","), strict=False))
