"""Do the units of a formula give the unit that its card declares? Dimension analysis, with pint.

A number in a formula is a conversion and nothing else: ``× 1000`` in «тис. грн × 1000 / особа» makes грн of тис. грн. So the
unit of a value falls by what the value is multiplied by, and what is left must be the declared unit, in dimension and in size.
"""

import csv
import importlib.resources
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, assert_never

from asms.catalogue.cards import CatalogueError
from asms.catalogue.grammar import Call, Expression, Negation, Number, Operation, Reference

if TYPE_CHECKING:
    from pint import Quantity

_MULTIPLIERS = {"тис.": 1e3, "млн": 1e6, "млрд": 1e9}
_CLOSE = 1e-9
# what pint does not know; each is a dimension of its own, so that persons do not cancel against pupils' places
_BASE_UNITS = (
    "person", "item", "hryvnia", "dollar", "code", "score", "kg_co2e", "passenger", "vehicle_km", "decibel_level",
    "megabit_per_second", "gigabyte_unit",
)  # fmt: skip


def parse_unit(text: str) -> "Quantity[float]":
    """The size of one ``text`` («тис. грн», «м²/особу», «од./10 тис. осіб»), made of the units in ``data/units.csv``.

    Raises:
        CatalogueError: a part is not in ``units.csv``; names it.
    """
    over, *under = text.split("/")
    unit = _one_unit(over, text)
    for part in under:
        unit = unit / _one_unit(part, text)
    return unit


def check_units(formula: Expression, units: Mapping[str, str], declared: str) -> str | None:
    """What is wrong with ``declared`` as the unit of ``formula``, whose inputs have ``units`` by code; None if it agrees."""
    try:
        found, target = _unit_of(formula, units), parse_unit(declared)
    except CatalogueError as error:
        return str(error)
    if found.dimensionality != target.dimensionality:
        return f"its formula gives {found.to_base_units().units or 'a plain number'}, but its unit is {declared}"
    ratio = float((found / target).to_base_units().magnitude)
    if abs(ratio - 1) > _CLOSE:
        return f"its formula is out by a factor of {1 / ratio:g} for the unit {declared}"
    return None


def _unit_of(node: Expression, units: Mapping[str, str]) -> "Quantity[float]":
    """The size of a value of 1 of ``node``."""
    found: Quantity[float]
    match node:
        case Number(value):
            found = _registry()["plain"] / value
        case Reference(code):
            found = parse_unit(units[code])
        case Negation(operand):
            found = _unit_of(operand, units)
        case Call(function, arguments):
            found = _common_unit(list(arguments), units, function)
        case Operation("*", left, right):
            found = _unit_of(left, units) * _unit_of(right, units)
        case Operation("/", left, right):
            found = _unit_of(left, units) / _unit_of(right, units)
        case Operation(operator, left, right):
            found = _common_unit([left, right], units, operator)
        case _:
            assert_never(node)
    return found


def _common_unit(parts: list[Expression], units: Mapping[str, str], what: str) -> "Quantity[float]":
    found = [_unit_of(part, units) for part in parts]
    for other in found[1:]:
        same = other.dimensionality == found[0].dimensionality
        if not same or abs(float((other / found[0]).to_base_units().magnitude) - 1) > _CLOSE:
            raise CatalogueError(f"its formula puts {found[0]:~} and {other:~} together by {what!r}")
    return found[0]


def _one_unit(text: str, whole: str) -> "Quantity[float]":
    size = 1.0
    words = text.split()
    while words and (words[0] in _MULTIPLIERS or re.fullmatch(r"\d+", words[0])):
        size *= _MULTIPLIERS.get(words[0]) or float(words[0])
        words = words[1:]
    unit = _registry().get(" ".join(words))
    if unit is None:
        raise CatalogueError(f"its unit {whole!r}: {' '.join(words)!r} is not in units.csv")
    sized: Quantity[float] = unit * size
    return sized


@lru_cache(maxsize=1)
def _registry() -> "dict[str, Quantity[float]]":
    """Units by their Ukrainian name."""
    from pint import UnitRegistry  # 0.3 s to import

    registry: UnitRegistry[float] = UnitRegistry()
    for name in _BASE_UNITS:
        registry.define(f"{name} = [{name}]")
    file = importlib.resources.files("asms.catalogue").joinpath("data/units.csv")
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    named = {row["unit"]: registry.Quantity(1.0, "") * registry.parse_expression(row["pint"]) for row in rows}
    return {**named, "plain": registry.Quantity(1.0, "")}
