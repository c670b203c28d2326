"""Boundaries that change: editions of the codifier as history, and the crosswalk between any two dates.

The models run once; after that each reform is written to raw and the compiled SQL of the models is run again, so that many can be
tried: in a transaction that is rolled back.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer, resolve_municipality
from asms.quality.suites import load_suites
from asms.settings import load_settings
from asms.sources.boundaries import read_events
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from tests.conftest import DBT_DATABASES, copied

MARTS = ("dim_area", "dim_area_code", "dim_municipality_history", "fct_boundary_event", "mart_boundary_crosswalk")
# in the order in which a changed event passes through them; staging is views
AFTER_EVENTS = ("int_boundary__event", "int_boundary__crosswalk")
BEGIN, END = date(2021, 1, 1), date(2030, 1, 1)
OLD, NEW = "2024-06", "2025"

Crosswalk = Mapping[tuple[str, str], float | None]
Row = tuple[str, str, date, str, str, float | None]


@dataclass(frozen=True)
class Atlas:
    """A warehouse in which the models of geography stand."""

    warehouse: Warehouse
    target: Path

    def query(self, statement: str, *parameters: object) -> list[Any]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def build(self) -> None:
        start_build(self.warehouse)  # models see the loads of a build and of releases
        selection = ["--select", *(f"+{mart}" for mart in MARTS), "--indirect-selection", "buildable"]
        results = dbt.invoke(
            ["build", *selection, "--exclude-resource-type", "unit_test"],
            warehouse=self.warehouse,
            target_path=self.target,
        )
        assert [(r.node.name, r.message) for r in results if r.status not in ("success", "pass")] == []

    def hashes(self) -> dict[str, str]:
        found = {}
        for mart in MARTS:
            (row,) = self.query(
                f"select count(*), sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint) from build.{mart} as t"
            )
            found[mart] = str(row)
        return found

    def compiled(self, model: str) -> str:
        (file,) = (self.target / "compiled").rglob(f"{model}.sql")
        return file.read_text(encoding="utf-8")


def _put(_content: bytes) -> str:
    return "0" * 64


def _deliver(connection: psycopg.Connection, source: str, path: str) -> str:
    """Book an arrival and its load by hand; return the load."""
    (count,) = connection.execute("select count(*) from raw.delivery").fetchone() or (0,)
    key = f"{source}-{path}-{count}"
    connection.execute(
        "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
        "values (%s, %s, 'test', %s, %s, %s, 1, 1, false)",
        (key, source, path, count, key),
    )
    connection.execute(
        "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
        "values (%s, %s, %s, '1', 'loaded', false)",
        (key, source, key),
    )
    return key


def _add_edition(warehouse: Warehouse, edition: str, changes: str = "", values: Sequence[object] = ()) -> None:
    """An edition like the package's, with ``changes`` (SQL on the temporary table ``unit``)."""
    with warehouse.connect("admin") as connection:
        load = _deliver(connection, "katottg", f"kodifikator_{edition}.xlsx")
        connection.execute(
            "create temporary table unit as select * from raw.katottg_unit "
            "where load_id = (select min(load_id) from raw.katottg_unit)"
        )
        connection.execute("update unit set load_id = %s", (load,))
        for statement in filter(None, (part.strip() for part in changes.split(";"))):
            connection.execute(statement.encode(), values or None)
        connection.execute("insert into raw.katottg_unit select * from unit")
        connection.execute("drop table unit")


@pytest.fixture(scope="module")
def atlas(
    template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]
) -> Iterator[Atlas]:
    """The package's edition alone, built once."""
    folder = tmp_path_factory.mktemp("atlas")
    with copied(template_warehouse, DBT_DATABASES[0], is_sample=False) as ours:
        store_catalogue(ours, load_catalogue())
        fetch_katottg(ours, load_settings({"ASMS_HOME": str(folder)}), _put)
        made = Atlas(ours, parsed(folder / "dbt"))
        made.build()
        yield made


@pytest.fixture(scope="module")
def pool(atlas: Atlas) -> list[str]:
    """Twelve hromadas that reforms may befall."""
    return [
        row[0]
        for row in atlas.query("select municipality_code from build.dim_municipality_history order by 1 limit 12")
    ]


