"""The dbt layers on a real server: what they compute, that redoing changed keys gives what redoing all gives, and how they fail."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from asms.catalogue import Catalogue, load_catalogue, store_catalogue
from asms.explain import ExplainError, draw_tree, explain_value, write_page
from asms.intake.landing import LandingStore
from asms.intake.withdrawal import WithdrawalError, withdraw_return
from asms.quality.corrections import COLUMNS, StoredCorrections, store_corrections
from asms.quality.embargoes import COLUMNS as EMBARGO_COLUMNS
from asms.quality.embargoes import StoredEmbargoes, store_embargoes
from asms.quality.rules import apply_rules
from asms.returns import list_questions, read_bodies, read_past
from asms.settings import Settings, load_settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.population import fetch as fetch_population
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.difference import compare_releases
from asms.warehouse.release import publish
from asms.warehouse.retention import read_manifest
from tests.conftest import DBT_DATABASES, copied
from tests.disclosure import Attack
from tests.raw_returns import Cells, book_arrival, book_return, content_of

VINNYTSIA = "UA05020030000031457"
LUTSK = "UA07080170000013585"
KOVEL = "UA07060190000036342"
"""Of Lutsk's oblast and not of its raion."""
KYIV = "UA80000000000093317"
SEVASTOPOL = "UA85000000000065278"
LAYERS: tuple[dbt.Layer, ...] = ("staging", "indicators", "marts")


@dataclass
class House:
    """A warehouse with the codifier and the catalogue, into whose raw tables a test writes."""

    warehouse: Warehouse
    target: Path
    batch: int = 0

    def deliver(self, source: str, path: str, content: str) -> tuple[str, str]:
        """Book an arrival and its load; return their ids."""
        return book_arrival(self.warehouse, source, path, content, batch=self.batch, channel="test", is_sample=False)

    def send(self, municipality: str, period: str, cells: Cells, *, path: str | None = None) -> str:
        """A return arrives in the current batch; return its submission_id."""
        content = content_of(municipality, period, cells)
        arrival = self.deliver("submissions", path or f"{municipality} {period}", content)
        return book_return(self.warehouse, municipality, period, cells, arrival, file_name=path or "return.xlsx")

    def answer(
        self,
        budget_code: str,
        year: int,
        rows: list[tuple[int, str, str]],
        kind: tuple[str, str] = ("INCOMES", ""),
        name: str = "Податок",
    ) -> None:
        """Open Budget answers for one kind, budget and year: (month, classification code, cumulative amount)."""
        _, load = self.deliver("open_budget", f"{budget_code} {' '.join(kind).rstrip()} {year}", str(rows))
        with self.warehouse.connect("loader") as connection, connection.cursor() as cursor:
            cursor.execute("insert into raw.open_budget_name values (%s, %s) on conflict do nothing", (name, name))
            cursor.executemany(
                "insert into raw.open_budget_row values (%s, %s, %s, 'T', %s, %s, %s, null, null, %s)",
                [
                    (load, number, f"{month:02}.{year}", budget_code, code, name, amount)
                    for number, (month, code, amount) in enumerate(rows, 2)
                ],
            )
            cursor.executemany(
                "insert into raw.open_budget_month values (%s, %s, %s, %s, %s, %s, '', %s, null)",
                [
                    (load, budget_code, *kind, year, f"{month:02}.{year}", sum(row[0] == month for row in rows))
                    for month in range(1, 13)
                ],
            )

    def build(self, *, force: bool = False, is_tested: bool = False) -> tuple[int, bool]:
        """Build all layers as a night does. The models' own tests cost half of it, and are asked where ``is_tested``."""
        self.execute(
            "update ops.build set status = 'unchanged' where status = 'running'"
        )  # the one before was not stopped
        build = start_build(self.warehouse, force=force)
        for layer in LAYERS:
            if is_tested:
                result = dbt.build_layer(self.warehouse, layer, build.build_id, build.is_full, target_path=self.target)
                assert result.failed_nodes == ()
            else:
                selection = dbt.select_layer(self.warehouse, layer, build.build_id, build.is_full)
                self.rebuild_models(*selection, *(["--full-refresh"] if build.is_full else []))
            if layer == "staging":
                apply_rules(self.warehouse, build.build_id, build.is_full)
        return build.build_id, build.is_full

    def rebuild_models(self, *options: str) -> None:
        """Models again, all unless ``options`` select, on the findings that stand, without their tests."""
        command = ["build", "--exclude-resource-type", "test", "unit_test", *options]
        results = dbt.invoke(command, warehouse=self.warehouse, target_path=self.target)
        assert [(r.node.name, r.message) for r in results if str(r.status) not in ("success", "no-op")] == []

    def query(self, statement: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        with self.warehouse.connect("gate") as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def execute(self, statement: str) -> None:
        with self.warehouse.connect("admin") as connection:
            connection.execute(statement.encode())

    def value(self, municipality: str, code: str, period: str, sex: str = "T") -> tuple[float | None, str] | None:
        rows = self.query(
            "select obs_value, obs_status from build.fct_indicator_value "
            "where municipality_code = %s and indicator_code = %s and time_period = %s and sex = %s",
            (municipality, code, period, sex),
        )
        return rows[0] if rows else None

    def hashes(self) -> dict[str, str]:
        """Hash of all rows of every table that dbt makes."""
        tables = self.query(
            "select schemaname, tablename from pg_tables where schemaname in ('staging', 'indicators', 'build') order by 1, 2"
        )
        found = {}
        with self.warehouse.connect("gate") as connection:
            for schema, name in tables:
                query = sql.SQL("select md5(string_agg(t::text, chr(10) order by t::text)) from {} as t")
                row = connection.execute(query.format(sql.Identifier(schema, name))).fetchone()
                assert row is not None
                found[f"{schema}.{name}"] = row[0]
        return found


def _combatants(total: int, women: int, men: int) -> Cells:
    """Of SOC.030, a card whose small counts are hidden."""
    return {("SOC.030", sex): str(count) for sex, count in zip("TFM", (total, women, men), strict=True)}


def _with_two_densities() -> Catalogue:
    """The catalogue with a second version of the density of population: from 2024 on, of the mean population."""
    found = load_catalogue()
    first = found.by_code["TER.D01"]
    second = {"version": 2, "valid_from": 2024, "formula": "avg(POP.001, POP.001[t−1]) / TER.001"}
    return replace(
        found,
        indicators=tuple(card.model_copy(update=second) if card is first else card for card in found.indicators),
        superseded=(first.model_copy(update={"valid_to": 2023}),),
    )


@pytest.fixture(scope="module")
def house(
    template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]
) -> Iterator[House]:
    """The house after its first night: three hromadas reported 2023, two of them 2024 too, one budget of 2022 and 2023."""
    with copied(template_warehouse, DBT_DATABASES[0]) as warehouse:
        house = House(warehouse, parsed(tmp_path_factory.mktemp("dbt")))
        settings = load_settings({"ASMS_HOME": str(house.target)})
        store_catalogue(warehouse, _with_two_densities())
        fetch_katottg(warehouse, settings, _sha256)
        house.batch = 1
        house.send(
            VINNYTSIA, "2023",
            {
                ("TER.001", "T"): "70", ("POP.001", "T"): "1000", ("POP.001", "F"): "520", ("POP.001", "M"): "480",
                ("POP.010", "T"): "30", ("POP.011", "T"): "10", ("TER.004", "T"): "сто", ("SAF.001", "T"): "3",
                ("REV.004", "T"): "1000", **_combatants(3, 1, 2),
            },
        )  # fmt: skip
        house.send(
            LUTSK,
            "2023",
            {("TER.001", "T"): "0", ("POP.001", "T"): "400", ("REV.001", "T"): "–", **_combatants(30, 12, 18)},
        )
        house.send(LUTSK, "2024", {("TER.001", "T"): "10", ("POP.001", "T"): "410"})
        house.send(KOVEL, "2023", {("POP.001", "T"): "400", ("POP.010", "T"): "6", **_combatants(40, 22, 18)})
        house.send(KOVEL, "2024", {("POP.001", "T"): "410", ("POP.010", "T"): "7"})
        house.answer("02536000000", 2022, [(1, "11010000", "10.10"), (2, "11010000", "30.30"), (2, "18010000", "5")])
        house.answer("0253600000", 2023, [(12, "11010000", "1000000")])
        build_id, is_full = house.build(is_tested=True)
        assert is_full
        publish(warehouse, build_id, house.target / "manifest.json")
        yield house


