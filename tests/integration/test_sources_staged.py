"""Open data beside the marts, from the local server to staging through the suites: the sample's, and the real files."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer
from asms.intake.landing import LandingStore
from asms.quality.expectations import run_suites
from asms.quality.suites import AskedBuild, load_suites
from asms.sample import PAYERS_FILE, SPENDING_SINCE
from asms.sample.server import serve
from asms.settings import DEFAULT_SOURCES, OPEN_SOURCES, load_settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Role, Warehouse
from tests.conftest import DBT_DATABASES, copied

SOURCES = tuple(source for source in OPEN_SOURCES if source not in DEFAULT_SOURCES)


@dataclass(frozen=True)
class House:
    """A warehouse with every source of ``SOURCES`` that the server had, loaded and staged by build ``build_id``."""

    warehouse: Warehouse
    build_id: int

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def run(self, role: Role, statement: str) -> None:
        with self.warehouse.connect(role) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def failed(self, source: str) -> set[str]:
        """Ids of the checks on ``source`` that fail."""
        suites = [suite for suite in load_suites() if suite.table.startswith((f"{source}_", f"stg_{source}__"))]
        assert {suite.gate for suite in suites} == {"raw", "staging"}, source
        found: set[str] = set()
        for gate in ("raw", "staging"):  # they are run gate by gate: each reads one schema
            of_gate = [suite for suite in suites if suite.gate == gate]
            found |= {
                one.rule_id
                for one in run_suites(self.warehouse, of_gate, AskedBuild(self.build_id, is_full=True))
                if not one.success
            }
        return found


def _house(
    template: Warehouse, folder: Path, replay: Path | None, parsed: Callable[..., Path], database: str
) -> Iterator[House]:
    with copied(template, database, is_sample=False) as warehouse:
        store_catalogue(warehouse, load_catalogue())
        settings = load_settings({"ASMS_HOME": str(folder)})
        put = LandingStore(settings.landing).put
        fetch_katottg(warehouse, settings, put)
        with serve(replay) as local:
            spending = {"treasury_payers": str(PAYERS_FILE), "spending_since": date.fromisoformat(SPENDING_SINCE)}
            pointed = settings.model_copy(update={"urls": local.urls, "open_budget_years": local.years, **spending})
            had = [source for source in SOURCES if source in local.urls]
            for expected in ("new_loads", "unchanged_loads"):
                for source in had:
                    result = import_module(f"asms.sources.{source}").fetch(warehouse, pointed, put)
                    assert result.is_ok and result.row_count and getattr(result, expected), (source, result)
                    assert expected == "new_loads" or not result.new_loads, "the second time nothing is new"
        build = start_build(warehouse)
        selection = [part for source in had for part in ("--select", f"+stg_{source}__*")]
        selection += ["--select", "+stg_population__municipality"]  # what SDMX is held against
        options = ["--exclude-resource-type", "unit_test", "--indirect-selection", "buildable"]
        results = dbt.invoke(
            ["build", *selection, *options], warehouse=warehouse, target_path=parsed(folder / "dbt", database)
        )
        assert {str(result.status) for result in results} == {"success", "pass"}
        yield House(warehouse, build.build_id)


@pytest.fixture(scope="module")
def sample(
    template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]
) -> Iterator[House]:
    yield from _house(template_warehouse, tmp_path_factory.mktemp("staged"), None, parsed, DBT_DATABASES[0])


@pytest.fixture(scope="module")
def real(
    template_warehouse: Warehouse,
    tmp_path_factory: pytest.TempPathFactory,
    real_data: Path,
    parsed: Callable[..., Path],
) -> Iterator[House]:
    yield from _house(template_warehouse, tmp_path_factory.mktemp("staged"), real_data, parsed, DBT_DATABASES[1])


@pytest.mark.parametrize("source", SOURCES)
def test_the_sample_passes_its_suites(sample: House, source: str) -> None:
    assert sample.failed(source) == set()


def test_transfers_of_the_sample_reach_their_units(sample: House) -> None:
    found = sample.ask(
        "select area_code, obs_value from staging.stg_transfers__value inner join staging.stg_transfers__budget "
        "using (table_code, time_period, budget_code) where budget_code = '0253600000' "
        "and measure_code in ('POPULATION', 'AMOUNT_TOTAL') order by table_code, measure_code"
    )
    assert [row[0] for row in found] == ["UA05020030000031457"] * 3
    assert float(found[2][1]) == 387.4, "thousands, from a code that had lost its zero"
    lost = "select count(*) from staging.stg_transfers__budget where area_code is null and budget_level = 'hromada'"
    assert sample.ask(lost) == [(0,)]


def test_a_total_that_is_not_the_sum_closes_the_gate(sample: House) -> None:
    change = (
        "update staging.stg_transfers__value set obs_value = obs_value {} where budget_code = '0253600000' "
        "and measure_code = 'AMOUNT_TOTAL'"
    )
    sample.run("transformer", change.format("+ 0.1"))
    assert sample.failed("transfers") == {"GX_STG_TRANSFERS_ADD_UP", "GX_STG_TRANSFERS_PARTS_ADD_UP"}
    sample.run("transformer", change.format("- 0.1"))
    assert sample.failed("transfers") == set()


def test_real_transfers_add_up_and_reach_their_units(real: House, real_data: Path) -> None:
    assert real.failed("transfers") == {"GX_STG_TRANSFERS_UNKNOWN_BUDGETS"}
    sums = real.ask(
        "select measure_code, sum(obs_value) from staging.stg_transfers__value inner join staging.stg_transfers__budget "
        "using (table_code, time_period, budget_code) where measure_code in ('AMOUNT_TOTAL', 'REVERSE_SUBSIDY', "
        "'BASE_SUBSIDY') and budget_level in ('hromada', 'city', 'oblast', 'raion', 'reserve') "
        "group by measure_code order by measure_code"
    )
    assert [(code, float(round(total, 1))) for code, total in sums] == [
        ("AMOUNT_TOTAL", 87515508.9), ("BASE_SUBSIDY", 20210112.4), ("REVERSE_SUBSIDY", 13816573.3),
    ]  # fmt: skip
    with (real_data / "hromadas" / "full_dataset.csv").open(encoding="utf-8-sig", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["budget_code"] != "NA"]
    known = {f"{float(row['budget_code']):011.0f}"[:10]: row["hromada_code"] for row in rows}
    found = real.ask(
        "select budget_code, area_code, name_uk from staging.stg_transfers__budget where budget_level = 'hromada'"
    )
    assert len(known) == 1438 and len(found) > 2870
    assert [row for row in found if row[1] is None] == [
        ("2351300000", None, "Бюджет Соколівської сільської територіальної громади")
    ], "no hromada of Cherkasy oblast is called so any more"
    assert [row for row in found if known.get(row[0], row[1]) != row[1]] == [], "a name never becomes another's code"


def test_declarations_and_war_status_of_the_sample(sample: House) -> None:
    assert sample.ask(
        "select time_period, declaration_count, female_count + male_count from staging.stg_health_declarations__municipality "
        "where municipality_code = 'UA05020030000031457'"
    ) == [("2022-11", 309951, 309951)]
    assert sample.ask(
        "select known_by_date::text, status_code from staging.stg_war_status__status "
        "where municipality_code = 'UA32080070000050759' and status_code like '%occupied' order by known_by_date"
    ) == [("2022-04-30", "deoccupied"), ("2022-09-30", "deoccupied")]
    occupied = "select count(*) from staging.stg_war_status__status where known_by_date = '2014-02-20' and status_code = 'occupied'"
    assert sample.ask(occupied) == [(304,)], "303 hromadas of Crimea, and Sevastopol"


def test_figures_that_do_not_add_up_close_the_gate(sample: House) -> None:
    change = "update staging.stg_health_declarations__municipality set female_count = female_count {}"
    sample.run("transformer", change.format("+ 1"))
    assert sample.failed("health_declarations") == {"GX_STG_HEALTH_DECLARATIONS_ADD_UP"}
    sample.run("transformer", change.format("- 1"))
    sample.run(
        "transformer", "delete from staging.stg_war_status__status where municipality_code = 'UA85000000000065278'"
    )
    assert sample.failed("war_status") == {"GX_STG_WAR_STATUS_CRIMEA_SEVASTOPOL"}


def test_a_line_that_reaches_nobody_or_contradicts_another_is_told(sample: House) -> None:
    code, other = "UA05020030000031457", "UA05020030000099999"
    line = "update raw.health_declarations_row set hromada_code = '{}' where row_no = {}"
    status = "update raw.war_status_value set hromada_code = '{}' where hromada_code = '{}'"
    ((row_no, neighbour),) = sample.ask(
        "select row_no, (select min(hromada_code) from raw.health_declarations_row as next where next.row_no <> line.row_no) "
        f"from raw.health_declarations_row as line where hromada_code = '{code}'"
    )
    sample.run("admin", line.format(other, row_no))
    assert sample.failed("health_declarations") == {"GX_STG_HEALTH_DECLARATIONS_UNKNOWN"}
    sample.run("admin", status.format(other, code))
    assert "GX_STG_WAR_STATUS_UNKNOWN" in sample.failed("war_status")
    sample.run("admin", status.format(code, other))
    assert "GX_STG_WAR_STATUS_UNKNOWN" not in sample.failed("war_status")
    sample.run("admin", line.format(neighbour, row_no))
    assert sample.failed("health_declarations") == {"GX_STG_HEALTH_DECLARATIONS_ONE_LINE"}
    sample.run("admin", line.format(code, row_no))
    assert sample.failed("health_declarations") == set()


def test_bodies_that_pay_are_known_by_their_edrpou(sample: House) -> None:
    payers = dict(line.split(",") for line in PAYERS_FILE.read_text(encoding="utf-8").split()[1:])
    with sample.warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)
    assert {payer: gazetteer.resolve(payer).municipality_code for payer in payers} == payers
    assert gazetteer.resolve("00000000").reason == "unknown"


def test_real_declarations_and_war_status_reach_their_units(real: House) -> None:
    assert real.failed("health_declarations") == real.failed("war_status") == set()
    assert real.ask("select count(*), sum(declaration_count) from staging.stg_health_declarations__municipality") == [
        (1402, 32726258)
    ]
    assert real.ask(
        "select status_code, count(*) from staging.stg_war_status__status where known_by_date = '2022-09-30' "
        "group by status_code order by status_code"
    ) == [("deoccupied", 87), ("not_occupied", 1215), ("occupied", 167)]


def test_rates_and_indicators_of_the_sample(sample: House) -> None:
    assert sample.ask(
        "select count(*), min(uah_per_unit)::float, min(rate_date)::text from staging.stg_currency__rate where currency_code = 'USD'"
    ) == [(730, 36.5686, "2022-01-01")]
    assert sample.ask(
        "select count(*), count(obs_value) from staging.stg_world_bank__value where indicator_code = 'SP.POP.TOTL'"
    ) == [(132, 128)]
    sample.run(
        "transformer", "update staging.stg_currency__rate set uah_per_unit = 3656.86 where rate_date = '2023-05-01'"
    )
    assert sample.failed("currency") == {"GX_STG_CURRENCY_JUMP"}


def test_population_of_regions_fills_up_and_is_held_against_the_printed(sample: House) -> None:
    kyiv = (
        "select time_period, population, source from staging.stg_population__municipality "
        "where municipality_code = 'UA80000000000093317' and time_period = '2022'"
    )
    assert sample.ask(kyiv) == [("2022", 2952301, "population_sdmx")], "nothing is printed"
    assert sample.ask(
        "select count(distinct source), count(distinct municipality_code) from staging.stg_population__municipality"
    ) == [(1, 1)], "oblasts and the country are no municipalities, of Sevastopol nothing is known"
    line = (
        "insert into staging.stg_population__line (sheet, row_no, name_text, municipality_code, time_period, population) "
        "values ('1', {}, 'м. Київ', 'UA80000000000093317', '2022', {})"
    )
    sample.run("transformer", line.format(1, 2952301))
    assert sample.failed("population_sdmx") == set()
    sample.run("transformer", "update staging.stg_population__line set population = 2915000")
    assert sample.failed("population_sdmx") == {"GX_STG_POPULATION_SDMX_AGREES"}
    sample.run("transformer", line.format(2, "null"))
    assert sample.failed("population_sdmx") == set(), "a part of the sum is not known"
