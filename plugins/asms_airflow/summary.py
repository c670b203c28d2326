"""The figures of a run: read from the warehouse before and after, printed for engineers, kept as ``last_run.json``."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

from asms.warehouse.connection import Warehouse, read_number
from asms.warehouse.status import Status, read_status

_COUNTS: dict[str, LiteralString] = {
    "files": "select count(*) from raw.delivery where source = 'submissions'",
    "returns": "select count(*) from raw.submission",
    "cells": "select count(*) from raw.submission_cell",
    "open data rows": "select coalesce(sum(row_count), 0) from ops.load where source != 'submissions'",
    "mails": "select count(*) from quality.alert",
}
_BUILD = "select build_id, status, reason, closed_gate, changed_key_count from ops.build where run_id = %s"
_GATES = (
    "select gate, count(*), count(*) filter (where severity = 'critical' and not success), "
    "count(*) filter (where severity = 'warning' and not success) from quality.gate_result where build_id = %s group by gate"
)
_MAILS = "select recipient, subject, sent_via from quality.alert where build_id = %s order by recipient"
_GATE_ORDER = ("raw", "staging", "indicators", "marts")


@dataclass(frozen=True)
class Summary:
    """What the warehouse holds after a run, and what the run's build did."""

    counts: dict[str, int]
    build: dict[str, Any] | None
    """The build of this run; None when it did not come to one."""
    gates: list[dict[str, Any]]
    mails: list[dict[str, Any]]
    status: Status

    @property
    def findings(self) -> dict[str, int]:
        """Open findings by severity."""
        found: dict[str, int] = {}
        for row in self.status.open_findings:
            found[row["severity"]] = found.get(row["severity"], 0) + row["open_count"]
        return found


def read_counts(warehouse: Warehouse) -> dict[str, int]:
    """How much the warehouse holds."""
    with warehouse.connect("gate") as connection:
        return {name: read_number(connection, query) for name, query in _COUNTS.items()}


def read_summary(warehouse: Warehouse, run_id: str | None) -> Summary:
    """Read the figures; ``run_id`` is Airflow's id of the run that built."""
    build, gates, mails = None, [], []
    with warehouse.connect("gate") as connection:
        row = connection.execute(_BUILD, (run_id,)).fetchone()
        if row:
            names = ("build_id", "status", "reason", "closed_gate", "changed_key_count")
            build = dict(zip(names, row, strict=True))
            gates = [
                {"gate": gate, "checks": checks, "critical": critical, "warnings": warnings}
                for gate, checks, critical, warnings in connection.execute(_GATES, (row[0],)).fetchall()
            ]
            gates.sort(key=lambda gate: _GATE_ORDER.index(gate["gate"]))
            mails = [
                {"recipient": recipient, "subject": subject, "sent_via": sent_via}
                for recipient, subject, sent_via in connection.execute(_MAILS, (row[0],)).fetchall()
            ]
    return Summary(read_counts(warehouse), build, gates, mails, read_status(warehouse))


def describe(before: dict[str, int], after: Summary) -> list[str]:
    """The lines of the table that ends a run."""
    release = after.status.release
    lines = [_row(name, f"{count:,}", _change(count - before[name])) for name, count in after.counts.items()]
    lines.append(_row("values", f"{release['fact_count']:,}" if release else "none yet", "in the release"))
    for severity, count in after.findings.items():
        lines.append(_row("findings", f"{count:,}", f"open, {severity}"))
    for gate in after.gates:
        state = f"CLOSED, {gate['critical']} critical" if gate["critical"] else "open"
        lines.append(
            _row(f"gate {gate['gate']}", f"{gate['checks']:,}", f"checks, {state}, {gate['warnings']} warnings")
        )
    lines += [_row("mail", mail["recipient"], mail["sent_via"] or "not sent yet") for mail in after.mails]
    lines.append(_row("release", str(release["release_id"]) if release else "none", _outcome(after)))
    return lines


def write_last_run(file: Path, content: dict[str, Any]) -> None:
    """Write ``last_run.json`` whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(file)


def _outcome(after: Summary) -> str:
    build = after.build or {"status": "none", "reason": "no build was started"}
    return {
        "published": f"published, build {build.get('build_id')}",
        "unchanged": "stands: nothing new",
        "held": f"stands: build {build.get('build_id')} waits to be published",
        "gate_closed": f"stands: gate {build.get('closed_gate')} is closed",
    }.get(build["status"], f"stands: the build is {build['status']} ({build['reason']})")


def _row(name: str, figure: str, note: str) -> str:
    return f"  {name:<16} {figure:>12}  {note}"


def _change(difference: int) -> str:
    return f"{difference:+,} in this run" if difference else "nothing new"