@pytest.fixture(scope="module")
def own_target(tmp_path_factory: pytest.TempPathFactory, parsed: Callable[..., Path]) -> Path:
    """Where dbt keeps what it parsed for the copies of the house."""
    return parsed(tmp_path_factory.mktemp("dbt-own"), DBT_DATABASES[1])


@pytest.fixture
def own_house(house: House, own_target: Path) -> Iterator[House]:
    """A copy of the house that one test may change."""
    with copied(house.warehouse, DBT_DATABASES[1]) as warehouse:
        yield House(warehouse, own_target, house.batch)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_reported_and_derived_values_stand_in_the_facts(house: House) -> None:
    assert house.value(VINNYTSIA, "POP.001", "2023", "F") == (520.0, "A")
    assert house.value(VINNYTSIA, "TER.D01", "2023") == (pytest.approx(1000 / 70), "A")
    assert house.value(LUTSK, "TER.D01", "2023") == (None, "M_Z"), "area 0 is no denominator"
    assert house.value(VINNYTSIA, "POP.D03", "2023") == (None, "M_ND"), "population of 2024 is not due yet"
    assert house.value(LUTSK, "REV.001", "2023") == (None, "M_NA")
    assert house.value(LUTSK, "REV.010", "2023") == (None, "M_NR")
    assert house.value(VINNYTSIA, "TER.004", "2023") == (None, "M_Q")


def test_published_values_are_what_next_years_template_shows(house: House) -> None:
    questions = list_questions(load_catalogue(), 2024)
    with house.warehouse.connect("bi") as connection:
        bodies = {body.municipality_code: body.name_uk for body in read_bodies(connection)}
        past = read_past(connection, questions, 2023, [VINNYTSIA, LUTSK, KYIV])
        tonnes = [replace(row, unit="т") for row in questions]
        assert read_past(connection, tonnes, 2023, [VINNYTSIA]) == {}, "a value in another unit is no last year's value"
    assert len(bodies) == 1774
    assert bodies[VINNYTSIA] == "Вінницька міська територіальна громада"
    # SOC.030 was told and is hidden: its sender never called it confidential
    assert past == {
        VINNYTSIA: {
            ("TER.001", "T"): 70.0, ("POP.001", "T"): 1000.0, ("POP.001", "F"): 520.0, ("POP.001", "M"): 480.0,
            ("POP.010", "T"): 30.0, ("POP.011", "T"): 10.0, ("REV.004", "T"): 1000.0,
            ("REV.002", "T"): 1000.0, ("REV.010", "T"): 1000.0,  # what a register answered
        },
        LUTSK: {
            ("TER.001", "T"): 0.0, ("POP.001", "T"): 400.0, ("REV.001", "T"): "не застосовується (M_NA)",
        },
    }  # fmt: skip


def test_restricted_values_stop_before_the_marts(house: House) -> None:
    kept = house.query(
        "select obs_value from indicators.int_observation__accepted where indicator_code = 'SAF.001' and obs_status = 'A'"
    )
    assert kept == [(3.0,)]
    for table in ("fct_indicator_value", "mart_municipality_profile", "mart_indicator_peer_stats"):
        found = house.query(
            f"select count(*) from build.{table} inner join catalogue.indicator using (indicator_code) "
            "where indicator.conf_status = 'restricted'"
        )
        assert found == [(0,)], table
    assert house.query("select name_uk is not null from build.dim_indicator where indicator_code = 'SAF.001'") == [
        (True,)
    ]


_HIDDEN = "select subject_kind, subject_code, indicator_code, time_period, sex, reason from indicators.int_disclosure__suppressed"
_CARRIERS = """
select relation.relname, array_agg(attribute.attname::text order by attribute.attnum),
    array_agg(attribute.attname::text) filter (where atttypid in ('double precision'::regtype, 'numeric'::regtype))
from pg_class as relation inner join pg_attribute as attribute on relation.oid = attribute.attrelid and attribute.attnum > 0
where relation.relnamespace = 'marts'::regnamespace
group by relation.relname
having array_agg(attribute.attname::text) @> '{indicator_code,time_period}'
and array_agg(attribute.attname::text) && '{municipality_code,area_code}'
"""
_OF_OTHERS = {"population_share", "peer_median", "input_value", "previous_value", "change_value", "change_percent"}
"""Figures beside a hidden one that are not its own; of the year before, or of an input, they are asked where they stand."""


