"""Publishing: from schema ``build`` to the views of ``marts``, all of it or nothing.

Published tables keep validity ranges: a row stands from ``release_from`` up to, not including, ``release_to``. A release writes
what changed, then moves the pointer in ``ops.current_release``; the views join the pointer. So a reader sees one release, waits for
nobody, and every past release can be read. The tables' and views' DDL and comments come from the contracts in dbt's
``manifest.json``. A mart that dbt makes a view is stored nowhere: what its view says of schema ``build`` is said of the
published rows of the same marts.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from asms.warehouse.build import code_version
from asms.warehouse.connection import Warehouse, read_number
from asms.warehouse.manifest import record_manifest

_LOG = logging.getLogger(__name__)
PUBLISH_LOCK = 0x41534D50
_HASH_MODULUS = 1 << 60
FACT_TABLE = "fct_indicator_value"


class PublishError(RuntimeError):
    """The build may not be published; nothing was changed."""


class ReconciliationError(PublishError):
    """What would be published is not what was built."""


class BreakingChangeError(PublishError):
    """A contract changed in a way that readers cannot follow."""


class NoReleaseError(PublishError):
    """There is no such release."""


class ReleasePrunedError(PublishError):
    """The rows of the release are gone by the retention rule; its manifest is still there."""


@dataclass(frozen=True)
class Mart:
    """The contract of one mart, as dbt's manifest states it."""

    name: str
    description: str
    columns: tuple[tuple[str, str, str], ...]
    """Name, data type, description."""
    key: tuple[str, ...]
    not_business: frozenset[str]
    """Columns whose change alone makes no new version of a row (which load brought it)."""
    redo_by: str | None
    """Which rows a build that is not full may have changed (a key of ``_REDONE``); None: any."""
    is_served: bool = True
    """False: no view in ``marts``; its rows are read by views of other marts."""
    reads: tuple[str, ...] | None = None
    """Of a mart that is a view: the marts that it reads. None: its rows are stored."""

    @property
    def column_names(self) -> list[str]:
        return [name for name, _, _ in self.columns]

    @property
    def business_names(self) -> list[str]:
        return [name for name in self.column_names if name not in self.not_business]


@dataclass(frozen=True)
class TableChange:
    """What a release did to one table."""

    name: str
    row_count: int
    inserted_count: int
    ended_count: int
    content_hash: str


@dataclass(frozen=True)
class PublishResult:
    """``release_id`` is the release that readers see now; ``is_new`` tells whether this call made it."""

    release_id: int
    is_new: bool
    tables: tuple[TableChange, ...]


def read_contracts(manifest: Path) -> list[Mart]:
    """Read the contracts of the marts (models in schema ``build``) from dbt's manifest, but for those that are not published.

    Raises:
        PublishError: a mart without an enforced contract, a key, a typed column or a description.
    """
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    marts = []
    for node in nodes:
        if node["resource_type"] != "model" or node["schema"] != "build":
            continue
        meta = node["config"].get("meta", {})
        if not meta.get("is_published", True):
            continue
        columns = tuple(
            (c["name"], c["data_type"] or "", c["description"])
            for c in node["columns"].values()
            if c["name"] != "release_from"  # a place for what this module writes
        )
        key = tuple(meta.get("key", ()))
        if not (node["config"]["contract"]["enforced"] and key and all(kind and text for _, kind, text in columns)):
            raise PublishError(
                f"mart {node['name']} needs an enforced contract, meta.key, and a type and description per column"
            )
        not_business = frozenset(meta.get("not_business", ()))
        is_by_key = node["config"].get("incremental_strategy") == "changed_keys"
        redo_by = meta.get("redo_by", "municipality") if is_by_key else None
        is_view = node["config"].get("materialized") == "view"
        reads = tuple(name.rsplit(".", 1)[-1] for name in node["depends_on"]["nodes"]) if is_view else None
        is_served = meta.get("is_served", True)
        marts.append(Mart(node["name"], node["description"], columns, key, not_business, redo_by, is_served, reads))
    if not marts:
        raise PublishError(f"{manifest} has no marts: build the marts layer first")
    return _in_order(marts)


