"""A night in the tasks' own functions, in a process of its own, that stops at each moment until it is told to go on."""

import contextlib
import os
import smtplib
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.message import EmailMessage
from multiprocessing.connection import Connection

from asms.catalogue import store_catalogue
from asms.feedback import make_feedback
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.landing import LandingStore
from asms.notify import notify, send_waiting
from asms.rebuild import rebuild
from asms.settings import Settings, load_settings
from asms.sources.budget_code import read_budget_codes
from asms.sources.katottg import fetch as fetch_katottg
from asms.sources.open_budget import fetch as fetch_open_budget
from asms.sources.population import fetch as fetch_population
from asms.warehouse.connection import Warehouse, load_lock, open_warehouse
from asms.warehouse.migrate import prepare

AREA = "UA05020030000031457"
"""The one hromada whose budget this short night pulls."""

# What a forked child need not import again.
PRELOAD = ["tests.faults.night", "great_expectations", "dbt.cli.main"]

Step = Callable[[str], None]


@dataclass(frozen=True)
class Ways:
    """How this night gets out of its house: the mail server, and a relay that stands before the database, if any."""

    smtp_port: int
    relay_port: int | None = None


def night_settings(home: str, base_url: str, population_url: str) -> Settings:
    return load_settings({"ASMS_HOME": home, "ASMS_OPEN_BUDGET_URL": base_url, "ASMS_POPULATION_URL": population_url})


def run_night(settings: Settings, ways: Ways, after_step: Step) -> None:
    """From the services and the drop to a release and its mails. ``after_step`` also hears of moments inside a step."""
    warehouse = open_warehouse(settings)
    prepare(warehouse)
    after_step("prepare")
    if ways.relay_port:
        warehouse = replace(warehouse, port=ways.relay_port)
    with load_lock(warehouse, settings.lock_timeout_seconds):
        _load(warehouse, settings, after_step)
        rebuild(warehouse, settings, force=False, after_step=after_step)
        _tell(warehouse, settings, ways.smtp_port, after_step)


def _load(warehouse: Warehouse, settings: Settings, after_step: Step) -> None:
    store_catalogue(warehouse)
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
    with warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)

    def resolve(text: str, *, region: str | None = None) -> object:
        after_step("in the middle of a return")
        return gazetteer.resolve(text, region=region)

    read_deliveries(warehouse, settings, resolve)  # type: ignore[arg-type]
    after_step("read_deliveries")


def _tell(warehouse: Warehouse, settings: Settings, smtp_port: int, after_step: Step) -> None:
    def send(message: EmailMessage) -> None:
        with smtplib.SMTP("127.0.0.1", smtp_port, timeout=5) as client:
            client.send_message(message)
        after_step("a mail sent, not noted yet")

    with warehouse.connect("gate") as connection:
        row = connection.execute("select max(build_id) from ops.build").fetchone()
    make_feedback(warehouse, settings, after_files=lambda _report: after_step("a report written, not booked yet"))
    after_step("make_feedback")
    notify(warehouse, settings, row[0] if row else None, send)
    send_waiting(warehouse, settings, send)
    after_step("notify")


def tell_night(settings: Settings, ways: Ways, line: Connection) -> None:
    """Run the night; tell each moment over ``line`` and wait there for the word to go on. The last word is how it ended."""
    _silence(settings)

    def after_step(step: str) -> None:
        line.send(step)
        line.recv()

    try:
        run_night(settings, ways, after_step)
    except Exception as error:
        line.send(f"FAILED {type(error).__name__}: {error}")
        raise
    line.send("DONE")


def _silence(settings: Settings) -> None:
    """What libraries print goes to a file: a child shares the test runner's terminal. A session of its own tells its children."""
    settings.home.mkdir(parents=True, exist_ok=True)
    log = (settings.home / "night.log").open("a", encoding="utf-8")
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    with contextlib.suppress(OSError):
        os.setsid()
