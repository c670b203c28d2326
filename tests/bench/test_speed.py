"""Speed as ratios against a peer in the same run: `make bench` prints them, limits fail only on a gross slip.

Ratios and not seconds, because machines differ; CPU time of this process and not wall time, where the peer is in this process too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import python_calamine

from asms.intake.form_definition import load_forms
from asms.intake.form_reading import read_return
from asms.intake.landing import LandingStore
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_rows
from asms_airflow.inputs import make_shipped_sample

_ROWS = 200_000


@dataclass(frozen=True)
class _Found:
    """Every name is this municipality: resolving is not what is measured."""

    municipality_code: str | None = "UA05020030000031457"
    candidates: tuple[object, ...] = ()
    reason: str | None = None


def _resolve(_text: str, *, region: str | None = None) -> _Found:  # noqa: ARG001 - the reader passes it
    return _Found()


def _cpu_seconds(work: Callable[[], object], repeat: int = 3) -> float:
    """The least of a few tries."""
    best = float("inf")
    for _ in range(repeat):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best


def _wall_seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def test_copy_rows_against_row_by_row(warehouse: Warehouse) -> None:
    rows = [("load", number, "UA01", None, "назва з пробілом") for number in range(_ROWS)]
    columns = ("load_id", "row_no", "level1_code", "level2_code", "name")

    def ours() -> None:
        with warehouse.connect("admin") as connection:
            connection.execute("create temporary table target (like raw.katottg_unit)")
            copy_rows(connection, "pg_temp.target", columns, rows)

    def peer() -> None:
        with warehouse.connect("admin") as connection:
            connection.execute("create temporary table target (like raw.katottg_unit)")
            with connection.cursor().copy(f"copy pg_temp.target ({', '.join(columns)}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)

    ratio = _wall_seconds(ours) / _wall_seconds(peer)
    print(f"\nCOPY of {_ROWS:,} rows: {ratio:.2f} x psycopg row by row")
    assert ratio < 2


def test_reading_workbooks_against_calamine(settings: Settings) -> None:
    make_shipped_sample(settings)
    forms = load_forms()
    files = [
        file for file in sorted((settings.home / "sample" / "drop").rglob("*.xlsx")) if file.stat().st_size > 20_000
    ][:20]

    def ours() -> None:
        for file in files:
            read_return(file.read_bytes(), file.name, forms, _resolve)

    def floor() -> None:
        for file in files:
            book = python_calamine.CalamineWorkbook.from_path(str(file))
            for name in book.sheet_names:
                book.get_sheet_by_name(name).to_python(skip_empty_area=False)

    ratio = _cpu_seconds(ours) / _cpu_seconds(floor)
    print(f"\nreading {len(files)} workbooks safely: {ratio:.2f} x calamine alone")
    assert files
    assert ratio < 20


@pytest.mark.parametrize("times", [2])
def test_a_load_that_is_there_costs_next_to_nothing(warehouse: Warehouse, settings: Settings, times: int) -> None:
    store = LandingStore(settings.landing).put
    first = _wall_seconds(lambda: fetch_katottg(warehouse, settings, store))
    again = min(_wall_seconds(lambda: fetch_katottg(warehouse, settings, store)) for _ in range(times))
    print(f"\nthe codifier again: {again / first:.2%} of its first load")
    assert again < first / 4
