"""Publishing: all or nothing, what changed and no more, every past release readable."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from asms.warehouse.build import SupersededError, check_build, end_build, start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import (
    BreakingChangeError,
    PublishError,
    PublishResult,
    ReconciliationError,
    publish,
    rollback_to,
)

_COLUMNS = {"municipality_code": "text", "obs_value": "double precision", "load_id": "text"}
_CREATE = "create table build.fct_indicator_value (municipality_code text, obs_value double precision, load_id text)"


def _manifest(folder: Path, **changes: Any) -> Path:
    """A manifest with one mart, as dbt writes it, reduced to what the publisher reads."""
    columns = changes.pop("columns", _COLUMNS)
    node = {
        "resource_type": "model",
        "schema": "build",
        "name": "fct_indicator_value",
        "description": "Один рядок. / One row.",
        "config": {
            "contract": {"enforced": True},
            "meta": {"key": ["municipality_code"], "not_business": ["load_id"]},
        },
        "columns": {
            name: {"name": name, "data_type": kind, "description": f"{name} / {name}"} for name, kind in columns.items()
        },
        **changes,
    }
    file = folder / "manifest.json"
    file.write_text(json.dumps({"nodes": {"model.asms.fct_indicator_value": node}}))
    return file


def _build(warehouse: Warehouse, rows: list[tuple[str, float | None, str]]) -> None:
    with warehouse.connect("transformer") as connection:
        connection.execute("drop table if exists build.fct_indicator_value")
        connection.execute(_CREATE)
        connection.execute("create table if not exists staging.budget_code (budget_code text, area_code text)")
        connection.execute("create table if not exists staging.stg_katottg__unit (unit_code text, category text)")
        connection.cursor().executemany("insert into build.fct_indicator_value values (%s, %s, %s)", rows)


def _publish(warehouse: Warehouse, folder: Path, rows: list[tuple[str, float | None, str]]) -> PublishResult:
    _build(warehouse, rows)
    build = start_build(warehouse, force=True)
    return publish(warehouse, build.build_id, _manifest(folder))


def _read(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with warehouse.connect("bi") as connection:
        return connection.execute(
            "select municipality_code, obs_value, release_id, release_from from marts.fct_indicator_value order by 1"
        ).fetchall()


def test_a_release_costs_what_changed(warehouse: Warehouse, tmp_path: Path) -> None:
    first = _publish(warehouse, tmp_path, [("UA1", 1.0, "a"), ("UA2", None, "a"), ("UA3", 3.0, "a")])
    assert (first.release_id, first.is_new) == (1, True)
    second = _publish(warehouse, tmp_path, [("UA1", 1.0, "b"), ("UA2", 2.0, "b"), ("UA4", 4.0, "b")])
    change = second.tables[0]
    assert (change.row_count, change.inserted_count, change.ended_count) == (3, 2, 2)
    assert _read(warehouse) == [("UA1", 1.0, 2, 1), ("UA2", 2.0, 2, 2), ("UA4", 4.0, 2, 2)]


def test_of_many_groups_those_that_differ_are_compared_row_by_row(warehouse: Warehouse, tmp_path: Path) -> None:
    many = [(f"UA{number:02}", float(number), "a") for number in range(40)]
    _publish(warehouse, tmp_path, many)
    swapped = [("UA00", 1.0, "b"), ("UA01", 0.0, "b"), *many[2:-1], ("UA99", None, "b")]  # the sum of all values stays
    change = _publish(warehouse, tmp_path, swapped).tables[0]
    assert (change.row_count, change.inserted_count, change.ended_count) == (40, 3, 3)
    assert [row[:2] for row in _read(warehouse)] == sorted(row[:2] for row in swapped)
    with pytest.raises(ReconciliationError, match="several rows of one key"):
        _publish(warehouse, tmp_path, [*swapped, swapped[-1]])
    with pytest.raises(ReconciliationError, match="41 rows built, but the releases' own counts lead to 40"):
        _publish(warehouse, tmp_path, [*swapped, (None, 1.0, "c")])  # type: ignore[list-item]


def test_readers_joins_are_planned_for_one_pointer(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with warehouse.connect("publisher") as connection:
        (row_count,) = connection.execute(
            "select reltuples from pg_class where oid = 'ops.current_release'::regclass"
        ).fetchone() or (None,)
    assert row_count == 1


def test_equal_content_makes_no_release(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 0.1, "a")])
    again = _publish(warehouse, tmp_path, [("UA1", 0.1, "another load, equal value")])
    assert (again.release_id, again.is_new) == (1, False)
    with warehouse.connect("bi") as connection:
        assert connection.execute("select count(*) from marts.dim_release").fetchone() == (1,)


def test_a_past_release_can_be_read_and_the_next_one_is_numbered_after_the_highest(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    _publish(warehouse, tmp_path, [("UA1", 2.0, "b")])
    rollback_to(warehouse, 1)
    assert _read(warehouse) == [("UA1", 1.0, 1, 1)]
    third = _publish(warehouse, tmp_path, [("UA1", 3.0, "c")])
    assert third.release_id == 3
    assert _read(warehouse) == [("UA1", 3.0, 3, 3)]
    with pytest.raises(PublishError, match="no release 9"):
        rollback_to(warehouse, 9)


def test_the_content_hash_follows_the_rows_and_not_the_path_taken(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a"), ("UA2", 5.0, "a")])
    detour = _publish(warehouse, tmp_path, [("UA2", 5.0, "a")])
    back = _publish(warehouse, tmp_path, [("UA2", 5.0, "z"), ("UA1", 1.0, "y")])
    with warehouse.connect("publisher") as connection:
        hashes = dict(connection.execute("select release_id, content_hash from ops.release_table").fetchall())
    assert hashes[1] == hashes[3] == back.tables[0].content_hash
    assert hashes[2] == detour.tables[0].content_hash != hashes[1]


def test_comments_reach_the_reader(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with warehouse.connect("bi") as connection:
        comments = connection.execute(
            "select attname, col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = 'marts.fct_indicator_value'::regclass and attnum > 0"
        ).fetchall()
    assert dict(comments).keys() == {*_COLUMNS, "release_id", "release_from"}
    assert all(text for _, text in comments)


def test_a_new_column_is_added_and_a_dropped_one_refused(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with warehouse.connect("transformer") as connection:
        connection.execute("alter table build.fct_indicator_value add column obs_status text default 'A'")
    build = start_build(warehouse, force=True)
    publish(warehouse, build.build_id, _manifest(tmp_path, columns={**_COLUMNS, "obs_status": "text"}))
    with warehouse.connect("bi") as connection:
        assert connection.execute("select obs_status, release_id from marts.fct_indicator_value").fetchone() == ("A", 2)
    build = start_build(warehouse, force=True)
    with pytest.raises(BreakingChangeError, match="obs_status"):
        publish(warehouse, build.build_id, _manifest(tmp_path))
    assert _read(warehouse) == [("UA1", 1.0, 2, 2)]


def test_a_key_that_is_none_is_not_published(warehouse: Warehouse, tmp_path: Path) -> None:
    """Two rows of one key: the counts of what is built and what would be shown part, so nothing goes out."""
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with pytest.raises(ReconciliationError, match="nothing published"):
        _publish(warehouse, tmp_path, [("UA1", 1.0, "a"), ("UA1", 2.0, "a")])
    assert _read(warehouse) == [("UA1", 1.0, 1, 1)]


def test_a_build_knows_the_size_of_what_was_loaded(warehouse: Warehouse) -> None:
    with warehouse.connect("admin") as connection:
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
            "select 'load ' || number, 'katottg', '', '1', 'failed', true from generate_series(1, 500) as number"
        )
    start_build(warehouse, force=True)
    with warehouse.connect("gate") as connection:
        size = connection.execute("select reltuples from pg_class where oid = 'ops.load'::regclass").fetchone()
    assert size == (500,)


def test_a_build_that_was_overtaken_may_not_go_on(warehouse: Warehouse, tmp_path: Path) -> None:
    _build(warehouse, [("UA1", 1.0, "a")])
    first = start_build(warehouse, force=True)
    second = start_build(warehouse, force=True)
    with pytest.raises(SupersededError):
        check_build(warehouse, first.build_id)
    with pytest.raises(PublishError, match="superseded"):
        publish(warehouse, first.build_id, _manifest(tmp_path))
    check_build(warehouse, second.build_id)
    end_build(warehouse, second.build_id, "gate_closed", closed_gate="marts")
    with pytest.raises(SupersededError):
        check_build(warehouse, second.build_id)


_KILLED = """
import os, sys
from pathlib import Path
from asms.settings import load_settings
from asms.warehouse.connection import open_warehouse
from asms.warehouse.release import publish
home, database, build_id, manifest = sys.argv[1:]
warehouse = open_warehouse(load_settings({"ASMS_HOME": home}), database=database)
publish(warehouse, int(build_id), Path(manifest), before_commit=lambda: os.kill(os.getpid(), 9))
"""


def test_a_kill_before_the_commit_leaves_the_old_release(warehouse: Warehouse, tmp_path: Path, pg_home: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    _build(warehouse, [("UA1", 2.0, "b")])
    build = start_build(warehouse, force=True)
    manifest = _manifest(tmp_path)
    arguments = [str(pg_home), warehouse.database, str(build.build_id), str(manifest)]
    done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], check=False, env=dict(os.environ))
    assert done.returncode == -9
    assert _read(warehouse) == [("UA1", 1.0, 1, 1)]
    assert publish(warehouse, build.build_id, manifest).release_id == 2
    assert _read(warehouse) == [("UA1", 2.0, 2, 2)]


def test_an_open_reader_neither_waits_nor_sees_half(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a"), ("UA2", 1.0, "a")])
    with warehouse.connect("bi") as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("set local lock_timeout = '100ms'")
        query = "select sum(obs_value), min(release_id), max(release_id) from marts.fct_indicator_value"
        assert reader.execute(query).fetchone() == (2.0, 1, 1)
        _publish(warehouse, tmp_path, [("UA1", 2.0, "b"), ("UA2", 2.0, "b")])
        assert reader.execute(query).fetchone() == (2.0, 1, 1)
    with warehouse.connect("bi") as reader:
        assert reader.execute(query).fetchone() == (4.0, 2, 2)


def test_nothing_loaded_means_nothing_to_do(warehouse: Warehouse, tmp_path: Path) -> None:
    assert start_build(warehouse).reason == "no release yet"
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    build = start_build(warehouse)
    assert (build.is_needed, build.is_full, build.reason) == (False, False, "nothing new")


def test_a_load_behind_a_closed_gate_is_not_forgotten(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with warehouse.connect("admin") as connection:
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
            "values ('load-1', 'submissions', 'd', '1', 'loaded', true)"
        )
        connection.execute(
            "insert into raw.submission values ('s', 'load-1', 'sha', 'f.xlsx', 'F', '1', 'ASMS', 'UA1', 'UA1', '2024-03', 1)"
        )
        connection.execute(
            "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
            "values ('d', 'submissions', 'sample', 'f.xlsx', 1, 'sha', 1, 1, true)"
        )
        connection.execute("insert into raw.submission_delivery values ('d', 's', 'load-1')")
    refused = start_build(warehouse)
    assert (refused.is_full, refused.changed_key_count, refused.load_count) == (False, 1, 1)
    with warehouse.connect("gate") as connection:
        assert connection.execute("select time_period from ops.changed_key").fetchall() == [("2024",)]
    end_build(warehouse, refused.build_id, "gate_closed", closed_gate="staging")
    again = start_build(warehouse)
    assert (again.is_needed, again.changed_key_count) == (True, 1)
    publish(warehouse, again.build_id, _manifest(tmp_path))
    assert start_build(warehouse).is_needed is False


def _catalogue(warehouse: Warehouse, version: str) -> None:
    with warehouse.connect("loader") as connection:
        connection.execute("delete from catalogue.version")
        connection.execute(
            "insert into catalogue.version (catalogue_version, rule_version) values (%s, 'r')", (version,)
        )


def test_a_change_that_was_refused_and_taken_back_is_redone_in_full(warehouse: Warehouse, tmp_path: Path) -> None:
    """The refused build left the changed catalogue's figures in the layers, for every key."""
    _catalogue(warehouse, "a")
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    _catalogue(warehouse, "b")
    refused = start_build(warehouse)
    assert (refused.is_full, refused.reason) == (True, "catalogue changed")
    end_build(warehouse, refused.build_id, "gate_closed", closed_gate="marts")
    _catalogue(warehouse, "a")
    again = start_build(warehouse)
    assert (again.is_needed, again.is_full) == (True, True)
    publish(warehouse, again.build_id, _manifest(tmp_path))
    assert start_build(warehouse).is_needed is False


