"""The manifest of a release: what it is made of, in words that equal raw data and code repeat wherever and whenever they are built."""

import hashlib
import json
from datetime import UTC
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

# Loads by content: load_id is a fingerprint of the delivery and its reader. The vintage is the path of the last arrival.
_SOURCES = """
select
    load.source,
    count(*) as load_count,
    to_hex(mod(sum(('x' || substr(md5(load.load_id), 1, 15))::bit(60)::bigint::numeric), 1152921504606846976)::bigint),
    (array_agg(delivery.path order by delivery.received_no desc nulls last, load.load_id))[1],
    (array_agg(delivery.sha256 order by delivery.received_no desc nulls last, load.load_id))[1]
from ops.release_load
inner join ops.load on release_load.load_id = load.load_id
left join raw.delivery on load.delivery_id = delivery.delivery_id
where release_load.release_id <= %(release)s
group by load.source
order by load.source
"""

_TABLES = """
select table_name, row_count, content_hash from ops.release_table where release_id = %(release)s order by table_name
"""

# What the release does not show yet, and until when.
_EMBARGOES = """
select coalesce(embargo.indicator_code, embargo.domain_code), embargo.time_period, embargo.embargo_until, embargo.reason
from ops.release
inner join ops.build_embargo on release.build_id = build_embargo.build_id
inner join quality.embargo on build_embargo.embargo_id = embargo.embargo_id
where release.release_id = %(release)s
order by embargo.embargo_until, 1, embargo.time_period, embargo.embargo_id
"""

_RELEASE = "select catalogue_version, code_version, is_sample from ops.release where release_id = %(release)s"


def record_manifest(
    connection: psycopg.Connection, release_id: int, business_columns: dict[str, list[str]]
) -> dict[str, Any]:
    """Write the manifest of a release whose tables and loads are recorded; returns it with its hash.

    ``business_columns`` are those that the hash of each mart covers. Costs no look at the marts' rows: their hashes are there.
    """
    parameters = {"release": release_id}
    release = connection.execute(_RELEASE, parameters).fetchone()
    assert release is not None  # noqa: S101 - the caller has just written it
    manifest = {
        "catalogue_version": release[0],
        "code_version": release[1],
        "is_sample": release[2],
        "tables": {
            name: {"row_count": count, "content_hash": digest, "columns": business_columns[name]}
            for name, count, digest in connection.execute(_TABLES, parameters).fetchall()
        },
        "sources": {
            source: {"load_count": count, "loads_hash": digest, "latest_path": path, "latest_sha256": sha256}
            for source, count, digest, path, sha256 in connection.execute(_SOURCES, parameters).fetchall()
        },
    }
    embargoes = connection.execute(_EMBARGOES, parameters).fetchall()
    if embargoes:
        manifest["embargoes"] = [
            {"code": code, "time_period": period, "embargo_until": until.astimezone(UTC).isoformat(), "reason": reason}
            for code, period, until, reason in embargoes
        ]
    digest = hash_manifest(manifest)
    connection.execute(
        "insert into ops.release_manifest (release_id, manifest, manifest_hash) values (%s, %s, %s)",
        (release_id, Jsonb(manifest), digest),
    )
    return {**manifest, "manifest_hash": digest}


def hash_manifest(manifest: dict[str, Any]) -> str:
    """sha256 (hex) of the manifest as JSON with ordered keys."""
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
