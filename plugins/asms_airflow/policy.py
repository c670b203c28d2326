"""What every DAG and task has: one run at a time, an owner, retries for errors that pass, tags. Tested over all DAGs."""

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import (
    Context,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryDecision,
    RetryPolicy,
    RetryRule,
)

from asms.settings import load_settings

KYIV = "Europe/Kyiv"
_START_DATE = pendulum.datetime(2026, 1, 1, tz=KYIV)
OWNER = "asms"
TAG = "asms"

# Errors that go away by waiting. Everything else is a fault of data or code, and asking again would only hide it.
_TRANSIENT: list[type[BaseException] | str] = [
    ConnectionError,
    TimeoutError,
    "psycopg.OperationalError",
    "sqlalchemy.exc.OperationalError",
    "asms.warehouse.connection.LockedError",
    "asms.warehouse.dbt.TransientDbtError",
    "asms.sources.TransientSourceError",
]


class TransientErrorPolicy(RetryPolicy):
    """Retry what ``_TRANSIENT`` lists, with the task's own delays; fail the rest at once.

    It is an ExceptionRetryPolicy, made only when a task has failed: making one imports the exceptions it names, and parsing
    a DAG file must not import a database driver.
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        rules = [RetryRule(exception=_TRANSIENT, action=RetryAction.RETRY)]
        policy = ExceptionRetryPolicy(rules=rules, default=RetryAction.FAIL)
        return policy.evaluate(exception, try_number, max_tries, context)


def schedule(source: str, cron: str) -> CronTriggerTimetable:
    """When the DAG of a source runs: at the cron expression of ``ASMS_<SOURCE>_SCHEDULE``, else at ``cron``, in Kyiv."""
    return CronTriggerTimetable(load_settings().schedules.get(source, cron), timezone=KYIV)


def every_dag() -> dict[str, Any]:
    """Arguments of every DAG: no runs for the past, one run at a time, and the defaults of its tasks."""
    return {"start_date": _START_DATE, "catchup": False, "max_active_runs": 1, "default_args": _default_args()}


def _default_args() -> dict[str, Any]:
    """Arguments of every task: at most three tries, 5 and then 15 seconds apart.

    The delays are short because the HTTP client already waits out a busy service; these cover a server that restarts.
    """
    return {
        "owner": OWNER,
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "retry_exponential_backoff": 3.0,
        "max_retry_delay": timedelta(minutes=2),
        "retry_policy": TransientErrorPolicy(),
        "execution_timeout": timedelta(hours=3),
    }


def tags(*more: str) -> list[str]:
    """Tags of a DAG: the project's, then the room's."""
    return [TAG, *more]


def years_param() -> Param:
    """Param ``period``: the years to ask for."""
    return Param(
        None,
        type=["null", "string"],
        pattern=r"^\d{4}([,-]\d{4})*$",
        title="Years",
        description="Years to ask for: 2023, 2021,2023 or 2021-2023. Empty: the years that can still change.",
    )


def force_param(description: str) -> Param:
    """Param ``force``: do the work although nothing changed."""
    return Param(False, type="boolean", title="Force", description=description)
