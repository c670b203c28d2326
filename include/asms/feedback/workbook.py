"""The report as a workbook: a first sheet with counts and the list of findings, then the return as it was sent.

A return in our form is rebuilt in our form, each question where the template has it; of another form the sheets are as they
were sent, values only. What the sender wrote stays what it was, a number or a text, and no program computes it. Equal reports
give equal bytes. ``intake/forms/asms_feedback.yaml`` reads the explanations back: a change here is a change there.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import groupby
from math import isfinite
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from asms.feedback.report import SEVERITIES, Item, Report, SentCell
from asms.feedback.words import both, words
from asms.intake.book import CellValue, address
from asms.intake.explanations import LONGEST_EXPLANATION
from asms.intake.identity import seal
from asms.intake.template import (
    HEADER_ROW,
    IDENTITY_SHEET,
    NOT_ASKED,
    VALUE_TITLES,
    TemplateRow,
    sheet_columns,
    write_value,
)
from asms.notify.compose import clean, spell_figures

FORM_CODE = "ASMS-FEEDBACK"
FORM_VERSION = "1"

Grid = Mapping[str, Sequence[tuple[int, int, str, CellValue]]]
"""Sheets of a form that is not ours: name to (row, column, value), from 1."""

_COLOURS = {"fatal": "#F4B084", "error": "#FFC7CE", "warning": "#FFEB9C", "info": "#DDEBF7"}
_LONG_AGO = dt.datetime(1980, 1, 1)  # noqa: DTZ001 - a fixed property of the file, not a moment
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_LONGEST_TEXT = 32_000  # a cell of Excel holds 32,767 characters
_LONGEST_NOTE = 900
_LIST_TITLES = (
    "number", "severity_title", "file", "sheet", "cell", "indicator", "found", "expected", "wrong", "mend", "explain",
    "explain_state", "id",
)  # fmt: skip
_LIST_WIDTHS = (5, 16, 18, 10, 10, 32, 18, 18, 34, 48, 36, 20, 34)
_NAME_WIDTH = 56
_LINE, _MOST_HEIGHT = 15.0, 400.0  # points; programs other than Excel fit no row to its text by themselves
_EXPLAIN, _ID = _LIST_TITLES.index("explain"), _LIST_TITLES.index("id")

Spot = tuple[str, int, int]
"""A cell of the workbook that is being written: sheet, and row and column from 0."""


class _Style:
    """The formats of one workbook, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[Any, ...], Format] = {}
        self._values: dict[tuple[str | None, bool, bool], Format] = {}
        self.title = self.get(bold=True, font_size=14)
        self.bold = self.get(bold=True)
        self.wrapped = self.get(text_wrap=True, valign="top")
        self.header = self.get(bold=True, text_wrap=True, valign="vcenter", border=1, bg_color="#D9E1F2")
        self.line = self.get(text_wrap=True, valign="top", border=1, border_color="#BFBFBF")
        self.grey = self.get(valign="top", border=1, border_color="#BFBFBF", bg_color="#F2F2F2", align="center")
        self.link = self.get(valign="top", border=1, border_color="#BFBFBF", font_color="#0563C1", underline=1)
        self.open = self.get(text_wrap=True, valign="top", border=1, locked=False, bg_color="#FFFBE6", num_format="@")

    def get(self, **properties: object) -> Format:
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(properties)
        return self._made[key]

    def value(self, severity: str | None, value: object) -> Format:
        """Of a value that was sent, coloured by the worst that was found in it."""
        is_text = isinstance(value, str)
        key = (severity, is_text, is_text and str(value).startswith(_FORMULA_STARTS))
        if key not in self._values:
            properties: dict[str, object] = {"valign": "top", "border": 1, "border_color": "#BFBFBF"}
            # without the quote prefix, a press of Enter in the cell would make a formula of it
            properties |= {"text_wrap": True, "quote_prefix": key[2]} if is_text else {}
            self._values[key] = self.get(**properties, **({"bg_color": _COLOURS[severity]} if severity else {}))
        return self._values[key]


