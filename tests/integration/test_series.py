"""Series on a changing map: what stands as reported, what it is on today's boundaries, and what areas add up to.

The models run once. Reforms and figures of a property test are then written in a transaction that is rolled back, and the
compiled SQL of the models is run on them again.
"""

import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from asms.catalogue import load_catalogue, store_catalogue
from asms.settings import load_settings
from asms.sources.boundaries import read_events
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from tests.conftest import DBT_DATABASES, copied
from tests.integration.test_dbt_layers import KYIV, LUTSK, SEVASTOPOL, VINNYTSIA, House
from tests.integration.test_geography import Row, make_reforms

# Two hromadas of the oblast of Vinnytsia that became one, a third that gave an unknown part away, a fourth that gave a fifth of it.
JOINED, TORN, CUT, GAINED = "UA05020010000053508", "UA05020050000066991", "UA05020070000010139", "UA05020090000067118"
MODELS = (
    "fct_indicator_value",
    "fct_indicator_recast",
    "fct_area_value",
    "mart_boundary_crosswalk",
    "dim_municipality_status",
)
EVENT_COLUMNS = (
    "load_id", "row_no", "event_code", "event_kind", "known_by", "act", "predecessor_code", "successor_code", "weight",
)  # fmt: skip


def _put(_content: bytes) -> str:
    return "0" * 64


def _write_events(connection: psycopg.Connection, load: str, rows: list[Row]) -> None:
    lines = [f"{e},{k},{d},,{old},{new},{'' if w is None else repr(w)}" for e, k, d, old, new, w in rows]
    header = "event_code,event_kind,known_by,act,predecessor_code,successor_code,weight"
    reading = read_events("\n".join([header, *lines]).encode(), "boundary_events.csv")
    copy_rows(connection, "raw.boundary_event", EVENT_COLUMNS, ((load, *row) for row in reading.rows))


@pytest.fixture(scope="module")
def house(
    template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]
) -> Iterator[House]:
    """Returns of 2021, reforms in 2022, a return of 2022."""
    with copied(template_warehouse, DBT_DATABASES[0]) as warehouse:
        house = House(warehouse, parsed(tmp_path_factory.mktemp("series")))
        store_catalogue(warehouse, load_catalogue())
        fetch_katottg(warehouse, load_settings({"ASMS_HOME": str(house.target)}), _put)
        house.batch = 1
        _, load = house.deliver("boundary_event", "boundary_events.csv", "reforms")
        day = date(2022, 6, 1)
        reforms: list[Row] = [
            ("R1", "joined", day, JOINED, VINNYTSIA, 1.0),
            ("R2", "part_transferred", day, TORN, TORN, None),
            ("R2", "part_transferred", day, TORN, LUTSK, None),
            ("R3", "part_transferred", day, CUT, CUT, 0.8),
            ("R3", "part_transferred", day, CUT, GAINED, 0.2),
        ]
        with warehouse.connect("admin") as connection:
            _write_events(connection, load, reforms)
        for code, area, people, births in (
            (VINNYTSIA, "70", "1000", "30"), (JOINED, "30", "200", "6"), (TORN, "5", "50", "1"),
            (CUT, "10", "100", "5"), (GAINED, "20", "300", "9"), (KYIV, "800", "3000", "90"),
        ):  # fmt: skip
            house.send(
                code, "2021",
                {
                    ("TER.001", "T"): area, ("POP.001", "T"): people, ("POP.010", "T"): births, ("SAF.001", "T"): "1",
                    ("ENV.008", "T"): str(int(people) / 100), ("TER.004", "T"): "–",
                },
            )  # fmt: skip
        house.send(VINNYTSIA, "2022", {("TER.001", "T"): "100", ("POP.001", "T"): "1150", ("POP.010", "T"): "33"})
        start_build(warehouse)
        house.rebuild_models("--select", *(f"+{model}" for model in MODELS), "--full-refresh")
        with warehouse.connect("admin") as connection:
            for name in MODELS:
                connection.execute(
                    f"create view marts.{name} as select *, 1::bigint as release_id, 1::bigint as release_from "
                    f"from build.{name}; grant select on marts.{name} to asms_bi".encode()
                )
        yield house


