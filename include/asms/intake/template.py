"""The annual return as a workbook to fill in: one sheet per domain, and a hidden sheet that says whose and when it is.

The reader finds its way by ``forms/asms_annual.yaml``; a change here is a change there. Equal arguments give equal bytes.
"""

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import groupby
from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

FORM_CODE = "ASMS-ANNUAL"
FORM_VERSION = "1"
COLLECTION_CODE = "ASMS"
HEADER = ("Код", "Показник", "Одиниця", "Усього", "Жінки", "Чоловіки", "Причина відсутності", "Примітка")
HEADER_ROW = 4
MISSING_REASONS = {
    "M_NC": "не збирається (M_NC)",
    "M_NA": "не застосовується (M_NA)",
    "M_ND": "ще не настав строк (M_ND)",
    "C": "конфіденційно (C)",
    "M_NR": "не подано (M_NR)",
}
"""What the list in the missing-reason column offers, by ``obs_status``."""

NOT_ASKED = "×"
"""Stands in a cell that is not to be filled in (women, men, of an indicator that is not split). No key types it."""

_SEX_COLUMN = {"T": 4, "F": 5, "M": 6}
_REASON_COLUMN = 7
_WIDTHS = (11, 60, 16, 14, 14, 14, 28, 40)
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_GREY = PatternFill("solid", fgColor="D9D9D9")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest moment that a ZIP can hold


@dataclass(frozen=True)
class TemplateRow:
    """One question of the return."""

    code: str
    domain_code: str
    domain_name_uk: str
    name_uk: str
    name_en: str
    unit: str
    is_sex_split: bool


@dataclass(frozen=True)
class TemplateAnswer:
    """What to fill in beforehand. ``reason`` and ``remark`` belong to the row: give them with sex 'T'."""

    value: object
    reason: str | None = None
    remark: str | None = None


def write_template(
    path: Path,
    *,
    indicators: Sequence[TemplateRow],
    municipality_code: str,
    municipality_name: str,
    time_period: str,
    catalogue_version: str,
    answers: Mapping[tuple[str, str], TemplateAnswer],
) -> None:
    """Write the workbook to ``path``; domains keep the order in which ``indicators`` first names them.

    ``answers`` is keyed on (indicator code, sex ``T|F|M``); what it lacks is left blank for people to fill in.
    Text that a spreadsheet program would take for a formula is stored as text and stays as it is.
    """
    workbook = Workbook()
    workbook.remove(workbook.worksheets[0])
    order = {code: position for position, code in enumerate(dict.fromkeys(row.domain_code for row in indicators))}
    for _, rows in groupby(sorted(indicators, key=lambda row: order[row.domain_code]), key=lambda row: row.domain_code):
        _write_domain(workbook, list(rows), municipality_name, time_period, answers)
    _write_identity(
        workbook,
        {
            "form_code": FORM_CODE,
            "form_version": FORM_VERSION,
            "catalogue_version": catalogue_version,
            "municipality_code": municipality_code,
            "municipality_name": municipality_name,
            "time_period": time_period,
            "collection_code": COLLECTION_CODE,
        },
    )
    buffer = BytesIO()
    workbook.save(buffer)
    path.write_bytes(_without_clock(buffer.getvalue()))


def _write_domain(
    workbook: Workbook,
    rows: Sequence[TemplateRow],
    municipality_name: str,
    time_period: str,
    answers: Mapping[tuple[str, str], TemplateAnswer],
) -> None:
    sheet = workbook.create_sheet(rows[0].domain_code)
    _put(sheet, 1, 1, f"{rows[0].domain_code}. {rows[0].domain_name_uk}").font = Font(bold=True, size=14)
    sheet.merge_cells(start_row=1, start_column=1, end_row=1, end_column=len(HEADER))
    _put(sheet, 2, 1, municipality_name).font = Font(bold=True)
    sheet.merge_cells(start_row=2, start_column=1, end_row=2, end_column=3)
    _put(sheet, 2, 4, time_period).font = Font(bold=True)
    for column, (title, width) in enumerate(zip(HEADER, _WIDTHS, strict=True), start=1):
        cell = _put(sheet, HEADER_ROW, column, title)
        cell.font, cell.fill = Font(bold=True), _GREY
        sheet.column_dimensions[cell.column_letter].width = width
    sheet.freeze_panes = sheet.cell(HEADER_ROW + 1, 4)
    for row_no, row in enumerate(rows, start=HEADER_ROW + 1):
        _write_question(sheet, row_no, row, answers)
    reasons = DataValidation(type="list", formula1=f'"{",".join(MISSING_REASONS.values())}"', allow_blank=True)
    reasons.add(f"G{HEADER_ROW + 1}:G{HEADER_ROW + len(rows)}")
    sheet.add_data_validation(reasons)


def _write_question(
    sheet: Worksheet, row_no: int, row: TemplateRow, answers: Mapping[tuple[str, str], TemplateAnswer]
) -> None:
    for column, text in enumerate((row.code, f"{row.name_uk}\n{row.name_en}", row.unit), start=1):
        _put(sheet, row_no, column, text).alignment = Alignment(wrap_text=True, vertical="top")
    for sex, column in _SEX_COLUMN.items():
        answer = answers.get((row.code, sex))
        if sex != "T" and not row.is_sex_split:
            _put(sheet, row_no, column, NOT_ASKED).fill = _GREY
        if answer is not None:
            _put(sheet, row_no, column, answer.value)
            for offset, note in enumerate((answer.reason, answer.remark)):
                if note is not None:
                    _put(sheet, row_no, _REASON_COLUMN + offset, note)


def _write_identity(workbook: Workbook, identity: Mapping[str, str]) -> None:
    sheet = workbook.create_sheet("_asms")
    for row_no, (key, value) in enumerate(identity.items(), start=1):
        _put(sheet, row_no, 1, key)
        _put(sheet, row_no, 2, value)
    sheet.sheet_state = "hidden"


def _put(sheet: Worksheet, row: int, column: int, value: object) -> Cell:
    """Write ``value`` so that no program computes it: text that looks like a formula is marked as text."""
    cell: Cell = sheet.cell(row, column)  # type: ignore[assignment]  # merged cells come later
    cell.value = value  # type: ignore[assignment]  # openpyxl refuses what it cannot store
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        cell.data_type = "s"
        cell.quotePrefix = True
    return cell


def _without_clock(data: bytes) -> bytes:
    """Take the time of writing out of a workbook, so that its hash speaks of its content alone."""
    result = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for info in source.infolist():
            content = source.read(info)
            if info.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", content)
            entry = zipfile.ZipInfo(info.filename, _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, content)
    return result.getvalue()
