"""Budgets from HTTP to staged, against downloading the same answers and copying the same rows: real data, CPU and not wall.

The CPU is that of this process and of the PostgreSQL server; the local server of answers runs in a process of its own.
"""

import csv
import io
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httpx
import pytest

from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources.budget_code import BudgetCode, read_budget_codes
from asms.sources.open_budget import PATH, choose_kinds, fetch, plan_requests
from asms.sources.open_budget_answer import ROW_COLUMNS, parse_answer
from asms.warehouse import dbt
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from tests.bench.cost import find_postmaster, server_seconds

ITEMS = ("INCOMES", "EXPENSES:ECONOMIC")
YEARS = "2021-2026"


@pytest.fixture
def server(real_data: Path) -> Iterator[str]:
    """Base URL of the recorded answers."""
    command = [sys.executable, "-m", "asms.sample.server", "--replay", str(real_data / "budgets")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """The same for both sides: its certificates cost as much as ten answers."""
    with httpx.Client(trust_env=False) as client:
        yield client


def recorded_codes(real_data: Path) -> list[BudgetCode]:
    """The codes that the recordings have: a budget without a report costs a request and no rows."""
    import pyarrow.parquet as pq

    table = pq.read_table(real_data / "budgets" / "openbudget" / "incomes.parquet", columns=["COD_BUDGET"])
    known = set(table["COD_BUDGET"].unique().to_pylist())
    return [code for code in read_budget_codes() if code.budget_code in known]


def server_cpu(pg_home: Path) -> float:
    return server_seconds(find_postmaster(pg_home))


@contextmanager
def measured(pg_home: Path, told: dict[str, float], name: str) -> Iterator[None]:
    begin = time.process_time() + server_cpu(pg_home)
    yield
    told[name] = time.process_time() + server_cpu(pg_home) - begin


def test_budgets_from_http_to_staged(
    warehouse: Warehouse, settings: Settings, pg_home: Path, real_data: Path, server: str, client: httpx.Client
) -> None:
    given = settings.model_copy(update={"urls": {"open_budget": server}, "open_budget_items": ITEMS})
    codes = recorded_codes(real_data)
    requests = plan_requests(codes, range(2021, 2027), choose_kinds(ITEMS))
    cpu: dict[str, float] = {}

    bodies = [client.get(server + PATH, params=request.params).content for request in requests]  # the server warms up
    with measured(pg_home, cpu, "download"):
        bodies = [client.get(server + PATH, params=request.params).content for request in requests]
    rows = [
        (f"load-{number}", row_no, *line[:8], None, None, None)
        for number, body in enumerate(bodies)
        for row_no, line in enumerate(csv.reader(io.StringIO(body.decode()), delimiter=";"))
        if row_no
    ]
    assert len(rows) == 182_750
    # the rows as the service tells them, in a table that stays, so it is logged (a temporary one writes no log), and has raw's key;
    # three times, since a time of one second varies by a tenth
    columns = ("load_id", "row_no", *ROW_COLUMNS)
    typed = ", ".join(f"{name} {'integer' if name == 'row_no' else 'text'}" for name in columns)
    copied: list[float] = []
    for number in range(3):
        with warehouse.connect("admin") as connection:
            connection.execute(f"create table raw.target_{number} ({typed}, primary key (load_id, row_no))")
        with measured(pg_home, cpu, "copy"), warehouse.connect("admin") as connection:
            copy_rows(connection, f"raw.target_{number}", columns, rows)
        copied.append(cpu["copy"])
    cpu["copy"] = median(copied)
    del rows[:]  # else the collector of garbage walks through them while the others work

    store = LandingStore(settings.landing).put
    for number in range(256):  # the store makes its folders once in its life
        (Path(settings.landing) / f"{number:02x}").mkdir(parents=True, exist_ok=True)
    parse_answer(bodies[0], requests[0])  # what it imports costs the same whatever is asked
    with measured(pg_home, cpu, "fetch"):
        assert fetch(warehouse, given, store, period=YEARS, codes=codes, client=client).row_count == 182_750
    with measured(pg_home, cpu, "again"):
        assert fetch(warehouse, given, store, period=YEARS, codes=codes, client=client).new_loads == 0

    build = start_build(warehouse)
    target = settings.home / "dbt"
    views = ["budget_code", "stg_ops__load", "stg_ops__changed_key", "stg_open_budget__month"]
    dbt.invoke(
        ["build", "--exclude-resource-type", "test", "--select", *views], warehouse=warehouse, target_path=target
    )
    begin = server_cpu(pg_home)  # dbt itself costs the same whatever it builds
    dbt.invoke(["run", "--select", "stg_open_budget__row"], warehouse=warehouse, target_path=target)
    cpu["stage"] = server_cpu(pg_home) - begin
    assert build.is_full
    with warehouse.connect("gate") as connection:
        staged = connection.execute("select count(*) from staging.stg_open_budget__row").fetchone()
    assert staged == (182_750,)

    floor = cpu["download"] + cpu["copy"]
    ratio = (cpu["fetch"] + cpu["stage"]) / floor
    parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in cpu.items())
    print(f"\n182,750 rows of budgets from HTTP to staged: {ratio:.2f} x download and COPY ({parts})")
    assert ratio < 5
