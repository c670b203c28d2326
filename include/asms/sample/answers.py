"""Invented answers of the sample's hromadas: plausible figures scaled by population, equal for equal hromada and year.

``data/answers.csv`` says how, a line per submitted indicator of the annual form: a figure is its ``base`` (facts and other
figures, added, subtracted and multiplied: ``HEA.001-HEA.002``, ``EXP.060[t-1]+EXP.063``) times a factor between ``low`` and
``high`` that drifts by ``yearly`` (0.03 where blank), and no less than ``least``. So parts stay below their wholes, sums add
up, stocks follow from flows, and F + M = T. The facts are:

* ``persons``, ``area`` (km²), ``settlements``, ``one``, ``category`` (1 міська, 2 селищна, 3 сільська), ``town`` and
  ``townlet`` (1 where the hromada is one);
* ``townsfolk``: persons, of whom a townlet's hromada counts four tenths and a village's none;
* ``large`` and ``small``: persons of a hromada of 100 000 and more, or of fewer, else 0.

``split`` says how a figure is divided by sex: ``sum`` (women are a share between ``female_low`` and ``female_high``),
``mean`` (a mean of women and one of men on both sides of the total), ``base`` (the same factor times the base of each
sex). ``rural`` is the reason that villages and townlets give instead of a figure.
"""

import csv
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import prod

from asms.sample.hromadas import Hromada

REASONS = {
    "M_NC": "не збирається (M_NC)",
    "M_NA": "не застосовується (M_NA)",
    "C": "конфіденційно (C)",
}
"""Missing-reason texts as the annual form offers them."""

_TOWNS, _TOWNLET, _VILLAGE = ("місто", "міська"), "селищна", "сільська"
_RURAL = (_VILLAGE, _TOWNLET)
_CATEGORIES = {**dict.fromkeys(_TOWNS, 1), _TOWNLET: 2, _VILLAGE: 3}
_TOWNSFOLK_SHARES = {**dict.fromkeys(_TOWNS, 1.0), _TOWNLET: 0.4, _VILLAGE: 0.0}
_LARGE = 100_000  # persons
_YEARLY_CHANGE = 0.03  # share of a factor, either way
_NOT_COLLECTED_SHARE = 0.02

_HABITS, _HABIT_WEIGHTS = ("all", "most", "domains"), (3, 5, 2)
_ALWAYS_ANSWERED = {"TER", "POP"}  # registers fill in most of them
_BLANK_SHARES = (0.005, 0.03)  # of the questions, where a hromada leaves some
_BLANK_DOMAINS = (1, 4)

_TERM = re.compile(r"([+-]?)([\w.]+(?:\[t[+-]1\])?(?:\*[\w.]+(?:\[t[+-]1\])?)*)")
_FACTOR = re.compile(r"([\w.]+)(?:\[t([+-]1)\])?")


@dataclass(frozen=True)
class Answer:
    """What stands in a cell: a value (number, text, date, nothing), and the reason when there is none."""

    value: object
    reason: str | None = None
    remark: str | None = None


@dataclass(frozen=True)
class _Term:
    sign: int
    factors: tuple[tuple[str, int], ...]  # fact or code, years away


@dataclass(frozen=True)
class _Line:
    code: str
    terms: tuple[_Term, ...]
    low: float
    high: float
    yearly: float
    least: float
    decimals: int
    split: str
    female_low: float
    female_high: float
    rural: str


def make_answers(hromada: Hromada, year: int) -> dict[tuple[str, str], Answer]:
    """Answers of one return to every question, keyed on (indicator code, sex)."""
    figures = _Figures(hromada)
    answers: dict[tuple[str, str], Answer] = {}
    for code, line in _read_lines().items():
        is_collected = code in _bases() or _chance(hromada, code, year).random() > _NOT_COLLECTED_SHARE
        by_sex = figures.by_sex(code, year) if is_collected else None
        if line.rural and hromada.type_uk in _RURAL:
            answers[code, "T"] = Answer(None, REASONS[line.rural])
        elif by_sex is None:
            answers[code, "T"] = Answer(None, REASONS["M_NC"])
        else:
            answers.update({(code, sex): Answer(value) for sex, value in by_sex.items()})
    return answers


def leave_blank(
    answers: Mapping[tuple[str, str], Answer], hromada: Hromada, year: int
) -> dict[tuple[str, str], Answer]:
    """``answers`` less those that the hromada does not give: nothing, a few, or some whole domains besides.

    Figures that others rest on stay. Which domains are left out is the same every year.
    """
    habits = _chance(hromada, "blank")
    habit = habits.choices(_HABITS, _HABIT_WEIGHTS)[0]
    if habit == "all":
        return dict(answers)
    domains = sorted({code.partition(".")[0] for code, _ in answers} - _ALWAYS_ANSWERED)
    blank_domains = habits.sample(domains, habits.randint(*_BLANK_DOMAINS)) if habit == "domains" else []
    chance = _chance(hromada, "blank", year)
    share = chance.uniform(*_BLANK_SHARES)
    blank = {code for code in _read_lines() if chance.random() < share and code not in _bases()}
    return {
        (code, sex): answer
        for (code, sex), answer in answers.items()
        if code not in blank and code.partition(".")[0] not in blank_domains
    }


