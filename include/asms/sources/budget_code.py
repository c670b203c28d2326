"""Which budgets there are: codes of the Treasury and the areas that they belong to, from the seed that dbt joins too."""

import csv
from dataclasses import dataclass
from pathlib import Path

from asms.paths import DBT_DIR

SEED = DBT_DIR / "seeds" / "budget_code.csv"


@dataclass(frozen=True)
class BudgetCode:
    """One code of one area, and the years it is asked for (both ends included; None is an open end)."""

    budget_code: str
    area_code: str
    area_level: str
    valid_from: int
    valid_to: int | None

    def is_valid(self, year: int) -> bool:
        return self.valid_from <= year and (self.valid_to is None or year <= self.valid_to)


def read_budget_codes(file: Path = SEED) -> list[BudgetCode]:
    """Read the seed, in its order. Raises KeyError or ValueError naming what is wrong with it."""
    with file.open(encoding="utf-8", newline="") as handle:
        return [
            BudgetCode(
                budget_code=row["budget_code"],
                area_code=row["area_code"],
                area_level=row["area_level"],
                valid_from=int(row["valid_from"]),
                valid_to=int(row["valid_to"]) if row["valid_to"] else None,
            )
            for row in csv.DictReader(handle)
        ]