def write_workbook(report: Report, questions: Sequence[TemplateRow], grid: Grid | None) -> bytes:
    """The workbook on ``report``: with ``grid``, the sheets of a form that is not ours; else rebuilt from ``questions``."""
    buffer = BytesIO()
    book = xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )
    book.set_properties({"created": _LONG_AGO})
    style = _Style(book)
    first = book.add_worksheet(words()["sheet_name"]["uk"])
    names = _SheetNames([first.name, IDENTITY_SHEET])
    sheets = _Sheets(book, style, report, names)
    if grid is None:
        sheets.rebuild(questions)
    else:
        sheets.copy(grid)
    sheets.note_findings()
    _write_first(first, style, report, sheets.spots)
    _write_identity(book, report)
    book.close()
    return buffer.getvalue()


class _SheetNames:
    """Names for sheets: what Excel takes, and each once."""

    def __init__(self, taken: Sequence[str]) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, wanted: str) -> str:
        """A name like ``wanted``."""
        plain = (
            "".join(" " if character in "[]:*?/\\'" else character for character in clean(wanted, 27)).strip() or "?"
        )
        name, number = plain, 1
        while name.casefold() in self._taken or name.casefold() == "history":
            number += 1
            name = f"{plain} {number}"
        self._taken.add(name.casefold())
        return name


