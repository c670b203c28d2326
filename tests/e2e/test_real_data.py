"""Real workbooks and real budgets, through the same DAGs: counts, sums and two extracts that must agree to the kopiyka."""

import csv
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from asms.warehouse import embedded
from tests.e2e.conftest import House

# Added up by hand from the eighth column. The total in the sheet of Дунаївці says 3.25: it leaves out a 0.5 typed as text.
_TOTALS = {"Івано_Франківськ": 15.0, "Ізмаїл": 9.2, "Дунаївці": 3.75, "Маріуполь": 6.75, "Одеса": 10.5}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, real_data: Path, parsed: Callable[..., Path]) -> Iterator[House]:
    drop = real_data / "submissions" / "transparent_cities_2018"
    house = House(tmp_path_factory.mktemp("real-house"), {"ASMS_DROP": str(drop), "ASMS_REPLAY": str(real_data)})
    parsed(house.home / "dbt", "asms")
    code, printed = house.nightly()
    assert code == 0, printed
    yield house
    embedded.stop(house.home)


def test_every_scored_cell_of_the_questionnaire_is_accounted_for(house: House) -> None:
    rows = house.query(
        "select obs_status, obs_value is not null, count(*), count(distinct municipality_code) "
        "from marts.fct_indicator_value where collection_code = 'TC2018' group by 1, 2 order by 1"
    )
    assert [(status, has_value, count) for status, has_value, count, _ in rows] == [
        ("A", True, 322),
        ("M_NR", False, 18),
    ]
    cities = house.query(
        "select count(*), min(n), max(n) from (select municipality_code, count(*) as n from marts.fct_indicator_value "
        "where collection_code = 'TC2018' and time_period = '2018' group by 1) as city"
    )
    assert cities == [(20, 17, 17)]


def test_two_numbers_were_typed_as_text(house: House) -> None:
    typed = house.query(
        "select value_type, count(*) from raw.submission_cell where value_text ~ '[0-9]' group by 1 order by 1", "gate"
    )
    assert typed == [("number", 320), ("text", 2)]


def test_totals_are_those_added_by_hand(house: House) -> None:
    rows = house.query(
        "select submission.file_name, sum(fact.obs_value) from marts_fact as fact inner join raw.submission "
        "on fact.submission_id = submission.submission_id group by 1".replace(
            "marts_fact", "build.fct_indicator_value"
        ),
        "gate",
    )
    found = {Path(name).stem: round(float(total), 4) for name, total in rows if total is not None}
    assert {city: found[city] for city in _TOTALS} == _TOTALS


def test_another_questionnaire_does_not_count_for_completeness(house: House) -> None:
    assert house.query("select count(*) from marts.fct_completeness where collection_code != 'ASMS'") == [(0,)]


def test_all_of_ukraine_is_in_the_list(house: House) -> None:
    assert house.query("select category, count(*) from marts.dim_municipality group by 1 order by 1") == [
        ("H", 1772),
        ("K", 2),
    ]
    crimea = "select count(*) from marts.dim_municipality where oblast_code = 'UA01000000000013043'"
    assert house.query(crimea) == [(303,)]
    assert house.query("select sum(population) from marts.dim_municipality")[0][0] > 40_000_000


def test_the_funds_of_every_key_add_up(house: House) -> None:
    assert house.query(
        "select count(*) from (select 1 from marts.fct_budget_monthly "
        "group by budget_code, time_period, budget_item, classification_type, classification_code "
        "having abs(sum(case fund_type when 'T' then amount_cumulative else -amount_cumulative end)) > 0.005) as broken"
    ) == [(0,)]


def test_no_key_of_a_budget_stands_twice(house: House) -> None:
    assert house.query(
        "select count(*) from (select 1 from marts.fct_budget_monthly group by municipality_code, time_period, budget_item, "
        "classification_type, classification_code, fund_type having count(*) > 1) as twice"
    ) == [(0,)]
    assert house.query("select count(distinct municipality_code) from marts.fct_budget_monthly") == [(13,)]


def test_monthly_flows_add_up_to_the_other_extract(house: House, real_data: Path) -> None:
    with (real_data / "budgets" / "hromada_budget_2020_2022.csv").open(encoding="utf-8-sig") as file:
        expected = {
            (row["hromada_code"], row["year"]): Decimal(row["income_total"]).quantize(Decimal("0.01"))
            for row in csv.DictReader(file)
            if row["year"] in ("2021", "2022")
        }
    rows = house.query(
        "select municipality_code, left(time_period, 4), sum(amount_month), count(distinct time_period) "
        "from marts.fct_budget_monthly where budget_item = 'INCOMES' and fund_type = 'T' "
        "and left(time_period, 4) in ('2021', '2022') and area_level = 'municipality' group by 1, 2"
    )
    assert len(rows) == 24
    for code, year, total, months in rows:
        assert months == 12
        assert abs(total - expected[code, year]) <= Decimal("0.01"), (code, year)
