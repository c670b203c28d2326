"""From a sheet and the definition of a table to its answers as found.

The sheets of a cycle differ in their answers alone. What does not depend on these (which line asks what, at which address) is
worked out once for all sheets of a process that look the same, and the loop over a cycle's million cells makes no objects but
its rows.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import count, repeat
from typing import Any, NamedTuple

from asms.intake.book import CellValue, Sheet, ValueType, column_number, number_texts
from asms.intake.form_definition import Column, NilReturn, Table
from asms.intake.problem import ProblemError
from asms.intake.spelling import fold, fold_code

_CODES_WITHIN = 10
_LONGEST_CODE = 300
"""Characters kept of what stands for a code: staging has it in an index, which takes no long text."""
_LONGEST_HEAD = 2_000
"""Cells and characters of a row whose titles are remembered: the rows of our templates have a quarter of that."""
_MOST_LINES_KEPT = 200
"""Lines of a sheet whose places are remembered for the next one: more than any sheet of ours has, little enough to hold."""

Report = Callable[[ProblemError], None]


class MappedCell(NamedTuple):
    """A cell that the form maps, as found. The tables' loop makes plain tuples of this order, a million of them a cycle."""

    sheet: str
    cell: str
    indicator_code: str
    code_text: str
    sex: str
    value_text: str | None
    value_type: ValueType
    reason_text: str | None
    remark_text: str | None

    @property
    def value(self) -> CellValue:
        return CellValue(self.value_text, self.value_type)


Row = tuple[str, str, str, str, str, str | None, ValueType, str | None, str | None]
_Place = tuple[str, str, str, str, str]
"""The first fields of a row: sheet, cell, code, the code as written, sex."""
_Spot = tuple[int, _Place, tuple[str, ...]]
"""A cell of a line that may hold an answer: its index in the row, its place, and the marks that it is not asked."""
_Line = tuple[str, bool, tuple[_Spot, ...]]
"""A line: its code, whether that is one of the table's, and its cells."""


class _Layout(NamedTuple):
    """A table's columns by number, its header (0 without titles) and first row of answers. A column not there is None."""

    header: int
    first_row: int
    code: int
    values: tuple[tuple[int, str, tuple[str, ...]], ...]
    sex: int | None
    reason: int | None
    remark: int | None


class _Wanted(NamedTuple):
    """A column of the definition: its number, or the folded titles that it may bear."""

    number: int | None
    titles: frozenset[str]

    def find(self, titles: Mapping[str, int]) -> int | None:
        """Its number in a header. Of several columns that fit, the first."""
        return self.number or min([titles[title] for title in self.titles if title in titles], default=None)