def test_hidden_figures_are_in_no_mart(house: House) -> None:
    """Vinnytsia has three combatants, alone in its oblast: Volyn is hidden beside it, by the smaller of its two returns."""
    hidden = house.query(_HIDDEN)
    assert {row[1] for row in hidden if row[:1] == ("reported",)} == {VINNYTSIA, LUTSK}
    assert ("reported", VINNYTSIA, "SOC.030", "2023", "F", "primary") in hidden
    assert ("reported", LUTSK, "SOC.030", "2023", "F", "secondary") in hidden
    assert ("reported", VINNYTSIA, "SOC.D09", "2023", "T", "secondary") in hidden, "a share of a hidden figure"
    keys = {row[1:5] for row in hidden}
    asked = set()
    with house.warehouse.connect("bi") as connection:
        for name, columns, figures in connection.execute(_CARRIERS).fetchall():
            owners = [column for column in ("municipality_code", "area_code") if column in columns]
            sex = "sex" if "sex" in columns else "'T'"
            for figure in figures or []:
                if figure in _OF_OTHERS:
                    continue
                shown = connection.execute(
                    f"select {owners[0]}, indicator_code, time_period, {sex} from marts.{name} where {figure} is not null"  # type: ignore[arg-type]
                ).fetchall()
                assert keys.isdisjoint(shown), (name, figure)
                asked.add((name, figure))
        inputs = connection.execute(
            "select municipality_code, input_indicator_code, input_time_period, input_sex, written_text "
            "from marts.explain_value where input_value is not null or written_text is not null"
        ).fetchall()
        assert (KOVEL, "SOC.030", "2023", "T", "40") in inputs
        assert keys.isdisjoint(row[:4] for row in inputs)
        for function in ("release_value(1)", "indicator_value_as_of(now())"):
            rows = connection.execute(
                f"select municipality_code, indicator_code, time_period, sex, obs_value, obs_status from marts.{function}"  # type: ignore[arg-type]
            ).fetchall()
            told = {row[:4]: row[4:] for row in rows}
            assert told[VINNYTSIA, "SOC.030", "2023", "T"] == (None, "C"), function
            assert told[KOVEL, "SOC.030", "2023", "T"] == (40.0, "A"), function
            assert keys.isdisjoint(key for key, (value, _) in told.items() if value is not None), function
    assert "SOC.030 2023 T = приховано (C)" in draw_tree(explain_value(house.warehouse, VINNYTSIA, "SOC.030", "2023"))
    assert {
        ("fct_indicator_value", "obs_value"), ("fct_area_value", "obs_value"), ("fct_indicator_series", "obs_value"),
        ("fct_indicator_recast", "obs_value"), ("fct_observation_history", "obs_value"), ("fct_revision", "new_value"),
        ("fct_correction", "reported_value"), ("mart_municipality_profile", "obs_value"), ("explain_value", "obs_value"),
    } <= asked  # fmt: skip
    assert house.query(
        "select n, median from marts.mart_indicator_peer_stats "
        "where indicator_code = 'SOC.030' and sex = 'T' and peer_group_code = 'UA' and time_period = '2023'"
    ) == [(1, 40.0)], "told are Kovel's 40 alone"


def test_a_solver_does_not_recover_what_the_marts_hide(house: House) -> None:
    with house.warehouse.connect("bi") as connection:
        bodies = dict(
            connection.execute(
                "select municipality_code, (raion_code, oblast_code) from marts.dim_municipality "
                "where municipality_code = any(%s)", ([VINNYTSIA, LUTSK, KOVEL],)
            ).fetchall()
        )  # fmt: skip
        shown = connection.execute(
            "select municipality_code, sex, obs_value, obs_status from marts.fct_indicator_value "
            "where indicator_code = 'SOC.030' and time_period = '2023' union all "
            "select area_code, sex, obs_value, obs_status from marts.fct_area_value "
            "where indicator_code = 'SOC.030' and time_period = '2023'"
        ).fetchall()
    known = Attack(
        told={(code, sex): value for code, sex, value, _ in shown if value is not None},
        hidden={(code, sex) for code, sex, _, status in shown if status == "C"},
    )
    for sex in "TFM":
        for raion, _ in bodies.values():
            known.equations.append([((raion, sex), 1), *(((b, sex), -1) for b in bodies if bodies[b][0] == raion)])
        for _, oblast in bodies.values():
            raions = sorted({bodies[b][0] for b in bodies if bodies[b][1] == oblast})
            known.equations.append([((oblast, sex), 1), *(((raion, sex), -1) for raion in raions)])
        known.equations.append([(("UA", sex), 1), *(((o, sex), -1) for o in sorted({o for _, o in bodies.values()}))])
    known.equations += [[((body, "T"), 1), ((body, "F"), -1), ((body, "M"), -1)] for body in bodies]
    assert known.told["UA", "T"] == 73.0 and known.told[KOVEL, "T"] == 40.0
    small = [(VINNYTSIA, sex) for sex in "TFM"]
    for low, high in known.bounds(small).values():
        assert low == 0.0 and high >= 4.0, "anything small is possible, and more"
    known.told[LUTSK, "T"] = 30.0
    assert known.bounds(small)[VINNYTSIA, "T"] == (3.0, 3.0), "without what is hidden beside it"


def test_a_release_writes_down_what_it_told_and_hid(house: House) -> None:
    told = house.query(
        "select subject_code, obs_value, is_hidden from ops.disclosed "
        "where indicator_code = 'SOC.030' and sex = 'T' and subject_kind = 'reported' order by obs_value"
    )
    assert told == [(VINNYTSIA, 3.0, True), (LUTSK, 30.0, True), (KOVEL, 40.0, False)]
    assert house.query(
        "select count(*) from ops.disclosed where subject_kind = 'area' and not is_hidden and sex = 'T'"
    ) == [(2,)], "Kovel's raion and the country"


def test_a_value_is_explained_by_the_version_of_its_year(house: House) -> None:
    found = house.query(
        "select fact.municipality_code, fact.time_period, fact.obs_value, card.version, card.formula "
        "from marts.fct_indicator_value as fact inner join marts.dim_indicator_history as card "
        "on fact.indicator_code = card.indicator_code "
        "and left(fact.time_period, 4)::int between card.valid_from and coalesce(card.valid_to, 9999) "
        "where fact.indicator_code = 'TER.D01' and fact.obs_value is not null order by 2"
    )
    assert found == [
        (VINNYTSIA, "2023", pytest.approx(1000 / 70), 1, "POP.001 / TER.001"),
        (LUTSK, "2024", pytest.approx((400 + 410) / 2 / 10), 2, "avg(POP.001, POP.001[t−1]) / TER.001"),
    ]
    assert house.query(
        "select version, valid_from, valid_to from marts.dim_indicator where indicator_code = 'TER.D01'"
    ) == [(2, 2011, None)]


def test_cards_are_told_in_full(house: House) -> None:
    columns = ("periodicity", "denominator", "direction", "source", "classification", "min_value", "max_value")
    told = house.query(f"select indicator_code, {', '.join(columns)} from build.dim_indicator")
    cards = load_catalogue().indicators
    assert sorted(told, key=str) == sorted(
        ((card.indicator_code, *(getattr(card, column) for column in columns)) for card in cards), key=str
    )
    assert {row[3] for row in told} == {"up", "down", "none"}


