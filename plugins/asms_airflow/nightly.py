"""``python -m asms_airflow.nightly``: run every DAG once, in one process, in the order of their assets, and tell how it went.

The DAGs are the ones that ``make up`` serves; ``dag.test()`` runs them here with no service around. Exit codes: 0 published
or unchanged, 2 a gate closed, 3 a source failed (the rest was published), 1 anything else.
"""

import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from asms.paths import DAGS_DIR
from asms.settings import DEFAULT_SOURCES, OPEN_SOURCES, Settings, SettingsError, load_settings
from asms.warehouse import embedded
from asms.warehouse.connection import LockedError, Warehouse, open_warehouse
from asms.warehouse.migrate import MigrationError, create_airflow_database, prepare
from asms_airflow.console import output_to
from asms_airflow.environment import airflow_environment, set_in_this_process
from asms_airflow.inputs import cannot_be_had, make_shipped_sample, point_at
from asms_airflow.load import hold_load_lock
from asms_airflow.order import asset_use, run_order
from asms_airflow.summary import Summary, describe, read_counts, read_summary, write_last_run

if TYPE_CHECKING:
    from asms_airflow.progress import TaskRecord

DATABASE = "airflow_nightly"
BUILD_DAG = "build_warehouse"
# Errors whose message says what to do; the others come with their traceback in the log.
_KNOWN_ERRORS = (SettingsError, LockedError, MigrationError, embedded.EmbeddedServerError)


class NightlyError(RuntimeError):
    """The run cannot be done; the message says why."""


@dataclass
class Run:
    """How far this run came."""

    settings: Settings
    console: TextIO
    database: str | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: dict[str, float] = field(default_factory=dict)
    """Seconds per stage: each step of the preparation, then each DAG."""
    states: dict[str, str] = field(default_factory=dict)
    """State of each DAG's run."""
    tasks: "list[TaskRecord]" = field(default_factory=list)
    _clock: float = field(default_factory=time.monotonic)

    @property
    def mode(self) -> str:
        return "sample" if self.settings.is_sample else "real"

    @property
    def elapsed(self) -> float:
        return round(time.monotonic() - self._clock, 1)

    def say(self, text: str) -> None:
        self.console.write(text + "\n")

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage and say when it is done."""
        begin = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - begin, 1)
        self.say(f"{name:<20} {self.seconds[name]:>6.1f} s")


def log_file(settings: Settings) -> Path:
    """Everything that Airflow and the libraries said, run after run."""
    return settings.home / "logs" / "nightly.log"


def main() -> int:
    """Run the night; returns the exit code."""
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.stderr.write(f"nightly: {error}\n")
        return 1
    with output_to(log_file(settings)) as console:
        run = Run(settings, console)
        try:
            return _run_night(run)
        except (NightlyError, *_KNOWN_ERRORS) as error:
            return _give_up(run, str(error))
        except Exception as error:  # noqa: BLE001 - the last line of defence: the cause is told, the traceback kept
            traceback.print_exc()
            return _give_up(run, f"{type(error).__name__}: {error}")


def _run_night(run: Run) -> int:
    settings = run.settings
    with ExitStack() as stack:
        with run.stage("server"):
            if not settings.warehouse_dsn and not embedded.is_running(settings.home):
                # another run may have come meanwhile and wait for this one's lock
                stack.callback(embedded.stop_if_unused, settings.home)
            warehouse = open_warehouse(settings)
            prepare(warehouse)
        run.database = warehouse.database
        run.say(f"{run.mode} data, database {warehouse.database} on {warehouse.host}:{warehouse.port}")
        stack.enter_context(hold_load_lock(warehouse, settings))
        before = read_counts(warehouse)
        with run.stage("airflow"):
            _open_airflow(warehouse, settings, stack)
        with run.stage("inputs"):
            left_out = _offer_inputs(run, stack)
        build_run_id = _run_dags(run, left_out)
        summary = read_summary(warehouse, build_run_id)
        code = _exit_code(run, summary)
        run.say("\n".join(["", *describe(before, summary)]))
        _keep(run, code, summary)
    run.say(_verdict(code, summary, run))
    return code


def _open_airflow(warehouse: Warehouse, settings: Settings, stack: ExitStack) -> None:
    """Make Airflow's own database and bring it to this version. Airflow is first imported here, in its environment."""
    url = create_airflow_database(warehouse, DATABASE)
    set_in_this_process(airflow_environment(settings.home / "airflow-nightly", url))
    if settings.approval == "required":  # nobody can be asked here: the candidate waits for `asms release publish`
        set_in_this_process({"ASMS_APPROVAL": "hold"})
    from airflow.settings import dispose_orm
    from airflow.utils import db

    stack.callback(dispose_orm)  # its sessions end before the server does
    db.initdb()  # 0.5 s when there is nothing to do