class TableReader:
    """Reads the sheets of one table of a form. Use ``reader_of``: what it knows of sheets that look the same is worth keeping."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._code = _want(table.code)
        self._values = tuple((_want(value), value) for value in table.values)
        self._sex, self._reason, self._remark = (
            _want(column) if column else None for column in (table.sex, table.reason, table.remark)
        )
        self._nil = _Wanted(None, _want_titles(table.nil_return.titles if table.nil_return else ()))
        self._sexes = {
            "": "T",
            **({fold(word): sex for sex, words in table.sex.words.items() for word in words} if table.sex else {}),
        }
        self._ends_at = fold(table.ends_at) if table.ends_at else None
        self._lettered_lines = lru_cache(maxsize=128)(self._list_lettered_lines)

    def bears_codes(self, sheet: Sheet) -> bool:
        """Whether a title of the code column stands in the first rows."""
        return 0 < len(self._read_heads(sheet)) <= _CODES_WITHIN

    def read(self, sheet: Sheet, rows: list[Row], report: Report) -> None:
        """Add the answers of ``sheet`` to ``rows``. Raises ProblemError when a column that must be there is not found."""
        heads = self._read_heads(sheet)
        layout = self._find_layout(sheet, heads)
        choice = self._table.nil_return
        nil = self._find_nil_choice(sheet, heads, choice, report) if choice else None
        read_before = len(rows)
        broken = sheet.find_broken_rows(layout.header)
        grid = _widened(sheet, layout)
        reasons, remarks = (_read_texts(sheet, grid, layout, column) for column in (layout.reason, layout.remark))
        indexes = [column - 1 for column, _, _ in layout.values]
        spelled = number_texts([n for row in grid for index in indexes if (n := row[index]).__class__ is float])
        for number, row, reason, remark, (code, is_code, spots) in zip(
            count(layout.first_row), grid, reasons, remarks, self._find_lines(sheet, grid, layout), strict=False
        ):
            if broken and number in broken:
                report(broken[number])
                continue
            line: list[Row] = []
            for index, place, not_asked in spots:
                found = row[index]
                if found.__class__ is float and found in spelled:
                    line.append((*place, spelled[found], "number", reason, remark))
                elif found.__class__ is str and found:
                    if not not_asked or found.strip() not in not_asked:
                        line.append((*place, found, "text", reason, remark))
                else:
                    line.append((*place, *sheet.value(number, index + 1), reason, remark))
            if not code:
                _report_uncoded(line, number, report)
            elif is_code or any([answer[6] != "empty" for answer in line]):
                rows += line if layout.sex is None else self._with_sex(sheet, number, layout.sex, line, report)
        if nil is not None:
            rows[read_before:] = _answer_nil(rows[read_before:], nil, report)

    def _find_lines(self, sheet: Sheet, grid: Sequence[Sequence[Any]], layout: _Layout) -> Sequence[_Line]:
        """The lines of answers up to where the table ends."""
        index = layout.code - 1
        texts = tuple(
            [
                text if text.__class__ is str else sheet.value(number, layout.code).text or ""
                for number, text in enumerate([row[index] for row in grid], layout.first_row)
            ]
        )
        if sheet.is_lettered and len(texts) <= _MOST_LINES_KEPT:
            return self._lettered_lines(sheet.name, layout, texts)
        return self._list_lines(sheet, layout, texts)

    def _list_lettered_lines(self, name: str, layout: _Layout, texts: tuple[str, ...]) -> Sequence[_Line]:
        return self._list_lines(Sheet(name, ()), layout, texts)

    def _list_lines(self, sheet: Sheet, layout: _Layout, texts: Sequence[str]) -> Sequence[_Line]:
        lines: list[_Line] = []
        columns = [(column - 1, sex, not_asked, sheet.address_in(column)) for column, sex, not_asked in layout.values]
        for number, text in enumerate(texts, layout.first_row):
            if self._ends_at is not None and fold(text).startswith(self._ends_at):
                break
            code = fold_code(text)[:_LONGEST_CODE]
            is_code = len(text) < _LONGEST_CODE and re.fullmatch(self._table.code.pattern, code) is not None
            spots = tuple(
                (index, (sheet.name, address(number), code, text, sex), not_asked)
                for index, sex, not_asked, address in columns
            )
            lines.append((code, is_code, spots))
        return lines

    def _with_sex(self, sheet: Sheet, row: int, column: int, line: Sequence[Row], report: Report) -> Sequence[Row]:
        """The answers of a line with the sex that it names; none, and a problem, when it names no known one."""
        text = sheet.text(row, column)
        sex = self._sexes.get(fold(text))
        if sex is not None:
            return [(*answer[:4], sex, *answer[5:]) for answer in line]
        report(
            ProblemError(
                "SEX_NOT_RECOGNISED",
                f"«{text}» не є позначкою статі; приймаються T (усього), F (жінки), M (чоловіки)",
                f"“{text}” is no mark of a sex; T (total), F (female), M (male) are taken",
                sheet=sheet.name,
                cell=sheet.address(row, column),
                value_found=text,
            )
        )
        return []

    def _find_layout(self, sheet: Sheet, heads: Sequence[Mapping[str, int]]) -> _Layout:
        """Find the columns. Raises ProblemError when the code column or the column of totals cannot be found."""
        header = len(heads)
        titles = heads[-1] if heads else {}
        code = self._code.find(titles)
        if code is None:
            listed = self._table.code.titles
            raise ProblemError(
                "FORM_CODE_COLUMN_MISSING",
                f"На аркуші немає стовпця з кодами показників «{'», «'.join(listed)}»",
                f"The sheet has no column of indicator codes titled “{'”, “'.join(listed)}”",
                sheet=sheet.name,
            )
        values = []
        for wanted, value in self._values:
            column = wanted.find(titles)
            if column is not None:
                values.append((column, value.sex, value.not_asked))
            elif value.sex == "T":
                raise ProblemError(
                    "FORM_VALUE_COLUMN_MISSING",
                    f"На аркуші немає стовпця «{'», «'.join(value.titles)}» у рядку заголовків {header}",
                    f"The sheet has no column “{'”, “'.join(value.titles)}” in its header, row {header}",
                    sheet=sheet.name,
                    cell=sheet.address(header, 1),
                )
        sex, reason, remark = (
            column.find(titles) if column else None for column in (self._sex, self._reason, self._remark)
        )
        return _Layout(header, self._table.first_row or header + 1, code, tuple(values), sex, reason, remark)

    def _read_heads(self, sheet: Sheet) -> list[Mapping[str, int]]:
        """Titles by row, down to the header: the first row that bears a title of the code column. Empty without one."""
        heads: list[Mapping[str, int]] = []
        for row in range(1, min(sheet.row_count, self._table.header_within) + 1) if self._code.titles else ():
            heads.append(find_titles(sheet, row))
            if not self._code.titles.isdisjoint(heads[-1]):
                return heads
        return []

    def _find_nil_choice(
        self, sheet: Sheet, heads: Sequence[Mapping[str, int]], wanted: NilReturn, report: Report
    ) -> str | None:
        """The choice of a nil return, if it was made. A text that is not the one offered is told and means nothing."""
        for row, titles in enumerate(heads[:-1], start=1):
            at = self._nil.find(titles)
            if at is None:
                continue
            beside = enumerate(sheet.grid[row - 1][at:], start=at + 1)
            found = next(((n, text) for n, cell in beside if cell != "" and (text := sheet.text(row, n))), None)
            if found is None:
                return None
            if fold(found[1]) == fold(wanted.choice):
                return wanted.choice
            report(
                ProblemError(
                    "NIL_RETURN_UNCLEAR",
                    f"У виборі нульової звітності стоїть «{found[1]}»; приймається лише «{wanted.choice}» або порожньо",
                    f"The choice of a nil return holds “{found[1]}”; only “{wanted.choice}” or nothing is taken",
                    sheet=sheet.name,
                    cell=sheet.address(row, found[0]),
                    value_found=found[1],
                )
            )
        return None


@lru_cache(maxsize=64)
def reader_of(table: Table) -> TableReader:
    """The reader of ``table``, the same for all files of this process."""
    return TableReader(table)


def find_titles(sheet: Sheet, row: int) -> Mapping[str, int]:
    """Columns by the folded texts of a row; of equal texts the first."""
    found = sheet.grid[row - 1] if 1 <= row <= sheet.row_count else ()
    texts = tuple([text if text.__class__ is str else "" for text in found])
    is_short = len(texts) + len("".join(texts)) < _LONGEST_HEAD
    return _number_titles(texts) if is_short else _number_any_titles(texts)


def _number_any_titles(texts: tuple[str, ...]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for column, text in enumerate(texts, start=1):
        if text:
            found.setdefault(fold(text), column)
    return found


@lru_cache(maxsize=512)
def _number_titles(texts: tuple[str, ...]) -> Mapping[str, int]:
    return _number_any_titles(texts)


def find_column(titles: Mapping[str, int], wanted: Column) -> int | None:
    """Number of a column in a header as ``find_titles`` gives it; None when it is not there."""
    return _want(wanted).find(titles)


def _want(column: Column) -> _Wanted:
    return _Wanted(column_number(column.column) if column.column else None, _want_titles(column.titles))


def _want_titles(titles: Sequence[str]) -> frozenset[str]:
    return frozenset(map(fold, titles))


def _widened(sheet: Sheet, layout: _Layout) -> Sequence[Sequence[Any]]:
    """The rows of answers, each as wide as the table: a sheet ends with its last column that holds anything."""
    rows = sheet.grid[layout.first_row - 1 :]
    columns = [layout.code, layout.reason or 0, layout.remark or 0, *(column for column, _, _ in layout.values)]
    missing = [""] * (max(columns) - sheet.column_count)
    return [[*row, *missing] for row in rows] if missing else rows


def _read_texts(
    sheet: Sheet, grid: Sequence[Sequence[Any]], layout: _Layout, column: int | None
) -> Iterable[str | None]:
    """What stands in a column of the rows of answers; None where there is nothing, as in most sheets there is not."""
    if column is None or not any([row[column - 1] != "" for row in grid]):
        return repeat(None)
    return [sheet.text(number, column) or None for number in range(layout.first_row, layout.first_row + len(grid))]


def _report_uncoded(line: Sequence[Row], row: int, report: Report) -> None:
    for sheet, cell, _, _, _, text, *_ in line:
        if text is not None and text.strip():
            report(
                ProblemError(
                    "CODE_ROW_WITHOUT_CODE",
                    f"У рядку {row} є значення, але немає коду показника",
                    f"Row {row} has a value but no indicator code",
                    sheet=sheet,
                    cell=cell,
                    value_found=text,
                )
            )
            return


def _answer_nil(rows: Sequence[Row], choice: str, report: Report) -> Iterator[Row]:
    """Give ``choice`` as the reason of every blank cell that has none; figures other than zero contradict it and stand."""
    contradicting = [row for row in map(MappedCell._make, rows) if row.value_type == "number" and row.value_text != "0"]
    if contradicting:
        first = contradicting[0]
        report(
            ProblemError(
                "NIL_RETURN_CONTRADICTED",
                f"Обрано «{choice}», проте на аркуші заповнено чисел: {len(contradicting)}; їх прочитано",
                f"“{choice}” is chosen, but the sheet holds {len(contradicting)} figures; they were read",
                sheet=first.sheet,
                cell=first.cell,
                value_found=first.value_text,
            )
        )
    for row in map(MappedCell._make, rows):
        is_blank = not (row.value_text or "").strip() and row.reason_text is None
        yield row._replace(reason_text=choice) if is_blank else row