@retry(
    # an open reader of a view that must be re-made holds us up: give way, then try again
    retry=retry_if_exception_type((psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(max=10),
    reraise=True,
)
def publish(
    warehouse: Warehouse,
    build_id: int,
    manifest: Path,
    *,
    note: str | None = None,
    before_commit: Callable[[], None] | None = None,
) -> PublishResult:
    """Publish schema ``build`` as a new release, in one transaction; no new release when nothing differs.

    ``before_commit`` is called when all is written and nothing is committed (tests kill the process there).

    Raises:
        ReconciliationError: counts, sums or hashes of what is published differ from what was built.
        BreakingChangeError: a column was dropped or changed its type without a new model version.
        PublishError: the build is not the running one.
    """
    marts = read_contracts(manifest)
    with warehouse.connect("publisher") as connection:
        connection.execute("set local lock_timeout = '5s'")
        connection.execute("set local work_mem = '192MB'")
        # Changed rows are fetched by where they lie. At the default of 4 the planner reads all of a table for a hundredth of it.
        connection.execute("set local random_page_cost = 1.1")
        connection.execute("select pg_advisory_xact_lock(%s)", (PUBLISH_LOCK,))
        _check_running(connection, build_id)
        highest = read_number(connection, "select coalesce(max(release_id), 0) from ops.release")
        new = highest + 1
        stored = {mart.name: mart for mart in marts if mart.reads is None}
        for mart in stored.values():
            _shape_table(connection, mart)
        for mart in marts:
            if mart.is_served:
                _shape_view(connection, mart, stored)
        shape_own_views(connection, is_widened=True)
        changes = _write_marts(connection, marts, build_id, new, highest, is_full=_is_full(connection, build_id))
        is_new = any(change.inserted_count or change.ended_count for change in changes)
        release_id = new if is_new else highest
        if is_new:
            _record_release(connection, warehouse, build_id, new, changes, note)
        _record_inputs(connection, build_id, release_id)
        if is_new:
            _record_disclosed(connection, new)
            record_manifest(connection, new, {name: mart.business_names for name, mart in stored.items()})
        connection.execute(
            "update ops.build set status = %s, release_id = %s, finished_at = now() where build_id = %s",
            ("published" if is_new else "unchanged", release_id, build_id),
        )
        if before_commit:
            before_commit()
    _LOG.info("release %s: %s", release_id, "published" if is_new else "nothing differs")
    return PublishResult(release_id, is_new, tuple(changes))


def rollback_to(warehouse: Warehouse, release_id: int) -> None:
    """Let the marts show ``release_id`` again: a move of the pointer. The next release is still numbered after the highest.

    Raises:
        NoReleaseError: there is no such release.
        ReleasePrunedError: its rows are gone.
    """
    with warehouse.connect("publisher") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (PUBLISH_LOCK,))
        check_release(connection, release_id)
        connection.execute("update ops.current_release set release_id = %s", (release_id,))


def check_release(connection: psycopg.Connection, release_id: int) -> None:
    """Raise NoReleaseError or ReleasePrunedError unless the rows of ``release_id`` can be read."""
    row = connection.execute("select is_pruned from ops.release where release_id = %s", (release_id,)).fetchone()
    if row is None:
        raise NoReleaseError(f"there is no release {release_id}: list them with asms release list")
    if row[0]:
        raise ReleasePrunedError(
            f"release {release_id} was pruned: its manifest stands (asms release show {release_id}), its rows are gone; "
            "raw is whole, so its commit and asms rebuild make it again"
        )


# The rows that a build which is not full may have made otherwise than they are published, as dbt's macro `redo_condition` has
# them. Unpublished keys stay in ops.changed_key until they are published, so the other rows are equal. What is told of groups
# changes with a cell of any of their bodies; facts come first (`_in_order`), so their changes are known.
_REDONE = {
    # The bodies first, by the index that begins with them: no index has the year of a period, and all history would be read.
    # `is true` keeps the keys from being joined: each year of a body would read all its history.
    "municipality": (
        "municipality_code = any(array(select distinct municipality_code from ops.changed_key)) "
        "and ((municipality_code, left(time_period, 4)) in (select municipality_code, time_period from ops.changed_key)) is true"
    ),
    "municipality_and_next_year": (
        "municipality_code = any(array(select distinct municipality_code from ops.changed_key)) "
        "and ((municipality_code, left(time_period, 4)) in (select municipality_code, time_period from ops.changed_key union "
        "select municipality_code, (time_period::integer + 1)::text from ops.changed_key)) is true"
    ),
    "year": "left(time_period, 4) in (select time_period from ops.changed_key)",
    "area": "left(time_period, 4) in (select time_period from ops.changed_key)",
    "peer_group": "(indicator_code, sex, time_period) in (select indicator_code, sex, time_period from changed_cell)",
    "budget_name": "municipality_code = any(array(select municipality_code from named_body))",
}

_CHANGED_CELLS = f"""
create temporary table if not exists changed_cell on commit drop as
select distinct indicator_code, sex, time_period
from published.{FACT_TABLE}
where release_from = %(new)s or release_to = %(new)s
"""  # noqa: S608 - the table's name is a constant

# A name changes for all budgets at once; classifications are written before what bears their names.
_NAMED_BODIES = """
create temporary table if not exists named_body on commit drop as
select municipality_code from ops.changed_key
union
select tree.municipality_code
from published.dim_budget_classification as named
inner join published.mart_budget_tree as tree
    on
        named.budget_item = tree.budget_item
        and named.classification_type = tree.classification_type
        and named.classification_code = tree.classification_code
where (named.release_from = %(new)s or named.release_to = %(new)s) and tree.release_to is null
"""

# The temporary table that tells which rows were redone, where the changed keys do not.
_TOLD_BY = {"peer_group": ("changed_cell", _CHANGED_CELLS), "budget_name": ("named_body", _NAMED_BODIES)}


# What the release tells or hides of the cells whose small counts are hidden: of what changed, or of all in the first release that
# writes it down. That a figure is gone is told as well, of what had been hidden.
_DISCLOSED = """
with

shown as (

    select
        'reported' as subject_kind, fact.municipality_code as subject_code, fact.collection_code, fact.indicator_code,
        fact.time_period, fact.sex, fact.release_from, fact.release_to, fact.obs_value,
        fact.status_reason is not distinct from 'suppressed' as is_hidden
    from published.fct_indicator_value as fact
    union all
    select
        'area' as subject_kind, total.area_code as subject_code, total.collection_code, total.indicator_code,
        total.time_period, total.sex, total.release_from, total.release_to, total.obs_value, total.obs_status = 'C' as is_hidden
    from published.fct_area_value as total
    union all
    select
        'reported' as subject_kind, past.municipality_code as subject_code, past.collection_code, past.indicator_code,
        past.time_period, past.sex, past.release_from, past.release_to, past.obs_value, false as is_hidden
    from published.fct_observation_history as past
    where past.obs_value is not null

)

insert into ops.disclosed (
    subject_kind, subject_code, collection_code, indicator_code, time_period, sex, obs_value, is_hidden, release_id
)
select distinct
    shown.subject_kind, shown.subject_code, shown.collection_code, shown.indicator_code, shown.time_period, shown.sex,
    case when shown.release_to is null then coalesce(shown.obs_value, known.obs_value) end,
    shown.is_hidden and shown.release_to is null,
    %(new)s
from shown
inner join catalogue.disclosure_cell as cell on shown.indicator_code = cell.indicator_code and shown.sex = cell.sex
left join indicators.int_disclosure__cell as known
    on
        shown.is_hidden
        and shown.subject_kind = 'reported'
        and shown.subject_code = known.municipality_code
        and shown.collection_code = known.collection_code
        and shown.indicator_code = known.indicator_code
        and shown.time_period = known.time_period
        and shown.sex = known.sex
where
    {condition}
    and (
        shown.obs_value is not null
        or shown.is_hidden
        or exists (
            select 1
            from ops.disclosed as before
            where
                before.is_hidden
                and before.time_period = shown.time_period
                and before.indicator_code = shown.indicator_code
                and before.subject_code = shown.subject_code
                and before.sex = shown.sex
        )
    )
on conflict do nothing
"""


_DISCLOSED_CHANGES = """
(
    shown.release_from = %(new)s and shown.release_to is null
    or shown.release_to = %(new)s and shown.is_hidden and shown.subject_kind = 'reported' and not exists (
        select 1
        from published.fct_indicator_value as present
        where
            present.release_to is null
            and present.municipality_code = shown.subject_code
            and present.collection_code = shown.collection_code
            and present.indicator_code = shown.indicator_code
            and present.time_period = shown.time_period
            and present.sex = shown.sex
    )
)
"""


def _record_disclosed(connection: psycopg.Connection, new: int) -> None:
    row = connection.execute(
        "select bool_and(to_regclass(name) is not null), not exists (select 1 from ops.disclosed) from unnest(%s::text[]) as name",
        (
            [
                "published.fct_indicator_value", "published.fct_area_value", "published.fct_observation_history",
                "indicators.int_disclosure__cell",
            ],
        ),
    ).fetchone()  # fmt: skip
    if row and row[0]:
        condition = "shown.release_to is null" if row[1] else _DISCLOSED_CHANGES
        if row[1]:  # of tables that were filled a moment ago the planner knows nothing, and takes them for small
            connection.execute("set local enable_nestloop = off")
        connection.execute(sql.SQL(_DISCLOSED).format(condition=sql.SQL(condition)), {"new": new})
        connection.execute("set local enable_nestloop to default")


def _in_order(marts: Sequence[Mart]) -> list[Mart]:
    """Facts first: what else may have changed is told from them."""
    return sorted(marts, key=lambda mart: (mart.name != FACT_TABLE, mart.name))


def _is_full(connection: psycopg.Connection, build_id: int) -> bool:
    row = connection.execute(
        "select is_full or not exists (select 1 from ops.changed_key) from ops.build where build_id = %s", (build_id,)
    ).fetchone()
    return row is None or bool(row[0])


@dataclass(frozen=True)
class _Extent:
    """Which rows of a mart may differ from those published: a condition on ``mart``, and the number of all rows if they were read."""

    condition: sql.Composable
    built_count: int | None = None


_ALL = _Extent(sql.SQL("true"))
_MOST_BY_INDEX = 0.2
"""Up to this share of a mart its rows are found by index; above it all of it is read."""


def _extent(
    connection: psycopg.Connection, mart: Mart, build_id: int, published_count: int, *, is_full: bool
) -> _Extent:
    """The rows that the build made anew; of a full build, or of a mart without an extent, what a comparison of groups finds.

    A group is a body (or whatever the key begins with) and a period. Both sides are added up by group, which holds a row a group
    and not one a row, and only what differs is compared row by row.
    """
    if not is_full and mart.redo_by is not None:
        return _Extent(sql.SQL(_REDONE[mart.redo_by]))
    if published_count == 0:
        return _ALL
    group = _names([mart.key[0], *(name for name in mart.key[1:] if name == "time_period")])
    connection.execute("drop table if exists pg_temp.compared_group")
    connection.execute(
        sql.SQL(
            "create temporary table compared_group on commit drop as "
            "select {group}, count(*) filter (where is_built) as built_count, "
            "count(*) filter (where is_built) <> count(*) filter (where not is_built) "
            "or sum(content) filter (where is_built) <> sum(content) filter (where not is_built) as is_changed from ("
            "  select {group}, {content} as content, true as is_built from {build} as mart"
            "  union all"
            "  select {group}, {content} as content, false as is_built from {published} as mart where release_to is null"
            ") as compared group by {group}"
        ).format(
            group=group,
            content=_content(mart),
            build=sql.Identifier("build", mart.name),
            published=sql.Identifier("published", mart.name),
        ),
        {"seed": build_id},
    )
    connection.execute("analyze compared_group")
    row = connection.execute(
        "select coalesce(sum(built_count), 0)::bigint, coalesce(sum(built_count) filter (where is_changed), 0)::bigint "
        "from compared_group"
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    built_count, changed_count = row
    if changed_count > _MOST_BY_INDEX * built_count:
        return _Extent(_ALL.condition, built_count)
    differing = sql.SQL(
        "{first} = any(array(select distinct {first} from compared_group where is_changed)) "
        "and (({group}) in (select {group} from compared_group where is_changed)) is true"
    )
    return _Extent(differing.format(first=sql.Identifier(mart.key[0]), group=group), built_count)


def _check_running(connection: psycopg.Connection, build_id: int) -> None:
    row = connection.execute("select status from ops.build where build_id = %s for update", (build_id,)).fetchone()
    if row is None or row[0] not in ("running", "held"):
        raise PublishError(f"build {build_id} is {row[0] if row else 'unknown'}, so it cannot be published")


def _shape_table(connection: psycopg.Connection, mart: Mart) -> None:
    """Make or widen ``published.<mart>``; refuse what readers could not follow."""
    table = sql.Identifier("published", mart.name)
    existing = _columns(connection, "published", mart.name)
    wanted = {name: kind for name, kind, _ in mart.columns}
    if not existing:
        definitions = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in wanted.items()]
        connection.execute("set local role asms_published_owner")
        connection.execute(
            sql.SQL("create table {} ({}, release_from bigint not null, release_to bigint)").format(
                table, sql.SQL(", ").join(definitions)
            )
        )
        connection.execute("reset role")
        existing = _columns(connection, "published", mart.name)
    gone = sorted(set(existing) - set(wanted) - {"release_from", "release_to"})
    changed = sorted(
        name for name in set(existing) & set(wanted) if existing[name] != _canonical_type(connection, wanted[name])
    )
    if gone or changed:
        raise BreakingChangeError(
            f"{mart.name}: columns dropped: {gone or 'none'}; types changed: {changed or 'none'}. Readers rely on them: "
            "keep them, or publish the new shape as a new version of the dbt model"
        )
    added = [name for name in wanted if name not in existing]
    if added:
        connection.execute("set local role asms_published_owner")
        for name in added:
            connection.execute(
                sql.SQL("alter table {} add column {} {}").format(table, sql.Identifier(name), sql.SQL(wanted[name]))
            )
        connection.execute("reset role")
    _comment(connection, "asms_published_owner", "table", "published", mart)


def _index_table(connection: psycopg.Connection, mart: Mart) -> None:
    """Index ``published.<mart>`` when it has been filled for the first time: sorted once, an index is a quarter smaller than grown."""
    table = sql.Identifier("published", mart.name)
    row = connection.execute(
        "select relhasindex from pg_catalog.pg_class where oid = to_regclass(%s)", (f"published.{mart.name}",)
    ).fetchone()
    if row is not None and row[0]:
        return
    connection.execute("set local role asms_published_owner")
    # A plain index: through the pointer the planner cannot use one that is partial on release_to.
    connection.execute(sql.SQL("create index on {} ({})").format(table, _names(mart.key)))
    connection.execute(sql.SQL("create index on {} (release_from)").format(table))
    connection.execute(sql.SQL("create index on {} (release_to) where release_to is not null").format(table))
    connection.execute("reset role")


def _shape_view(connection: psycopg.Connection, mart: Mart, stored: Mapping[str, Mart]) -> None:
    """Make ``marts.<mart>``, or make it anew when it changed; leave it alone otherwise, since that needs a lock."""
    wanted = [*mart.column_names, "release_id", "release_from"]
    existing = _columns(connection, "marts", mart.name)
    query = _stored_rows(mart) if mart.reads is None else _computed_rows(connection, mart, stored)
    if list(existing) != wanted or (mart.reads is not None and not _says(connection, mart.name, query)):
        view = sql.Identifier("marts", mart.name)
        connection.execute("set local role asms_marts_owner")
        if existing:
            connection.execute(sql.SQL("drop view {}").format(view))
        connection.execute(sql.SQL("create view {} as {}").format(view, query))
        connection.execute("reset role")
    _comment(connection, "asms_marts_owner", "view", "marts", mart)


def _stored_rows(mart: Mart) -> sql.Composed:
    return sql.SQL(
        "select {}, current_release.release_id, mart.release_from "
        "from published.{} as mart cross join ops.current_release "
        "where mart.release_from <= current_release.release_id "
        "and (mart.release_to is null or mart.release_to > current_release.release_id)"
    ).format(_names(mart.column_names, "mart"), sql.Identifier(mart.name))


def _computed_rows(connection: psycopg.Connection, mart: Mart, stored: Mapping[str, Mart]) -> sql.Composed:
    """What the view in schema ``build`` says, of the published rows. A CTE that is read once is planned as if it stood there.

    Releases from before the mart was a view have their rows in ``published``; they are shown as they were.
    """
    released = sql.SQL(
        # The pointer by a subquery is asked once, and not for every row that is looked up. `coalesce` keeps the planner from the
        # index on release_from, of which it would read all.
        "select {}, release_from from published.{} "
        "where coalesce(release_from, 0) <= (select release_id from ops.current_release) "
        "and (release_to is null or release_to > (select release_id from ops.current_release))"
    )
    read = [stored[name] for name in mart.reads or () if name in stored]
    # names in reach are told without their schema, so that they find the CTEs
    connection.execute("set local search_path = build")
    row = connection.execute("select pg_get_viewdef(to_regclass(%s))", (f"build.{mart.name}",)).fetchone()
    connection.execute("set local search_path to default")
    if row is None or row[0] is None:
        raise PublishError(f"there is no view build.{mart.name}: build the marts layer first")
    rows = [
        sql.SQL("select {}, release_from from ({}) as computed").format(
            _names(mart.column_names), sql.SQL(row[0].rstrip(";"))
        )
    ]
    if _columns(connection, "published", mart.name):
        rows.append(released.format(_names(mart.column_names), sql.Identifier(mart.name)))
    return sql.SQL(
        "with {} select {}, (select release_id from ops.current_release) as release_id, mart.release_from from ({}) as mart"
    ).format(
        sql.SQL(", ").join(
            sql.SQL("{} as ({})").format(
                sql.Identifier(one.name), released.format(_names(one.column_names), sql.Identifier(one.name))
            )
            for one in read
        ),
        _names(mart.column_names, "mart"),
        sql.SQL(" union all ").join(rows),
    )


def _says(connection: psycopg.Connection, name: str, query: sql.Composed) -> bool:
    """Whether the view in ``marts`` is this query: told by what the server writes of either."""
    connection.execute(sql.SQL("create or replace temporary view wanted as {}").format(query))
    row = connection.execute(
        "select pg_get_viewdef(to_regclass(%s)) is not distinct from pg_get_viewdef('pg_temp.wanted'::regclass)",
        (f"marts.{name}",),
    ).fetchone()
    connection.execute("drop view pg_temp.wanted")
    return row is not None and bool(row[0])


# Views of marts that are no dbt models, and the published tables that each reads or is read beside.
_OWN_VIEWS = {
    "explain_value": ("fct_indicator_value", "fct_register_value", "dim_indicator_history"),
    "fct_revision": ("fct_indicator_value", "dim_indicator", "fct_boundary_event", "fct_correction"),
    "fct_value_status": ("fct_indicator_value", "dim_indicator"),
    "mart_revision_statistics": ("fct_indicator_value", "dim_indicator"),
}


def shape_own_views(connection: psycopg.Connection, *, is_widened: bool) -> None:
    """Make each of ``_OWN_VIEWS`` that is not there once the tables it reads are; a migration that drops one renews it.

    ``is_widened`` False: published tables may be those of an older version, and what reads columns that they lack is left to the
    next release.
    """
    for view, names in _OWN_VIEWS.items():
        is_wanted = connection.execute(
            "select to_regclass(%s) is null and bool_and(to_regclass('published.' || name) is not null) "
            "from unnest(%s::text[]) as name",
            (f"marts.{view}", list(names)),
        ).fetchone()
        if is_wanted and is_wanted[0]:
            try:
                with connection.transaction():
                    connection.execute("set local role asms_marts_owner")
                    connection.execute(files("asms.warehouse").joinpath(f"views/{view}.sql").read_bytes())
                    connection.execute("reset role")
            except psycopg.errors.UndefinedColumn:
                if is_widened:
                    raise


_RELEASE_COLUMNS = (
    ("release_id", "Поточний випуск даних. / The current release of the data."),
    ("release_from", "Випуск, з якого цей рядок чинний. / The release since which this row stands."),
)


def _comment(connection: psycopg.Connection, owner: str, kind: str, schema: str, mart: Mart) -> None:
    """Copy the descriptions; only those that differ, so that a quiet night takes no locks."""
    found = connection.execute(
        "select coalesce(attribute.attname, ''), description.description from pg_catalog.pg_description as description "
        "left join pg_catalog.pg_attribute as attribute "
        "on description.objoid = attribute.attrelid and description.objsubid = attribute.attnum and attribute.attnum > 0 "
        "where description.objoid = to_regclass(%s)",
        (f"{schema}.{mart.name}",),
    ).fetchall()
    present: dict[str, str] = dict(found)
    wanted = {"": mart.description, **{name: text for name, _, text in mart.columns}}
    if schema == "marts":
        wanted.update(_RELEASE_COLUMNS)
    stale = {name: text for name, text in wanted.items() if present.get(name) != text}
    if not stale:
        return
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(owner)))
    for name, text in stale.items():
        target = (
            sql.SQL("column {}").format(sql.Identifier(schema, mart.name, name))
            if name
            else sql.SQL("{} {}").format(sql.SQL(kind), sql.Identifier(schema, mart.name))
        )
        connection.execute(sql.SQL("comment on {} is {}").format(target, sql.Literal(text)))
    connection.execute("reset role")


