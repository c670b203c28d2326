"""The seed of budget codes is whole: real areas, unique codes, no gap between an old code and a new one."""

import itertools

import pytest

from asms.sources.budget_code import BudgetCode, read_budget_codes
from asms.sources.katottg import _packaged_workbook, read_units

CODES = read_budget_codes()


def test_codes_are_unique_and_of_the_known_length() -> None:
    codes = [code.budget_code for code in CODES]
    assert len(set(codes)) == len(codes) >= 80
    assert {len(code) for code in codes} == {10, 11}


def test_every_area_is_in_the_codifier_at_its_level() -> None:
    units = read_units(_packaged_workbook().read_bytes())
    oblasts = {row[1] for row in units if row[6] in ("O", "K")}
    municipalities = {row[3] for row in units if row[6] == "H"} | {row[1] for row in units if row[6] == "K"}
    for code in CODES:
        assert code.area_code in (oblasts if code.area_level == "oblast" else municipalities), code


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024, 2026])
def test_every_area_has_a_code_in_every_year(year: int) -> None:
    areas = {code.area_code for code in CODES}
    assert {code.area_code for code in CODES if code.is_valid(year)} == areas


def test_old_codes_are_eleven_digits_and_end() -> None:
    for area, group in itertools.groupby(
        sorted(CODES, key=lambda code: code.area_code), key=lambda code: code.area_code
    ):
        of_area = list(group)
        old = [code for code in of_area if code.valid_to is not None]
        assert {len(code.budget_code) for code in old} == {11}, area
        assert {len(code.budget_code) for code in of_area if code.valid_to is None} == {10}, area


def test_kryvyi_rih_did_not_just_lose_a_digit() -> None:
    codes = {code.budget_code for code in CODES if code.area_code == "UA12060170000091033"}
    assert {"04578000000", "0457810000"} <= codes


def test_validity_includes_both_ends() -> None:
    code = BudgetCode("0", "UA", "municipality", 2021, 2023)
    assert [code.is_valid(year) for year in (2020, 2021, 2023, 2024)] == [False, True, True, False]