# --- editions -------------------------------------------------------------------------------------------------------


def test_one_edition_stands_since_codes_began_and_lists_the_whole_country(atlas: Atlas) -> None:
    assert atlas.query(
        "select count(*), count(*) filter (where is_current), min(valid_from) from build.dim_municipality_history"
    ) == [(1774, 1774, date(2020, 11, 26))]
    assert dict(atlas.query("select area_level, count(*) from build.dim_area where is_current group by 1")) == {
        "country": 1, "oblast": 25, "raion": 136, "municipality": 1774, "settlement": 29701, "city_district": 108,
    }  # fmt: skip
    assert atlas.query("select count(*) from build.fct_boundary_event") == [(0,)]


def test_crimea_and_sevastopol_are_in_every_list(atlas: Atlas) -> None:
    for table, column in (
        ("dim_municipality_history", "municipality_code"), ("dim_area", "area_code"),
        ("mart_boundary_crosswalk", "source_code"),
    ):  # fmt: skip
        (counts,) = atlas.query(
            f"select count(*) filter (where {column} like 'UA01%%'), "
            f"count(*) filter (where {column} = 'UA85000000000065278') from build.{table}"
        )
        assert counts[0] >= 303 and counts[1] == 1, table


def test_what_editions_differ_in_is_history_whichever_comes_first(
    atlas: Atlas, tmp_path: Path, parsed: Callable[..., Path]
) -> None:
    """An older edition that comes after the newer one, then again: a renaming, a new category, a village that went, one recoded."""
    hromada, village, gone = "UA05020030000031457", "UA05020030010063857", "UA05020030990099999"
    changes = (
        f"update unit set name = 'Колишня ' where level3_code = '{hromada}' and level4_code is null;"
        f"update unit set category = 'X' where level4_code = '{village}';"
        f"insert into unit select load_id, 90001, level1_code, level2_code, level3_code, '{gone}', null, 'C', 'Зникле' "
        f"from unit where level4_code = '{village}';"
        "update unit set level4_code = 'UA05020030020099998' where level4_code = 'UA05020030040041811'"
    )
    with copied(atlas.warehouse, DBT_DATABASES[1], is_sample=False) as ours:
        made = Atlas(ours, parsed(tmp_path / "dbt", DBT_DATABASES[1]))
        _add_edition(ours, OLD, changes)
        made.build()
        history = made.query(
            "select valid_from, valid_to, name_uk, is_current, changed_after from build.dim_municipality_history "
            "where municipality_code = %s order by 1",
            hromada,
        )
        assert history[0] == (date(2020, 11, 26), date(2025, 12, 31), "Колишня", False, None)
        assert history[1] == (date(2025, 12, 31), None, "Вінницька", True, date(2024, 6, 1))
        events = made.query(
            "select event_kind, predecessor_code, successor_code, known_after, known_by, is_boundary_change "
            "from build.fct_boundary_event order by 1"
        )
        period = (date(2024, 6, 1), date(2025, 12, 31), False)
        assert [event[:3] for event in events] == [
            ("abolished", gone, gone),
            ("recategorised", village, village),
            ("recoded", "UA05020030020099998", "UA05020030040041811"),
            ("renamed", hromada, hromada),
        ]
        assert {event[3:] for event in events[1:]} == {period}
        crosswalk = made.query(
            "select target_code, weight from build.mart_boundary_crosswalk where source_code = %s", hromada
        )
        assert crosswalk == [(hromada, 1.0)], "a renaming is no change of boundary"
        with ours.connect("loader") as connection:
            gazetteer = Gazetteer.from_warehouse(connection)
            assert resolve_municipality(connection, "Зникле").municipality_code == hromada
        assert gazetteer.resolve("Вінницька").municipality_code == hromada, (
            "the newest edition is in force, not the last to come"
        )
        assert gazetteer.resolve("Колишня").reason == "former_name"
        assert gazetteer.resolve(gone).municipality_code == hromada

        before = made.hashes()
        _add_edition(ours, OLD, changes)
        _add_edition(ours, NEW)
        made.build()
        assert made.hashes() == before