def _write_marts(
    connection: psycopg.Connection, marts: Sequence[Mart], build_id: int, new: int, highest: int, *, is_full: bool
) -> list[TableChange]:
    """Write what changed of every stored mart, and compare it with what was built."""
    stored = [mart for mart in marts if mart.reads is None]
    changes = []
    for mart in stored:
        if mart.redo_by in _TOLD_BY and not is_full:
            table, statement = _TOLD_BY[mart.redo_by]
            connection.execute(statement, {"new": new})
            connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))
        changes.append(_write_changes(connection, mart, build_id, new, highest, is_full=is_full))
    for mart in marts:
        if mart.reads is not None and _columns(connection, "published", mart.name):  # it was stored before
            connection.execute(
                sql.SQL("update published.{} set release_to = %s where release_to is null").format(
                    sql.Identifier(mart.name)
                ),
                (new,),
            )
    return changes


def _write_changes(
    connection: psycopg.Connection, mart: Mart, build_id: int, new: int, highest: int, *, is_full: bool
) -> TableChange:
    """End the rows that changed or went, insert those that changed or came. Compared with the highest release, also after a rollback.

    Both sides are read once, and joined by 64 bits of each row: the join holds a few bytes of a row where the rows of ten years
    would go to disk. Two rows with equal bits (once in 50,000 comparisons of ten years) are refused by `_reconcile`, and differ
    in the next build, whose bits are others.
    """
    before = connection.execute(
        "select row_count, content_hash from ops.release_table where release_id = %s and table_name = %s",
        (highest, mart.name),
    ).fetchone()
    stood, stood_hashes = (int(before[0]), int(before[1], 16)) if before else (0, 0)
    extent = _extent(connection, mart, build_id, stood, is_full=is_full)
    parts = {
        "published": sql.Identifier("published", mart.name),
        "build": sql.Identifier("build", mart.name),
        "columns": _names(mart.column_names),
        "build_columns": _names(mart.column_names, "mart"),
        "first_key": sql.Identifier(mart.key[0]),
        "content": _content(mart),
        # 60 bits of a row's md5, returned in place of the row: all rows of a first release are more than memory holds
        "bits": sql.SQL("('x' || substr(md5(row({})::text), 1, 15))::bit(60)::bigint as bits").format(
            _names(mart.business_names, "mart")
        ),
        "redone": extent.condition,
    }
    connection.execute("drop table if exists pg_temp.change")
    connection.execute(
        sql.SQL(
            "create temporary table change on commit drop as "
            "select published.row_id as ended, build.row_id as inserted from ("
            "  select ctid as row_id, {content} as content from {published} as mart where release_to is null and {redone}"
            ") as published full join ("
            "  select ctid as row_id, {content} as content from {build} as mart where {redone}"
            ") as build on published.content = build.content "
            "where published.row_id is null or build.row_id is null"
        ).format(**parts),
        {"seed": build_id},
    )
    connection.execute("analyze change")
    ended, ended_hashes = _count_and_hashes(
        connection,
        sql.SQL(
            "with mart as (update {published} as mart set release_to = %(new)s from change where mart.ctid = change.ended "
            "returning {bits}) select count(*), coalesce(sum(bits), 0) from mart"
        ).format(**parts),
        new,
    )
    inserted, inserted_hashes = _count_and_hashes(
        connection,
        sql.SQL(
            "with mart as (insert into {published} as mart ({columns}, release_from) select {build_columns}, %(new)s "
            "from change inner join {build} as mart on mart.ctid = change.inserted "
            # rows of one body side by side: who reads one need not fetch a page for each
            "order by mart.{first_key} returning {bits}) select count(*), coalesce(sum(bits), 0) from mart"
        ).format(**parts),
        new,
    )
    _index_table(connection, mart)
    # The hash of a table is the sum of its rows' hashes, so a release hashes what changed and not the whole history.
    content = (stood_hashes + inserted_hashes - ended_hashes) % _HASH_MODULUS
    change = TableChange(mart.name, stood + inserted - ended, inserted, ended, f"{content:015x}")
    _reconcile(connection, mart, change, extent)
    return change