def test_every_body_of_the_codifier_is_listed(house: House) -> None:
    counts = house.query("select category, count(*) from build.dim_municipality group by 1 order by 1")
    assert counts == [("H", 1772), ("K", 2)]
    crimea = house.query(
        "select count(*) from build.dim_municipality where oblast_name_uk = 'Автономна Республіка Крим'"
    )
    assert crimea == [(303,)]
    rows = house.query(
        "select has_return, count(distinct municipality_code), sum(answered_count) from build.fct_completeness "
        "where time_period = '2023' group by 1 order by 1"
    )
    assert rows == [(False, 1771, 0), (True, 3, 9)], "an indicator is answered when each of its cells is"
    names = house.query(
        "select name_uk, name_en from build.dim_municipality where municipality_code in (%s, %s) order by 1",
        (KYIV, SEVASTOPOL),
    )
    assert names == [("Київ", "Kyiv"), ("Севастополь", "Sevastopol")]


def test_comments_are_kept_in_the_database(house: House) -> None:
    for schema in ("staging", "indicators", "build"):
        bare = house.query(
            "select relation.relname, attribute.attname from pg_class as relation "
            "inner join pg_attribute as attribute on relation.oid = attribute.attrelid and attribute.attnum > 0 "
            "where relation.relnamespace = %s::regnamespace and relation.relkind in ('r', 'v') and not attribute.attisdropped "
            "and col_description(relation.oid, attribute.attnum) is null",
            (schema,),
        )
        assert bare == [], schema


_PROFILE_RANKS = """
select municipality_code, indicator_code, time_period, n, peer_median, peer_rank, peer_percentile
from build.mart_municipality_profile where obs_value is not null and sex = 'T' order by 1, 2, 3
"""
# The same by window functions over all facts of a group.
_RANKS = """
select
    municipality_code, indicator_code, time_period, count(*) over cell,
    (
        select median from build.mart_indicator_peer_stats as stats
        where (stats.peer_group_code, stats.indicator_code, stats.time_period, stats.sex)
        = (membership.peer_group_code, fact.indicator_code, fact.time_period, fact.sex)
    ),
    rank() over (cell order by obs_value desc),
    case when count(*) over cell > 1 then 100 * percent_rank() over (cell order by obs_value) end
from build.fct_indicator_value as fact
inner join indicators.int_peer_group__membership as membership using (municipality_code)
where peer_group_kind = 'size' and obs_value is not null and sex = 'T'
window cell as (partition by peer_group_code, indicator_code, time_period)
order by 1, 2, 3
"""


def test_changed_keys_give_what_a_full_build_gives(own_house: House) -> None:
    own_house.batch = 2
    own_house.send(VINNYTSIA, "2024", {("TER.001", "T"): "70", ("POP.001", "T"): "1100"})
    own_house.send(
        LUTSK, "2023", {("TER.001", "T"): "8", ("POP.001", "T"): None, ("TER.004", "T"): "7", **_combatants(80, 30, 50)}
    )
    own_house.send(KYIV, "2023", {("TER.001", "T"): "800", ("POP.001", "T"): "5000"}, path="a.xlsx")
    own_house.send(KYIV, "2023", {("TER.001", "T"): "801", ("POP.001", "T"): "5000"}, path="b.xlsx")
    own_house.answer("02536000000", 2022, [(1, "11010000", "10.10")])
    _correct(own_house)
    build_id, is_full = own_house.build(is_tested=True)
    assert not is_full
    assert own_house.value(VINNYTSIA, "TER.001", "2023") == (700.0, "R"), "no return came, a correction did"
    assert own_house.value(VINNYTSIA, "TER.D01", "2023") == (pytest.approx(1000 / 700), "A")
    assert own_house.value(VINNYTSIA, "TER.004", "2023") == (100.0, "R"), "the text that is no number is corrected"
    assert own_house.value(LUTSK, "TER.001", "2023") == (8.0, "A")
    assert own_house.value(LUTSK, "POP.001", "2023") == (None, "M_NR"), (
        "a blank in a newer return is the answer in force"
    )
    assert own_house.value(LUTSK, "TER.004", "2023") == (7.0, "A")
    assert own_house.value(LUTSK, "REV.001", "2023") == (None, "M_NA"), "what the newer return does not ask stands"
    assert own_house.value(LUTSK, "SOC.030", "2023") == (None, "C"), "larger than Kovel's by now, and hidden as before"
    assert own_house.value(KOVEL, "SOC.030", "2023") == (40.0, "A"), "what was told stays told"
    assert own_house.value(KYIV, "TER.001", "2023") == (None, "M_Q"), "two files of one batch contradict each other"
    assert own_house.value(VINNYTSIA, "POP.D03", "2023") == (pytest.approx(20 / 1050 * 1000), "A"), "now it is due"
    assert own_house.query(
        "select classification_code, time_period, amount_month::text from build.fct_budget_monthly where time_period < '2023'"
    ) == [("11010000", "2022-01", "10.10")], "months that the service took back are gone"
    ranked = own_house.query(_RANKS)
    assert own_house.query(_PROFILE_RANKS) == ranked
    assert {row[:1] + row[3:] for row in ranked if row[1:3] == ("POP.001", "2024")} == {
        (VINNYTSIA, 3, 410.0, 1, 100.0), (LUTSK, 3, 410.0, 2, 0.0), (KOVEL, 3, 410.0, 2, 0.0),
    }  # fmt: skip
    by_keys = own_house.hashes()
    # as a build leaves it that was stopped before the profiles: what was worked into the groups is worked in once more
    own_house.execute(
        "delete from build.mart_profile_value where municipality_code in (select municipality_code from ops.changed_key)"
    )
    own_house.rebuild_models()
    assert own_house.hashes() == by_keys, "running it again changes nothing"
    own_house.rebuild_models("--full-refresh")
    in_full = own_house.hashes()
    assert {name for name in in_full if in_full[name] != by_keys[name]} == set()
    assert len(in_full) > 20
    _ask_about_corrections(own_house, build_id)


_CORRECTIONS = f"""{",".join(COLUMNS)}
ASMS,{VINNYTSIA},TER.001,2023,T,set,70,700,,пропущено нуль,Вінницька міська рада
ASMS,{VINNYTSIA},TER.004,2023,T,set,,100,,словами,Вінницька міська рада
ASMS,{VINNYTSIA},SAF.001,2023,T,scale,3,10,,не ті одиниці,Вінницька міська рада
ASMS,{LUTSK},POP.001,2023,T,set,400,4000,,пропущено нуль,Луцька міська рада
"""


def _correct(house: House) -> None:
    file = house.target / "corrections.csv"
    file.write_text(_CORRECTIONS, encoding="utf-8")
    assert store_corrections(house.warehouse, file) == StoredCorrections(4, 4)
    assert store_corrections(house.warehouse, file) == StoredCorrections(4, 0)


