"""The laws of ``dags/``: which DAGs there are, how they are joined, and what each task carries."""

import importlib
import inspect
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from asms.paths import DAGS_DIR, EXPECTATIONS_DIR
from asms.settings import OPEN_SOURCES
from asms.sources import SourceError, TransientSourceError
from asms.warehouse.connection import LockedError
from asms.warehouse.dbt import DbtError, TransientDbtError

INGEST_IDS = {f"ingest_{source}" for source in ("submissions", "members", *OPEN_SOURCES)}
NIGHTLY_IDS = INGEST_IDS | {"build_warehouse", "make_feedback"}
DAG_IDS = NIGHTLY_IDS | {"make_templates"}
MOST_LINES = 100
HEAVY = (
    "asms.catalogue", "asms.feedback", "asms.geography", "asms.intake", "asms.quality", "asms.returns",
    "asms.sample", "asms.sources", "asms.warehouse",
    "dbt", "great_expectations", "numpy", "openpyxl", "pandas", "psycopg", "pyarrow", "python_calamine", "sdmx", "sqlglot",
    "xlsxwriter",
)  # fmt: skip
# One interpreter with nothing but Airflow in it, forked for each file: as good as a fresh one and five times as fast.
_REPORT_MODULES = """
import json, os, runpy, sys
import airflow.sdk
from airflow.sdk import DAG, task
for path in sys.argv[1:]:
    if os.fork() == 0:
        runpy.run_path(path)
        print("modules", json.dumps([path, sorted(sys.modules)]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, path
"""


def _names(condition: Any) -> set[str]:
    return {asset.name for asset in condition.objects}


def _tasks(dags: dict[str, Any]) -> list[Any]:
    tasks = [task for dag in dags.values() for task in dag.tasks]
    assert len(tasks) > 15
    return tasks


def test_exactly_these_dags(dags: dict[str, Any]) -> None:
    assert set(dags) == DAG_IDS


def test_each_file_is_one_short_dag_named_after_it(dags: dict[str, Any]) -> None:
    files = sorted(DAGS_DIR.glob("*.py"))
    assert {file.stem for file in files} == set(dags)
    for file in files:
        assert Path(dags[file.stem].fileloc).name == file.name
        assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES, file


def test_each_dag_explains_itself(dags: dict[str, Any]) -> None:
    for file in DAGS_DIR.glob("*.py"):
        docstring = file.read_text(encoding="utf-8").split('"""')[1]
        assert dags[file.stem].doc_md.strip() == docstring.strip()
        assert "docs/runbooks/" in docstring, f"{file.name} does not say what to do when it fails"


def test_runbooks_named_by_dags_exist() -> None:
    for file in DAGS_DIR.glob("*.py"):
        for word in file.read_text(encoding="utf-8").replace("(", " ").replace(")", " ").split():
            if word.startswith("docs/runbooks/"):
                assert (DAGS_DIR.parent / word.rstrip(".,;:")).is_file(), f"{file.name} names {word}"


def test_dags_do_not_pile_up_or_catch_up(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert dag.max_active_runs == 1
        assert dag.catchup is False
        assert "asms" in dag.tags
        assert len(dag.tags) > 1


def test_every_task_has_owner_and_retries(dags: dict[str, Any]) -> None:
    from asms_airflow.policy import OWNER, TransientErrorPolicy

    for task in _tasks(dags):
        assert task.owner == OWNER
        assert task.retries >= 1
        assert isinstance(task.retry_policy, TransientErrorPolicy)
        assert task.retry_exponential_backoff > 1
        assert timedelta(0) < task.retry_delay <= timedelta(seconds=30)
        assert task.execution_timeout is not None


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (psycopg.OperationalError("server closed the connection"), "retry"),
        (ConnectionResetError(), "retry"),
        (TransientSourceError("429"), "retry"),
        (LockedError("another load"), "retry"),
        (TransientDbtError("server closed the connection"), "retry"),
        (DbtError("column does not exist"), "fail"),
        (SourceError("not a workbook"), "fail"),
        (ValueError("a fault of data"), "fail"),
        (psycopg.errors.UniqueViolation("a fault of data"), "fail"),
    ],
)
def test_errors_that_pass_are_retried_and_others_fail_at_once(
    dags: dict[str, Any], error: Exception, action: str
) -> None:
    policy = dags["build_warehouse"].tasks[0].retry_policy
    assert policy.evaluate(error, 1, 3).action.value == action