def test_a_build_stops_when_what_it_rests_on_changes_half_way(warehouse: Warehouse) -> None:
    _catalogue(warehouse, "a")
    build = start_build(warehouse)
    check_build(warehouse, build.build_id)
    _catalogue(warehouse, "b")
    with pytest.raises(SupersededError, match="catalogue changed"):
        check_build(warehouse, build.build_id)


def test_the_release_says_since_when_it_is_stale(warehouse: Warehouse, tmp_path: Path) -> None:
    stale = "select release_id, stale_since is not null from marts.dim_release where is_current"
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    build = start_build(warehouse, force=True)
    end_build(warehouse, build.build_id, "gate_closed", closed_gate="marts")
    with warehouse.connect("bi") as connection:
        assert connection.execute(stale).fetchone() == (1, True)
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    with warehouse.connect("bi") as connection:
        assert connection.execute(stale).fetchone() == (1, False)


def test_bi_cannot_write_what_it_reads(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 1.0, "a")])
    for table in ("published.fct_indicator_value", "ops.current_release"):
        with warehouse.connect("bi") as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(sql.SQL("delete from {}").format(sql.Identifier(*table.split("."))))


def _manifest_with_a_view(folder: Path) -> Path:
    """The mart as a view of two that nobody is served, beside one that is not published."""
    file = _manifest(folder)
    nodes = json.loads(file.read_text())["nodes"]
    (node,) = nodes.values()
    node["config"] |= {"materialized": "view"}
    node["depends_on"] = {"nodes": ["model.asms.own", "model.asms.beside", "model.asms.elsewhere"]}
    node["columns"]["load_id"] |= {"data_type": "text"}
    for name in ("own", "beside"):
        columns = {"municipality_code": "text", f"{name}_value": "double precision", "release_from": "bigint"}
        nodes[name] = {
            "resource_type": "model", "schema": "build", "name": name, "description": "Один рядок. / One row.",
            "config": {
                "contract": {"enforced": True}, "materialized": "table",
                "meta": {"key": ["municipality_code"], "is_served": False},
            },
            "columns": {c: {"name": c, "data_type": kind, "description": "x / x"} for c, kind in columns.items()},
        }  # fmt: skip
    nodes["inside"] = {"resource_type": "model", "schema": "build", "config": {"meta": {"is_published": False}}}
    file.write_text(json.dumps({"nodes": nodes}))
    return file