def _ask_about_corrections(house: House, build_id: int) -> None:
    """Lutsk answered anew, so its correction is not applied and says so; the others show where they came from."""
    told = house.query(
        "select municipality_code, indicator_code, value_found, value_expected, message_en from quality.finding "
        "where rule_id = 'CORRECTION_NOT_APPLIED' and is_open"
    )
    assert told == [
        (LUTSK, "POP.001", "M_NR", "400",
         f"Correction set of {LUTSK} POP.001 2023 T is not applied: 400 was expected, the return says M_NR")
    ]  # fmt: skip
    publish(house.warehouse, build_id, house.target / "manifest.json")
    with house.warehouse.connect("bi") as connection:
        reasons = connection.execute(
            "select indicator_code, old_value, new_value, reason_class from marts.fct_revision "
            "where municipality_code = %s and time_period = '2023' and indicator_code like 'TER.%%1' order by 1",
            (VINNYTSIA,),
        ).fetchall()
        known = connection.execute(
            "select indicator_code, obs_value, obs_status from marts.indicator_value_as_of("
            "(select max(known_from) from marts.fct_return_history), %s) where indicator_code like 'TER.%%' and time_period = '2023'",
            (VINNYTSIA,),
        ).fetchall()
        public = connection.execute("select indicator_code, is_applied from marts.fct_correction order by 1").fetchall()
    assert reasons == [
        ("TER.001", 70.0, 700.0, "correction"), ("TER.D01", pytest.approx(1000 / 70), pytest.approx(1000 / 700), "inputs"),
    ]  # fmt: skip
    assert known == [("TER.001", 70.0, "A"), ("TER.004", None, "M_Q")], "what was reported is what was known"
    assert public == [("POP.001", False), ("TER.001", True), ("TER.004", True)], "a restricted one is nobody's to see"
    assert (
        "виправлено / corrected: set, у звіті / reported: 70\n    пропущено нуль (Вінницька міська рада)"
        in draw_tree(explain_value(house.warehouse, VINNYTSIA, "TER.001", "2023"))
    )
    assert store_corrections(house.warehouse, None) == StoredCorrections(0, 4)
    undone = start_build(house.warehouse)
    assert not undone.is_full
    assert set(house.query("select municipality_code, time_period from ops.changed_key where reason = 'decisions'")) == {
        (VINNYTSIA, "2023"), (LUTSK, "2023"),
    }  # fmt: skip
    _hold_back(house)


_EMBARGOES = f"""{",".join(EMBARGO_COLUMNS)}
,TER.001,2023,2026-03-01T09:00+02:00,"спершу комітет",Мінрозвитку
REV,,2022,2026-02-01T09:00+02:00,звірка,Мінфін
"""


def _hold_back(house: House) -> None:
    """A release under embargo shows what it showed but the held figures and what is made of them; after the moment all of it."""

    def rows() -> dict[str, set[str]]:
        """All that marts say by indicator, apart from what places say of other places' figures."""
        tables = house.query(
            "select table_name from information_schema.columns where table_schema = 'build' and column_name in "
            "('indicator_code', 'time_period') group by 1 having count(*) = 2 order by 1"
        )
        return {name: {row[0] for row in house.query(f"select t::text from build.{name} as t")} for (name,) in tables}

    def hold(moment: str) -> int:
        build = start_build(house.warehouse, moment=datetime.fromisoformat(moment))
        assert build.is_full
        selection = ["--full-refresh", "--select", "stg_quality__embargo", "int_embargo__held+"]
        house.rebuild_models(*selection)
        return build.build_id

    file = house.target / "embargoes.csv"
    file.write_text(_EMBARGOES, encoding="utf-8")
    before = rows()
    assert store_embargoes(house.warehouse, file) == StoredEmbargoes(2, 2)
    assert store_embargoes(house.warehouse, file) == StoredEmbargoes(2, 0)
    build_id = hold("2026-02-28T00:00+02:00")
    held = rows()
    other = {name: held[name] - before[name] for name in held if held[name] - before[name]}
    assert set(other) == {"mart_profile_value", "mart_municipality_profile"}, "nobody else's figures are touched"
    assert all(re.search(r"TER\.(001|D01)\b.*\b2024\b", line) for lines in other.values() for line in lines), (
        "next year's have nothing to be compared with"
    )
    gone = {name: before[name] - held[name] for name in held if before[name] != held[name]}
    assert set(gone) >= {"fct_indicator_value", "fct_area_value", "fct_correction", "mart_profile_value"}
    computed = {
        c.indicator_code for c in load_catalogue().indicators if re.search(r"TER\.(001|D01)\b", c.formula or "")
    }
    codes = {code for lines in gone.values() for line in lines for code in re.findall(r"[A-Z]{3}\.D?\d+", line)}
    assert {"TER.001", "TER.D01", "LND.D02"} <= codes <= computed | {"TER.001"}
    for name in held:
        assert (
            house.query(
                f"select indicator_code, time_period from build.{name} "
                "where indicator_code in ('TER.001', 'TER.D01') and left(time_period, 4) = '2023'"
            )
            == []
        ), name
    publish(house.warehouse, build_id, house.target / "manifest.json")
    assert [line["code"] for line in read_manifest(house.warehouse, 3)["embargoes"]] == ["TER.001"]
    for code in ("TER.001", "TER.D01"):
        with pytest.raises(
            ExplainError, match=r"під ембарго до 2026-03-01 07:00 UTC \(через TER.001 2023\): спершу комітет"
        ):
            explain_value(house.warehouse, VINNYTSIA, code, "2023")
    with house.warehouse.connect("bi") as connection:
        reasons = connection.execute(
            "select distinct indicator_code, kind, reason_class from marts.fct_revision where release_id = 3 order by 1"
        ).fetchall()
        shown = connection.execute(
            "select count(*) from marts.explain_value where indicator_code = 'TER.001' and time_period = '2023'"
        ).fetchone()
    assert ("TER.001", "gone", "embargo") in reasons and ("TER.D01", "gone", "embargo") in reasons
    assert shown == (0,)
    hold("2026-03-01T09:00+02:00")
    assert rows() == before


def test_a_return_sent_again_revises_only_the_cells_that_changed(own_house: House) -> None:
    facts = (
        "select indicator_code, sex, obs_value, obs_status, submission_id, ctid::text from build.fct_indicator_value "
        "where municipality_code = %s and time_period = '2023' and not is_derived"
    )
    before = set(own_house.query(facts, (LUTSK,)))
    own_house.execute("create table ops.profile_before as select * from build.mart_profile_value")
    withdrawal = _withdraw_a_return(own_house)
    own_house.batch = 2
    again = own_house.send(LUTSK, "2023", {("TER.001", "T"): "0", ("POP.001", "T"): "401", ("REV.001", "T"): "–"})
    own_house.send(VINNYTSIA, "2022", {("TER.001", "T"): "70"})
    own_house.answer(
        "02536000000", 2022, [(11, "1010", "9"), (12, "1010", "40.40"), (12, "3210", "5")], ("EXPENSES", "PROGRAM")
    )
    build_id, _ = own_house.build()
    written = set(own_house.query(facts, (LUTSK,))) - before
    assert {row[:-1] for row in written} == {("POP.001", "T", 401.0, "A", again)}, (
        "a row that stands is not written again"
    )
    _ask_what_was_known(own_house, build_id)
    _ask_what_was_withdrawn(own_house, withdrawal)
    _ask_where_it_comes_from(own_house)
    assert {row[2] for row in before if row[:2] == ("POP.001", "T")} == {400.0}
    _send_back_after_a_kill(own_house, {("POP.001", "T"): "400"})


