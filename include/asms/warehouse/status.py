"""How the warehouse stands: release, freshness, closed gates, open findings. Reads only."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from asms.warehouse.connection import Warehouse

_RELEASE = """
select release.release_id, release.published_at, release.fact_count, release.code_version, release.catalogue_version
from ops.current_release
inner join ops.release on current_release.release_id = release.release_id
"""

_LAST_BUILD = """
select build_id, status, reason, closed_gate, started_at, finished_at from ops.build order by build_id desc limit 1
"""

_CLOSED_GATES = """
select gate, dataset, check_id, engine, unexpected_count, message_en, failing_rows_sql
from quality.gate_result
where build_id = (select max(build_id) from ops.build) and severity = 'critical' and not success
order by gate, dataset, check_id
"""

_SOURCES = "select source, is_ok, message, checked_at, last_ok_at, row_count from ops.source_status order by source"

_FINDINGS = """
select dataset, severity, count(*) as open_count from quality.open_finding group by dataset, severity
order by dataset, array_position(array['fatal', 'error', 'warning', 'info'], severity)
"""

_WAITING = """
select count(*) as waiting from ops.load left join ops.release_load on load.load_id = release_load.load_id
where release_load.load_id is null
"""


@dataclass(frozen=True)
class Status:
    """One look at the warehouse; the lists hold rows as dictionaries of column to value."""

    database: str
    release: dict[str, Any] | None
    last_build: dict[str, Any] | None
    loads_waiting: int
    closed_gates: list[dict[str, Any]] = field(default_factory=list)
    sources: list[dict[str, Any]] = field(default_factory=list)
    open_findings: list[dict[str, Any]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 fresh or held for a person, 1 the last build crashed or there was none, 2 a gate is closed, 3 a source could not be loaded."""
        last = (self.last_build or {}).get("status")
        if last == "gate_closed" or self.closed_gates:
            return 2
        if any(not source["is_ok"] for source in self.sources):
            return 3
        return 0 if last in ("published", "unchanged", "held") else 1

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values; moments in ISO 8601, UTC."""
        plain: dict[str, Any] = _plain(asdict(self))
        return {**plain, "exit_code": self.exit_code}


def read_status(warehouse: Warehouse) -> Status:
    """Read the state that ``asms status`` tells; needs a prepared database."""
    with warehouse.connect("gate") as connection, connection.cursor(row_factory=dict_row) as cursor:
        release = cursor.execute(_RELEASE).fetchone()
        build = cursor.execute(_LAST_BUILD).fetchone()
        waiting = cursor.execute(_WAITING).fetchone()
        return Status(
            database=warehouse.database,
            release=release,
            last_build=build,
            loads_waiting=int(waiting["waiting"]) if waiting else 0,
            closed_gates=cursor.execute(_CLOSED_GATES).fetchall(),
            sources=cursor.execute(_SOURCES).fetchall(),
            open_findings=cursor.execute(_FINDINGS).fetchall(),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value
