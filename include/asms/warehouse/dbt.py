"""dbt, run in this process: parse, one build per layer, and what became of each node.

What belongs: how dbt is called and how its results are kept. What does not: SQL of models (``dbt_project/``), verdicts on a
load (``asms.quality``).
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from psycopg import pq

from asms.paths import DBT_DIR
from asms.warehouse.connection import Warehouse, says_connection_lost

logger = logging.getLogger(__name__)

Layer = Literal["staging", "indicators", "marts"]

SELECTION: dict[Layer, tuple[str, ...]] = {
    "staging": ("path:seeds", "path:models/staging"),
    "indicators": ("path:models/indicators",),
    "marts": ("path:models/marts",),
}
"""What of the project belongs to a layer, as arguments of ``--select``."""
# Findings and gate results come with every build, whatever was loaded.
_ALWAYS = ("stg_quality__finding+", "stg_quality__gate_result+")
# Sources with new loads in a build. A decision on a finding changes what of the returns is accepted.
_CHANGED_SOURCES = """
select distinct load.source from ops.build_load inner join ops.load on build_load.load_id = load.load_id
where build_load.build_id = %(build_id)s
union
select 'submissions' from ops.build_decision where build_id = %(build_id)s
"""
_SCHEMA: dict[Layer, str] = {"staging": "staging", "indicators": "indicators", "marts": "build"}
_SEVERITY = {"fail": "critical", "warn": "warning"}
_PROFILE_KEYS = ("host", "port", "dbname", "user", "password")
_NO_ADDRESS = dict.fromkeys(_PROFILE_KEYS, "0")
# What was parsed in this process, good while no file of the project changes: parsing costs more than building a layer.
_manifests: dict[tuple[str, str, int], Any] = {}


class DbtError(RuntimeError):
    """dbt could not do what it was asked: a node did not run, or the project does not parse. Names the nodes and reasons."""


class TransientDbtError(DbtError):
    """The connection to the server was lost or refused: the same again may succeed."""


@dataclass(frozen=True)
class LayerResult:
    """What became of one layer. ``failed_nodes`` are failed tests, by dbt's unique id; warnings are among them."""

    layer: Layer
    ok_count: int
    failed_nodes: tuple[str, ...]
    seconds: float


def build_layer(warehouse: Warehouse, layer: Layer, build_id: int, is_full: bool, *, target_path: Path) -> LayerResult:
    """Build the models (and seeds) of ``layer``, then run its tests; keep the results of the nodes.

    Incremental models redo the keys of ``ops.changed_key``, or everything when ``is_full``. Tests run after all models
    stand, so that a failed test leaves no half layer. Rows of ``ops.dbt_node_run`` and, for tests that failed,
    ``quality.gate_result`` replace those of an earlier try of the same build. ``target_path`` is kept between runs.

    Raises:
        TransientDbtError: the connection to the server was lost.
        DbtError: a model or seed could not be built, or a test could not be run.
    """
    started = time.monotonic()
    selection = [*select_layer(warehouse, layer, build_id, is_full), "--indirect-selection", "buildable"]
    results = invoke(
        ["build", *selection, "--exclude-resource-type", "test", "unit_test", *(["--full-refresh"] if is_full else [])],
        warehouse=warehouse,
        target_path=target_path,
    )
    broken = [result for result in results if result.status not in ("success", "no-op")]
    if not broken:
        tests = invoke(
            ["test", *selection, "--exclude-resource-type", "unit_test"], warehouse=warehouse, target_path=target_path
        )
        broken = [result for result in tests if result.status in ("error", "skipped", "runtime error")]
        results += tests
    _store_results(warehouse, layer, build_id, results)
    if broken:
        raise _error(f"dbt layer {layer}: " + "; ".join(f"{_name(r)}: {r.status}: {r.message}" for r in broken))
    failed = tuple(sorted(str(r.node.unique_id) for r in results if r.status in ("fail", "warn")))
    outcome = LayerResult(layer, len(results) - len(failed), failed, time.monotonic() - started)
    logger.info("dbt %s: %d nodes ok, %d tests failed, %.1f s", layer, outcome.ok_count, len(failed), outcome.seconds)
    return outcome