def _send_back_after_a_kill(house: House, answer: Cells) -> None:
    """A build is stopped between the groups and the profiles; then the old figure comes again, which profiles hold and groups do not."""
    house.execute(
        "truncate build.mart_profile_value; insert into build.mart_profile_value select * from ops.profile_before;"
        "update ops.build set status = 'failed' where build_id = (select max(build_id) from ops.build)"
    )
    house.batch = 3
    _send_and_withdraw(house)
    house.send(LUTSK, "2023", answer)
    house.build()
    in_force = (
        "stg_submissions__return",
        "stg_submissions__cell",
        "stg_submissions__sorted_cell",
        "int_observation__accepted",
    )
    by_changes = _read_sent(house, in_force)
    returns = {row[1:3] for row in house.query("select * from staging.stg_submissions__return")}
    answered = house.query("select distinct municipality_code, time_period from staging.stg_submissions__latest_cell")
    assert (KOVEL, "2024") not in returns and (VINNYTSIA, "2022") in returns
    assert set(answered) == returns, "there is a return where there are answers"
    assert house.value(VINNYTSIA, "TER.001", "2022") == (71.0, "A")
    groups = "select peer_group_code, body_nos, obs_values from build.mart_peer_value where indicator_code = 'POP.001' order by 1, 2, 3"
    by_keys = house.query(groups)
    house.rebuild_models("--full-refresh", "--select", "mart_peer_value", "stg_submissions__latest_cell", *in_force)
    assert house.query(groups) == by_keys
    assert _read_sent(house, in_force) == by_changes


def _send_and_withdraw(house: House) -> None:
    """In one night Kovel sends 2024 again and takes it back, and Vinnytsia takes 2022 back and sends it again."""
    settings = load_settings({"ASMS_HOME": str(house.target)})
    house.send(KOVEL, "2024", {("POP.001", "T"): "411"})
    for body, year in ((KOVEL, "2024"), (VINNYTSIA, "2022")):
        assert withdraw_return(house.warehouse, settings, body, year, reason="помилка", by="Коваль").is_new
    house.batch = house.query("select max(batch_no) + 1 from raw.delivery where source = 'submissions'")[0][0]
    house.send(VINNYTSIA, "2022", {("TER.001", "T"): "71"})


def _read_sent(house: House, names: tuple[str, ...]) -> dict[str, str]:
    return {name: digest for name, digest in house.hashes().items() if name.rpartition(".")[2] in names}


def _withdraw_a_return(house: House) -> str:
    """Withdraw Kovel's 2023, twice; return the withdrawal's delivery."""
    settings = load_settings({"ASMS_HOME": str(house.target)})
    with pytest.raises(WithdrawalError, match="needs a reason"):
        withdraw_return(house.warehouse, settings, KOVEL, "2023", reason=" ", by="staff")
    with pytest.raises(WithdrawalError, match="has arrived, so there is none"):
        withdraw_return(house.warehouse, settings, SEVASTOPOL, "2023", reason="x", by="staff")
    done = withdraw_return(house.warehouse, settings, KOVEL, "2023", reason="подано за інший рік", by="Коваль")
    assert done.is_new
    again = withdraw_return(house.warehouse, settings, KOVEL, "2023", reason="ще раз", by="Інша")
    assert (again.is_new, again.delivery_id, again.reason) == (False, done.delivery_id, "подано за інший рік")
    document = LandingStore(settings.landing).read(
        house.query("select sha256 from raw.delivery where delivery_id = %s", (done.delivery_id,))[0][0]
    )
    assert json.loads(document)["withdrawn_by"] == "Коваль"
    return done.delivery_id


def _ask_what_was_withdrawn(house: House, delivery_id: str) -> None:
    """Kovel's 2023 is gone from release 2, and everybody is told why; nothing of it is deleted."""
    moment = house.query("select received_at from raw.delivery where delivery_id = %s", (delivery_id,))[0][0]
    place = (KOVEL, "2023")

    def ask(query: str) -> list[Any]:
        with house.warehouse.connect("bi") as connection:
            return connection.execute(query.encode(), place).fetchall()

    assert ask("select * from marts.fct_indicator_value where municipality_code = %s and time_period = %s") == []
    assert ask(
        "select indicator_code, obs_value, known_to, is_withdrawn from marts.fct_observation_history "
        "where municipality_code = %s and time_period = %s and indicator_code in ('POP.001', 'POP.010') order by 1"
    ) == [("POP.001", 400.0, moment, True), ("POP.010", 6.0, moment, True)]
    assert ask(
        "select known_to, is_withdrawn, withdrawal_reason from marts.fct_return_history "
        "where municipality_code = %s and time_period = %s"
    ) == [(moment, True, "подано за інший рік")]
    assert ask(
        "select bool_or(has_return), sum(answered_count) from marts.fct_completeness "
        "where municipality_code = %s and time_period = %s"
    ) == [(False, 0)]
    gone = ask(
        "select distinct kind, reason_class, reason, new_status from marts.fct_revision "
        "where municipality_code = %s and time_period = %s"
    )
    assert gone == [("gone", "withdrawn", "подано за інший рік", None)]
    differing = compare_releases(house.warehouse, house.target / "manifest.json", 1, 2, limit=10_000).values
    assert {(value.kind, value.cause, value.cause_detail) for value in differing if (
        value.municipality_code, value.time_period) == place} == {("gone", "withdrawn", "подано за інший рік")}  # fmt: skip
    found = explain_value(house.warehouse, KOVEL, "POP.001", "2023")
    assert (found.obs_value, found.obs_status, found.source and found.source.cell) == (None, "withdrawn", "D5")
    assert "Коваль, з випуску / since release 2\n    подано за інший рік" in draw_tree(found)
    assert "<dt>Відкликано</dt>" in write_page(found)
    assert explain_value(house.warehouse, KOVEL, "POP.001", "2023", release_id=1).obs_value == 400.0
    assert house.query(
        "select count(*) from raw.submission where municipality_code = %s and time_period = %s", place
    ) == [(1,)]