def _series(house: House, mode: str, code: str, indicator: str, period: str = "2021") -> tuple[object, ...] | None:
    with house.warehouse.connect("bi") as connection:
        return connection.execute(
            "select obs_value, obs_status, status_reason, is_recast, is_break from marts.fct_indicator_series "
            "where boundary_mode = %s and municipality_code = %s and indicator_code = %s and time_period = %s and sex = 'T'",
            (mode, code, indicator, period),
        ).fetchone()


def _current(house: House, code: str, indicator: str, period: str = "2021") -> tuple[object, ...] | None:
    return _series(house, "on_current_boundaries", code, indicator, period)


def test_both_series_are_offered(house: House) -> None:
    assert _series(house, "as_reported", VINNYTSIA, "POP.001") == (1000, "A", None, False, False)
    assert _series(house, "as_reported", VINNYTSIA, "POP.001", "2022") == (1150, "A", None, False, True), (
        "its territory changed in that year"
    )
    assert _series(house, "as_reported", JOINED, "POP.001") == (200, "A", None, False, False)
    assert _current(house, VINNYTSIA, "POP.001") == (1200, "A", None, True, False)
    assert _current(house, VINNYTSIA, "POP.001", "2022") == (1150, "A", None, False, False)
    assert _current(house, JOINED, "POP.001") is None, "it is no more"
    assert _current(house, KYIV, "POP.001") == (3000, "A", None, False, False), "no boundary of it changed"


def test_each_indicator_is_recast_by_its_rule(house: House) -> None:
    assert _current(house, VINNYTSIA, "TER.D01") == (12, "A", None, True, False), "a density of sums: 1200 / 100"
    assert _current(house, VINNYTSIA, "POP.D01") == (
        pytest.approx(36 / ((1200 + 1150) / 2) * 1000), "A", None, True, False,
    ), "the next year is on the same boundaries"  # fmt: skip
    assert _current(house, VINNYTSIA, "ENV.008") == (
        pytest.approx((10 * 1000 + 2 * 200) / 1200), "A", None, True, False,
    )  # fmt: skip
    cards = load_catalogue().by_code
    none = next(code for code, card in cards.items() if card.aggregation == "none" and card.conf_status == "free")
    assert _current(house, VINNYTSIA, none) == (None, "B", "cannot_be_recast", True, True)
    assert _current(house, GAINED, "POP.001") == (320, "E", None, True, False)
    assert _current(house, CUT, "POP.001") == (80, "E", None, True, False)
    assert _current(house, GAINED, "TER.D01") == (pytest.approx(320 / 22), "E", None, True, False)


def test_an_unknown_share_is_a_break(house: House) -> None:
    assert _current(house, TORN, "POP.001") == (None, "B", "unknown_share", True, True)
    assert _current(house, LUTSK, "POP.001") == (None, "B", "unknown_share", True, True)
    assert _current(house, LUTSK, "TER.D01") == (None, "B", "input_breaks", True, True)


def test_areas_count_nobody_twice_and_say_who_is_in(house: House) -> None:
    def area(code: str, indicator: str, period: str = "2021") -> tuple[object, ...]:
        (row,) = house.query(
            "select obs_value, obs_status, reporting_count, unit_count from build.fct_area_value "
            "where area_code = %s and indicator_code = %s and time_period = %s and sex = 'T'",
            (code, indicator, period),
        )
        return tuple(row)

    vinnytsia, crimea = "UA05000000000010236", "UA01000000000013043"
    assert area(vinnytsia, "POP.001") == (pytest.approx(1200 + 80 + 320), "E", 3, 63)
    assert area(KYIV, "POP.001") == (3000, "A", 1, 1)
    assert area("UA", "POP.001") == (pytest.approx(1600 + 3000), "E", 4, 1774), "what cannot be recast is in no total"
    assert area("UA", "TER.D01") == (pytest.approx(4600 / (100 + 8 + 22 + 800)), "E", 4, 1774)
    assert area("UA", "POP.D01") == (pytest.approx(36 / 1175 * 1000), "P", 1, 1774), (
        "of those that can be computed alone"
    )
    assert area("UA", "ENV.008")[0] == pytest.approx((10400 + 80 * 1 + (300 * 3 + 20 * 1) + 3000 * 30) / 4600)
    assert area("UA", "TER.004") == (None, "M_NA", 4, 1774)
    assert area(crimea, "POP.001") == (None, "M_NR", 0, 303)
    assert area(SEVASTOPOL, "POP.001") == (None, "M_NR", 0, 1)
    assert house.query(
        "select count(distinct area_code) filter (where area_level = 'oblast') from build.fct_area_value"
    ) == [(27,)]
    for table in ("fct_area_value", "fct_indicator_recast"):
        assert house.query(f"select count(*) from build.{table} where indicator_code = 'SAF.001'") == [(0,)], table