def _content(mart: Mart) -> sql.Composed:
    """64 bits of a row's business columns, which differ from ``seed`` to ``seed``."""
    return sql.SQL("hash_record_extended(row({}), %(seed)s)").format(_names(mart.business_names, "mart"))


def _count_and_hashes(connection: psycopg.Connection, query: sql.Composed, release_id: int) -> tuple[int, int]:
    row = connection.execute(query, {"new": release_id}).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always gives a row
    return int(row[0]), int(row[1])


def _reconcile(connection: psycopg.Connection, mart: Mart, change: TableChange, extent: _Extent) -> None:
    """Compare what readers would see with what was built: the rows that may differ by content, and the number of all if known.

    To count the rows that a build left alone would cost as much as all history, each night. The content is a sum of hashes, which
    is exact in any order, as a sum of doubles is not, and a tenth of the cost of numerics.
    """
    parts = {
        "content": _content(mart),
        "mart": sql.Identifier(mart.name),
        "redone": extent.condition,
    }
    measure = "select count(*), coalesce(sum({content}), 0) from "
    other = {"seed": -1}  # no build's number, and not 0: with it NULL and zero have the same bits
    built = connection.execute(
        sql.SQL(measure + "build.{mart} as mart where {redone}").format(**parts), other
    ).fetchone()
    shown = connection.execute(
        sql.SQL(measure + "published.{mart} as mart where mart.release_to is null and {redone}").format(**parts), other
    ).fetchone()
    assert built is not None and shown is not None  # noqa: S101 - an aggregate always gives a row
    if not _has_unique_key(connection, mart):
        counted = connection.execute(
            sql.SQL(
                "select count(*), count(distinct hash_record_extended(row({key}), 7)) from build.{mart} where {redone}"
            ).format(key=_names(mart.key), **parts)
        ).fetchone()
        if counted is None or counted[0] != counted[1]:
            raise ReconciliationError(
                f"{mart.name}: several rows of one key ({', '.join(mart.key)}) were built; nothing published"
            )
    for name, of_build, of_published in zip(("rows", "content"), built, shown, strict=True):
        if of_build != of_published:
            raise ReconciliationError(
                f"{mart.name}: {name} built {of_build}, would publish {of_published}; nothing published"
            )
    if extent.built_count not in (None, change.row_count):
        raise ReconciliationError(
            f"{mart.name}: {extent.built_count} rows built, but the releases' own counts lead to {change.row_count}; nothing published"
        )