def _ask_what_was_known(house: House, build_id: int) -> None:
    """The house's second build is not published yet: it withdraws Kovel's 2023 and brings another population of Lutsk."""
    received = "select received_at from raw.delivery where source = 'submissions' order by received_no"
    first, _, last, _ = house.query(received)[-4:]
    known = "select * from marts.indicator_value_as_of(%s)"
    population = (
        "select obs_value, known_from from marts.indicator_value_as_of(%s, %s) "
        "where indicator_code = 'POP.001' and time_period = '2023'"
    )

    def ask(query: str, *parameters: object) -> list[Any]:
        with house.warehouse.connect("bi") as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    then = ask(known, *first)
    assert [code for _, code, *_ in then if code.startswith("SAF.001")] == [], "restricted"
    assert {(row[0], row[1], row[4]): row[5:7] for row in then if row[1] != "SOC.030"} == {
        (VINNYTSIA, "TER.001", "T"): (70.0, "A"), (VINNYTSIA, "POP.001", "T"): (1000.0, "A"),
        (VINNYTSIA, "POP.001", "F"): (520.0, "A"), (VINNYTSIA, "POP.001", "M"): (480.0, "A"),
        (VINNYTSIA, "POP.010", "T"): (30.0, "A"), (VINNYTSIA, "POP.011", "T"): (10.0, "A"),
        (VINNYTSIA, "TER.004", "T"): (None, "M_Q"), (LUTSK, "TER.001", "T"): (10.0, "A"),
        (LUTSK, "POP.001", "T"): (410.0, "A"), (LUTSK, "REV.001", "T"): (None, "M_NA"),
        (KOVEL, "POP.001", "T"): (410.0, "A"), (KOVEL, "POP.010", "T"): (7.0, "A"),
        (VINNYTSIA, "REV.004", "T"): (1000.0, "A"),
    }  # fmt: skip
    with pytest.raises(psycopg.Error, match="not all that had been received") as caught:
        ask(known, *last)
    assert caught.value.sqlstate == "AS425"
    publish(house.warehouse, build_id, house.target / "manifest.json")
    assert ask(known, *first) == then, "what came later changes nothing in what was known"
    assert ask(population, *first, LUTSK)[0][0] == 400.0
    assert ask(population, *last, LUTSK) == [(401.0, *last)]
    assert ask(known, "2020-01-01") == []
    with pytest.raises(psycopg.Error, match="has not come yet"):
        ask(known, "2999-01-01")


def _ask_where_it_comes_from(house: House) -> None:
    """A figure of a register down to the row of the answer, and the inputs of a computed one as BI sees them."""
    found = explain_value(house.warehouse, VINNYTSIA, "EXP.010", "2022")
    assert (found.obs_value, found.obs_source, found.register_value) == (0.0404, "register", 0.0404)
    assert explain_value(house.warehouse, VINNYTSIA, "TER.D01", "2023").formula_with_figures == "(1 000 ÷ 70)", (
        "its year's"
    )
    (datum,) = found.open_data
    assert (datum.request, datum.row, datum.value_text) == ("02536000000 EXPENSES PROGRAM 2022", 3, "40.40")
    assert "02536000000 EXPENSES PROGRAM 2022, рядок / row 3: 1010 T Податок = 40.40" in draw_tree(found)
    assert "02536000000 EXPENSES PROGRAM 2022</code>, рядок 3" in write_page(found)
    inputs = (
        "select obs_value, formula, input_indicator_code, input_value, input_source, file_name, sheet, cell, written_text, release_id "
        "from marts.explain_value where municipality_code = %s and indicator_code = %s and time_period = %s and sex = 'T' order by 3"
    )
    with house.warehouse.connect("bi") as connection:
        asked = [
            connection.execute(inputs.encode(), place).fetchall()
            for place in (
                (VINNYTSIA, "TER.D01", "2023"),
                (VINNYTSIA, "EXP.010", "2022"),
                (VINNYTSIA, "SAF.001", "2023"),
            )
        ]
        area = connection.execute("select count(distinct file_sha256) from marts.explain_value").fetchone()
    density = pytest.approx(1000 / 70)
    assert asked == [
        [
            (density, "POP.001 / TER.001", "POP.001", 1000.0, "submitted", "return.xlsx", "POP", "D6", "1000", 2),
            (density, "POP.001 / TER.001", "TER.001", 70.0, "submitted", "return.xlsx", "TER", "D5", "70", 2),
        ],
        [(0.0404, None, "EXP.010", 0.0404, "register", "02536000000 EXPENSES PROGRAM 2022", None, None, "40.40", 2)],
        [],
    ]  # fmt: skip
    assert area is not None and area[0] >= 4


def test_a_register_that_changes_later_changes_what_it_serves_and_nothing_else(own_house: House) -> None:
    facts = (
        "select municipality_code, time_period, indicator_code, obs_value, obs_status, obs_source, register_value "
        "from build.fct_indicator_value where not is_derived"
    )
    derived = "select municipality_code, time_period, indicator_code, obs_value, obs_status from build.fct_indicator_value where is_derived"
    before, before_derived = set(own_house.query(facts)), set(own_house.query(derived))
    key = (VINNYTSIA, "2023")
    assert {
        (*key, "REV.010", 1000.0, "A", "register", 1000.0),
        (*key, "REV.004", 1000.0, "A", "confirmed", 1000.0),
    } < before
    own_house.batch = 2
    own_house.answer("0253600000", 2023, [(12, "11010000", "1200000")])
    _, is_full = own_house.build()
    assert not is_full
    changed = set(own_house.query(facts)) - before
    assert {row for row in changed if row[5] != "register"} == {(*key, "REV.004", 1000.0, "A", "disputed", 1200.0)}, (
        "an answer stands, and the register beside it tells that it differs now"
    )
    served = {row[2] for row in changed if row[5] == "register"}
    assert {row for row in changed if row[2] == "REV.010"} == {(*key, "REV.010", 1200.0, "A", "register", 1200.0)}
    assert {row[:3] for row in before - set(own_house.query(facts))} == {(*key, code) for code in {*served, "REV.004"}}
    assert served == {row[2] for row in before if row[:2] == key and row[5] == "register" and row[6] == 1000.0}
    assert {row[:2] for row in set(own_house.query(derived)) ^ before_derived} <= {key}
    assert own_house.query(
        "select distinct municipality_code, time_period, register_value from build.fct_register_value"
    ) == [(*key, 1200.0)]


def test_a_rule_that_rejects_by_the_year_before_changes_what_is_read_of_its_year(own_house: House) -> None:
    """What is accepted of 2024 may change with 2023, and formulas of 2025 read 2024."""
    own_house.batch = 2
    own_house.send(LUTSK, "2023", {("POP.001", "T"): "405"})
    reached = "select time_period, reason from ops.changed_key where municipality_code = %s order by 1"
    start_build(own_house.warehouse)
    told = [("2022", "formula"), ("2023", "submissions"), ("2024", "neighbour")]
    assert own_house.query(reached, (LUTSK,)) == told, "no shipped rule of two years rejects"
    own_house.execute("update quality.rule set severity = 'error' where rule_id = 'CHK.POP.001.BALANCE'")
    start_build(own_house.warehouse)
    assert own_house.query(reached, (LUTSK,)) == [*told, ("2025", "formula")]


