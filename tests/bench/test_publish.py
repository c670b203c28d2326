"""Publishing on a long history: a release in which 1 % changed, reads through the pointer, and readers while it is written.

``ASMS_BENCH_FACTS`` sets how many facts stand (1,700,000 unless set; ten years of the country are 17 million), ``ASMS_BENCH_READERS``
how many readers ask meanwhile.
"""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from psycopg import sql

from asms.warehouse import embedded
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse, read_number
from asms.warehouse.release import publish
from tests.bench.cost import Cost, find_postmaster, measure
from tests.conftest import copied

FACTS = int(os.environ.get("ASMS_BENCH_FACTS", "1700000"))
READERS = int(os.environ.get("ASMS_BENCH_READERS", "50"))
INDICATORS = 1160
BODIES = 1469
QUERIES_A_SECOND = 100
SECONDS = 20 + 3 * FACTS // 1_000_000
"""How long the readers ask: longer than a release takes."""

_COLUMNS = {
    "municipality_code": "text", "indicator_code": "text", "collection_code": "text", "time_period": "text", "period_start": "date",
    "sex": "text", "obs_value": "double precision", "obs_status": "text", "is_derived": "boolean", "submission_id": "text",
    "load_id": "text",
}  # fmt: skip
_KEY = ["municipality_code", "indicator_code", "time_period", "sex"]
# The fourth part of a body's profile, as a reader asks for it.
_QUERY = (
    "select indicator_code, time_period, obs_value from {table} "
    "where municipality_code = {code} and time_period = '2024' and indicator_code like 'D%1'"
)
_RELEASES = (
    "select count(distinct release_id) from marts.fct_indicator_value where municipality_code = 'UA00000000000000100'"
)


def _manifest(folder: Path) -> Path:
    node = {
        "resource_type": "model", "schema": "build", "name": "fct_indicator_value", "description": "Факти. / Facts.",
        "depends_on": {"nodes": []},
        "config": {
            "contract": {"enforced": True},
            "incremental_strategy": "changed_keys",
            "meta": {"key": _KEY, "not_business": ["load_id"], "redo_by": "municipality"},
        },
        "columns": {name: {"name": name, "data_type": kind, "description": f"{name} / {name}"} for name, kind in _COLUMNS.items()},
    }  # fmt: skip
    file = folder / "manifest.json"
    file.write_text(json.dumps({"nodes": {"model.asms.fct_indicator_value": node}}))
    return file


@pytest.fixture(scope="module")
def history(template_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, Path]:
    """Release 1: ``FACTS`` values of the country's bodies, in as many years as that takes."""
    manifest = _manifest(tmp_path_factory.mktemp("manifest"))
    years = max(1, round(FACTS / BODIES / INDICATORS))
    with copied(template_warehouse) as warehouse:
        with warehouse.connect("transformer") as connection:
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            connection.execute(f"create table build.fct_indicator_value ({columns})".encode())
            connection.execute("create table staging.budget_code (budget_code text, area_code text)")
            connection.execute("create table staging.stg_katottg__unit (unit_code text, category text)")
            connection.execute(
                "insert into build.fct_indicator_value "
                "select 'UA' || lpad(body::text, 17, '0'), 'D' || lpad(indicator::text, 4, '0'), 'ASMS', year::text, "
                "make_date(year, 1, 1), 'T', body * 0.5 + indicator + year, 'A', false, 'submission of ' || body, 'load' "
                "from generate_series(%s - %s, 2024) as year, generate_series(1, %s) as body, generate_series(1, %s) as indicator",
                (2025, years, BODIES, INDICATORS),
            )
            connection.execute(
                "create unique index on build.fct_indicator_value (municipality_code, indicator_code, time_period, sex)"
            )
            connection.execute("analyze build.fct_indicator_value")
        build = start_build(warehouse, force=True)
        publish(warehouse, build.build_id, manifest)
        with warehouse.connect("admin", autocommit=True) as connection:
            connection.execute("vacuum analyze published.fct_indicator_value")
        yield warehouse, manifest


