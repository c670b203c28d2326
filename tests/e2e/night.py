"""A night in the tasks' own functions, told after each step, so that a test can kill it there. Run in a process of its own."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.landing import LandingStore
from asms.rebuild import rebuild
from asms.settings import Settings, load_settings
from asms.sources.budget_code import read_budget_codes
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.open_budget import fetch as fetch_open_budget
from asms.sources.population import fetch as fetch_population
from asms.warehouse.connection import Warehouse, open_warehouse
from asms.warehouse.migrate import prepare

AREA = "UA05020030000031457"
"""The one hromada whose budget this short night pulls."""

# What a forked child need not import again.
PRELOAD = ["tests.e2e.night", "great_expectations", "dbt.cli.main"]


def night_settings(home: Path, base_url: str, population_url: str) -> Settings:
    return load_settings(
        {"ASMS_HOME": str(home), "ASMS_OPEN_BUDGET_URL": base_url, "ASMS_POPULATION_URL": population_url}
    )


def run_night(settings: Settings, after_step: Callable[[str], None]) -> None:
    """From the services and the drop to a release. ``after_step`` also hears of moments inside a step."""
    warehouse = open_warehouse(settings)
    prepare(warehouse)
    after_step("prepare")
    store_catalogue(warehouse, load_catalogue())
    store = LandingStore(settings.landing)

    def put(content: bytes) -> str:
        digest = store.put(content)
        after_step("bytes stored, nothing booked yet")
        return digest

    fetch_katottg(warehouse, settings, put)
    after_step("fetch_katottg")
    fetch_population(warehouse, settings, put)
    after_step("fetch_population")
    codes = [code for code in read_budget_codes() if code.area_code == AREA]
    fetch_open_budget(warehouse, settings, put, period="2022,2023", codes=codes)
    after_step("fetch_open_budget")
    land_drop(warehouse, settings)
    after_step("land_drop")
    _read(warehouse, settings, after_step)
    after_step("read_deliveries")
    rebuild(warehouse, settings, force=False, after_step=after_step)


def _read(warehouse: Warehouse, settings: Settings, after_step: Callable[[str], None]) -> None:
    with warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)

    def resolve(text: str, *, region: str | None = None) -> object:
        after_step("in the middle of a return")
        return gazetteer.resolve(text, region=region)

    read_deliveries(warehouse, settings, resolve)  # type: ignore[arg-type]


def be_killed(settings: Settings, at: str, victim: str) -> None:
    """Run the night and kill at the moment called ``at``: this process, or the server under it."""

    def after_step(step: str) -> None:
        if step == at:
            pid = os.getpid() if victim == "process" else _postmaster(settings)
            os.kill(pid, signal.SIGKILL)

    _silence(settings)
    run_night(settings, after_step)


def run_through(settings: Settings, steps_file: Path) -> None:
    """Run the night undisturbed and write the name of each moment, a line each."""
    _silence(settings)
    with steps_file.open("w", encoding="utf-8") as steps:
        run_night(settings, lambda step: steps.write(step + "\n") and None)


def _postmaster(settings: Settings) -> int:
    return int((settings.home / "pg" / "data" / "postmaster.pid").read_text().splitlines()[0])


def _silence(settings: Settings) -> None:
    """What libraries print goes to a file: a child shares the test runner's terminal."""
    settings.home.mkdir(parents=True, exist_ok=True)
    log = (settings.home / "night.log").open("a", encoding="utf-8")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    with contextlib.suppress(OSError):
        os.setsid()