def _offer_inputs(run: Run, stack: ExitStack) -> set[str]:
    """Put out the sample and serve recorded open data, if they are this run's inputs; return the sources to leave out."""
    settings, server = run.settings, None
    if settings.is_sample:
        make_shipped_sample(settings)
    if settings.is_sample or settings.replay:
        from asms.sample.server import serve

        server = stack.enter_context(serve(settings.replay))
        set_in_this_process(point_at(server, settings))
    wanted = set(settings.sources or DEFAULT_SOURCES)
    unwanted = set(OPEN_SOURCES) - wanted - {"katottg"}  # the codifier is always needed
    is_by_name = settings.sources not in (None, OPEN_SOURCES)
    missing = cannot_be_had(server, settings)
    for name in [name for name in missing if name not in unwanted]:
        if is_by_name and name in wanted:
            raise NightlyError(f"SOURCES names {name}, which cannot be had: {missing[name]}")
        run.say(f"left out: {name}, {missing[name]}")
    return unwanted | set(missing)


def _run_dags(run: Run, left_out: set[str]) -> str | None:
    """Run the DAGs in the order of their assets; return the id of the build's run."""
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk.listener import get_listener_manager

    from asms_airflow.progress import Progress

    bag = DagBag(DAGS_DIR)
    if bag.import_errors:
        raise NightlyError(f"DAG files do not parse: {bag.import_errors}")
    progress = Progress(run.console, run.tasks)
    get_listener_manager().add_listener(progress)  # type: ignore[no-untyped-call]
    build_run_id = None
    for dag_id in run_order([asset_use(dag) for dag in bag.dags.values()], left_out):
        run.say(dag_id)
        with run.stage(dag_id):
            dag_run = bag.dags[dag_id].test(logical_date=None)
        run.states[dag_id] = dag_run.state.value
        if dag_id == BUILD_DAG:
            build_run_id = dag_run.run_id
    return build_run_id


def _exit_code(run: Run, summary: Summary) -> int:
    build_status = summary.build["status"] if summary.build else None
    if build_status == "gate_closed":
        return 2
    if build_status not in ("published", "unchanged", "held") or run.states.get(BUILD_DAG) != "success":
        return 1
    return 0 if all(state == "success" for state in run.states.values()) else 3


def _verdict(code: int, summary: Summary, run: Run) -> str:
    release = (summary.status.release or {}).get("release_id", "none")
    failed = [dag_id for dag_id, state in run.states.items() if state != "success"]
    good = {
        "unchanged": f"nothing new: release {release} stands",
        "held": f"build {(summary.build or {}).get('build_id')} is held: asms release diff, then asms release publish",
    }
    return {
        0: good.get((summary.build or {}).get("status", ""), f"release {release} is published"),
        1: f"FAILED: {', '.join(failed)}; release {release} keeps serving; see {log_file(run.settings)}",
        2: f"gate {(summary.build or {}).get('closed_gate')} is CLOSED; release {release} keeps serving; see the mail above",
        3: f"{', '.join(failed)} FAILED, the rest is in release {release}; see {log_file(run.settings)}",
    }[code] + f" ({run.elapsed:.0f} s)"


def _keep(run: Run, code: int, summary: Summary | None, message: str | None = None) -> None:
    """Write ``last_run.json``, which ``make psql`` and ``asms status`` read the database's name from."""
    content: dict[str, Any] = {
        "database": run.database,
        "mode": run.mode,
        "exit_code": code,
        "message": message,
        "started_at": run.started_at.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "seconds": run.seconds,
        "dags": run.states,
        "tasks": [asdict(task) for task in run.tasks],
    }
    if summary:
        content |= {
            "counts": summary.counts,
            "findings": summary.findings,
            "build": summary.build,
            "gates": summary.gates,
            "mails": summary.mails,
            "status": summary.status.as_json(),
        }
    write_last_run(run.settings.last_run_file, content)


def _give_up(run: Run, cause: str) -> int:
    run.say(f"nightly: {cause}")
    run.say(f"the log is {log_file(run.settings)}")
    if run.database:  # else there is no database of a last run to point at
        _keep(run, 1, None, cause)
    return 1


if __name__ == "__main__":
    sys.exit(main())
