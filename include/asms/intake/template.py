"""The annual return as a workbook to fill in: one sheet per domain, and a hidden sheet that says whose and when it is.

The reader finds its way by ``forms/asms_annual.yaml``; a change here is a change there. Equal arguments give equal bytes.
Sheets are protected without a password: the cells to fill are open, the rest is guarded against slips, not against people.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from asms.intake.book import address
from asms.intake.identity import mark_sheet, seal
from asms.intake.spelling import fold_code

FORM_CODE = "ASMS-ANNUAL"
FORM_VERSION = "2"
COLLECTION_CODE = "ASMS"
IDENTITY_SHEET = "_asms"
HEADER_ROW = 4
MISSING_REASONS = {
    "M_NC": "не збирається (M_NC)",
    "M_NA": "не застосовується (M_NA)",
    "M_ND": "ще не настав строк (M_ND)",
    "C": "конфіденційно (C)",
    "M_NR": "не подано (M_NR)",
}
"""What the list in the missing-reason column offers, by ``obs_status``."""
NIL_CHOICE = "послуги немає (нульова звітність)"
"""What the list above the header offers to a body that has nothing to report on the sheet."""

NOT_ASKED = "×"
"""Stands in a cell that is not to be filled in (women, men, of an indicator that is not split). No key types it."""

Sex = Literal["T", "F", "M"]
_SEXES: tuple[Sex, ...] = ("T", "F", "M")
VALUE_TITLES = {"T": "Усього\nTotal", "F": "Жінки\nWomen", "M": "Чоловіки\nMen"}
LAST_YEAR_TITLES = {
    "T": "Торік: усього\nLast year: total",
    "F": "Торік: жінки\nLast year: women",
    "M": "Торік: чоловіки\nLast year: men",
}
"""Titles of the columns that show last year's values; nobody is asked to fill them in."""
REGISTER_TITLES = {
    "T": "За реєстром: усього\nBy the register: total",
    "F": "За реєстром: жінки\nBy the register: women",
    "M": "За реєстром: чоловіки\nBy the register: men",
}
"""Titles of the columns that show what open registers know; they stand last, on sheets of which a register knows something."""

_NIL_LABEL = "Нульова звітність\nNil return"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_LONG_AGO = dt.datetime(1980, 1, 1)  # noqa: DTZ001 - a fixed property of the file, not a moment
_BOUND = 1e15
"""What a cell with no bound of its own may hold: the reader takes no larger number."""


@dataclass(frozen=True)
class TemplateRow:
    """One question of the return. ``min_value`` and ``max_value`` bound the answer; ``choices`` lists all there are."""

    code: str
    domain_code: str
    domain_name_uk: str
    name_uk: str
    name_en: str
    unit: str
    is_sex_split: bool
    domain_name_en: str = ""
    definition: str = ""
    decimals: int = 0
    is_integer: bool = False
    min_value: float | None = None
    max_value: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class TemplateAnswer:
    """What to fill in beforehand. ``reason`` and ``remark`` belong to the row: give them with sex 'T'."""

    value: object
    reason: str | None = None
    remark: str | None = None


def write_template(  # noqa: PLR0913 - what a sheet shows beside is one argument each
    path: Path,
    *,
    indicators: Sequence[TemplateRow],
    municipality_code: str,
    municipality_name: str,
    time_period: str,
    catalogue_version: str,
    answers: Mapping[tuple[str, str], TemplateAnswer],
    last_year: Mapping[tuple[str, str], float | str] | None = None,
    registers: Mapping[tuple[str, str], float] | None = None,
) -> None:
    """Write the workbook to ``path``; domains keep the order in which ``indicators`` first names them.

    ``answers`` is keyed on (indicator code, sex ``T|F|M``); what it lacks is left blank for people to fill in.
    ``last_year`` has the values to show beside, in the unit asked, or a text where there was a reason and no value.
    ``registers`` has what open registers know, in the unit asked: it is filled in where ``answers`` says nothing, for people to
    leave or to correct, and stands beside in a column that cannot be changed.
    Text that a spreadsheet program would take for a formula is stored as text and stays as it is.
    """
    buffer = BytesIO()
    book = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"created": _LONG_AGO})
    style = _Style(book)
    order = {code: position for position, code in enumerate(dict.fromkeys(row.domain_code for row in indicators))}
    marks: dict[str, str] = {}
    for code, rows in groupby(sorted(indicators, key=lambda row: order[row.domain_code]), key=lambda r: r.domain_code):
        sheet = _DomainSheet(book.add_worksheet(code), style, list(rows))
        sheet.write(municipality_name, time_period, answers, last_year or {}, registers or {})
        marks[code] = sheet.mark
    identity = {
        "form_code": FORM_CODE,
        "form_version": FORM_VERSION,
        "catalogue_version": catalogue_version,
        "municipality_code": municipality_code,
        "municipality_name": municipality_name,
        "time_period": time_period,
        "collection_code": COLLECTION_CODE,
    }
    hidden = book.add_worksheet(IDENTITY_SHEET)
    for row_no, (key, value) in enumerate(seal(identity, marks).items()):
        write_value(hidden, row_no, 0, key)
        write_value(hidden, row_no, 1, value)
    hidden.hide()
    hidden.protect()
    book.close()
    path.write_bytes(buffer.getvalue())