def _change(warehouse: Warehouse, *, is_known: bool) -> int:
    """A build in which one body of a hundred says otherwise in all years; return its id. ``is_known``: its keys are listed."""
    build = start_build(warehouse, force=True)
    with warehouse.connect("admin") as connection:
        connection.execute(
            "update build.fct_indicator_value set obs_value = obs_value + 1 "
            "where municipality_code in (select 'UA' || lpad((body * 100)::text, 17, '0') from generate_series(1, %s) as body)",
            (BODIES // 100 + 1,),
        )
        connection.execute("update ops.build set is_full = %s where build_id = %s", (not is_known, build.build_id))
        connection.execute("delete from ops.changed_key")
        connection.execute(
            "insert into ops.changed_key (municipality_code, time_period, reason) "
            "select distinct municipality_code, time_period, 'load' from build.fct_indicator_value "
            "where municipality_code in (select 'UA' || lpad((body * 100)::text, 17, '0') from generate_series(1, %s) as body)",
            (BODIES // 100 + 1,),
        )
    return build.build_id


def _publish(warehouse: Warehouse, manifest: Path, home: Path, *, is_known: bool) -> Cost:
    build_id = _change(warehouse, is_known=is_known)
    return measure(lambda: publish(warehouse, build_id, manifest), find_postmaster(home))


def test_a_release_costs_what_changed(history: tuple[Warehouse, Path], pg_home: Path) -> None:
    warehouse, manifest = history
    known = _publish(warehouse, manifest, pg_home, is_known=True)
    compared = _publish(warehouse, manifest, pg_home, is_known=False)
    print(f"\n{FACTS:,} facts, 1 % changed: keys known {known}; found by comparing all {compared}")
    share = FACTS / 17_000_000
    assert known.server < 3 * max(1.0, 5 * share)
    assert compared.server < 3 * max(1.0, 40 * share)


def test_reading_through_the_pointer_costs_as_a_plain_table(history: tuple[Warehouse, Path]) -> None:
    warehouse, _ = history
    with warehouse.connect("admin", autocommit=True) as connection:
        connection.execute("create table public.plain as select * from marts.fct_indicator_value")
        connection.execute("create index on public.plain (municipality_code, indicator_code, time_period, sex)")
        connection.execute("vacuum analyze public.plain")
        seconds: dict[str, list[float]] = {"public.plain": [], "marts.fct_indicator_value": []}
        for number in range(300):
            for table, taken in seconds.items():
                query = sql.SQL(_QUERY).format(
                    table=sql.Identifier(*table.split(".")), code=sql.Literal(f"UA{number + 1:017}")
                )
                begin = time.perf_counter()
                assert connection.execute(query).fetchall()
                taken.append(time.perf_counter() - begin)
    plain, pointer = (statistics.median(taken) for taken in seconds.values())
    print(f"\none body: {pointer * 1000:.2f} ms through the pointer, {pointer / plain:.2f} x a plain table")
    assert pointer < 2 * plain


def test_no_reader_waits_for_a_release(history: tuple[Warehouse, Path], tmp_path: Path) -> None:
    """The same readers without and with a release under them: no error, and each statement sees one release."""
    warehouse, manifest = history
    script = tmp_path / "reader.sql"
    query = _QUERY.format(table="marts.fct_indicator_value", code="'UA' || lpad((:body)::text, 17, '0')")
    script.write_text(f"\\set body random(1, {BODIES})\n{query};\n")
    alone = _latencies(warehouse, script, tmp_path / "alone", lambda: None)
    build_id = _change(warehouse, is_known=True)
    seen: set[int] = set()

    def release() -> None:
        with ThreadPoolExecutor(1) as pool, warehouse.connect("bi", autocommit=True) as connection:
            published = pool.submit(publish, warehouse, build_id, manifest)
            while not published.done():
                seen.add(read_number(connection, _RELEASES))
            seen.add(read_number(connection, _RELEASES))
            published.result()

    during = _latencies(warehouse, script, tmp_path / "during", release)
    print(
        f"\n{READERS} readers, {QUERIES_A_SECOND} queries a second: longest {max(alone):.0f} ms without a release "
        f"({len(alone)} queries), {max(during):.0f} ms with one ({len(during)} queries)"
    )
    assert seen == {1}, "a statement that saw two releases"
    assert max(during) < max(alone) + 1000


def _latencies(warehouse: Warehouse, script: Path, log: Path, meanwhile: Callable[[], object]) -> list[float]:
    """Milliseconds from when each query of the readers was due to its answer, while ``meanwhile`` was done."""
    params = warehouse.params("bi")
    command = [
        str(embedded.bin_dir() / "pgbench"), "-n", "-h", params["host"], "-p", params["port"], "-U", params["user"],
        "-c", str(READERS), "-j", "2", "-R", str(QUERIES_A_SECOND), "-T", str(SECONDS), "-f", str(script), "--log", f"--log-prefix={log}",
        params["dbname"],
    ]  # fmt: skip
    environment = {"PGPASSWORD": params["password"], "PATH": os.environ["PATH"]}
    readers = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(2)
    meanwhile()
    assert readers.poll() is None, (
        readers.communicate()
    )  # they ask to the end of it; what a stopped pgbench logged is lost
    _, said = readers.communicate()
    assert "rror" not in said, said
    lines = [line.split() for file in log.parent.glob(f"{log.name}.*") for line in file.read_text().splitlines()]
    return [int(fields[2]) / 1000 for fields in lines if len(fields) >= 6]