class _Sheets:
    """The return as it was sent. ``spots`` tells where each finding is to be seen, by its place in the list."""

    def __init__(self, book: xlsxwriter.Workbook, style: _Style, report: Report, names: _SheetNames) -> None:
        self._book, self._style, self._report, self._names = book, style, report, names
        self._worksheets: dict[str, Worksheet] = {}
        self._items: defaultdict[object, list[int]] = defaultdict(list)
        """Findings by the cell they are about: sheet and address, or code and sex where the return lacks the cell."""
        for number, item in enumerate(report.items):
            if item.cell is not None:
                self._items[item.sheet, item.cell].append(number)
            elif item.indicator_code is not None:
                self._items[item.indicator_code, item.sex or "T"].append(number)
        self._noted: dict[Spot, list[int]] = {}
        self.spots: dict[int, Spot] = {}

    def rebuild(self, questions: Sequence[TemplateRow]) -> None:
        """Write our form with the sender's values; what has no place in it comes on a sheet of its own."""
        sent: dict[tuple[str, str], SentCell] = {}
        strays: list[SentCell] = []
        asked = {(row.code, sex) for row in questions for sex in (("T", "F", "M") if row.is_sex_split else ("T",))}
        for cell in self._report.cells:
            question = (cell.indicator_code, cell.sex)
            if question in asked and question not in sent:
                sent[question] = cell
            elif cell.value_text is not None or (cell.sheet, cell.cell) in self._items:
                strays.append(cell)
        domains = {code.partition(".")[0] for code, _ in sent}
        order = {code: place for place, code in enumerate(dict.fromkeys(row.domain_code for row in questions))}
        shown = sorted((row for row in questions if row.domain_code in domains), key=lambda row: order[row.domain_code])
        for domain_code, rows in groupby(shown, key=lambda row: row.domain_code):
            self._write_domain(self._add(domain_code), list(rows), sent)
        if strays:
            self._write_strays(strays)

    def copy(self, grid: Grid) -> None:
        """Write the values of a form that is not ours where they stood."""
        for wanted, cells in grid.items():
            sheet = self._add(wanted)
            widths: dict[int, int] = {}
            for row, column, place, found in cells:
                value = _as_sent(found.text, found.type)
                self._put(sheet, (row - 1, column - 1), value, self._items.get((wanted, place), []))
                if isinstance(value, str):
                    widths[column] = max(widths.get(column, 8), min(len(value) + 2, 50))
            for column, width in widths.items():
                sheet.set_column(column - 1, column - 1, width)
            self._finish(sheet)

    def note_findings(self) -> None:
        """Put a note into each cell that something was found in."""
        for (name, row, column), numbers in self._noted.items():
            texts = [_note(self._report.items[number]) for number in numbers]
            self._worksheets[name].write_comment(
                row,
                column,
                clean_lines("\n\n".join(texts), _LONGEST_NOTE),
                {"width": 320, "height": 150, "font_size": 9},
            )

    def _add(self, wanted: str) -> Worksheet:
        sheet = self._book.add_worksheet(self._names.take(wanted))
        self._worksheets[sheet.name] = sheet
        return sheet

    def _write_domain(
        self, sheet: Worksheet, rows: Sequence[TemplateRow], sent: Mapping[tuple[str, str], SentCell]
    ) -> None:
        style, columns = self._style, sheet_columns(rows)
        write_value(
            sheet, 0, 0, f"{rows[0].domain_code}. {rows[0].domain_name_uk} / {rows[0].domain_name_en}", style.title
        )
        write_value(sheet, 1, 0, self._report.municipality_name, style.bold)
        write_value(sheet, 1, columns.value["T"], self._report.time_period, style.bold)
        titles: dict[int, tuple[str, float]] = {
            0: ("Код\nCode", 10),
            1: ("Показник\nIndicator", _NAME_WIDTH),
            2: ("Одиниця\nUnit", 13),
            **{column: (VALUE_TITLES[sex], 14) for sex, column in columns.value.items()},
            columns.reason: (both("reason"), 26),
            columns.remark: (both("remark"), 36),
        }
        sheet.set_row(HEADER_ROW - 1, 2 * _LINE)
        for column, (title, width) in titles.items():
            sheet.set_column(column, column, width)
            write_value(sheet, HEADER_ROW - 1, column, title, style.header)
        # last year's values are not the sender's; their columns keep the addresses as in the template
        last_year = columns.last_year.values()
        sheet.set_column(min(last_year), max(last_year), None, None, {"hidden": True})
        for row_no, row in enumerate(rows, HEADER_ROW):
            sheet.write_string(row_no, 0, row.code, style.line)
            name = f"{row.name_uk}\n{row.name_en}"
            sheet.write_string(row_no, 1, name, style.line)
            sheet.set_row(row_no, _height(((name, _NAME_WIDTH),)))
            sheet.write_string(row_no, 2, row.unit, style.line)
            for sex, column in columns.value.items():
                if sex == "T" or row.is_sex_split:
                    self._write_answer(sheet, (row_no, column), sent.get((row.code, sex)), (row.code, sex))
                else:
                    sheet.write_string(row_no, column, NOT_ASKED, style.grey)
            total = sent.get((row.code, "T"))
            if total is not None:
                for column, text in ((columns.reason, total.reason_text), (columns.remark, total.remark_text)):
                    if text is not None:
                        self._put(sheet, (row_no, column), text, [])
        sheet.freeze_panes(HEADER_ROW, 3)
        self._finish(sheet)

    def _write_answer(
        self, sheet: Worksheet, place: tuple[int, int], cell: SentCell | None, question: tuple[str, str]
    ) -> None:
        numbers = self._items.get((cell.sheet, cell.cell) if cell else question, [])
        value = _as_sent(cell.value_text, cell.value_type) if cell else None
        self._put(sheet, place, value, numbers)

    def _put(self, sheet: Worksheet, place: tuple[int, int], value: object, numbers: list[int]) -> None:
        """Write a value and remember what was found in it."""
        if isinstance(value, str):
            value = value[:_LONGEST_TEXT]
        if not numbers:
            write_value(sheet, *place, value, self._style.value(None, value))
        else:
            worst = min((self._report.items[number].severity for number in numbers), key=SEVERITIES.index)
            write_value(sheet, *place, value, self._style.value(worst, value))
            self._noted[sheet.name, *place] = numbers
            self.spots.update(dict.fromkeys(numbers, (sheet.name, *place)))

    def _write_strays(self, strays: Sequence[SentCell]) -> None:
        sheet = self._add(words()["extra_sheet"]["uk"])
        for column, name in enumerate(("sheet", "cell", "code", "value", "reason", "remark")):
            sheet.set_column(column, column, 24)
            write_value(sheet, 0, column, both(name), self._style.header)
        for row_no, cell in enumerate(strays, 1):
            code = cell.indicator_code if cell.sex == "T" else f"{cell.indicator_code}[{cell.sex}]"
            for column, text in enumerate((cell.sheet, cell.cell, code)):
                self._put(sheet, (row_no, column), text, [])
            value = _as_sent(cell.value_text, cell.value_type)
            self._put(sheet, (row_no, 3), value, self._items.get((cell.sheet, cell.cell), []))
            for column, note in ((4, cell.reason_text), (5, cell.remark_text)):
                self._put(sheet, (row_no, column), note, [])
        sheet.freeze_panes(1, 0)
        self._finish(sheet)

    def _finish(self, sheet: Worksheet) -> None:
        sheet.protect(options={"format_columns": True, "format_rows": True})
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        worst = [
            self._report.items[number].severity
            for (name, *_), numbers in self._noted.items()
            if name == sheet.name
            for number in numbers
        ]
        if worst:
            sheet.set_tab_color(_COLOURS[min(worst, key=SEVERITIES.index)])