class _Style:
    """The formats of one workbook, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, str, bool], Format] = {}
        line = {"valign": "top", "border": 1, "border_color": "#BFBFBF"}
        self.title = book.add_format({"bold": True, "font_size": 14})
        self.bold = book.add_format({"bold": True})
        self.hint = book.add_format({"bold": True, "text_wrap": True, "font_size": 8})
        self.header = book.add_format(
            {"bold": True, "text_wrap": True, "valign": "vcenter", "border": 1, "bg_color": "#D9E1F2"}
        )
        self.label = book.add_format({**line, "text_wrap": True})
        self.definition = book.add_format({"valign": "top"})
        self.not_asked = book.add_format({**line, "align": "center", "bg_color": "#D9D9D9"})
        self._line = line

    def shown(self, number_format: str) -> Format:
        """A value that is shown and not asked."""
        return self._get("shown", number_format, False, {"font_color": "#595959"})

    def filled(self, number_format: str, value: object) -> Format:
        """A cell to fill in, with ``value`` in it."""
        is_risky = isinstance(value, str) and value.startswith(_FORMULA_STARTS)
        # without the quote prefix, a press of Enter in the cell would make a formula of it
        return self._get(
            "filled", number_format, is_risky, {"locked": False, "bg_color": "#FFFBE6", "quote_prefix": is_risky}
        )

    def _get(self, kind: str, number_format: str, is_risky: bool, properties: dict[str, Any]) -> Format:
        key = (kind, number_format, is_risky)
        if key not in self._made:
            self._made[key] = self._book.add_format({**self._line, "num_format": number_format, **properties})
        return self._made[key]


@dataclass(frozen=True)
class SheetColumns:
    """Which column of a domain's sheet holds what, from 0: it depends on whether any of its questions is split by sex."""

    value: Mapping[Sex, int]
    last_year: Mapping[Sex, int]
    reason: int
    remark: int
    definition: int


def sheet_columns(rows: Sequence[TemplateRow]) -> SheetColumns:
    """The columns of the sheet of ``rows``, all questions of one domain."""
    sexes = _SEXES if any(row.is_sex_split for row in rows) else _SEXES[:1]
    reason = 3 + 2 * len(sexes)
    return SheetColumns(
        value={sex: 3 + position for position, sex in enumerate(sexes)},
        last_year={sex: 3 + len(sexes) + position for position, sex in enumerate(sexes)},
        reason=reason,
        remark=reason + 1,
        definition=reason + 2,
    )


