"""Invented answers of the sample's hromadas: plausible figures scaled by population, equal for equal hromada and year.

``data/answers.csv`` says how: a figure is its base (a fact or another figure) times a factor between ``low`` and ``high``,
so parts stay below their wholes, and F + M = T.
"""

import csv
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from asms.sample.hromadas import Hromada

REASONS = {
    "M_NC": "не збирається (M_NC)",
    "M_NA": "не застосовується (M_NA)",
    "C": "конфіденційно (C)",
}
"""Missing-reason texts as the annual form offers them."""

_RURAL = ("сільська", "селищна")
_YEARLY_CHANGE = 0.03  # share of a factor, either way
_NOT_COLLECTED_SHARE = 0.02


@dataclass(frozen=True)
class Answer:
    """What stands in a cell: a value (number, text, date, nothing), and the reason when there is none."""

    value: object
    reason: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class _Line:
    code: str
    base: str
    low: float
    high: float
    least: float
    decimals: int
    split: str
    female_low: float
    female_high: float
    rural: str


def make_answers(hromada: Hromada, year: int) -> dict[tuple[str, str], Answer]:
    """Answers of one return, keyed on (indicator code, sex)."""
    lines = _read_lines()
    bases = {line.base for line in lines.values()}
    answers: dict[tuple[str, str], Answer] = {}
    for code, line in lines.items():
        chance = _chance(hromada, code, year)
        is_collected = code in bases or chance.random() > _NOT_COLLECTED_SHARE
        value = _value(hromada, code, year, lines) if is_collected else None
        if line.rural and hromada.type_uk in _RURAL:
            answers[code, "T"] = Answer(None, REASONS[line.rural])
        elif value is None:
            answers[code, "T"] = Answer(None, REASONS["M_NC"])
        else:
            answers[code, "T"] = Answer(value)
            answers.update(_by_sex(line, value, chance))
    return answers


def _by_sex(line: _Line, value: float, chance: random.Random) -> dict[tuple[str, str], Answer]:
    share = chance.uniform(line.female_low, line.female_high)
    if line.split == "sum":
        women = round(value * share)
        return {(line.code, "F"): Answer(women), (line.code, "M"): Answer(round(value) - women)}
    if line.split == "mean":
        return {(line.code, "F"): Answer(round(value * share)), (line.code, "M"): Answer(round(value * (2 - share)))}
    return {}


def _value(hromada: Hromada, code: str, year: int, lines: Mapping[str, _Line]) -> float | None:
    """The figure, rounded as its indicator asks; None where a fact that it rests on is not known."""
    line = lines[code]
    facts = {
        "area": hromada.area_km2,
        "settlements": hromada.settlement_count,
        "persons": hromada.population_2022,
        "one": 1,
    }
    base = facts[line.base] if line.base in facts else _value(hromada, line.base, year, lines)
    if base is None:
        return None
    level = _chance(hromada, code).uniform(line.low, line.high)
    change = _chance(hromada, code, year).uniform(1 - _YEARLY_CHANGE, 1 + _YEARLY_CHANGE)
    factor = min(max(level * change, line.low), line.high)
    value = max(base * factor, line.least)
    return round(value, line.decimals) if line.decimals else round(value)


def _chance(hromada: Hromada, code: str, year: int | None = None) -> random.Random:
    return random.Random(f"{hromada.municipality_code}|{code}|{year or ''}")  # noqa: S311 - a figure, not a secret


@cache
def _read_lines() -> dict[str, _Line]:
    text = files("asms.sample").joinpath("data/answers.csv").read_text(encoding="utf-8")
    return {
        row["indicator_code"]: _Line(
            code=row["indicator_code"],
            base=row["base"],
            low=float(row["low"]),
            high=float(row["high"]),
            least=float(row["least"]),
            decimals=int(row["decimals"]),
            split=row["split"],
            female_low=float(row["female_low"] or 0),
            female_high=float(row["female_high"] or 0),
            rural=row["rural"],
        )
        for row in csv.DictReader(text.splitlines())
    }