def _write_first(sheet: Worksheet, style: _Style, report: Report, spots: Mapping[int, Spot]) -> None:
    for column, width in enumerate(_LIST_WIDTHS):
        sheet.set_column(column, column, width, None, {"hidden": column == _ID})
    write_value(sheet, 0, 0, both("title", between=" / "), style.title)
    heads = [("municipality", _named(report)), ("time_period", report.time_period), ("file", report.file_name)]
    row = 1
    for name, text in heads:
        if text:
            write_value(sheet, row, 0, f"{both(name, between=' / ')}: {clean(text)}", style.bold)
            row += 1
    for severity in SEVERITIES:
        label = both("severity", severity, " / ")
        sheet.merge_range(row, 0, row, 2, label, style.get(border=1, bg_color=_COLOURS[severity]))
        write_value(sheet, row, 3, report.counts[severity], style.get(border=1, bold=True, align="left"))
        write_value(sheet, row, 4, both("consequence", severity, " / "))
        row += 1
    sheet.merge_range(row, 0, row, 2, both("total", between=" / "), style.get(border=1, bold=True))
    write_value(sheet, row, 3, len(report.items), style.get(border=1, bold=True, align="left"))
    row += 1
    name = "unread" if report.form_code is None else "how" if report.items else "none"
    last_column = _LIST_TITLES.index("mend")
    sheet.merge_range(row, 0, row, last_column, both(name), style.wrapped)
    sheet.set_row(row, _height(((both(name), sum(_LIST_WIDTHS[: last_column + 1])),)))
    header = row + 2
    sheet.set_row(header, 3 * _LINE)
    for column, name in enumerate(_LIST_TITLES):
        write_value(sheet, header, column, both(name), style.header)
    for number, item in enumerate(report.items):
        _write_item(sheet, header + 1 + number, style, (number + 1, item), spots.get(number))
    last = header + max(len(report.items), 1)
    sheet.autofilter(header, 0, last, _EXPLAIN + 1)
    sheet.data_validation(
        header + 1, _EXPLAIN, last, _EXPLAIN,
        {
            "validate": "length", "criteria": "<=", "value": LONGEST_EXPLANATION,
            "input_title": words()["explain"]["uk"], "input_message": both("explain_help"),
        },
    )  # fmt: skip
    sheet.protect(options={"format_columns": True, "format_rows": True, "autofilter": True, "sort": True})
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(header)


