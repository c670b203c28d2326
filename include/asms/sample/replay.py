"""Recorded answers of the Open Budget API, from parquet files, in the words of the API."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from asms.sample.budgets import HEADERS

_FILES = {
    ("INCOMES", ""): "incomes.parquet",
    ("EXPENSES", "ECONOMIC"): "expenses.parquet",
    ("EXPENSES", "PROGRAM"): "expenses_program.parquet",
    ("FINANCING_DEBTS", ""): "debts.parquet",
    ("CREDITS", "CREDIT"): "credits.parquet",
}
_NOT_OF_THE_API = ("CITY",)  # who recorded the answers added it
_PERIOD, _BUDGET = "REP_PERIOD", "COD_BUDGET"


class ReplayBudgets:
    """Answers from parquet files anywhere below a folder; ``questions`` says which of them there are.

    Amounts are written to the kopiyka, periods as MM.YYYY. ``years`` is empty where there is no such file.
    """

    def __init__(self, folder: Path) -> None:
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        self._tables: dict[tuple[str, str], Any] = {}
        years: set[int] = set()
        for question, name in _FILES.items():
            file = find_file(folder, name)
            if file:
                table = pq.read_table(file)
                table = table.drop_columns([column for column in _NOT_OF_THE_API if column in table.column_names])
                self._tables[question] = table.append_column("_year", pc.year(table[_PERIOD]))
                years.update(self._tables[question]["_year"].unique().to_pylist())
        self.years: tuple[int, ...] = tuple(sorted(years))
        self.questions = tuple(self._tables)

    def answer(
        self, budget_code: str, budget_item: str, classification_type: str, year: int
    ) -> tuple[list[str], list[list[str]]]:
        """Header and rows of one answer, in the order in which they were recorded; no rows to what was not recorded."""
        import pyarrow.compute as pc

        question = budget_item, classification_type
        if question not in self._tables:
            return list(HEADERS[question]), []
        table = self._tables[question]
        mask = pc.and_(pc.equal(table[_BUDGET], budget_code), pc.equal(table["_year"], year))
        found = table.filter(mask).drop_columns(["_year"])
        columns = [found[name].to_pylist() for name in found.column_names]
        return found.column_names, [_as_text(row) for row in zip(*columns, strict=True)]


def find_file(folder: Path, name: str) -> Path | None:
    """The file ``name`` anywhere below ``folder`` (the first in order of paths), None where there is none."""
    return next(iter(sorted(folder.rglob(name))), None)


def _as_text(row: Sequence[object]) -> list[str]:
    return [_value(value) for value in row]


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return f"{value:%m.%Y}"
    if isinstance(value, float):
        return f"{value:.2f}"
    return str(value)