# --- reforms --------------------------------------------------------------------------------------------------------


def _apply(atlas: Atlas, connection: psycopg.Connection, rows: Iterable[Row]) -> None:
    """Put ``rows`` through the reader into raw and run the models again, in the caller's transaction."""
    lines = [
        f"{event},{kind},{day},,{old},{new},{'' if weight is None else repr(weight)}"
        for event, kind, day, old, new, weight in rows
    ]
    header = "event_code,event_kind,known_by,act,predecessor_code,successor_code,weight"
    reading = read_events("\n".join([header, *lines]).encode(), "boundary_events.csv")
    load = _deliver(connection, "boundary_event", "boundary_events.csv")
    connection.execute(
        "insert into ops.build_load (build_id, load_id) select build_id, %s from ops.build where status = 'running'",
        (load,),
    )
    copy_rows(
        connection,
        "raw.boundary_event",
        (
            "load_id",
            "row_no",
            "event_code",
            "event_kind",
            "known_by",
            "act",
            "predecessor_code",
            "successor_code",
            "weight",
        ),
        ((load, *row) for row in reading.rows),
    )
    for model in AFTER_EVENTS:
        connection.execute(f"truncate indicators.{model}".encode())
        connection.execute(f"insert into indicators.{model} {atlas.compiled(model)}".encode())


def _crosswalk(connection: psycopg.Connection, before: date, after: date) -> Crosswalk:
    rows = connection.execute(
        """
        select source_code, target_code, weight
        from indicators.int_boundary__crosswalk
        where
            coalesce(source_valid_from, '-infinity') <= %(before)s and %(before)s < coalesce(source_valid_to, 'infinity')
            and coalesce(target_valid_from, '-infinity') <= %(after)s and %(after)s < coalesce(target_valid_to, 'infinity')
        """,
        {"before": before, "after": after},
    ).fetchall()
    found = {(source, target): weight for source, target, weight in rows}
    assert len(found) == len(rows)
    return found


def _compose(first: Crosswalk, second: Crosswalk) -> Crosswalk:
    onwards = defaultdict(list)
    for (source, target), weight in second.items():
        onwards[source].append((target, weight))
    parts: dict[tuple[str, str], list[float | None]] = defaultdict(list)
    for (source, middle), weight in first.items():
        for target, more in onwards[middle]:
            parts[source, target].append(None if weight is None or more is None else weight * more)
    return {key: None if None in some else sum(w for w in some if w is not None) for key, some in parts.items()}


def _same(one: Crosswalk, other: Crosswalk) -> bool:
    return one.keys() == other.keys() and all(
        (one[key] is None) == (other[key] is None) and (one[key] is None or abs(one[key] - other[key]) < 1e-9)  # type: ignore[operator]
        for key in one
    )


