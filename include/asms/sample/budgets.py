"""Invented budget execution of the sample's hromadas, in the words of the Open Budget API.

Made the way the Treasury reports: cumulative from 1 January, fund T = C + S, only rows that are not zero. Budgets changed
their codes in 2023, and for some the service goes on answering under the old code too; ``data/budget_lines.csv`` has a
line that is reversed in September and so vanishes from the reports. Every fifth hromada also answers by programme, for its
debts and for its credits; its programmes share out exactly what its economic lines spend.
"""

import csv
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from asms.sample.hromadas import Hromada, read_hromadas

YEARS = (2022, 2023)
_FIRST_YEAR_OF_NEW_CODES = 2023
_BOTH_CODES_EVERY = 4  # every fourth hromada answers under both codes
_IN_DETAIL_EVERY = 5
_ALWAYS_ANSWERED = (("INCOMES", ""), ("EXPENSES", "ECONOMIC"))
_MONTHS = range(1, 13)
# The newest year is told to November: invented returns know nothing of invented budgets, and a year that is not closed is not
# held against them.
_MONTHS_NOT_CLOSED = range(1, 12)
_START = ("REP_PERIOD", "FUND_TYP", "COD_BUDGET")
_AMOUNTS = ("ZAT_AMT", "PLANS_AMT", "FAKT_AMT")
HEADERS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("INCOMES", ""): (*_START, "COD_INCO", "NAME_INC", *_AMOUNTS),
    ("EXPENSES", "ECONOMIC"): (*_START, "COD_CONS_EK", "COD_CONS_EK_NAME", *_AMOUNTS),
    ("EXPENSES", "PROGRAM"): (
        *_START, "COD_CONS_MB_PK", "COD_CONS_MB_PK_NAME", "COD_CONS_MB_FK", "COD_CONS_MB_FK_NAME", "COD_CONS_EK", *_AMOUNTS,
    ),
    ("FINANCING_DEBTS", ""): (*_START, "COD_FINA", "NAME_FIN", "ZAT_AMT", "FAKT_AMT"),
    ("CREDITS", "CREDIT"): (*_START, "COD_CRED", "NAME_CRED", *_AMOUNTS),
}  # fmt: skip
"""What the service can be asked (item and classification), and the titles of its answer."""
_WITHOUT_BREAKDOWN = "0"  # in COD_CONS_EK: the whole of a programme
_BROKEN_DOWN = {"2000": 1.0, "2100": 0.8, "2110": 0.65, "2111": 0.65, "2120": 0.15, "2200": 0.2, "2210": 0.2}
_BROKEN_DOWN_PROGRAMME = "1010"


@dataclass(frozen=True)
class _Line:
    code: str
    name: str
    uah_per_person: float
    share_special: float
    last_month: int


@dataclass(frozen=True)
class _Programme:
    code: str
    name: str
    functional_code: str
    functional_name: str
    weight: int


class SampleBudgets:
    """Answers for the sample's budgets."""

    years: tuple[int, ...] = YEARS
    questions: tuple[tuple[str, str], ...] = tuple(HEADERS)

    def __init__(self) -> None:
        self._owners = {
            code: (position, hromada)
            for position, hromada in enumerate(one for one in read_hromadas() if one.has_return)
            for code in (hromada.budget_code_old, hromada.budget_code_new)
        }

    def answer(
        self, budget_code: str, budget_item: str, classification_type: str, year: int
    ) -> tuple[list[str], list[list[str]]]:
        """Header and rows of the year's report, month by month; no rows for a budget or year that the sample lacks."""
        question = budget_item, classification_type
        header = list(HEADERS[question])
        position, hromada = self._owners.get(budget_code, (0, None))
        if hromada is None or year not in YEARS or not _answers(position, hromada, budget_code, year):
            return header, []
        if question not in _ALWAYS_ANSWERED and position % _IN_DETAIL_EVERY:
            return header, []
        lines = _programme_rows if classification_type == "PROGRAM" else _line_rows
        return header, [
            [f"{month:02d}.{year}", fund, budget_code, *rest]
            for month in (_MONTHS_NOT_CLOSED if year == YEARS[-1] else _MONTHS)
            for fund, rest in lines(hromada, question, year, month)
        ]


def _answers(position: int, hromada: Hromada, budget_code: str, year: int) -> bool:
    if budget_code == hromada.budget_code_new:
        return year >= _FIRST_YEAR_OF_NEW_CODES
    return year < _FIRST_YEAR_OF_NEW_CODES or position % _BOTH_CODES_EVERY == 0


