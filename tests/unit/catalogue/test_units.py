"""Units of formulas: what agrees, what does not, and what the message says."""

import pytest

from asms.catalogue import CatalogueError
from asms.catalogue.grammar import parse_formula
from asms.catalogue.units import check_units, parse_unit

_UNITS = {
    "MONEY": "тис. грн",
    "PEOPLE": "осіб",
    "PUPILS": "осіб",
    "PLACES": "од.",
    "HEAT": "Гкал",
    "FLOOR": "м²",
    "AREA": "га",
    "SHARE": "%",
}


@pytest.mark.parametrize(
    ("formula", "declared"),
    [
        ("MONEY × 1000 / PEOPLE", "грн/особу"),
        ("MONEY / PEOPLE", "тис. грн/особу"),
        ("PUPILS / PEOPLE × 100", "%"),
        ("PUPILS / PEOPLE × 1000", "‰"),
        ("PLACES / PEOPLE × 10000", "од./10 тис. осіб"),
        ("PUPILS / PLACES × 100", "осіб/100 од."),
        ("HEAT × 1163 / FLOOR", "кВт·год/м²"),
        ("AREA × 10000 / avg(PEOPLE[t], PEOPLE[t+1])", "м²/особу"),
        ("100 − SHARE", "%"),
        ("−PEOPLE + sum(PUPILS, PEOPLE)", "осіб"),
    ],
)
def test_units_that_agree(formula: str, declared: str) -> None:
    assert check_units(parse_formula(formula, "card"), _UNITS, declared) is None


@pytest.mark.parametrize(
    ("formula", "declared", "said"),
    [
        ("MONEY / PEOPLE", "грн/особу", "out by a factor of 0.001"),
        ("PUPILS / PEOPLE", "%", "out by a factor of 0.01"),
        ("MONEY × 1000 / PLACES", "грн/особу", "hryvnia / item"),
        ("PEOPLE + PLACES", "осіб", "together by '+'"),
        ("AREA + FLOOR", "га", "together by '+'"),
        ("avg(MONEY, PEOPLE)", "осіб", "together by 'avg'"),
        ("PEOPLE × PEOPLE", "осіб", "person ** 2"),
        ("MONEY × 1000 / PEOPLE", "грн/жителя", "'жителя' is not in units.csv"),
    ],
)
def test_units_that_do_not(formula: str, declared: str, said: str) -> None:
    problem = check_units(parse_formula(formula, "card"), _UNITS, declared)
    assert problem is not None
    assert said in problem


def test_a_unit_is_made_of_known_parts() -> None:
    assert parse_unit("м³/10 тис. осіб").to("m**3/person").magnitude == pytest.approx(1e-4)
    with pytest.raises(CatalogueError, match="'пуд' is not in units"):
        parse_unit("тис. пуд")