def test_a_trial_is_checked_and_never_counts_until_it_is_sent_in_earnest(own_house: House) -> None:
    before = {
        name: own_house.hashes()[f"build.{name}"]
        for name in ("fct_indicator_value", "fct_completeness", "mart_data_quality")
    }
    cells = {("TER.001", "T"): "9", ("POP.001", "T"): "дев'ять"}
    own_house.batch = 2
    own_house.send(LUTSK, "2023", cells, path="_test/луцьк.xlsx")
    own_house.send(KYIV, "2023", cells, path="_test/київ.xlsx")
    own_house.build()
    assert {name: own_house.hashes()[f"build.{name}"] for name in before} == before
    told = "select municipality_code, rule_id, value_found from quality.finding where is_open and indicator_code = 'POP.001'"
    assert sorted(own_house.query(told)) == [
        (LUTSK, "CELL_NOT_A_NUMBER", "дев'ять"),
        (KYIV, "CELL_NOT_A_NUMBER", "дев'ять"),
    ]
    assert own_house.query("select count(*) from staging.stg_submissions__latest_cell where value_text = '9'") == [(0,)]
    own_house.batch = 3
    own_house.send(LUTSK, "2023", cells, path="луцьк.xlsx")
    own_house.answer("03551000000", 2022, [(2, "11010000", "5")], name="Податок, названий Луцьком")
    build_id, _ = own_house.build()
    assert own_house.value(LUTSK, "TER.001", "2023") == (9.0, "A")
    assert own_house.value(LUTSK, "POP.001", "2023") == (None, "M_Q")
    assert own_house.value(KYIV, "TER.001", "2023") is None
    publish(own_house.warehouse, build_id, own_house.target / "manifest.json")
    named = "select name_uk from marts.mart_budget_tree where (municipality_code, time_period, classification_code) = (%s, '2022', %s)"
    with own_house.warehouse.connect("bi") as connection:
        names = connection.execute(named.encode(), (VINNYTSIA, "11010000")).fetchall()
    assert names == [("Податок, названий Луцьком",)], "a code is called alike in all budgets"


def test_models_compute_what_their_unit_tests_say(house: House) -> None:
    results = dbt.invoke(["test", "--select", "test_type:unit"], warehouse=house.warehouse, target_path=house.target)
    assert [(result.node.name, result.message) for result in results if result.status != "pass"] == []
    assert len(results) >= 8


def test_a_failed_test_becomes_a_gate_result_and_models_still_stand(own_house: House) -> None:
    _, load = own_house.deliver("katottg", "kodifikator_2026.xlsx", "broken")
    own_house.execute(
        f"insert into raw.katottg_unit select '{load}', row_no, level1_code, level2_code, level3_code, level4_code, "
        "level5_code, category, name from raw.katottg_unit; "
        f"insert into raw.katottg_unit select '{load}', 99999, '{VINNYTSIA}', null, null, null, null, 'O', 'Двійник'"
    )
    build = start_build(own_house.warehouse)
    assert build.is_full, "another codifier concerns every key"
    result = dbt.build_layer(own_house.warehouse, "staging", build.build_id, True, target_path=own_house.target)
    assert any("unique_key_stg_katottg__unit_unit_code" in node for node in result.failed_nodes)
    rows = own_house.query(
        "select dataset, severity, success, unexpected_count, failing_rows_sql, message_uk from quality.gate_result "
        "where build_id = %s and engine = 'dbt' and gate = 'staging' and check_id like '%%unique_key_stg_katottg__unit_unit_code%%'",
        (build.build_id,),
    )
    (dataset, severity, success, count, failing_rows, message), *others = rows
    assert others == []
    assert (dataset, severity, success, count) == ("staging.stg_katottg__unit", "critical", False, 1)
    assert "знайшла рядків: 1" in message
    assert len(own_house.query(failing_rows)) == 1
    ran = own_house.query(
        "select count(*) from ops.dbt_node_run where build_id = %s and status = 'success'", (build.build_id,)
    )
    assert ran[0][0] > 15


def test_a_model_that_cannot_run_is_an_error_that_names_it(own_house: House) -> None:
    own_house.execute(
        "update catalogue.compiled_formula set value_sql = 'no_such_column' where indicator_code = 'TER.D01'"
    )
    build = start_build(own_house.warehouse)
    with pytest.raises(dbt.DbtError, match=r"(?s)int_indicator__derived: error: .*no_such_column") as raised:
        dbt.build_layer(own_house.warehouse, "indicators", build.build_id, True, target_path=own_house.target)
    assert not isinstance(raised.value, dbt.TransientDbtError)
    status = own_house.query(
        "select status from ops.dbt_node_run where build_id = %s and node_id like '%%.int_indicator__derived'",
        (build.build_id,),
    )
    assert status == [("error",)]


def test_a_lost_connection_is_an_error_that_passes(own_house: House) -> None:
    own_house.execute(
        "update catalogue.compiled_formula set value_sql = 'pg_terminate_backend(pg_backend_pid())::integer' "
        "where indicator_code = 'TER.D01'"
    )
    build = start_build(own_house.warehouse)
    with pytest.raises(dbt.TransientDbtError, match=r"(?s)int_indicator__derived"):
        dbt.build_layer(own_house.warehouse, "indicators", build.build_id, True, target_path=own_house.target)


def test_no_password_is_left_behind(house: House) -> None:
    password = house.warehouse.passwords["transformer"]
    files = [file for file in house.target.rglob("*") if file.is_file() and file.name != "credentials.json"]
    assert files
    assert [file for file in files if password.encode() in file.read_bytes()] == []
    assert [name for name in os.environ if name.startswith(("ASMS_DBT_", "DBT_ENV_SECRET"))] == []


def test_all_of_the_printed_population_finds_its_municipality(
    template_warehouse: Warehouse, real_data: Path, tmp_path: Path, own_target: Path
) -> None:
    from asms.sample.server import serve

    with copied(template_warehouse, DBT_DATABASES[1]) as warehouse:
        settings = load_settings({"ASMS_HOME": str(tmp_path)})
        fetch_katottg(warehouse, settings, _sha256)
        with serve(real_data) as server:
            given: Settings = settings.model_copy(update={"urls": server.urls})
            fetch_population(warehouse, given, _sha256)
        start_build(warehouse)  # models see the loads of a build and of releases
        selection = ["--select", "+stg_population__municipality", "--exclude-resource-type", "unit_test"]
        selection += ["--indirect-selection", "buildable"]
        results = dbt.invoke(["build", *selection], warehouse=warehouse, target_path=own_target)
        assert {str(result.status) for result in results} == {"success", "pass"}
        with warehouse.connect("gate") as connection:
            total = connection.execute(
                "select count(*), sum(population) from staging.stg_population__municipality"
            ).fetchone()
        assert total == (1470, 41167335), "1,469 hromadas and Kyiv; the sum is the one printed for the country"