def _has_unique_key(connection: psycopg.Connection, mart: Mart) -> bool:
    """Whether an index of the built table lets each key stand once."""
    row = connection.execute(
        "select exists (select 1 from pg_catalog.pg_index where indrelid = to_regclass(%s) and indisunique and indpred is null "
        "and (select array_agg(attname::text) from pg_catalog.pg_attribute "
        "where attrelid = indrelid and attnum = any(indkey)) <@ %s::text[])",
        (f"build.{mart.name}", list(mart.key)),
    ).fetchone()
    return row is not None and bool(row[0])


def _record_release(
    connection: psycopg.Connection,
    warehouse: Warehouse,
    build_id: int,
    release_id: int,
    changes: Sequence[TableChange],
    note: str | None,
) -> None:
    facts = next((change.row_count for change in changes if change.name == FACT_TABLE), 0)
    connection.execute(
        "insert into ops.release (release_id, build_id, fact_count, code_version, catalogue_version, is_sample, note) "
        "values (%s, %s, %s, %s, coalesce((select catalogue_version from catalogue.version), 'none'), %s, %s)",
        (release_id, build_id, facts, code_version(), warehouse.is_sample, note),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.release_table (release_id, table_name, row_count, inserted_count, ended_count, content_hash) "
            "values (%s, %s, %s, %s, %s, %s)",
            [
                (
                    release_id,
                    change.name,
                    change.row_count,
                    change.inserted_count,
                    change.ended_count,
                    change.content_hash,
                )
                for change in changes
            ],
        )
    connection.execute(
        "insert into ops.current_release (release_id) values (%s) "
        "on conflict (only_row) do update set release_id = excluded.release_id",
        (release_id,),
    )
    connection.execute("select ops.refresh_pointer_statistics()")


