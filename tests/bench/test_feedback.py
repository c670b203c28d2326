"""The cost of a report on a full return, against plain writing of the same cells: `make bench` prints both."""

import json
import time
from collections.abc import Callable
from io import BytesIO

import xlsxwriter

from asms.feedback.page import write_page
from asms.feedback.report import Item, Report, SentCell
from asms.feedback.workbook import write_workbook
from asms.intake.book import address
from asms.intake.template import HEADER_ROW, TemplateRow, sheet_columns

_DOMAINS, _QUESTIONS, _SPLIT = 24, 850, 134


def _cpu_ms(work: Callable[[], object], repeat: int = 7) -> float:
    """The least of a few tries."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return 1000 * best


def _full_return() -> tuple[list[TemplateRow], Report]:
    """850 questions in 24 domains, 134 split, 1,118 cells; two in a hundred have a finding."""
    domains = [chr(65 + number) * 3 for number in range(_DOMAINS)]
    rows = sorted(
        (
            TemplateRow(
                f"{domains[number % _DOMAINS]}.{number:03d}", domains[number % _DOMAINS], "Назва розділу",
                f"Кількість закладів виду {number} у громаді на кінець звітного року",
                f"Number of institutions of kind {number} at the end of the year", "осіб", number < _SPLIT, "Domain",
            )
            for number in range(_QUESTIONS)
        ),
        key=lambda row: row.domain_code,
    )  # fmt: skip
    cells = []
    for domain in domains:
        of_domain = [row for row in rows if row.domain_code == domain]
        columns = sheet_columns(of_domain).value
        for row_no, row in enumerate(of_domain, HEADER_ROW + 1):
            for sex, column in columns.items():
                if sex == "T" or row.is_sex_split:
                    place = address(row_no, column + 1)
                    cells.append(SentCell(domain, place, row.code, sex, str(len(cells)), "number", None, None, True))
    items = tuple(
        Item(f"{number:032d}", "CELL_X", "warning", "звіт.xlsx", cell.sheet, cell.cell, cell.indicator_code, cell.sex,
             "Кількість закладів", "Number of institutions", cell.value_text, "від 1 до 100",
             "Значення поза межами", "The value is out of bounds",
             "Перевірте одиницю виміру, виправте значення й надішліть звіт ще раз.",
             "Check the unit, mend the value and send the return again.")
        for number, cell in enumerate(cells[::50])
    )  # fmt: skip
    report = Report(
        "s" * 32, "ASMS-ANNUAL", "ASMS", "UA05020030000031457", "Вінницька міська територіальна громада", "2024",
        "звіт.xlsx", "0" * 64, "v", items, tuple(cells),
    )  # fmt: skip
    return rows, report


def test_report_against_plain_writing_of_the_same_cells() -> None:
    rows, report = _full_return()
    assert (len(rows), len(report.cells), len(report.items)) == (850, 1118, 23)

    def ours() -> None:
        write_workbook(report, rows, None)
        write_page(report)
        json.dumps(report.as_json(), ensure_ascii=False)

    def plain() -> None:
        """Questions and values with one format, and nothing else."""
        book = xlsxwriter.Workbook(BytesIO(), {"in_memory": True})
        line = book.add_format({"border": 1, "text_wrap": True})
        sheets = {domain: book.add_worksheet(domain) for domain in dict.fromkeys(row.domain_code for row in rows)}
        for number, row in enumerate(rows):
            for column, text in enumerate((row.code, f"{row.name_uk}\n{row.name_en}", row.unit)):
                sheets[row.domain_code].write_string(number % 40, column, text, line)
        for number, cell in enumerate(report.cells):
            sheets[cell.sheet].write_number(number % 50, 3, float(cell.value_text or 0), line)
        book.close()

    cost, floor = _cpu_ms(ours), _cpu_ms(plain)
    print(
        f"\na report of 1,118 cells and 23 findings: {cost:.0f} ms of CPU, {cost / floor:.2f} x plain xlsxwriter ({floor:.0f} ms)"
    )
    assert cost / floor < 4