def select_layer(warehouse: Warehouse, layer: Layer, build_id: int, is_full: bool) -> list[str]:
    """What of ``layer`` a build redoes, as arguments for dbt: all in a full build, else what is made of its loads' sources.

    A model that reads none of them has the same rows as before: what else it is made of makes a build a full one.
    """
    if is_full:
        return ["--select", *SELECTION[layer]]
    with warehouse.connect("gate") as connection:
        sources = [row[0] for row in connection.execute(_CHANGED_SOURCES, {"build_id": build_id}).fetchall()]
    roots = [*(f"source:raw.{tables_of(source)}+" for source in sorted(sources)), *_ALWAYS]
    return ["--select", *(f"{root},{part}" for root in roots for part in SELECTION[layer])]


def tables_of(source: str) -> str:
    """Pattern of the names of the raw tables that loads of ``source`` fill."""
    return "submission*" if source == "submissions" else f"{source}_*"


def parse(target_path: Path, database: str = "none") -> Path:
    """Parse the project with deprecations as errors; no server is needed. Return the path of the manifest.

    What is kept in ``target_path`` is taken up by later runs on a database of that name.

    Raises:
        DbtError: the project does not parse, or uses something deprecated.
    """
    _run(["--warn-error-options", '{"error": ["Deprecations"]}', "parse", "--no-partial-parse"], database, target_path)
    return target_path / "manifest.json"


def generate_docs(warehouse: Warehouse, target_path: Path) -> Path:
    """Make the documentation site of what ``warehouse`` holds, one file; return its path. Raises DbtError."""
    outcome = _run(["docs", "generate", "--static"], warehouse, target_path)
    if not outcome.success:
        raise DbtError(f"dbt docs generate failed; see {target_path / 'logs' / 'dbt.log'}")
    return target_path / "static_index.html"


def invoke(arguments: Sequence[str], *, warehouse: Warehouse, target_path: Path) -> list[Any]:
    """Run one dbt command on ``warehouse`` and return dbt's results of its nodes. A failed test is a result, not an error.

    Raises:
        DbtError: the command itself failed.
    """
    key = (str(target_path), warehouse.database, _newest_change())
    if key not in _manifests:
        _manifests[key] = _run(["parse"], warehouse.database, target_path).result
    # what dbt would write of its manifest again costs as much as a small model
    outcome = _run([*arguments, "--no-write-json"], warehouse, target_path, _manifests[key])
    results = list(getattr(outcome.result, "results", ()))
    if not outcome.success and not results:
        raise DbtError(f"dbt {' '.join(arguments)} failed; see {target_path / 'logs' / 'dbt.log'}")
    return results


def _run(arguments: Sequence[str], warehouse: Warehouse | str, target_path: Path, manifest: Any = None) -> Any:
    """Run one dbt command on ``warehouse``, or, where no server is asked, for a database of that name."""
    from dbt.cli.main import dbtRunner  # takes 2 s, so only those who run dbt pay it

    flags = [
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
        "--log-level",
        "none",
        "--log-level-file",
        "info",
    ]
    options = [
        "--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(target_path),
        "--log-path", str(target_path / "logs"),
        # names of relations hold the database's: what was parsed for another one must not be taken up
        "--vars", f"{{warehouse_database: {warehouse if isinstance(warehouse, str) else warehouse.database}}}",
    ]  # fmt: skip
    # In a thread of its own: for each of its flags dbt looks through the call stack, which under Airflow is deep enough to cost
    # half a second a command.
    answers: list[Any] = []
    command = [*flags, *arguments, *options]
    thread = threading.Thread(target=lambda: answers.append(dbtRunner(manifest=manifest).invoke(command)), daemon=True)
    with _credentials(warehouse):
        thread.start()
        thread.join()
    if not answers:
        raise DbtError(f"dbt {' '.join(arguments)} ended without an answer")
    (outcome,) = answers
    if outcome.exception is not None:
        raise _error(f"dbt {' '.join(arguments)}: {outcome.exception}") from outcome.exception
    return outcome