def test_params_say_what_they_do(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        for name in dag.params:
            param = dag.params.get_param(name)
            assert param.description, f"{dag.dag_id}.{name}"
            assert param.schema.get("type"), f"{dag.dag_id}.{name}"
    assert set(dags["ingest_open_budget"].params) == {"period", "force"}
    assert "lost months" in dags["ingest_open_budget"].params.get_param("force").description
    assert set(dags["ingest_submissions"].params) == {"source", "force"}
    for dag_id in INGEST_IDS - {"ingest_currency", "ingest_open_budget", "ingest_submissions", "ingest_treasury"}:
        assert set(dags[dag_id].params) == {"force"}
    assert set(dags["build_warehouse"].params) == {"force"}
    assert set(dags["make_templates"].params) == {"year", "municipalities"}


def test_each_source_is_a_module_that_takes_the_params_of_its_dag(dags: dict[str, Any]) -> None:
    for source in (*OPEN_SOURCES, "members"):
        keywords = inspect.signature(importlib.import_module(f"asms.sources.{source}").fetch).parameters
        dag = dags[f"ingest_{source}"]
        assert {task.task_id for task in dag.tasks} == {"store_catalogue", f"fetch_{source}"}
        assert list(keywords)[:3] == ["warehouse", "settings", "store"]
        assert {"force", *dag.params} <= set(keywords), source
        assert ("period" in keywords) == ("period" in dag.params), source
        assert ("resolve" in keywords) == bool(dag.get_task(f"fetch_{source}").inlets), source


def test_the_hour_of_a_source_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    from asms_airflow.policy import schedule

    assert schedule("population", "0 21 1 * *").expression == "0 21 1 * *"
    monkeypatch.setenv("ASMS_POPULATION_SCHEDULE", "5 4 * * 1")
    assert schedule("population", "0 21 1 * *").expression == "5 4 * * 1"
    assert schedule("open_budget", "0 23 * * *").expression == "0 23 * * *"


def test_build_starts_by_any_asset_or_at_two_in_kyiv(dags: dict[str, Any]) -> None:
    from airflow.sdk import AssetAny, AssetOrTimeSchedule

    schedule = dags["build_warehouse"].timetable
    assert isinstance(schedule, AssetOrTimeSchedule)
    assert isinstance(schedule.asset_condition, AssetAny)
    assert _names(schedule.asset_condition) == {"submissions", "members", *OPEN_SOURCES}
    assert schedule.timetable.expression == "0 2 * * *"
    assert str(schedule.timetable.timezone) == "Europe/Kyiv"


def test_each_ingest_fills_one_asset_that_the_build_waits_for(dags: dict[str, Any]) -> None:
    filled = {
        dag_id: {outlet.name for task in dag.tasks for outlet in task.outlets}
        for dag_id, dag in dags.items()
        if dag_id.startswith("ingest_")
    }
    assert filled == {dag_id: {dag_id.removeprefix("ingest_")} for dag_id in INGEST_IDS}
    assert set().union(*filled.values()) == _names(dags["build_warehouse"].timetable.asset_condition)


def test_order_of_one_process_follows_the_assets(dags: dict[str, Any]) -> None:
    from asms_airflow.order import asset_use, run_order

    order = run_order([asset_use(dag) for dag in dags.values()])
    assert set(order) == NIGHTLY_IDS
    assert order[-2:] == ["build_warehouse", "make_feedback"]
    assert order.index("ingest_katottg") < order.index("ingest_submissions")
    without = run_order([asset_use(dag) for dag in dags.values()], {"members", *OPEN_SOURCES} - {"katottg"})
    assert without == ["ingest_katottg", "ingest_submissions", "build_warehouse", "make_feedback"]


def test_every_gate_with_suites_is_a_task_before_publishing(dags: dict[str, Any]) -> None:
    gates = {folder.name for folder in EXPECTATIONS_DIR.iterdir() if any(folder.glob("*.yaml"))}
    assert gates
    build = dags["build_warehouse"]
    named = {task.op_args[0]: task for task in build.tasks if task.task_id.startswith("gate_")}
    assert set(named) == gates
    for gate, task in named.items():
        assert task.task_id == f"gate_{gate}"
        assert "publish" in task.get_flat_relative_ids(upstream=False)


def test_a_rebuild_at_a_terminal_asks_what_the_build_asks(dags: dict[str, Any]) -> None:
    asked = {task.task_id for task in dags["build_warehouse"].tasks if task.task_id.startswith("apply_")}
    assert len(asked) == 3 and asked <= set(vars(importlib.import_module("asms.rebuild")))


def test_people_are_told_however_the_build_ends(dags: dict[str, Any]) -> None:
    build = dags["build_warehouse"]
    told = build.get_task("notify")
    assert told.is_teardown, "a teardown runs after failed and skipped tasks alike"
    assert told.on_failure_fail_dagrun, "mail that does not go is a failure too"
    others = {task.task_id for task in build.tasks} - {"notify"}
    assert told.get_flat_relative_ids(upstream=True) == others - {"report_release"}


def test_a_closed_gate_makes_the_run_red(dags: dict[str, Any]) -> None:
    """Airflow judges a run by its last tasks. The mail goes after a failure too, so it must not be the only last one."""
    build = dags["build_warehouse"]
    end = build.get_task("report_release")
    assert end.downstream_task_ids == set()
    assert not end.is_teardown
    for task_id in {"report_release"} | end.get_flat_relative_ids(upstream=True):
        assert build.get_task(task_id).trigger_rule == "all_success", task_id
    assert {task.task_id for task in build.tasks if task.task_id.startswith(("gate_", "build_", "publish"))} <= (
        end.get_flat_relative_ids(upstream=True)
    )


@pytest.mark.parametrize(
    ("approval", "steps"), [("hold", {"hold"}), ("required", {"hold", "approve_release", "publish"})]
)
def test_a_person_stands_before_publishing_where_asked(
    dags: dict[str, Any], monkeypatch: pytest.MonkeyPatch, approval: str, steps: set[str]
) -> None:
    from airflow.dag_processing.dagbag import DagBag

    assert {"hold", "approve_release"} & {task.task_id for task in dags["build_warehouse"].tasks} == set()
    monkeypatch.setenv("ASMS_APPROVAL", approval)
    bag = DagBag(DAGS_DIR / "build_warehouse.py")
    assert bag.import_errors == {}
    build = bag.dags["build_warehouse"]
    after_gates = build.get_task("gate_marts").get_flat_relative_ids(upstream=False) - {"notify", "report_release"}
    assert after_gates == steps
    assert build.get_task("notify").is_teardown
    if approval == "required":
        asked = build.get_task("approve_release")
        assert asked.defaults == ["Reject"]
        assert asked.response_timeout is not None
        assert asked.get_flat_relative_ids(upstream=False) == {"publish", "report_release", "notify"}


def test_parsing_a_dag_imports_nothing_heavy(tmp_path: Path) -> None:
    files = sorted(str(file) for file in DAGS_DIR.glob("*.py"))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, "-c", _REPORT_MODULES, *files],
        env={**environment, "AIRFLOW_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    reports = [json.loads(line[8:]) for line in done.stdout.splitlines() if line.startswith("modules ")]
    assert [path for path, _ in reports] == files
    for path, modules in reports:
        assert "asms_airflow.tasks" in modules
        assert [name for name in HEAVY if name in modules] == [], path