def _line_rows(hromada: Hromada, question: tuple[str, str], year: int, month: int) -> Iterator[tuple[str, list[str]]]:
    """Fund and the other fields of each line of one month."""
    plans = HEADERS[question].count("PLANS_AMT") + 1  # the two plans are the same here
    for line in _read_lines(*question):
        if month <= line.last_month:
            for fund, plan, fact in _report(hromada, line, year, month):
                yield fund, [line.code, line.name, *[_hryvnias(plan)] * plans, _hryvnias(fact)]


def _programme_rows(hromada: Hromada, _: tuple[str, str], year: int, month: int) -> Iterator[tuple[str, list[str]]]:
    """As ``_line_rows``: what all economic lines spend, shared out by weight, the rest to the last programme."""
    spent: dict[str, list[int]] = {}
    for line in _read_lines("EXPENSES", "ECONOMIC"):
        for fund, *amounts in _report(hromada, line, year, month):
            spent[fund] = [one + other for one, other in zip(spent.get(fund, [0, 0]), amounts, strict=True)]
    programmes = _read_programmes()
    whole = sum(programme.weight for programme in programmes)
    left = {fund: list(amounts) for fund, amounts in spent.items() if fund != "T"}
    for programme in programmes:
        is_last = programme is programmes[-1]
        parts = {
            fund: [
                rest if is_last else amount * programme.weight // whole
                for amount, rest in zip(amounts, left[fund], strict=True)
            ]
            for fund, amounts in spent.items()
            if fund != "T"
        }
        for fund, amounts in parts.items():
            left[fund] = [rest - amount for rest, amount in zip(left[fund], amounts, strict=True)]
        parts["T"] = [sum(amounts) for amounts in zip(*parts.values(), strict=True)]
        for fund, (plan, fact) in parts.items():
            for economic_code, share in _broken_down(programme).items():
                named = [programme.code, programme.name, programme.functional_code, programme.functional_name]
                yield fund, [*named, economic_code, *(_hryvnias(round(one * share)) for one in (plan, plan, fact))]


def _broken_down(programme: _Programme) -> dict[str, float]:
    """Economic codes under a programme and their shares: the service tells a code beside the codes below it."""
    return {_WITHOUT_BREAKDOWN: 1.0} | (_BROKEN_DOWN if programme.code == _BROKEN_DOWN_PROGRAMME else {})


def _report(hromada: Hromada, line: _Line, year: int, month: int) -> Iterator[tuple[str, int, int]]:
    """(fund, plan, fact) of one line in one month: fund C, fund S and their total T, in kopiykas."""
    chance = random.Random(f"{hromada.municipality_code}|{line.code}|{year}")  # noqa: S311 - a figure, not a secret
    growth = 1 + 0.12 * (year - YEARS[0])
    plan = round((hromada.population_2022 or 0) * line.uah_per_person * chance.uniform(0.7, 1.3) * growth * 100)
    done = sum(round(plan / 12 * chance.uniform(0.75, 1.2)) for _ in range(month))
    plan_special, done_special = round(plan * line.share_special), round(done * line.share_special)
    parts = {"C": (plan - plan_special, done - done_special), "S": (plan_special, done_special), "T": (plan, done)}
    for fund, (planned, fact) in parts.items():
        if planned or fact:
            yield fund, planned, fact


def _hryvnias(kopiykas: int) -> str:
    return f"{'-' * (kopiykas < 0)}{abs(kopiykas) // 100}.{abs(kopiykas) % 100:02d}"


@cache
def _read_lines(budget_item: str, classification_type: str) -> tuple[_Line, ...]:
    return tuple(
        _Line(
            row["classification_code"],
            row["classification_name"],
            float(row["uah_per_person"]),
            float(row["share_special"]),
            int(row["last_month"]),
        )
        for row in _read_table("budget_lines.csv")
        if (row["budget_item"], row["classification_type"]) == (budget_item, classification_type)
    )


@cache
def _read_programmes() -> tuple[_Programme, ...]:
    return tuple(
        _Programme(
            row["programme_code"],
            row["programme_name"],
            row["functional_code"],
            row["functional_name"],
            int(row["weight"]),
        )
        for row in _read_table("budget_programmes.csv")
    )


def _read_table(name: str) -> list[dict[str, str]]:
    text = files("asms.sample").joinpath(f"data/{name}").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