def _write_item(sheet: Worksheet, row: int, style: _Style, numbered: tuple[int, Item], spot: Spot | None) -> None:
    number, item = numbered
    coloured = style.get(
        text_wrap=True, valign="top", border=1, border_color="#BFBFBF", bg_color=_COLOURS[item.severity]
    )
    told: list[tuple[object, Format]] = [
        (number, style.line),
        (both("severity", item.severity), coloured),
        *((text, style.value(None, text)) for text in (clean(item.file_name), clean(item.sheet or "") or None)),
        (item.cell, style.line),
        ("\n".join(name_indicator(item)) or None, style.line),
        *((_figures(text, item), style.value(None, text or "")) for text in (_found(item), item.value_expected)),
        (clean_lines(f"{item.message_uk}\n{item.message_en}"), style.line),
        (clean_lines(f"{item.remedy_uk}\n{item.remedy_en}"), style.line),
        ((_shown(item.explanation_text) or "", style.open) if item.can_be_explained else ("—", style.grey)),
        (both("explanation", item.explanation_status) if item.explanation_status else None, style.line),
        (item.finding_id, style.line),
    ]
    sheet.set_row(row, _height((str(value or ""), width) for (value, _), width in zip(told, _LIST_WIDTHS, strict=True)))
    for column, (value, format_) in enumerate(told):
        if _LIST_TITLES[column] == "cell" and spot is not None:
            name, to_row, to_column = spot
            shown = item.cell or address(to_row + 1, to_column + 1)
            sheet.write_url(row, column, f"internal:'{name}'!{address(to_row + 1, to_column + 1)}", style.link, shown)
        else:
            write_value(sheet, row, column, value, format_)


def _write_identity(book: xlsxwriter.Workbook, report: Report) -> None:
    sheet = book.add_worksheet(IDENTITY_SHEET)
    identity = {
        "form_code": FORM_CODE,
        "form_version": FORM_VERSION,
        "catalogue_version": report.catalogue_version,
        "municipality_code": report.municipality_code or "",
        "time_period": report.time_period or "",
        "collection_code": report.collection_code or "",
        "about_id": report.about_id,
        "findings_hash": report.findings_hash,
    }
    for row_no, (key, value) in enumerate(seal(identity, {}).items()):
        write_value(sheet, row_no, 0, key)
        write_value(sheet, row_no, 1, value)
    sheet.hide()
    sheet.protect()


def name_indicator(item: Item) -> Iterator[str]:
    """Code, sex where it matters, and name of the indicator that a finding is about; a line a language."""
    if item.indicator_code is None:
        return
    for language, name in (("uk", item.name_uk), ("en", item.name_en)):
        sex = f" ({words()['sex'][item.sex][language]})" if item.sex in ("F", "M") else ""
        if name or language == "uk":
            yield f"{item.indicator_code}{sex} {name or ''}".strip()


def clean_lines(text: str, longest: int = _LONGEST_TEXT) -> str:
    """``text`` with its lines kept, without what cannot be seen or turns the text around, cut if long."""
    kept = "\n".join(clean(line, longest) for line in text.split("\n"))
    return kept if len(kept) <= longest else kept[: longest - 1].rstrip() + "…"


def _height(texts: Iterable[tuple[str, float]]) -> float:
    """Height of a row, in points, that shows ``texts`` whole, each in a column of so many characters."""
    most = max(sum(len(line) // width + 1 for line in text.split("\n")) for text, width in texts)
    return min(_LINE * most, _MOST_HEIGHT)


def _named(report: Report) -> str | None:
    if report.municipality_code is None:
        return None
    return " ".join(part for part in (report.municipality_name, report.municipality_code) if part)


def _found(item: Item) -> str | None:
    return item.value_found or (both("empty", between=" / ") if item.cell else None)


def _shown(text: str | None) -> str | None:
    return None if text is None else clean_lines(text, 500)


def _figures(text: str | None, item: Item) -> str | None:
    return None if text is None else spell_figures(clean_lines(text, 500), "uk", item.value_expected)


def _note(item: Item) -> str:
    parts = [f"{words()['severity'][item.severity]['uk']}: {item.message_uk}", item.remedy_uk, item.message_en]
    if item.value_expected:
        parts.insert(1, f"{words()['expected']['uk']}: {_figures(item.value_expected, item)}")
    return "\n".join(parts)


def _as_sent(text: str | None, kind: str) -> object:
    """The value as what it was: a number a number, a truth value one; all else is text that nothing computes."""
    if text is None:
        return None
    if kind == "number" and isfinite(number := float(text)):
        return number
    if kind == "boolean" and text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    return text
