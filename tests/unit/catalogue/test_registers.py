"""What registers.csv may say, and which codes of the budget a line adds up."""

from dataclasses import replace

import pytest

from asms.catalogue import check_catalogue, load_catalogue
from asms.catalogue.registers import code_prefix, register_sources


@pytest.mark.parametrize(
    ("kind", "code", "prefix"),
    [
        ("КДБ", "10000000", "1"), ("КДБ", "18000000", "18"), ("КДБ", "11010000", "1101"), ("КДБ", "18011000", "180110"),
        ("КДБ", "41033900", "410339"), ("КЕКВ", "2000", "2"), ("КЕКВ", "2270", "227"), ("ТПКВКМБ", "0100", "01"),
        ("ТПКВКМБ", "1010", "101"),
    ],
)  # fmt: skip
def test_a_code_stands_for_all_below_it(kind: str, code: str, prefix: str) -> None:
    assert code_prefix(kind, code) == prefix


def test_no_line_of_a_budget_is_added_up_twice() -> None:
    prefixes = [row.code_prefix for row in register_sources(load_catalogue()) if row.indicator_code == "LND.043"]
    assert prefixes == ["735"], "7351 is a part of 7350"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"indicator_code": "REV.999"}, "REV.999 T: the indicator is not in the catalogue"),
        ({"indicator_code": "POP.002"}, "the card's source is 'submitted'"),
        ({"measure": "guess"}, "has no measure 'guess'"),
        ({"sex": "F"}, "the card is not split by sex"),
        ({"codes": "КДБ 110"}, "codes 'КДБ 110'"),
        ({"codes": "КДБ 11010000; КЕКВ 2000"}, "of one classifier"),
        ({"fund_type": None}, "fund_type is missing"),
        ({"factor": 1.0}, "factor 1 does not turn hryvnias into 'тис. грн'"),
    ],
)  # fmt: skip
def test_a_line_that_does_not_fit_is_named(change: dict[str, object], told: str) -> None:
    found = load_catalogue()
    line = next(line for line in found.registers if line.indicator_code == "REV.010")
    problems = check_catalogue(replace(found, registers=(line.model_copy(update=change),)))
    assert any("registers.csv" in problem and told in problem for problem in problems), problems
