"""What is known of releases: their difference, manifest, errata, holding and pruning."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from asms.notify import queue_candidate
from asms.warehouse.build import SupersededError, check_build, held_build, hold_build, start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.difference import compare_candidate, compare_releases
from asms.warehouse.manifest import hash_manifest
from asms.warehouse.migrate import prepare
from asms.warehouse.release import NoReleaseError, ReleasePrunedError, publish, rollback_to
from asms.warehouse.retention import list_releases, note_erratum, prune_releases, read_manifest
from tests.conftest import copied

_FACT = {
    "municipality_code": "text", "indicator_code": "text", "collection_code": "text", "time_period": "text", "sex": "text",
    "period_start": "date", "obs_value": "double precision", "obs_status": "text", "status_reason": "text", "obs_source": "text",
    "unit_measure": "text", "unit_mult": "integer", "is_derived": "boolean", "conf_status": "text", "is_sample": "boolean",
    "submission_id": "text", "load_id": "text",
}  # fmt: skip
_CARD = {"indicator_code": "text", "unit_measure": "text", "formula": "text"}
_KEY = ["municipality_code", "collection_code", "indicator_code", "time_period", "sex"]
_COLUMNS = {
    "fct_indicator_value": _FACT,
    "dim_indicator": _CARD,
    "fct_boundary_event": {"event_id": "text", "municipality_code": "text"},
    "fct_correction": {**dict.fromkeys(_KEY, "text"), "reason": "text", "provider": "text", "is_applied": "boolean"},
}
_KEYS = {
    "fct_indicator_value": _KEY,
    "fct_boundary_event": ["event_id", "municipality_code"],
    "fct_correction": _KEY,
    "dim_indicator": ["indicator_code"],
}

Row = tuple[str, str, float | None, str, str | None]
"""municipality, indicator (one with a D is derived), value, status, submission."""


def write_manifest(folder: Path) -> Path:
    """A manifest of the marts that releases are compared by, reduced to what the publisher reads."""
    nodes = {
        name: {
            "resource_type": "model", "schema": "build", "name": name, "description": "Рядок. / Row.",
            "config": {"contract": {"enforced": True}, "meta": {"key": _KEYS[name], "not_business": ["load_id"]}},
            "columns": {c: {"name": c, "data_type": kind, "description": "x / x"} for c, kind in columns.items()},
        }
        for name, columns in _COLUMNS.items()
    }  # fmt: skip
    folder.mkdir(exist_ok=True, parents=True)
    file = folder / "manifest.json"
    file.write_text(json.dumps({"nodes": nodes}))
    return file


def fill_build(warehouse: Warehouse, rows: list[Row], cards: dict[str, str] | None = None, load_id: str = "l") -> None:
    """Put facts of 2024 and cards (code to formula) into schema ``build``."""
    with warehouse.connect("transformer") as connection:
        for name, columns in _COLUMNS.items():
            spelled = ", ".join(f"{column} {kind}" for column, kind in columns.items())
            connection.execute(f"drop table if exists build.{name}".encode())
            connection.execute(f"create table build.{name} ({spelled})".encode())
        cursor = connection.cursor()
        cursor.executemany(
            "insert into build.fct_indicator_value values "
            "(%s, %s, 'ASMS', '2024', 'T', '2024-01-01', %s, %s, null, null, 'осіб', 0, %s, 'free', true, %s, %s)",
            [(body, code, value, status, ".D" in code, sent, load_id) for body, code, value, status, sent in rows],
        )
        cursor.executemany(
            "insert into build.dim_indicator values (%s, 'осіб', %s)", list((cards or {}).items()) or [("A.1", None)]
        )


def release(
    warehouse: Warehouse, folder: Path, rows: list[Row], cards: dict[str, str] | None = None, edit: str = ""
) -> int:
    """Publish ``rows``; ``edit`` is SQL on schema ``build`` before that."""
    fill_build(warehouse, rows, cards)
    with warehouse.connect("transformer") as connection:
        connection.execute(edit.encode())
    build = start_build(warehouse, force=True)
    return publish(warehouse, build.build_id, write_manifest(folder)).release_id


_FIRST: list[Row] = [
    ("UA1", "A.1", 10.0, "A", "s1"),
    ("UA1", "A.2", 5.0, "A", "s1"),
    ("UA1", "A.D1", 50.0, "A", None),
    ("UA1", "A.D2", 2.0, "A", None),
    ("UA2", "A.1", 7.0, "A", "s2"),
    ("UA2", "A.2", 8.0, "A", "s2"),
]
# UA1 sent a correction that a rule rejects in part; the formula of A.D2 changed; UA2's A.2 went; UA3 came
_SECOND: list[Row] = [
    ("UA1", "A.1", 12.0, "A", "s3"),
    ("UA1", "A.2", None, "M_Q", "s3"),
    ("UA1", "A.D1", 60.0, "A", None),
    ("UA1", "A.D2", 4.0, "A", None),
    ("UA2", "A.1", 7.0, "A", "s4"),
    ("UA3", "A.1", 1.0, "A", "s5"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("releases")


@pytest.fixture(scope="module")
def two(template_warehouse: Warehouse, folder: Path) -> Iterator[Warehouse]:
    """Two releases that differ in every way."""
    with copied(template_warehouse) as warehouse:
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
                "values ('l1', 'submissions', 'd', '1', 'loaded', true);"
                "insert into raw.submission select 's' || n, 'l1', 'sha', 'return' || n || '.xlsx', 'F', '1', 'ASMS', 'UA1', '', "
                "'2024', 1 from generate_series(1, 5) as n;"
                "insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner) "
                "values ('X.LIMIT', 'sql', 'cell', 'error', 'x', 'x', 'x', 'x', 'x');"
                "insert into quality.finding (finding_id, rule_id, severity, dataset, submission_id, indicator_code, sex, "
                "message_uk, message_en, remedy_uk, remedy_en) "
                "values ('f', 'X.LIMIT', 'error', 'submissions', 's3', 'A.2', 'T', 'x', 'x', 'x', 'x')"
            )
        release(warehouse, folder, _FIRST, {"A.D1": "A.1 × A.2", "A.D2": "A.1 ÷ A.2"})
        release(warehouse, folder, _SECOND, {"A.D1": "A.1 × A.2", "A.D2": "A.1 − A.2"})
        yield warehouse


def _changes(found: Any) -> set[tuple[Any, ...]]:
    return {
        (v.kind, v.municipality_code, v.indicator_code, v.old_value, v.new_value, v.cause, v.cause_detail)
        for v in found.values
    }


_EXPECTED = {
    ("changed", "UA1", "A.1", 10.0, 12.0, "return", "return3.xlsx"),
    ("changed", "UA1", "A.2", 5.0, None, "rule", "X.LIMIT"),
    ("changed", "UA1", "A.D1", 50.0, 60.0, "inputs", None),
    ("changed", "UA1", "A.D2", 2.0, 4.0, "catalogue", None),
    ("gone", "UA2", "A.2", 8.0, None, "return", "return2.xlsx"),
    ("new", "UA3", "A.1", None, 1.0, "return", "return5.xlsx"),
}


def test_two_releases_are_told_apart_by_value_and_cause(two: Warehouse, folder: Path) -> None:
    found = compare_releases(two, folder / "manifest.json", 1, 2)
    assert _changes(found) == _EXPECTED  # UA2's A.1 came in another return with the same value
    counts = {table.table_name: (table.new_count, table.gone_count, table.changed_count) for table in found.tables}
    assert counts == {"fct_indicator_value": (1, 1, 5), "dim_indicator": (0, 0, 1)}
    first = {row.indicator_code: row for row in found.indicators}["A.1"]
    assert (first.new_count, first.changed_count, first.municipality_count, first.sum_difference) == (1, 1, 2, 2.0)
    back = compare_releases(two, folder / "manifest.json", 2, 1)
    assert {(v.municipality_code, v.indicator_code, v.old_value, v.new_value) for v in back.values} == {
        (body, code, new, old) for _, body, code, old, new, _, _ in _EXPECTED
    }
    assert compare_releases(two, folder / "manifest.json", 2, 2).tables == []
    with pytest.raises(NoReleaseError, match="no release 9"):
        compare_releases(two, folder / "manifest.json", 1, 9)


def test_what_embargo_and_disclosure_hide_is_told_apart(template_warehouse: Warehouse, folder: Path) -> None:
    """A figure held back, one computed of it and one that is hidden are no news of a return; neither is one that appears."""
    shown: list[Row] = [
        ("UA1", "A.1", 10.0, "A", "s1"), ("UA1", "A.2", 5.0, "A", "s1"), ("UA1", "A.3", 9.0, "A", "s1"),
        ("UA1", "A.D1", 50.0, "A", None), ("UA1", "A.D2", 3.0, "A", None),
    ]  # fmt: skip
    hiding: list[Row] = [("UA1", "A.2", 5.0, "A", "s1"), ("UA1", "A.3", None, "C", "s2")]
    with copied(template_warehouse) as warehouse:
        with warehouse.connect("admin") as connection:
            connection.execute(_SMALL_CATALOGUE)
        release(warehouse, folder, shown)
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into quality.embargo values ('e', null, 'A.1', '2024', '2999-01-01', 'спершу комітет', 'комітет')"
            )
        hide = "update build.fct_indicator_value set status_reason = 'suppressed' where obs_status = 'C'"
        release(warehouse, folder, hiding, edit=hide)
        expected = {
            ("A.1", "gone", "embargo", "спершу комітет"),
            ("A.D1", "gone", "embargo", "спершу комітет"),
            ("A.D2", "gone", "inputs", None),
            ("A.3", "changed", "suppressed", None),
        }
        manifest = folder / "manifest.json"
        told = {
            (v.indicator_code, v.kind, v.cause, v.cause_detail)
            for v in compare_releases(warehouse, manifest, 1, 2).values
        }
        assert told == expected
        revisions = _bi(warehouse, "select indicator_code, kind, reason_class from marts.fct_revision")
        assert set(revisions) == {row[:3] for row in expected}
        with warehouse.connect("admin") as connection:
            connection.execute("update quality.embargo set is_active = false")
        fill_build(warehouse, [*shown[:2], *shown[3:], hiding[1]])
        candidate = start_build(warehouse, force=True).build_id
        with warehouse.connect("transformer") as connection:
            connection.execute(hide)
        hold_build(warehouse, candidate)
        appeared = {(v.indicator_code, v.kind, v.cause) for v in compare_candidate(warehouse, manifest).values}
        assert appeared == {("A.1", "new", "embargo"), ("A.D1", "new", "embargo"), ("A.D2", "new", "inputs")}


_SMALL_CATALOGUE = """
insert into catalogue.collection values ('ASMS', 'x', 'x', true);
insert into catalogue.domain values ('A', 'ASMS', 'x', 'x', 1);
insert into catalogue.indicator (
    indicator_code, version, collection_code, domain_code, name_uk, name_en, unit_measure, unit_mult, decimals, indicator_type,
    is_derived, is_sex_split, aggregation, conf_status, is_prefilled, valid_from
)
select code, 1, 'ASMS', 'A', 'x', 'x', 'x', 0, 0, 'stock', false, false, 'sum', 'free', false, 2020
from unnest(array['A.1', 'A.2', 'A.D1', 'A.D2']) as code;
insert into catalogue.formula_input values (1, 'reported', 'A.1', 'T', 0), (2, 'reported', 'A.2', 'T', 0);
insert into catalogue.formula_term values ('A.D1', 'T', '2020', '9999', 1), ('A.D2', 'T', '2020', '9999', 2);
"""


def test_a_held_candidate_is_compared_published_or_superseded(warehouse: Warehouse, tmp_path: Path) -> None:
    release(warehouse, tmp_path, _FIRST)
    with pytest.raises(NoReleaseError, match="no candidate is held"):
        compare_candidate(warehouse, tmp_path / "manifest.json")
    fill_build(warehouse, _SECOND)
    candidate = start_build(warehouse, force=True).build_id
    hold_build(warehouse, candidate)
    found = compare_candidate(warehouse, tmp_path / "manifest.json", limit=1)
    assert (found.from_release, found.to_release, found.value_count, len(found.values)) == (1, None, 6, 1)
    assert [queue_candidate(warehouse, candidate, found, in_airflow=False) for _ in "12"] == [1, 0], "told once"
    assert [row.release_id for row in list_releases(warehouse)] == [1]
    later = start_build(warehouse, force=True).build_id
    with pytest.raises(SupersededError):
        check_build(warehouse, candidate)
    assert held_build(warehouse) is None
    hold_build(warehouse, later)
    assert publish(warehouse, later, tmp_path / "manifest.json").release_id == 2
    assert held_build(warehouse) is None


def test_the_manifest_says_what_a_release_is_made_of_and_repeats(
    two: Warehouse, template_warehouse: Warehouse, folder: Path
) -> None:
    found = read_manifest(two, 2)
    assert found["sources"]["submissions"]["load_count"] == 1
    assert "load_id" not in found["tables"]["fct_indicator_value"]["columns"]
    assert found["tables"]["fct_indicator_value"]["row_count"] == 6
    with copied(template_warehouse) as again:
        with again.connect("admin") as connection:
            connection.execute(
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
                "values ('l1', 'submissions', 'd', '1', 'loaded', true)"
            )
        release(again, folder, _SECOND, {"A.D1": "A.1 × A.2", "A.D2": "A.1 − A.2"})
        repeated = read_manifest(again, 1)
        assert repeated["manifest_hash"] == found["manifest_hash"] != read_manifest(two, 1)["manifest_hash"]
        assert hash_manifest({key: repeated[key] for key in (
            "catalogue_version", "code_version", "is_sample", "tables", "sources")}) == repeated["manifest_hash"]  # fmt: skip
        with again.connect("admin") as connection:
            connection.execute("delete from ops.release_manifest")
        old = read_manifest(again, 1)
        assert (old["manifest_hash"], old["tables"]["fct_indicator_value"]["row_count"]) == (None, 6), (
            "of a version without"
        )
    with pytest.raises(NoReleaseError, match="no release 9"):
        read_manifest(two, 9)


def test_pruning_removes_rows_that_no_kept_release_shows_and_says_so(warehouse: Warehouse, tmp_path: Path) -> None:
    for value in (1.0, 2.0, 3.0, 4.0):
        release(warehouse, tmp_path, [("UA1", "A.1", value, "A", "s"), ("UA2", "A.1", 9.0, "A", "s")])
    note_erratum(warehouse, 2, "UA1: не та одиниця", "staff")
    assert prune_releases(warehouse, keep=1, is_trial=True).release_ids == [1, 3]
    assert list_releases(warehouse)[-1].is_pruned is False
    done = prune_releases(warehouse, keep=1)
    assert (done.release_ids, done.row_counts["fct_indicator_value"]) == ([1, 3], 2)
    rollback_to(warehouse, 2)
    with warehouse.connect("bi") as connection:
        shown = connection.execute(
            "select obs_value from marts.fct_indicator_value order by municipality_code"
        ).fetchall()
    assert shown == [(2.0,), (9.0,)]
    with pytest.raises(ReleasePrunedError, match="release 3 was pruned"):
        rollback_to(warehouse, 3)
    with pytest.raises(ReleasePrunedError):
        compare_releases(warehouse, tmp_path / "manifest.json", 1, 4)
    assert read_manifest(warehouse, 1)["is_pruned"] is True
    told = {row.release_id: row.errata for row in list_releases(warehouse)}
    assert told == {1: None, 2: "UA1: не та одиниця", 3: None, 4: None}
    with pytest.raises(NoReleaseError):
        note_erratum(warehouse, 9, "x", "staff")


def _bi(warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect("bi") as connection:
        return connection.execute(query.encode()).fetchall()


def test_a_past_release_reads_the_same_until_it_is_pruned(two: Warehouse) -> None:
    query = "select municipality_code, indicator_code, obs_value, obs_status from marts.release_value({})"
    first = _bi(two, query.format(1))
    assert first == [
        (body, code, value, status) for body, code, value, status, _ in sorted(_FIRST, key=lambda r: r[:2])
    ]
    assert len(_bi(two, query.format(2))) == 6
    rollback_to(two, 1)
    assert _bi(two, query.format(1)) == first
    rollback_to(two, 2)
    assert _bi(two, query.format(1)) == first
    with pytest.raises(psycopg.Error, match="there is no release 9") as caught:
        _bi(two, query.format(9))
    assert caught.value.sqlstate == "AS404"
    with two.connect("admin") as connection:
        connection.execute("update ops.release set is_pruned = true where release_id = 1")
    try:
        with pytest.raises(psycopg.Error, match="release 1 was pruned") as caught:
            _bi(two, query.format(1))
        assert caught.value.sqlstate == "AS410"
    finally:
        with two.connect("admin") as connection:
            connection.execute("update ops.release set is_pruned = false")


def test_the_feed_tells_what_changed_since_a_release_and_what_went(two: Warehouse) -> None:
    query = "select kind, municipality_code, indicator_code, old_value, new_value from marts.release_change({})"
    assert set(_bi(two, query.format(1))) == {expected[:5] for expected in _EXPECTED}
    assert _bi(two, query.format(2)) == []


def test_a_revision_says_what_was_what_is_and_why(two: Warehouse) -> None:
    found = _bi(
        two,
        "select municipality_code, indicator_code, old_value, new_value, reason_class, rule_ids, file_name, release_id "
        "from marts.fct_revision",
    )
    assert set(found) == {
        ("UA1", "A.1", 10.0, 12.0, "return", None, "return3.xlsx", 2),
        ("UA1", "A.2", 5.0, None, "rule", "X.LIMIT", "return3.xlsx", 2),
        ("UA1", "A.D1", 50.0, 60.0, "inputs", None, None, 2),
        ("UA1", "A.D2", 2.0, 4.0, "catalogue", None, None, 2),
        ("UA2", "A.2", 8.0, None, "method", None, None, 2),
    }
    rollback_to(two, 1)
    assert _bi(two, "select * from marts.fct_revision") == []
    rollback_to(two, 2)


def test_a_view_that_a_migration_renews_is_there_before_the_next_release(two: Warehouse) -> None:
    migration = "0170_revisions_as_a_view.sql"

    def migrate_again(edit: str = "") -> list[tuple[Any, ...]]:
        with two.connect("admin") as connection:
            connection.execute(f"delete from public.migration where name = '{migration}'; {edit}".encode())
        assert prepare(two) == [migration]
        return _bi(two, "select to_regclass('marts.fct_revision') is not null")

    older = "alter table published.fct_indicator_value rename column {} to {}"
    assert migrate_again(older.format("obs_source", "other")) == [(False,)], "tables of an older version lack a column"
    assert migrate_again(older.format("other", "obs_source")) == [(True,)]
    assert len(_bi(two, "select * from marts.fct_revision")) == 5


_REGISTER = "update build.fct_indicator_value set obs_source = 'register' where indicator_code = 'A.3';"
_BEFORE: list[Row] = [
    ("UA1", "A.1", 10.0, "A", "s1"), ("UA1", "A.2", None, "M_NR", "s1"), ("UA1", "A.3", 5.0, "A", None),
    ("UA2", "A.1", 7.0, "A", "s2"), ("UA2", "A.D1", 3.0, "A", None), ("UA3", "A.1", 9.0, "A", "s5"),
    ("UA4", "A.D1", 1.0, "A", None),
]  # fmt: skip
# UA1 sent another return, with what had been missing; a register restated; staff corrected UA2; UA3 withdrew; UA4 has other bounds
_AFTER: list[Row] = [
    ("UA1", "A.1", 12.0, "A", "s3"), ("UA1", "A.2", 4.0, "A", "s3"), ("UA1", "A.3", 6.0, "A", None),
    ("UA2", "A.1", 70.0, "R", "s2"), ("UA2", "A.D1", 30.0, "A", None), ("UA4", "A.D1", 2.0, "A", None),
]  # fmt: skip
_EVENTS = """
update build.fct_indicator_value set obs_source = 'corrected' where municipality_code = 'UA2' and indicator_code = 'A.1';
insert into build.fct_correction values ('UA2', 'ASMS', 'A.1', '2024', 'T', 'пропущено нуль', 'рада', true);
insert into build.fct_boundary_event values ('e1', 'UA4');
"""


def test_every_reason_is_told_counted_and_fed(template_warehouse: Warehouse, folder: Path) -> None:
    with copied(template_warehouse) as warehouse:
        assert _bi(warehouse, "select * from marts.change_since(now())") == [], "no release yet"
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
                "values ('l1', 'submissions', 'd', '1', 'loaded', true);"
                "insert into raw.submission select 's' || n, 'l1', 'sha', 'return' || n || '.xlsx', 'F', '1', 'ASMS', 'UA1', "
                "'перша громада', '2024', 1 from generate_series(1, 5) as n;"
            )
        release(warehouse, folder, _BEFORE, edit=_REGISTER)
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample) "
                "values ('w', 'submissions', 'staff', 'w', 1, 'sha', 1, 9, true);"
                "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
                "values ('lw', 'submissions', 'w', '1', 'loaded', true);"
                "insert into raw.submission_withdrawal values ('w', 'lw', 'ASMS', 'UA3', '2024', 'не той рік', 'хтось')"
            )
        release(warehouse, folder, _AFTER, edit=_REGISTER + _EVENTS)
        release(warehouse, folder, [*_AFTER[1:], ("UA1", "A.1", 11.0, "A", "s3")], edit=_REGISTER + _EVENTS)
        revisions = _bi(
            warehouse,
            "select release_id, municipality_code, indicator_code, kind, reason_class, reason, told_by from marts.fct_revision",
        )
        assert set(revisions) == {
            (2, "UA1", "A.1", "changed", "return", None, "перша громада"),
            (2, "UA1", "A.2", "changed", "late", None, "перша громада"),
            (2, "UA1", "A.3", "changed", "source", None, None),
            (2, "UA2", "A.1", "changed", "correction", "пропущено нуль", "рада"),
            (2, "UA2", "A.D1", "changed", "inputs", None, None),
            (2, "UA3", "A.1", "gone", "withdrawn", "не той рік", None),
            (2, "UA4", "A.D1", "changed", "boundary", None, None),
            (3, "UA1", "A.1", "changed", "method", None, None),
        }
        statistics = _bi(
            warehouse,
            "select indicator_code, value_count, revised_count, revised_share, revision_count, upward_count, mean_revision, "
            "mean_absolute_revision, relative_mean_absolute_revision, gone_count, last_release_id "
            "from marts.mart_revision_statistics order by 1",
        )
        assert statistics == [
            ("A.1", 2, 2, 1.0, 3, 2, 32.0, 32.0, 64 / 81, 1, 3),
            ("A.2", 1, 0, 0.0, 0, 0, 0.0, 0.0, 0.0, 0, None),
            ("A.3", 1, 1, 1.0, 1, 1, 1.0, 1.0, 1 / 6, 0, 2),
            ("A.D1", 2, 2, 1.0, 2, 2, 14.0, 14.0, 28 / 32, 0, 2),
        ]
        # final where the deadline is over; a figure that changed before its end was never final
        statuses = "select municipality_code, indicator_code, value_status from marts.fct_value_status order by 1, 2"
        told = _bi(warehouse, statuses)
        assert {status for *_, status in told} == {"revised", "validated"}, "no deadline is known"
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into catalogue.collection values ('ASMS', 'x', 'x', true);"
                "insert into catalogue.deadline values ('ASMS', '2024', '2999-01-01')"
            )
        assert {status for *_, status in _bi(warehouse, statuses)} == {"preliminary", "revised"}
        with warehouse.connect("admin") as connection:
            connection.execute("update catalogue.deadline set due_date = '2020-01-01'")
        assert _bi(warehouse, statuses) == [
            ("UA1", "A.1", "revised"), ("UA1", "A.2", "final"), ("UA1", "A.3", "revised"), ("UA2", "A.1", "revised"),
            ("UA2", "A.D1", "revised"), ("UA4", "A.D1", "revised"),
        ]  # fmt: skip
        feed = (
            "select kind, municipality_code, indicator_code, old_value, new_value, changed_in from marts.change_since("
            "(select published_at from marts.dim_release where release_id = {}) + interval '{}')"
        )
        assert _bi(warehouse, feed.format(1, "0")) == [
            ("changed", "UA1", "A.2", None, 4.0, 2), ("changed", "UA1", "A.3", 5.0, 6.0, 2),
            ("changed", "UA2", "A.1", 7.0, 70.0, 2), ("changed", "UA2", "A.D1", 3.0, 30.0, 2),
            ("gone", "UA3", "A.1", 9.0, None, 2), ("changed", "UA4", "A.D1", 1.0, 2.0, 2),
            ("changed", "UA1", "A.1", 10.0, 11.0, 3),
        ]  # fmt: skip
        of_one = feed.replace("interval '{}')", "interval '{}', 'UA2')")
        assert _bi(warehouse, of_one.format(1, "0")) == [
            row for row in _bi(warehouse, feed.format(1, "0")) if row[1] == "UA2"
        ]
        assert _bi(warehouse, feed.format(2, "0")) == [("changed", "UA1", "A.1", 12.0, 11.0, 3)]
        assert _bi(warehouse, feed.format(3, "0")) == []
        assert {row[0] for row in _bi(warehouse, feed.format(1, "-1 second"))} == {"new"}
        # 0.1 and 0.2 and 0.3 more than before: added up as doubles in this order they are 0.6000000000000001
        with warehouse.connect("admin") as connection:
            connection.execute(
                "insert into published.fct_indicator_value (municipality_code, collection_code, indicator_code, time_period, sex, "
                "obs_value, release_from, release_to) "
                "select 'UA' || n, 'ASMS', 'A.4', '2024', 'T', n * value / 10.0, edge, nullif(edge + 1, 3) "
                "from generate_series(1, 3) as n cross join (values (1, 1), (2, 2)) as told (edge, value) order by n"
            )
        assert _bi(
            warehouse,
            "select mean_revision, mean_absolute_revision, relative_mean_absolute_revision from marts.mart_revision_statistics "
            "where indicator_code = 'A.4'",
        ) == [(0.6 / 3, 0.6 / 3, 0.6 / 1.2)]