def make_reforms(seed: int, pool: Sequence[str], *, with_unknown: bool) -> list[Row]:
    """Seeded reforms on the hromadas of ``pool``: mergers, splits, part transfers, n-to-m, some with unknown shares."""
    rng = random.Random(seed)  # noqa: S311 - seeded on purpose
    alive, rows, made = list(pool), [], 0
    for number in range(rng.randint(1, 12)):
        day = date(2022, 1, 1) + timedelta(days=rng.randint(1, 3) + 60 * number)
        kind = rng.choice(("merged", "joined", "split", "part_transferred", "split"))
        olds = rng.sample(alive, min(len(alive) - 1, rng.randint(1, 3) if kind in ("merged", "split") else 1))
        others = [code for code in alive if code not in olds]
        fresh = [f"UA99{seed % 10**6:06}{number:02}{made + i:05}0000"[:19] for i in range(rng.randint(1, 3))]
        made += len(fresh)
        if kind == "merged":
            news = fresh[:1]
        elif kind == "joined":
            news = [rng.choice(others)]
        elif kind == "part_transferred":
            news = [*olds, *rng.sample(others, min(len(others), rng.randint(1, 2)))]
        else:  # one becomes several, or n become m; sometimes an old code lives on
            news = [*fresh, *(olds[:1] if rng.random() < 0.5 else [])]
        for old in olds:
            unknown = with_unknown and len(news) > 1 and rng.random() < 0.3
            cuts = [rng.randint(1, 99) for _ in news]
            rows += [
                (f"R{number}", kind, day, old, new, None if unknown else cut / sum(cuts))
                for new, cut in zip(news, cuts, strict=True)
            ]
        alive = [code for code in alive if code not in olds] + [
            code for code in news if code not in alive or code in olds
        ]
    return rows


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9), days=st.lists(st.dates(BEGIN, date(2025, 1, 1)), min_size=3, max_size=3))
def test_shares_add_up_and_sums_are_kept_and_crosswalks_chain(
    atlas: Atlas, pool: list[str], seed: int, days: list[date]
) -> None:
    a, b, c = sorted(days)
    with atlas.warehouse.connect("admin") as connection:
        _apply(atlas, connection, make_reforms(seed, pool, with_unknown=False))
        first, second, whole = _crosswalk(connection, a, b), _crosswalk(connection, b, c), _crosswalk(connection, a, c)
        connection.rollback()
    for crosswalk in (first, second, whole):
        totals: dict[str, float] = defaultdict(float)
        for (source, _), weight in crosswalk.items():
            assert weight is not None and weight > 0
            totals[source] += weight
        assert len(totals) >= 1774 - len(pool)
        assert all(abs(total - 1) < 1e-9 for total in totals.values())
    assert _same(_compose(first, second), whole)
    rng = random.Random(seed)  # noqa: S311 - seeded on purpose
    values = {source: rng.randint(0, 10**6) for source in sorted({source for source, _ in whole})}
    recast: dict[str, float] = defaultdict(float)
    for (source, target), weight in whole.items():
        recast[target] += values[source] * (weight or 0)
    assert sum(recast.values()) == pytest.approx(sum(values.values()), rel=1e-12)


@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**9))
def test_an_unknown_share_is_a_break_and_never_an_equal_share(atlas: Atlas, pool: list[str], seed: int) -> None:
    rows = make_reforms(seed, pool, with_unknown=True)
    unknown = {old for _, _, _, old, _, weight in rows if weight is None}
    with atlas.warehouse.connect("admin") as connection:
        _apply(atlas, connection, rows)
        middle = date(2022, 9, 1)
        first, second, whole = (
            _crosswalk(connection, BEGIN, middle), _crosswalk(connection, middle, END), _crosswalk(connection, BEGIN, END)
        )  # fmt: skip
        connection.rollback()
    assert _same(_compose(first, second), whole)
    totals: dict[str, float] = defaultdict(float)
    broken = {source for (source, _), weight in whole.items() if weight is None}
    for (source, _), weight in whole.items():
        totals[source] += weight or 0
    for source, total in totals.items():
        assert total < 1 if source in broken else abs(total - 1) < 1e-9
    assert {old for old in unknown if old in pool} <= {source for source, _ in whole}
    if any(old in pool for old in unknown):
        assert broken


def test_a_split_with_known_shares_goes_by_them(atlas: Atlas, pool: list[str]) -> None:
    old, other = pool[:2]
    day = date(2023, 5, 1)
    with atlas.warehouse.connect("admin") as connection:
        _apply(
            atlas, connection,
            [("R1", "part_transferred", day, old, old, 0.7), ("R1", "part_transferred", day, old, other, 0.3)],
        )  # fmt: skip
        found = _crosswalk(connection, BEGIN, END)
        before = _crosswalk(connection, BEGIN, day - timedelta(days=1))
        connection.rollback()
    assert (found[old, old], found[old, other], found[other, other]) == (0.7, 0.3, 1.0)
    assert before[old, old] == 1.0 and (old, other) not in before