def _record_inputs(connection: psycopg.Connection, build_id: int, release_id: int) -> None:
    """From now on these loads, decisions and versions are published, and need no redoing."""
    connection.execute(
        "insert into ops.release_load (load_id, release_id) select load_id, %s from ops.build_load where build_id = %s "
        "on conflict (load_id) do nothing",
        (release_id, build_id),
    )
    connection.execute(
        "insert into ops.release_decision (decision_no, release_id) "
        "select decision_no, %s from ops.build_decision where build_id = %s on conflict (decision_no) do nothing",
        (release_id, build_id),
    )
    connection.execute("delete from ops.input_version")
    connection.execute(
        "insert into ops.input_version (input, version) "
        "select key, value from ops.build cross join jsonb_each_text(build.inputs) where build.build_id = %s",
        (build_id,),
    )


def _columns(connection: psycopg.Connection, schema: str, table: str) -> dict[str, str]:
    """Column names to types of a table or view, in order; empty when there is none."""
    rows = connection.execute(
        "select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod) "
        "from pg_catalog.pg_attribute as attribute where attribute.attrelid = to_regclass(%s) "
        "and attribute.attnum > 0 and not attribute.attisdropped order by attribute.attnum",
        (f"{schema}.{table}",),
    ).fetchall()
    return dict(rows)


def _canonical_type(connection: psycopg.Connection, kind: str) -> str:
    row = connection.execute("select format_type(to_regtype(%s), to_regtypemod(%s))", (kind, kind)).fetchone()
    return str(row[0]) if row else kind


def _names(names: Sequence[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in names)