class _DomainSheet:
    """One sheet."""

    def __init__(self, sheet: Worksheet, style: _Style, rows: Sequence[TemplateRow]) -> None:
        self._sheet, self._style, self._rows = sheet, style, rows
        columns = sheet_columns(rows)
        self._value, self._last_year = columns.value, columns.last_year
        self._reason, self._remark, self._definition = columns.reason, columns.remark, columns.definition

    @property
    def mark(self) -> str:
        """The mark of this sheet's structure on the hidden sheet."""
        column = self._value["T"] + 1
        return mark_sheet(
            (fold_code(row.code), address(row_no, column)) for row_no, row in enumerate(self._rows, HEADER_ROW + 1)
        )

    def write(
        self,
        municipality_name: str,
        time_period: str,
        answers: Mapping[tuple[str, str], TemplateAnswer],
        last_year: Mapping[tuple[str, str], float | str],
        registers: Mapping[tuple[str, str], float],
    ) -> None:
        self._write_head(municipality_name, time_period)
        rounded = {
            (row.code, sex): round(registers[row.code, sex], row.decimals)
            for row in self._rows
            for sex in self._value
            if (row.code, sex) in registers
        }
        answers = {**{key: TemplateAnswer(value) for key, value in rounded.items()}, **answers}
        for row_no, row in enumerate(self._rows, HEADER_ROW):
            self._write_question(row_no, row, answers)
            self._write_last_year(row_no, row, last_year)
        if rounded:
            self._write_registers(rounded)
        self._validate()
        self._sheet.protect(options={"format_columns": True, "format_rows": True})

    def _write_head(self, municipality_name: str, time_period: str) -> None:
        sheet, style, first = self._sheet, self._style, self._rows[0]
        write_value(sheet,
            0, 0, f"{first.domain_code}. {first.domain_name_uk} / {first.domain_name_en}".rstrip(" /"),
            style.title,
        )  # fmt: skip
        write_value(sheet, 1, 0, municipality_name, style.bold)
        write_value(sheet, 1, self._value["T"], time_period, style.bold)
        sheet.set_row(2, 30)
        write_value(sheet, 2, 0, _NIL_LABEL, style.hint)
        sheet.write_blank(2, 1, None, style.filled("@", None))
        titles: dict[int, tuple[str, float]] = {
            0: ("Код\nCode", 10),
            1: ("Показник\nIndicator", 56),
            2: ("Одиниця\nUnit", 13),
            **{column: (VALUE_TITLES[sex], 14) for sex, column in self._value.items()},
            **{column: (LAST_YEAR_TITLES[sex], 14) for sex, column in self._last_year.items()},
            self._reason: ("Причина відсутності\nWhy missing", 26),
            self._remark: ("Примітка\nRemark", 36),
            self._definition: ("Визначення\nDefinition", 60),
        }
        sheet.set_row(HEADER_ROW - 1, 32)
        for column, (title, width) in titles.items():
            sheet.set_column(column, column, width)
            write_value(sheet, HEADER_ROW - 1, column, title, style.header)
        sheet.freeze_panes(HEADER_ROW, 3)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(HEADER_ROW - 1)

    def _write_question(self, row_no: int, row: TemplateRow, answers: Mapping[tuple[str, str], TemplateAnswer]) -> None:
        sheet, style = self._sheet, self._style
        for column, text in enumerate((row.code, f"{row.name_uk}\n{row.name_en}", row.unit)):
            write_value(sheet, row_no, column, text, style.label)
        write_value(sheet, row_no, self._definition, row.definition, style.definition)
        notes: list[str | None] = [None, None]
        for sex, column in self._value.items():
            answer = answers.get((row.code, sex))
            if answer is None and sex != "T" and not row.is_sex_split:
                write_value(sheet, row_no, column, NOT_ASKED, style.not_asked)
                continue
            value = answer.value if answer else None
            write_value(sheet, row_no, column, value, style.filled(_number_format(row, value), value))
            if answer:
                given = (answer.reason, answer.remark)
                notes = [new if new is not None else old for new, old in zip(given, notes, strict=True)]
        for column, note in zip((self._reason, self._remark), notes, strict=True):
            write_value(sheet, row_no, column, note, style.filled("@", note))

    def _write_last_year(self, row_no: int, row: TemplateRow, last_year: Mapping[tuple[str, str], float | str]) -> None:
        for sex, column in self._last_year.items():
            value = last_year.get((row.code, sex)) if row.is_sex_split or sex == "T" else NOT_ASKED
            format_ = self._style.not_asked if value == NOT_ASKED else self._style.shown(_number_format(row, value))
            write_value(self._sheet, row_no, column, value, format_)

    def _write_registers(self, known: Mapping[tuple[str, Sex], float]) -> None:
        for column, sex in enumerate(self._value, self._definition + 1):
            self._sheet.set_column(column, column, 14)
            write_value(self._sheet, HEADER_ROW - 1, column, REGISTER_TITLES[sex], self._style.header)
            for row_no, row in enumerate(self._rows, HEADER_ROW):
                value = known.get((row.code, sex))
                if value is not None:
                    write_value(self._sheet, row_no, column, value, self._style.shown(_number_format(row, value)))

    def _validate(self) -> None:
        """Say what each open cell takes; one entry for all cells that take the same."""
        same: dict[tuple[Any, ...], list[str]] = {}
        takes: dict[tuple[Any, ...], TemplateRow] = {}
        for row_no, row in enumerate(self._rows, HEADER_ROW + 1):
            key = (row.is_integer, row.min_value, row.max_value, row.choices)
            last = max(self._value.values()) if row.is_sex_split else self._value["T"]
            same.setdefault(key, []).append(_cells(row_no, self._value["T"], last))
            takes.setdefault(key, row)
        for key, cells in same.items():
            self._sheet.data_validation(cells[0], {**_takes(takes[key]), "multi_range": " ".join(cells)})
        last_row = HEADER_ROW + len(self._rows) - 1
        self._sheet.data_validation(
            HEADER_ROW, self._reason, last_row, self._reason,
            {
                "validate": "list",
                "source": list(MISSING_REASONS.values()),
                "error_title": "Причина відсутності",
                "error_message": "Виберіть причину зі списку або залиште порожньою. / Choose a reason of the list.",
            },
        )  # fmt: skip
        self._sheet.data_validation(
            2, 1, 2, 1,
            {
                "validate": "list",
                "source": [NIL_CHOICE],
                "input_title": "Нульова звітність",
                "input_message": "Якщо громада не має такої послуги, виберіть зі списку: порожні клітинки аркуша "
                "вважатимуться відповіддю «не застосовується». / No such service? Choose it: blank cells count as answered.",
                "error_title": "Нульова звітність",
                "error_message": "Виберіть зі списку або залиште порожньою. / Choose of the list or leave blank.",
            },
        )  # fmt: skip


