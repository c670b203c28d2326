"""A national cycle from the drop folder to raw against the least that it can cost: `make bench` prints both.

``ASMS_BENCH_BODIES`` limits the hromadas.
"""

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import psycopg
import pytest
import python_calamine

from asms.catalogue import store_catalogue
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse
from tests.bench.cost import find_postmaster, measure
from tests.bench.national import CELL_COUNT, HROMADA_COUNT, write_national_cycle

_MEMORY_LIMIT_MB = 700
_BODIES = int(os.environ.get("ASMS_BENCH_BODIES", HROMADA_COUNT))
_CELLS = _BODIES * CELL_COUNT


def _peak_megabytes(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@pytest.fixture
def postmaster(pg_home: Path, warehouse: Warehouse) -> psutil.Process:  # noqa: ARG001 - the server runs by then
    return find_postmaster(pg_home)


def test_a_national_cycle_from_drop_to_raw(
    warehouse: Warehouse, settings: Settings, postmaster: psutil.Process
) -> None:
    drop = settings.home / "sample" / "drop"
    assert write_national_cycle(drop, count=_BODIES) == _CELLS
    store_catalogue(warehouse)
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    with warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)

    landed = measure(lambda: land_drop(warehouse, settings), postmaster)
    read = measure(lambda: read_deliveries(warehouse, settings, gazetteer.resolve), postmaster)
    peaks = [_peak_megabytes(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    with warehouse.connect("gate") as connection:
        assert connection.execute("select count(*) from raw.submission_cell").fetchone() == (_CELLS,)

    parsed = measure(lambda: _only_parse(drop), postmaster)
    with warehouse.connect("admin") as connection:
        connection.execute("create table raw.floor (like raw.submission_cell including indexes)")
        rows = connection.execute("select * from raw.submission_cell").fetchall()
        copied = measure(lambda: _only_copy(connection, rows), postmaster)
    ratio = (landed.cpu + read.cpu) / (parsed.cpu + copied.cpu)
    print(f"\nnational cycle, {_BODIES:,} workbooks, {_CELLS:,} cells, from drop to raw:")
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
