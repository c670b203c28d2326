"""Listens to Airflow and writes one line when a task ends. Imports Airflow: set its environment first."""

import time
from dataclasses import dataclass, field
from typing import Any, TextIO

from airflow.listeners import hookimpl

_CAUSE_LENGTH = 500


@dataclass(frozen=True)
class TaskRecord:
    """One try of one task."""

    dag_id: str
    task_id: str
    state: str
    """'done', 'nothing new', 'will retry' or 'FAILED'."""
    seconds: float
    cause: str | None = None


@dataclass
class Progress:
    """What has run so far in this process."""

    console: TextIO
    records: list[TaskRecord] = field(default_factory=list)
    _started: float = 0.0

    def failed(self, dag_id: str) -> list[TaskRecord]:
        """Tasks of ``dag_id`` that failed for good."""
        return [record for record in self.records if record.dag_id == dag_id and record.state == "FAILED"]

    @hookimpl
    def on_task_instance_running(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 - Airflow's names
        self._started = time.monotonic()

    @hookimpl
    def on_task_instance_success(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 - Airflow's names
        self._record(task_instance, "done")

    @hookimpl
    def on_task_instance_skipped(self, previous_state: Any, task_instance: Any) -> None:  # noqa: ARG002 - Airflow's names
        self._record(task_instance, "nothing new")

    @hookimpl
    def on_task_instance_failed(self, previous_state: Any, task_instance: Any, error: Any) -> None:  # noqa: ARG002 - Airflow's names
        is_last = task_instance.state.value != "up_for_retry"  # one hook serves both
        self._record(task_instance, "FAILED" if is_last else "will retry", str(error) if error else None)

    def _record(self, task_instance: Any, state: str, cause: str | None = None) -> None:
        seconds = round(time.monotonic() - self._started, 2)
        record = TaskRecord(task_instance.dag_id, task_instance.task_id, state, seconds, cause)
        self.records.append(record)
        self.console.write(f"  {record.task_id:<18} {seconds:>6.1f} s  {state}\n")
        if cause:
            self.console.write(f"      {' '.join(cause.split())[:_CAUSE_LENGTH]}\n")