def test_parts_that_meet_again_stay_unknown_when_one_was(atlas: Atlas, pool: list[str]) -> None:
    """Half of A is known to be in D, the way of the other half is not: the sum of what is known would be a lie."""
    a, b, c, d, e = pool[:5]
    first, second = date(2023, 5, 1), date(2024, 5, 1)
    rows: list[Row] = [
        ("R1", "part_transferred", first, a, b, 0.5),
        ("R1", "part_transferred", first, a, c, 0.5),
        ("R2", "part_transferred", second, b, d, None),
        ("R2", "part_transferred", second, b, e, None),
        ("R3", "joined", second, c, d, 1.0),
    ]
    with atlas.warehouse.connect("admin") as connection:
        _apply(atlas, connection, rows)
        found = _crosswalk(connection, BEGIN, END)
        connection.rollback()
    assert {key: weight for key, weight in found.items() if key[0] == a} == {(a, d): None, (a, e): None}
    assert found[c, d] == found[d, d] == 1.0


def test_the_gate_closes_on_weights_that_do_not_add_up(atlas: Atlas) -> None:
    (suite,) = (suite for suite in load_suites() if suite.table == "mart_boundary_crosswalk")
    (query,) = (
        e.kwargs["unexpected_rows_query"] for e in suite.expectations if e.rule_id == "GX_MART_CROSSWALK_WEIGHTS"
    )
    statement = query.replace("{batch}", "build.mart_boundary_crosswalk")
    assert atlas.query(statement) == []
    with atlas.warehouse.connect("admin") as connection:
        connection.execute(
            "update build.mart_boundary_crosswalk set weight = 0.9 where source_code = 'UA85000000000065278'"
        )
        rows = connection.execute(statement.encode()).fetchall()
        connection.rollback()
    assert [row[0] for row in rows] == ["UA85000000000065278"]


# --- the real history -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def country(
    template_warehouse: Warehouse,
    real_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    parsed: Callable[..., Path],
) -> Iterator[Atlas]:
    """Both real editions, the table of older codes and the history of councils."""
    folder = tmp_path_factory.mktemp("country")
    with copied(template_warehouse, DBT_DATABASES[1], is_sample=False) as ours:
        store_catalogue(ours, load_catalogue())
        given_settings = load_settings({"ASMS_HOME": str(folder), "ASMS_KATOTTG_URL": str(real_data)})
        result = fetch_katottg(ours, given_settings, _put)
        assert (result.new_loads, result.failed) == (5, 0)
        again = fetch_katottg(ours, given_settings, _put)
        assert (again.new_loads, again.unchanged_loads) == (0, 5)
        made = Atlas(ours, parsed(folder / "dbt", DBT_DATABASES[1]))
        made.build()
        yield made


def test_renamings_and_categories_between_the_real_editions(country: Atlas) -> None:
    counts = dict(
        country.query(
            "select event_kind, count(*) from build.fct_boundary_event "
            "where source = 'codifier' and known_after = '2024-06-01' group by 1"
        )
    )
    assert (counts["renamed"], counts["recategorised"]) == (580, 67)
    assert country.query(
        "select count(*) from build.fct_boundary_event where event_kind = 'abolished' and known_by = '2025-12-31'"
    ) == [(7,)]
    (row,) = country.query(
        "select count(*) filter (where category = 'H' and oblast_code <> 'UA01000000000013043'), "
        "count(*) filter (where category = 'H' and oblast_code = 'UA01000000000013043'), "
        "string_agg(name_uk, ' ' order by name_uk) filter (where category = 'K') "
        "from build.dim_municipality_history where is_current"
    )
    assert row == (1469, 303, "Київ Севастополь")


def test_old_raions_and_codes_are_known(country: Atlas) -> None:
    counts = dict(country.query("select area_level, count(distinct area_code) from build.dim_area group by 1"))
    assert (counts["raion_old"], counts["raion"], counts["council"]) == (490, 136, 11518)
    (row,) = country.query(
        "select count(*) - count(distinct code) from build.dim_area_code where code_system = 'koatuu'"
    )
    assert row[0] == 898, "КОАТУУ codes that a hromada shares with its seat"
    assert country.query("select count(*) from build.dim_area where parent_code is null and area_code <> 'UA'") == [
        (0,)
    ]


