"""The order in which one process runs the DAGs: those that fill an asset before those that wait for it or read it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import DAG


@dataclass(frozen=True)
class AssetUse:
    """Names of the assets that a DAG fills (outlets) and needs (schedule and inlets)."""

    dag_id: str
    fills: frozenset[str]
    needs: frozenset[str]


def asset_use(dag: "DAG") -> AssetUse:
    """Read from a parsed DAG which assets it fills and needs."""
    needs = _names(getattr(dag.timetable, "asset_condition", None))
    fills: set[str] = set()
    for task in dag.tasks:
        fills |= {name for outlet in task.outlets for name in _names(outlet)}
        needs |= {name for inlet in task.inlets for name in _names(inlet)}
    return AssetUse(dag.dag_id, frozenset(fills), frozenset(needs))


def _names(condition: object) -> set[str]:
    """Names of the assets in an asset or a condition over assets; none in anything else."""
    from airflow.sdk import Asset

    if isinstance(condition, Asset):
        return {condition.name}
    return {name for part in getattr(condition, "objects", ()) for name in _names(part)}


def run_order(uses: Iterable[AssetUse], left_out: Collection[str] = ()) -> list[str]:
    """Order DAG ids so that an asset is filled before it is needed; ties go by name, so the order is always the same.

    DAGs that fill an asset named in ``left_out`` are not run, nor those that no asset joins to the others: people start
    them. Raises graphlib.CycleError when two DAGs wait for each other.
    """
    joined = (use for use in uses if (use.fills or use.needs) and not use.fills & set(left_out))
    kept = sorted(joined, key=lambda use: use.dag_id)
    sorter = TopologicalSorter(
        {
            use.dag_id: sorted(other.dag_id for other in kept if other.dag_id != use.dag_id and other.fills & use.needs)
            for use in kept
        }
    )
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return order
