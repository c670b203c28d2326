"""The steps of a build in their order, for a terminal and for tests that kill between them; Airflow has the same steps as tasks.

Stands above the domain's packages, beside ``asms.cli``, because it joins them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asms.catalogue import store_catalogue
from asms.quality.corrections import store_corrections
from asms.quality.embargoes import store_embargoes
from asms.quality.gates import run_gate
from asms.quality.peers import apply_peer_rules
from asms.quality.registers import apply_register_rule
from asms.quality.rules import apply_rules
from asms.quality.suites import GATES
from asms.settings import Settings
from asms.warehouse.build import Build, end_build, hold_build, start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.dbt import build_layer
from asms.warehouse.release import publish


@dataclass(frozen=True)
class RebuildResult:
    """How it ended: the release that serves now, whether it is a new one, the gate that closed, and the candidate held, if any."""

    release_id: int | None
    is_new: bool
    closed_gate: str | None
    held_build: int | None = None


def rebuild(
    warehouse: Warehouse,
    settings: Settings,
    *,
    force: bool = True,
    hold: bool = False,
    after_step: Callable[[str], None] | None = None,
) -> RebuildResult:
    """Build every layer from raw through every gate and publish; ``force=False`` does only what changed.

    ``hold`` leaves the candidate in schema ``build`` for a person to publish. ``after_step`` is told the name of each step when
    it is done.
    """
    done = after_step or (lambda _step: None)
    store_catalogue(warehouse)
    done("store_catalogue")
    store_corrections(warehouse, settings.corrections)
    done("store_corrections")
    store_embargoes(warehouse, settings.embargoes)
    done("store_embargoes")
    build = start_build(warehouse, "rebuild", force=force)
    done("start_build")
    if not build.is_needed:
        return RebuildResult(_current_release(warehouse), False, None)
    try:
        return _build(warehouse, settings.home / "dbt", build, done, hold=hold)
    except Exception:
        end_build(warehouse, build.build_id, "failed")
        raise


def _build(
    warehouse: Warehouse, target: Path, build: Build, done: Callable[[str], None], *, hold: bool
) -> RebuildResult:
    for gate in GATES:
        if gate != "raw":
            build_layer(warehouse, gate, build.build_id, build.is_full, target_path=target)
            done(f"build_{gate}")
        if gate == "staging":
            apply_rules(warehouse, build.build_id, build.is_full)
            done("apply_rules")
        if gate == "indicators":
            apply_register_rule(warehouse, build.build_id, build.is_full)
            apply_peer_rules(warehouse, build.build_id, build.is_full)
            done("apply_peer_rules")
        if not run_gate(warehouse, gate, build.build_id).passed:
            end_build(warehouse, build.build_id, "gate_closed", closed_gate=gate)
            return RebuildResult(_current_release(warehouse), False, gate)
        done(f"gate_{gate}")
    if hold:
        hold_build(warehouse, build.build_id)
        return RebuildResult(_current_release(warehouse), False, None, build.build_id)
    published = publish(
        warehouse, build.build_id, target / "manifest.json", before_commit=lambda: done("publish before its commit")
    )
    done("publish")
    return RebuildResult(published.release_id, published.is_new, None)


def _current_release(warehouse: Warehouse) -> int | None:
    with warehouse.connect("publisher") as connection:
        row = connection.execute("select release_id from ops.current_release").fetchone()
    return int(row[0]) if row else None