def _cells(row_no: int, first: int, last: int) -> str:
    """Name of a run of cells of row ``row_no`` (from 1), columns from 0: 'D5' or 'D5:F5'."""
    start = address(row_no, first + 1)
    return start if first == last else f"{start}:{address(row_no, last + 1)}"


def _takes(row: TemplateRow) -> dict[str, Any]:
    """The validation of a cell for an answer to ``row``."""
    leave = "Якщо значення немає, залиште порожньою й виберіть причину."
    if row.choices:
        listed = ", ".join(row.choices)
        return {
            "validate": "list",
            "source": list(row.choices),
            "error_title": "Код зі списку",
            "error_message": f"Виберіть один із кодів: {listed}. {leave} / Choose one of: {listed}."[:255],
        }
    low, high = row.min_value, row.max_value
    kind_uk, kind_en = ("ціле число", "a whole number") if row.is_integer else ("число", "a number")
    bound_uk = "".join(
        [f", не менше {low:g}" if low is not None else "", f", не більше {high:g}" if high is not None else ""]
    )
    bound_en = "".join(
        [f", at least {low:g}" if low is not None else "", f", at most {high:g}" if high is not None else ""]
    )
    return {
        "validate": "integer" if row.is_integer else "decimal",
        "criteria": "between",
        "minimum": _plain(-_BOUND if low is None else low),
        "maximum": _plain(_BOUND if high is None else high),
        "error_title": "Потрібне число",
        "error_message": f"Потрібне {kind_uk}{bound_uk}. {leave} / Write {kind_en}{bound_en}; if there is none, say why.",
    }


def _plain(number: float) -> float | int:
    return int(number) if float(number).is_integer() else number


def _number_format(row: TemplateRow, value: object) -> str:
    if isinstance(value, dt.date):
        return "dd.mm.yyyy"
    if row.choices:
        return "0"
    return "#,##0" + ("." + "0" * row.decimals if row.decimals else "")


def write_value(sheet: Worksheet, row: int, column: int, value: object, format_: Format | None = None) -> None:
    """Write ``value`` as what it is; rows and columns count from 0. Text is never taken for a formula, link or markup."""
    match value:
        case None:
            sheet.write_blank(row, column, None, format_)
        case bool():
            sheet.write_boolean(row, column, value, format_)
        case int() | float():
            sheet.write_number(row, column, value, format_)
        case dt.date():
            sheet.write_datetime(row, column, value, format_)
        case str() if value.startswith("<r>") and value.endswith("</r>"):
            # the library would put such text into the file as it is, as XML of its own; in pieces it is escaped
            sheet.write_rich_string(row, column, value[:1], value[1:2], value[2:], *([format_] if format_ else []))
        case _:
            sheet.write_string(row, column, str(value), format_)