_VIEW = """
create view build.fct_indicator_value as
select own.municipality_code, own.own_value + beside.beside_value as obs_value, 'l' || {} as load_id,
    greatest(own.release_from, beside.release_from) as release_from
from build.own inner join build.beside on own.municipality_code = beside.municipality_code
"""


def _publish_view(warehouse: Warehouse, folder: Path, beside: float, said: int = 1) -> PublishResult:
    with warehouse.connect("transformer") as connection:
        for name in ("own", "beside"):
            connection.execute(f"drop table if exists build.{name} cascade".encode())
            connection.execute(
                f"create table build.{name} (municipality_code text, {name}_value float, release_from bigint)".encode()
            )
        connection.execute("insert into build.own values ('UA1', 1), ('UA2', 2)")
        connection.execute("insert into build.beside values ('UA1', 10), ('UA2', %s)", (beside,))
        connection.execute(_VIEW.format(said).encode())
    build = start_build(warehouse, force=True)
    return publish(warehouse, build.build_id, _manifest_with_a_view(folder))


def test_a_mart_that_is_a_view_is_computed_of_what_its_release_published(warehouse: Warehouse, tmp_path: Path) -> None:
    _publish(warehouse, tmp_path, [("UA1", 0.5, "stored")])
    with warehouse.connect("transformer") as connection:
        connection.execute("drop table build.fct_indicator_value")
    _publish_view(warehouse, tmp_path, 20)
    assert _read(warehouse) == [("UA1", 11.0, 2, 2), ("UA2", 22.0, 2, 2)]
    again = _publish_view(warehouse, tmp_path, 30)
    assert [(c.name, c.inserted_count, c.ended_count) for c in again.tables] == [("beside", 1, 1), ("own", 0, 0)]
    assert _read(warehouse) == [("UA1", 11.0, 3, 2), ("UA2", 32.0, 3, 3)]
    rollback_to(warehouse, 2)
    assert _read(warehouse) == [("UA1", 11.0, 2, 2), ("UA2", 22.0, 2, 2)]
    rollback_to(warehouse, 1)
    assert _read(warehouse) == [("UA1", 0.5, 1, 1)], "from before it was a view"
    with warehouse.connect("bi") as connection:
        told = connection.execute("select load_id from marts.fct_indicator_value").fetchall()
        assert told == [("stored",)]
        assert connection.execute("select to_regclass('marts.own')").fetchone() == (None,)
    _publish_view(warehouse, tmp_path, 30, said=2)
    rollback_to(warehouse, 3)
    with warehouse.connect("bi") as connection:
        told = connection.execute("select distinct load_id from marts.fct_indicator_value").fetchall()
    assert told == [("l2",)], "columns are the same, and what the view says is not"