def test_every_hromada_year_of_the_budgets_joins_a_unit_valid_then(country: Atlas, real_data: Path) -> None:
    import pandas as pd

    frame = pd.read_csv(real_data / "budgets" / "hromada_budget_2020_2022.csv", dtype=str)
    wanted = set(zip(frame["hromada_code"], frame["year"].astype(int), strict=True))
    assert len(frame) == len(wanted) == 4407
    found = country.query(
        "select distinct municipality_code, year from build.dim_municipality_history "
        "cross join generate_series(2020, 2023) as year "
        "where valid_from < make_date(year + 1, 1, 1) and (valid_to is null or valid_to > make_date(year, 1, 1))"
    )
    assert wanted <= set(found)


def test_every_council_of_the_real_history_went_whole(country: Atlas) -> None:
    rows = country.query(
        "select source_code, target_code, weight, is_break from build.mart_boundary_crosswalk "
        "where source_code !~ '^UA' and (target_valid_to is null)"
    )
    weights = defaultdict(list)
    for source, _, weight, _ in rows:
        weights[source].append(weight)
    assert len(weights) == 11525  # 11,518 of the list and 7 that the history alone names
    unknown = {source for source, target, _, _ in rows if target == "unknown"}
    assert unknown == {"1412390100", "1414447400", "4611870400", "7423680400"}
    assert {tuple(some) for source, some in weights.items() if source not in unknown} == {(1.0,)}


def test_the_history_is_dated_by_bounds_and_contradictions_are_told(country: Atlas) -> None:
    assert country.query(
        "select count(*), min(known_by), max(known_by), count(*) filter (where known_by = '2020-08-16') * 2 > count(*) "
        "from build.fct_boundary_event where source = 'council_history' and is_boundary_change"
    ) == [(11233, date(2015, 8, 16), date(2020, 8, 16), True)]
    assert country.query("select count(*) from quality.finding where rule_id = 'BOUNDARY_EVENT_CONTRADICTS'") == [(7,)]
    # its two lines of one day contradict: it stays where it was
    assert country.query(
        "select target_code from build.mart_boundary_crosswalk where source_code = '6110300000' and target_valid_to is null"
    ) == [("UA61060430000094264",)]
    # of the five hromadas that councils left, nobody knows the share: a break
    assert country.query(
        "select count(distinct source_code) from build.mart_boundary_crosswalk "
        "where is_break and target_valid_to is null and source_code ~ '^UA'"
    ) == [(5,)]


def test_cities_of_the_real_workbooks_are_recognised(country: Atlas, real_data: Path) -> None:
    with country.warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)
    files = sorted((real_data / "submissions" / "transparent_cities_2018").glob("*.xlsx"))
    assert len(files) == 20
    found = {file.stem: gazetteer.resolve(file.stem, at=date(2018, 12, 31)) for file in files}
    assert [name for name, resolution in found.items() if resolution.municipality_code is None] == []
    assert found["Южноукраїнськ"].municipality_code == gazetteer.resolve("Південноукраїнськ").municipality_code
    twice = gazetteer.resolve("Миколаїв", at=date(2018, 12, 31))
    assert (twice.municipality_code, twice.reason, len(twice.candidates)) == (None, "ambiguous", 2)
    assert gazetteer.resolve("Миколаїв", region="Львівська").municipality_code == "UA46100110000018989"
    before_2016 = {"Дніпропетровськ": "UA12020010000033698", "Ульяновка": "UA35020010000028961"}
    for name, code in before_2016.items():
        assert gazetteer.resolve(name, at=date(2015, 12, 31)).municipality_code == code, "the name of before 2016"
    assert gazetteer.resolve("Ульяновка", at=date(2021, 1, 1)).reason == "ambiguous", "two villages are called so still"
    # codes of councils, by the day
    assert gazetteer.resolve("3520382100", at=date(2019, 1, 1)).municipality_code == "UA35080150000074379"
    assert gazetteer.resolve("3520382100", at=date(2021, 1, 1)).municipality_code == "UA35080050000038829"
    assert gazetteer.resolve("510100000").municipality_code == "UA05020030000031457"  # the leading zero was lost