def _compiled(house: House, model: str) -> str:
    (file,) = (house.target / "compiled").rglob(f"{model}.sql")
    return file.read_text(encoding="utf-8")


@hypothesis_settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_the_sum_of_the_country_stays_the_same(house: House, seed: int) -> None:
    """However boundaries are redrawn, as long as every share is known and every unit answered."""
    rng = random.Random(seed)  # noqa: S311 - seeded on purpose
    with house.warehouse.connect("admin") as connection:
        connection.execute("delete from raw.boundary_event")
        pool = [
            row[0]
            for row in connection.execute(
                "select municipality_code from indicators.int_municipality__described order by 1 limit 12"
            )
        ]
        (load,) = connection.execute("select load_id from ops.load where source = 'boundary_event'").fetchone() or ("",)
        _write_events(connection, load, make_reforms(seed, pool, with_unknown=False))
        for model in ("int_boundary__event", "int_boundary__crosswalk"):
            connection.execute(f"delete from indicators.{model}")
            connection.execute(f"insert into indicators.{model} {_compiled(house, model)}".encode())
        # figures of 2021 of the whole pool, one indicator
        connection.execute("delete from raw.submission_delivery")
        connection.execute(
            "insert into indicators.int_observation__accepted (collection_code, municipality_code, time_period, "
            "indicator_code, sex, obs_value, obs_status, is_sample) "
            "select 'ASMS', code, '2021', 'POP.001', 'T', value, 'A', false from unnest(%s::text[], %s::float8[]) as given (code, value) "
            "on conflict (municipality_code, time_period, indicator_code, sex, collection_code) "
            "do update set obs_value = excluded.obs_value",
            (pool, [rng.randint(0, 10**6) for _ in pool]),
        )
        returns = (
            "(select 'ASMS'::text as collection_code, code as municipality_code, '2021'::text as time_period "
            "from unnest(array[{}]) as code)"
        )
        statement = _compiled(house, "int_boundary__recast")
        name = next(word for word in statement.split() if "stg_submissions__return" in word)
        statement = statement.replace(name, returns.format(", ".join(f"'{code}'" for code in pool)) + " as sent")
        connection.execute("delete from indicators.int_boundary__recast")
        connection.execute(f"insert into indicators.int_boundary__recast {statement}".encode())
        connection.execute("delete from indicators.int_observation__recast")
        connection.execute(
            f"insert into indicators.int_observation__recast {_compiled(house, 'int_observation__recast')}".encode()
        )
        ask = "select sum(obs_value) from indicators.{} where indicator_code = 'POP.001' and sex = 'T' and time_period = '2021' "
        before = connection.execute(
            (ask.format("int_observation__accepted") + "and municipality_code = any(%s)").encode(), (pool,)
        ).fetchone()
        after = connection.execute(
            (
                ask.format("int_observation__on_current")
                + "and (municipality_code = any(%s) or municipality_code like 'UA99%%')"
            ).encode(),
            (pool,),
        ).fetchone()
        connection.rollback()
    assert before is not None and after is not None and before[0] > 0
    assert after[0] == pytest.approx(before[0], rel=1e-12)
