"""Invented budget execution of the sample's hromadas, in the words of the Open Budget API.

Made the way the Treasury reports: cumulative from 1 January, fund T = C + S, only rows that are not zero. Budgets changed
their codes in 2023, and for some the service goes on answering under the old code too; ``data/budget_lines.csv`` has a
line that is reversed in September and so vanishes from the reports.
"""

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from asms.sample.hromadas import Hromada, read_hromadas

YEARS = (2022, 2023)
_FIRST_YEAR_OF_NEW_CODES = 2023
_BOTH_CODES_EVERY = 4  # every fourth hromada answers under both codes
_MONTHS = range(1, 13)
_TITLES = {"INCOMES": ("COD_INCO", "NAME_INC"), "EXPENSES": ("COD_CONS_EK", "COD_CONS_EK_NAME")}


@dataclass(frozen=True)
class _Line:
    code: str
    name: str
    uah_per_person: float
    share_special: float
    last_month: int


class SampleBudgets:
    """Answers for the sample's budgets."""

    years: tuple[int, ...] = YEARS

    def __init__(self) -> None:
        self._owners = {
            code: (position, hromada)
            for position, hromada in enumerate(one for one in read_hromadas() if one.has_return)
            for code in (hromada.budget_code_old, hromada.budget_code_new)
        }

    def answer(self, budget_code: str, budget_item: str, year: int) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the year's report, month by month; no rows for a budget or year that the sample lacks."""
        code_title, name_title = _TITLES[budget_item]
        header = ["REP_PERIOD", "FUND_TYP", "COD_BUDGET", code_title, name_title, "ZAT_AMT", "PLANS_AMT", "FAKT_AMT"]
        position, hromada = self._owners.get(budget_code, (0, None))
        if hromada is None or year not in YEARS or not _answers(position, hromada, budget_code, year):
            return header, []
        rows = [
            [f"{month:02d}.{year}", fund, budget_code, line.code, line.name, plan, plan, fact]
            for month in _MONTHS
            for line in _read_lines(budget_item)
            if month <= line.last_month
            for fund, plan, fact in _report(hromada, line, year, month)
        ]
        return header, rows


def _answers(position: int, hromada: Hromada, budget_code: str, year: int) -> bool:
    if budget_code == hromada.budget_code_new:
        return year >= _FIRST_YEAR_OF_NEW_CODES
    return year < _FIRST_YEAR_OF_NEW_CODES or position % _BOTH_CODES_EVERY == 0


def _report(hromada: Hromada, line: _Line, year: int, month: int) -> Iterator[tuple[str, str, str]]:
    """(fund, plan, fact) of one line in one month: fund C, fund S and their total T, in hryvnias to the kopiyka."""
    chance = random.Random(f"{hromada.municipality_code}|{line.code}|{year}")  # noqa: S311 - a figure, not a secret
    growth = 1 + 0.12 * (year - YEARS[0])
    plan = round((hromada.population_2022 or 0) * line.uah_per_person * chance.uniform(0.7, 1.3) * growth * 100)
    done = sum(round(plan / 12 * chance.uniform(0.75, 1.2)) for _ in range(month))
    plan_special, done_special = round(plan * line.share_special), round(done * line.share_special)
    parts = {"C": (plan - plan_special, done - done_special), "S": (plan_special, done_special), "T": (plan, done)}
    for fund, (planned, fact) in parts.items():
        if planned or fact:
            yield fund, _hryvnias(planned), _hryvnias(fact)


def _hryvnias(kopiykas: int) -> str:
    return f"{kopiykas // 100}.{kopiykas % 100:02d}"


@cache
def _read_lines(budget_item: str) -> tuple[_Line, ...]:
    text = files("asms.sample").joinpath("data/budget_lines.csv").read_text(encoding="utf-8")
    return tuple(
        _Line(
            row["classification_code"],
            row["classification_name"],
            float(row["uah_per_person"]),
            float(row["share_special"]),
            int(row["last_month"]),
        )
        for row in csv.DictReader(text.splitlines())
        if row["budget_item"] == budget_item
    )
