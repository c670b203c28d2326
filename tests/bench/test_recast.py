"""Ten years of 850 indicators on today's map, against one plain aggregate of the same answers: real boundaries, invented figures.

The codifier and the history of councils are the real ones (``ASMS_REAL_DATA``). Every hromada that stood on the last day of a
year has a return of that year, with an answer to each of the 1,118 cells that the catalogue asks (850 indicators, 134 of them by
sex); one answer in twenty is «no data». Councils never reported to this collection, so before 2020 a hromada of today is mostly
made of a few parts with a return and some without. The answers are written where acceptance would have put them, and beside them
invented values of the 310 derived indicators as reported; measured is what recasting does with both.
``ASMS_BENCH_BODIES`` limits the hromadas of each year.
"""

import os
from pathlib import Path

import psutil
import psycopg
import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from tests.bench.cost import find_postmaster, measure

YEARS = range(2015, 2025)
BODIES = int(os.environ.get("ASMS_BENCH_BODIES", "100000"))
_RECAST = (
    "int_boundary__recast", "int_observation__recast", "int_observation__on_current", "int_indicator__recast",
    "fct_indicator_recast",
)  # fmt: skip
_RETURNS = """
create temporary table sent on commit drop as
select
    source_code || ' ' || time_period as id,
    source_code as municipality_code,
    time_period
from (
    select
        version.source_code,
        year::text as time_period,
        row_number() over (partition by year order by sha256(version.source_code::bytea)) as place
    from (
        select distinct source_code, source_valid_from, source_valid_to from indicators.int_boundary__crosswalk
        where source_code ~ '^UA'
    ) as version
    cross join generate_series({first}, {last}) as year
    where
        coalesce(version.source_valid_from <= make_date(year, 12, 31), true)
        and coalesce(version.source_valid_to > make_date(year, 12, 31), true)
) as standing
where place <= {bodies};
insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)
select id, 'submissions', 'bench', id, 1, id, 1, time_period::integer, true from sent;
insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample)
select id, 'submissions', id, '1', 'loaded', true from sent;
insert into raw.submission (
    submission_id, load_id, sha256, file_name, form_code, form_version, collection_code, municipality_code, municipality_text,
    time_period, cell_count
)
select id, id, id, id, 'BENCH', '1', 'ASMS', municipality_code, '', time_period, 0 from sent;
insert into raw.submission_delivery select id, id, id from sent;
"""
_ANSWERS = """
insert into indicators.int_observation__accepted
    (collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status, obs_source, is_sample)
select
    'ASMS', sent.municipality_code, sent.time_period, asked.indicator_code, asked.sex,
    case when chance % 20 <> 0 then 1 + chance % 1000 end,
    case when chance % 20 <> 0 then 'A' else 'M_NC' end,
    case when chance % 20 <> 0 then 'submitted' end,
    true
from staging.stg_submissions__return as sent
inner join staging.stg_catalogue__cell as asked on sent.collection_code = asked.collection_code
cross join lateral (
    select abs(hashtext(sent.municipality_code || sent.time_period || asked.indicator_code || asked.sex)::bigint) as chance
) as drawn
"""

_DERIVED = """
insert into indicators.int_indicator__derived
    (collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status, is_sample)
select 'ASMS', sent.municipality_code, sent.time_period, derived.indicator_code, 'T', length(derived.indicator_code), 'A', true
from staging.stg_submissions__return as sent
inner join staging.stg_catalogue__indicator as derived on sent.collection_code = derived.collection_code and derived.is_derived
"""


def _fill(connection: psycopg.Connection, table: str, statement: str) -> None:
    """Rows first and their index then, as a full build makes them."""
    (index,) = connection.execute(
        "select indexdef from pg_indexes where schemaname = 'indicators' and tablename = %s", (table,)
    ).fetchone() or ("",)
    connection.execute(f"drop index indicators.{index.split()[3]}".encode())
    connection.execute(statement.encode())
    connection.execute(index.encode())
    connection.execute(f"analyze indicators.{table}".encode())


@pytest.fixture
def postmaster(pg_home: Path, warehouse: Warehouse) -> psutil.Process:  # noqa: ARG001 - the server runs by then
    return find_postmaster(pg_home)


@pytest.mark.timeout(3600)
def test_ten_years_are_put_on_todays_map(
    warehouse: Warehouse, settings: Settings, postmaster: psutil.Process, real_data: Path, tmp_path: Path
) -> None:
    store_catalogue(warehouse, load_catalogue())
    given = settings.model_copy(update={"urls": {"katottg": str(real_data)}})
    fetch_katottg(warehouse, given, LandingStore(settings.landing).put)
    start_build(warehouse, force=True)

    def run(*models: str) -> None:
        command = ["run", "--full-refresh", "--select", *models]
        results = dbt.invoke(command, warehouse=warehouse, target_path=tmp_path)
        assert {str(result.status) for result in results} == {"success"}

    dbt.parse(tmp_path)
    dbt.invoke(["seed"], warehouse=warehouse, target_path=tmp_path)
    run(*(f"+{model}" for model in _RECAST))
    with warehouse.connect("admin", autocommit=True) as connection:
        with connection.transaction():
            connection.execute(_RETURNS.format(first=YEARS[0], last=YEARS[-1], bodies=BODIES).encode())
        start_build(warehouse, force=True)
        _fill(connection, "int_observation__accepted", _ANSWERS)
        _fill(connection, "int_indicator__derived", _DERIVED)
        counts = connection.execute(
            "select count(*), count(distinct municipality_code), (select count(*) from indicators.int_observation__accepted) "
            "from staging.stg_submissions__return"
        ).fetchone()
        assert counts is not None and counts[2] == counts[0] * (850 + 2 * 134)

        def least() -> None:
            connection.execute(
                "select indicator_code, sex, count(*), sum(obs_value), max(obs_status) "
                "from indicators.int_observation__accepted group by indicator_code, sex"
            )

        floor = measure(least, postmaster)
        spent = {model: measure(lambda model=model: run(model), postmaster) for model in _RECAST}  # type: ignore[misc]
        recast = connection.execute("select count(*) from build.fct_indicator_recast").fetchone()
    total = sum(cost.cpu for cost in spent.values())
    server = sum(cost.server for cost in spent.values())
    print(f"\n{counts[2]:,} answers of {counts[0]:,} returns ({counts[1]:,} hromadas) of ten years on today's map:")
    for model, cost in spent.items():
        print(f"  {model}: {cost}")
    print(f"  {recast[0] if recast else 0:,} values; {total:.1f} s of CPU, {server:.1f} s of it the server's;")
    print(f"  one aggregate of the answers: {floor}; ratio {server / floor.server:.2f}")
    assert recast != (0,)
    assert total < 120, "a gross slip"