def _error(message: str) -> DbtError:
    return TransientDbtError(message) if says_connection_lost(message) else DbtError(message)


def _newest_change() -> int:
    return max(file.stat().st_mtime_ns for file in DBT_DIR.rglob("*") if file.is_file())


@contextmanager
def _credentials(warehouse: Warehouse | str) -> Iterator[None]:
    """Set the variables that profiles.yml and libpq read, and put the environment back afterwards.

    For the name of a database they hold no address: what dbt parsed with them is good wherever a database of that name is.
    """
    params = {**_NO_ADDRESS, "dbname": warehouse} if isinstance(warehouse, str) else warehouse.params("transformer")
    values = {
        "ASMS_DBT_HOST": params["host"],
        "ASMS_DBT_PORT": params["port"],
        "ASMS_DBT_DATABASE": params["dbname"],
        "ASMS_DBT_USER": params["user"],
        "DBT_ENV_SECRET_ASMS_PASSWORD": params["password"],
        "DO_NOT_TRACK": "1",
    }
    # what else an external server's DSN says (sslmode, …) has no place in the profile, but libpq reads it from here
    for option in pq.Conninfo.get_defaults():
        keyword = option.keyword.decode()
        if option.envvar and keyword in params and keyword not in _PROFILE_KEYS:
            values[option.envvar.decode()] = params[keyword]
    environ = os.environ  # noqa: TID251 - dbt takes a profile's secrets from the environment and from nowhere else
    before = {name: environ.get(name) for name in values}
    environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                environ.pop(name, None)
            else:
                environ[name] = value


def _store_results(warehouse: Warehouse, layer: Layer, build_id: int, results: Sequence[Any]) -> None:
    runs = [
        (
            build_id, layer, r.node.unique_id, str(r.node.resource_type), str(r.status), r.failures, r.execution_time, r.message,
        )
        for r in results
    ]  # fmt: skip
    failures = [_gate_row(layer, build_id, r) for r in results if str(r.status) in _SEVERITY]
    with warehouse.connect("gate") as connection, connection.cursor() as cursor:
        cursor.execute("delete from ops.dbt_node_run where build_id = %s and layer = %s", (build_id, layer))
        cursor.executemany(
            "insert into ops.dbt_node_run (build_id, layer, node_id, resource_type, status, failures, seconds, message) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s)",
            runs,
        )
        cursor.execute(
            "delete from quality.gate_result where build_id = %s and gate = %s and engine = 'dbt'", (build_id, layer)
        )
        cursor.executemany(
            "insert into quality.gate_result (build_id, gate, engine, dataset, check_id, severity, success, "
            "unexpected_count, failing_rows_sql, message_uk, message_en, owner) "
            "values (%s, %s, 'dbt', %s, %s, %s, false, %s, %s, %s, %s, %s)",
            failures,
        )


def _gate_row(layer: Layer, build_id: int, result: Any) -> tuple[object, ...]:
    node = result.node
    description_uk, _, description_en = str(node.description or "").partition(" / ")
    count = result.failures if result.failures is not None else "?"
    return (
        build_id, layer, f"{_SCHEMA[layer]}.{_tested(node)}", node.unique_id, _SEVERITY[str(result.status)], result.failures,
        getattr(node, "compiled_code", None),
        f"Перевірка dbt «{node.name}» знайшла рядків: {count}. {description_uk}".strip(),
        f"dbt test “{node.name}” found {count} rows. {description_en}".strip(),
        str(node.config.meta.get("owner", "data-engineering")),
    )  # fmt: skip


def _tested(node: Any) -> str:
    """Name of the model that a test asks about."""
    tested = getattr(node, "attached_node", None) or next(iter(node.depends_on.nodes), node.unique_id)
    return str(tested).rsplit(".", 1)[-1]


def _name(result: Any) -> str:
    return str(result.node.name)