class _Figures:
    """Figures of one hromada in any year, each made once."""

    def __init__(self, hromada: Hromada) -> None:
        persons = hromada.population_2022 or 0
        is_large = persons >= _LARGE
        self._hromada = hromada
        self._facts: Mapping[str, float | None] = {
            "area": hromada.area_km2,
            "settlements": hromada.settlement_count,
            "persons": hromada.population_2022,
            "one": 1,
            "category": _CATEGORIES[hromada.type_uk],
            "town": hromada.type_uk in _TOWNS,
            "townlet": hromada.type_uk == _TOWNLET,
            "townsfolk": persons * _TOWNSFOLK_SHARES[hromada.type_uk],
            "large": persons if is_large else 0,
            "small": 0 if is_large else persons,
        }
        self._made: dict[tuple[str, int], dict[str, float] | None] = {}

    def by_sex(self, code: str, year: int) -> dict[str, float] | None:
        """The figure by sex, rounded as its indicator asks; None where a fact that it rests on is not known."""
        if (code, year) not in self._made:
            self._made[code, year] = self._make(_read_lines()[code], year)
        return self._made[code, year]

    def _make(self, line: _Line, year: int) -> dict[str, float] | None:
        if line.split == "base":
            women, men = self._value(line, year, "F"), self._value(line, year, "M")
            return None if women is None or men is None else {"T": women + men, "F": women, "M": men}
        value = self._value(line, year, "T")
        if value is None:
            return None
        share = _chance(self._hromada, f"{line.code}[F]").uniform(line.female_low, line.female_high)
        if line.split == "sum":
            women = min(round(value * share), value)
            return {"T": value, "F": women, "M": value - women}
        if line.split == "mean":
            return {
                "T": value,
                "F": _rounded(value * share, line.decimals),
                "M": _rounded(value * (2 - share), line.decimals),
            }
        return {"T": value}

    def _value(self, line: _Line, year: int, sex: str) -> float | None:
        base = self._base(line, year, sex)
        if base is None:
            return None
        level = _chance(self._hromada, line.code).uniform(line.low, line.high)
        change = _chance(self._hromada, line.code, year).uniform(1 - line.yearly, 1 + line.yearly)
        value = base * min(max(level * change, line.low), line.high)
        return _rounded(max(value, line.least), line.decimals)

    def _base(self, line: _Line, year: int, sex: str) -> float | None:
        total = 0.0
        for term in line.terms:
            values = [self._factor(name, year + years_away, sex) for name, years_away in term.factors]
            known = [value for value in values if value is not None]
            if len(known) < len(values):
                return None
            total += term.sign * prod(known)
        return total

    def _factor(self, name: str, year: int, sex: str) -> float | None:
        if name in self._facts:
            return self._facts[name]
        by_sex = self.by_sex(name, year)
        return None if by_sex is None else by_sex[sex]


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) if decimals else round(value)


def _chance(hromada: Hromada, code: str, year: int | None = None) -> random.Random:
    return random.Random(f"{hromada.municipality_code}|{code}|{year or ''}")  # noqa: S311 - a figure, not a secret


@cache
def _bases() -> frozenset[str]:
    """Facts and codes that figures are made of."""
    return frozenset(name for line in _read_lines().values() for term in line.terms for name, _ in term.factors)


@cache
def _read_lines() -> dict[str, _Line]:
    text = files("asms.sample").joinpath("data/answers.csv").read_text(encoding="utf-8")
    return {
        row["indicator_code"]: _Line(
            code=row["indicator_code"],
            terms=_read_terms(row["base"]),
            low=float(row["low"]),
            high=float(row["high"]),
            yearly=float(row["yearly"] or _YEARLY_CHANGE),
            least=float(row["least"]),
            decimals=int(row["decimals"]),
            split=row["split"],
            female_low=float(row["female_low"] or 0),
            female_high=float(row["female_high"] or 0),
            rural=row["rural"],
        )
        for row in csv.DictReader(text.splitlines())
    }


def _read_terms(base: str) -> tuple[_Term, ...]:
    terms = _TERM.findall(base)
    if "".join(sign + product for sign, product in terms) != base:
        raise ValueError(f"answers.csv: base {base!r} cannot be read")
    return tuple(
        _Term(-1 if sign == "-" else 1, tuple((name, int(years or 0)) for name, years in _FACTOR.findall(product)))
        for sign, product in terms
    )
