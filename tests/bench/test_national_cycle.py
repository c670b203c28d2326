"""A national cycle from the drop folder to raw against the least that it can cost: `make bench` prints both."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
import python_calamine

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse
from tests.bench.national import CELL_COUNT, HROMADA_COUNT, write_national_cycle

_MEMORY_LIMIT_MB = 700


@dataclass(frozen=True)
class _Cost:
    wall: float
    own: float
    workers: float
    server: float

    @property
    def cpu(self) -> float:
        return self.own + self.workers + self.server

    def __str__(self) -> str:
        parts = f"{self.own:.1f} own + {self.workers:.1f} workers + {self.server:.1f} server"
        return f"{self.cpu:.1f} s of CPU ({parts}), {self.wall:.1f} s of wall time"


def _server_seconds(postmaster: psutil.Process) -> float:
    """CPU time of the server: its processes that run, and those that ended."""
    total = 0.0
    for child in postmaster.children():
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile, and is counted below
            total += sum(child.cpu_times()[:2])
    return total + sum(postmaster.cpu_times()[:4])


def _measure(work: Callable[[], object], postmaster: psutil.Process) -> _Cost:
    def clocks() -> tuple[float, float, float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = children.ru_utime + children.ru_stime
        return time.perf_counter(), time.process_time(), used, _server_seconds(postmaster)

    begin = clocks()
    work()
    return _Cost(*(after - before for before, after in zip(begin, clocks(), strict=True)))


def _peak_megabytes(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.fixture
def postmaster(pg_home: Path, warehouse: Warehouse) -> psutil.Process:  # noqa: ARG001 - the server runs by then
    return psutil.Process(int(next(pg_home.rglob("postmaster.pid")).read_text().split()[0]))


def test_a_national_cycle_from_drop_to_raw(
    warehouse: Warehouse, settings: Settings, postmaster: psutil.Process
) -> None:
    drop = settings.home / "sample" / "drop"
    assert write_national_cycle(drop) == HROMADA_COUNT * CELL_COUNT
    store_catalogue(warehouse, load_catalogue())
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    with warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)

    landed = _measure(lambda: land_drop(warehouse, settings), postmaster)
    read = _measure(lambda: read_deliveries(warehouse, settings, gazetteer.resolve), postmaster)
    peaks = [_peak_megabytes(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with warehouse.connect("gate") as connection:
        assert connection.execute("select count(*) from raw.submission_cell").fetchone() == (
            HROMADA_COUNT * CELL_COUNT,
        )

    parsed = _measure(lambda: _only_parse(drop), postmaster)
    with warehouse.connect("admin") as connection:
        connection.execute("create table raw.floor (like raw.submission_cell including indexes)")
        rows = connection.execute("select * from raw.submission_cell").fetchall()
        copied = _measure(lambda: _only_copy(connection, rows), postmaster)
    ratio = (landed.cpu + read.cpu) / (parsed.cpu + copied.cpu)
    print(f"\nnational cycle, {HROMADA_COUNT:,} workbooks, {HROMADA_COUNT * CELL_COUNT:,} cells, from drop to raw:")
    print(f"  landing:    {landed}\n  reading:    {read}")
    print(f"  floor:      calamine {parsed}\n              one COPY {copied}")
    print(f"  ratio of CPU: {ratio:.2f} (target 1.6); peak {peaks[0]:.0f} MB, workers {peaks[1]:.0f} MB")
    assert ratio < 25
    assert max(peaks) < _MEMORY_LIMIT_MB


def _only_parse(drop: Path) -> None:
    for file in sorted(drop.glob("*.xlsx")):
        book = python_calamine.CalamineWorkbook.from_path(str(file))
        for name in book.sheet_names:
            book.get_sheet_by_name(name).to_python(skip_empty_area=False)


def _only_copy(connection: psycopg.Connection, rows: Sequence[Sequence[object]]) -> None:
    with connection.cursor() as cursor, cursor.copy("copy raw.floor from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    connection.commit()
