"""What a template costs: CPU against a workbook of the same cells with no format, validation or protection."""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import python_calamine
import xlsxwriter

from asms.intake.template import TemplateRow, write_template

_DOMAINS, _QUESTIONS, _SPLIT = 24, 850, 134


def _questions() -> list[TemplateRow]:
    """As many questions as the full return has, with names and definitions of the usual length: 1,118 cells."""
    split = {number * _QUESTIONS // _SPLIT for number in range(_SPLIT)}
    rows = []
    for number in range(_QUESTIONS):
        domain = f"D{chr(65 + number * _DOMAINS // _QUESTIONS)}X"
        rows.append(
            TemplateRow(
                code=f"{domain}.{number:03}",
                domain_code=domain,
                domain_name_uk="Освіта та наука",
                name_uk=f"Кількість дітей у закладах дошкільної освіти громади, рядок {number}",
                name_en=f"Children in preschool institutions of the hromada, line {number}",
                unit="осіб",
                is_sex_split=number in split,
                definition=f"Кількість дітей, які на кінець звітного року перебувають у списках закладів усіх форм ({number}).",
                is_integer=True,
                min_value=0,
            )
        )
    return rows


def _cpu_seconds(work: Callable[[], object], repeat: int = 5) -> float:
    """The least of a few tries."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def test_a_template_against_its_bare_cells(tmp_path: Path) -> None:
    questions, path = _questions(), tmp_path / "звіт.xlsx"
    last_year: dict[tuple[str, str], float | str] = {
        (row.code, sex): 1234.0 for row in questions for sex in ("TFM" if row.is_sex_split else "T")
    }
    assert len(last_year) == 1118

    def ours() -> None:
        write_template(
            path, indicators=questions, municipality_code="UA05020030000031457", municipality_name="Вінницька громада",
            time_period="2025", catalogue_version="bench", answers={}, last_year=last_year,
        )  # fmt: skip

    ours()
    book = python_calamine.CalamineWorkbook.from_path(str(path))
    grids = [book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names]

    def peer() -> None:
        plain = xlsxwriter.Workbook(BytesIO(), {"in_memory": True})
        for grid in grids:
            sheet = plain.add_worksheet()
            for row_no, row in enumerate(grid):
                sheet.write_row(row_no, 0, row)
        plain.close()

    own, bare = _cpu_seconds(ours), _cpu_seconds(peer)
    print(f"\ntemplate of 1,118 cells: {1000 * own:.0f} ms of CPU, {own / bare:.2f} x its bare cells")
    assert own / bare < 4
