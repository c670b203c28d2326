"""Which releases are kept: the list of releases, and the pruning of old ones. Never touches raw."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.rows import class_row, dict_row

from asms.warehouse.connection import Warehouse
from asms.warehouse.release import PUBLISH_LOCK, NoReleaseError

KEEP_NEWEST = 90


@dataclass(frozen=True)
class Release:
    """One line of the list of releases; moments in UTC."""

    release_id: int
    published_at: datetime
    is_current: bool
    is_pruned: bool
    fact_count: int
    inserted_count: int
    ended_count: int
    what_changed: str
    catalogue_version: str
    code_version: str
    manifest_hash: str | None
    note: str | None
    errata: str | None


@dataclass(frozen=True)
class Pruned:
    """What a pruning did, or would do."""

    release_ids: list[int]
    row_counts: dict[str, int]
    """Rows removed by mart; empty when it was only asked what would go."""


_RELEASES = """
select
    release_id, published_at, is_current, is_pruned, fact_count, coalesce(inserted_count, 0) as inserted_count,
    coalesce(ended_count, 0) as ended_count, what_changed, catalogue_version, code_version, manifest_hash, note, errata
from marts.dim_release
order by release_id desc
"""

_MANIFEST = """
select
    coalesce(made.manifest, jsonb_build_object(
        'catalogue_version', release.catalogue_version,
        'code_version', release.code_version,
        'is_sample', release.is_sample,
        'tables', (
            select jsonb_object_agg(told.table_name, jsonb_build_object('row_count', told.row_count, 'content_hash', told.content_hash))
            from ops.release_table as told
            where told.release_id = release.release_id
        ),
        'sources', '{}'::jsonb
    )) as manifest,
    made.manifest_hash, release.published_at, release.is_current, release.is_pruned, release.note, release.errata
from marts.dim_release as release
left join ops.release_manifest as made on release.release_id = made.release_id
where release.release_id = %s
"""

# Kept: the newest ones, the last of each month, the current one and those that somebody wrote a note or an erratum on.
_PRUNABLE = """
select dim_release.release_id
from marts.dim_release
where
    not is_pruned
    and not is_current
    and note is null
    and errata is null
    and release_id <= (select max(newest.release_id) from marts.dim_release as newest) - %(keep)s
    and exists (
        select 1 from marts.dim_release as later
        where
            later.release_id > dim_release.release_id
            and date_trunc('month', later.published_at, 'UTC') = date_trunc('month', dim_release.published_at, 'UTC')
    )
order by release_id
"""


def list_releases(warehouse: Warehouse) -> list[Release]:
    """All releases, the newest first; role ``gate``."""
    with warehouse.connect("gate") as connection:
        return connection.cursor(row_factory=class_row(Release)).execute(_RELEASES).fetchall()


def read_manifest(warehouse: Warehouse, release_id: int) -> dict[str, Any]:
    """The manifest of a release, pruned ones too, with ``manifest_hash``, ``published_at`` and ``errata``.

    Of a release from before there were manifests it is what its tables tell, and ``manifest_hash`` is None.

    Raises:
        NoReleaseError: there is no such release.
    """
    with warehouse.connect("gate") as connection:
        row = connection.cursor(row_factory=dict_row).execute(_MANIFEST, (release_id,)).fetchone()
    if row is None:
        raise NoReleaseError(f"there is no release {release_id}: list them with asms release list")
    return {"release_id": release_id, **row.pop("manifest"), **row}


def note_erratum(warehouse: Warehouse, release_id: int, text: str, by: str) -> int:
    """Write what was found wrong in a release; returns the number of the erratum. Raises NoReleaseError."""
    with warehouse.connect("publisher") as connection:
        row = connection.execute(
            "insert into ops.release_erratum (release_id, erratum_no, text, noted_by) "
            "select release_id, (select count(*) + 1 from ops.release_erratum where release_id = %(id)s), %(text)s, %(by)s "
            "from ops.release where release_id = %(id)s returning erratum_no",
            {"id": release_id, "text": text, "by": by},
        ).fetchone()
    if row is None:
        raise NoReleaseError(f"there is no release {release_id}: list them with asms release list")
    return int(row[0])


def prune_releases(warehouse: Warehouse, *, keep: int = KEEP_NEWEST, is_trial: bool = False) -> Pruned:
    """Remove the rows that no kept release shows. Raw, manifests and hashes stay.

    Kept are the ``keep`` newest releases, the last of each month (UTC), the current one, and those with a note or an erratum.
    ``is_trial`` removes nothing.
    """
    with warehouse.connect("publisher") as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (PUBLISH_LOCK,))
        # the view's rows are the publisher's to read by its membership of the views' owner
        ids = [row[0] for row in connection.execute(_PRUNABLE, {"keep": max(keep, 1)}).fetchall()]
        if is_trial or not ids:
            return Pruned(ids, {})
        connection.execute("update ops.release set is_pruned = true where release_id = any(%s)", (ids,))
        tables = connection.execute(
            "select tablename from pg_catalog.pg_tables where schemaname = 'published' order by tablename"
        ).fetchall()
        counts = {}
        for (name,) in tables:
            counts[name] = connection.execute(
                sql.SQL(
                    "delete from published.{} as mart where mart.release_to is not null and not exists ("
                    "select 1 from ops.release where not release.is_pruned "
                    "and release.release_id >= mart.release_from and release.release_id < mart.release_to)"
                ).format(sql.Identifier(name))
            ).rowcount
    return Pruned(ids, counts)
