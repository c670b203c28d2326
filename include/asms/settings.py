"""Settings, all of them, and the only place that reads the environment.

Every setting has a default that works on a fresh clone. ``docs/reference/settings.md`` lists them for people.
"""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from asms.paths import PROJECT_ROOT

OPEN_SOURCES = (
    "katottg",
    "population",
    "population_sdmx",
    "open_budget",
    "budget_classification",
    "transfers",
    "health_declarations",
    "war_status",
    "currency",
    "world_bank",
    "treasury",
    "prozorro",
)
"""Every source of open data: a module of ``asms.sources``, an asset and a DAG ``ingest_…`` bear its name."""
WITHOUT_ADDRESS = ("population", "budget_classification", "transfers", "health_declarations", "war_status")
"""Sources whose publisher has no fixed address: a run that is to ask the real one must name it (ASMS_…_URL)."""
DEFAULT_SOURCES = ("katottg", "population", "open_budget", "budget_classification")
"""What a night pulls when nobody says which: what the published marts are made of."""


class SettingsError(ValueError):
    """A setting is missing or contradicts another; the message says which and what to do."""


class Settings(BaseModel):
    """What a run is told from outside. Frozen: a run cannot change its mind half way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    """Folder of everything the embedded size keeps: server, landing store, outbox, logs."""
    warehouse_dsn: str | None = None
    """libpq DSN of an external server; the embedded one is not used then."""
    credentials: Path
    """0600 JSON file with the passwords of the warehouse's roles."""
    drop: str | None = None
    """Folder or fsspec URL that senders put their returns in."""
    landing: str
    """Folder or fsspec URL of the landing store."""
    replay: Path | None = None
    """Folder of recorded open data that the local API server answers from."""
    sources: tuple[str, ...] | None = None
    """Open data to pull, a part of ``OPEN_SOURCES``; None means ``DEFAULT_SOURCES``, as far as they can be had."""
    urls: Mapping[str, str] = {}
    """Base URL per source; one that is not in it is asked at its real address (or the local server, in a sample or replay)."""
    schedules: Mapping[str, str] = {}
    """Cron expression (Kyiv time) per source; one that is not in it has that of its DAG."""
    open_budget_years: tuple[int, ...] | None = None
    """Years of budget execution to pull; None lets the source decide."""
    open_budget_items: tuple[str, ...] | None = None
    """What to ask about each budget, as INCOMES or EXPENSES:PROGRAM; None means everything."""
    spending_since: date | None = None
    """First day of public spending to pull, for a feed that was never read; None means 1 January of last year."""
    treasury_payers: str | None = None
    """Path or fsspec URL of the list of payers, a CSV file; None means that nobody's payments are pulled."""
    members: str | None = None
    """Path or fsspec URL of the register of members and users, a CSV file; None means that it is not known."""
    recipients: Path | None = None
    """YAML file that says who gets which mail; None means the example list of the package."""
    coordinators: Path | None = None
    """CSV file with the coordinators' addresses by municipality; None means nobody is known (or the sample's own)."""
    corrections: Path | None = None
    """CSV file of staff's corrections of single values; None means there are none."""
    embargoes: Path | None = None
    """CSV file of figures that are not to be published before a moment; None means there are none."""
    lock_timeout_seconds: int = 60
    approval: Literal["none", "hold", "required"] = "none"
    """What stands before publishing: nothing; a candidate that waits for ``asms release publish``; a person asked in Airflow."""

    @property
    def is_sample(self) -> bool:
        """No real input is named, so the run is one over the shipped sample."""
        return self.drop is None and self.replay is None

    @property
    def database(self) -> str:
        """Database on the embedded server: the sample never shares one with real data."""
        return "asms_sample" if self.is_sample else "asms"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"

    @property
    def last_run_file(self) -> Path:
        return self.home / "last_run.json"


def _parse_sources(text: str | None) -> tuple[str, ...] | None:
    if not text:
        return None
    if text == "all":
        return OPEN_SOURCES
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = sorted(set(names) - set(OPEN_SOURCES))
    if unknown:
        raise SettingsError(
            f"ASMS_SOURCES names {', '.join(unknown)}; known sources are {', '.join(OPEN_SOURCES)} (or 'all')"
        )
    return names


def _parse_names(text: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else None


def _per_source(given: Mapping[str, str], what: str) -> dict[str, str]:
    """Values of the variables ``ASMS_<SOURCE>_<WHAT>``, by source."""
    names = {source: f"ASMS_{source.upper()}_{what}" for source in OPEN_SOURCES}
    return {source: given[name] for source, name in names.items() if name in given}


def _parse_day(name: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise SettingsError(f"{name} is {text!r}; write a day like 2024-01-31") from error


def parse_years(text: str | None) -> tuple[int, ...] | None:
    """Read '2021,2023' or '2021-2023' (both ends included)."""
    if not text:
        return None
    years: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            years.extend(range(int(first), int(last or first) + 1))
    except ValueError as error:
        raise SettingsError(f"ASMS_OPEN_BUDGET_YEARS is {text!r}; write 2021,2022 or 2021-2023") from error
    return tuple(years)


def _parse_approval(text: str) -> Literal["none", "hold", "required"]:
    known: dict[str, Literal["none", "hold", "required"]] = {"none": "none", "hold": "hold", "required": "required"}
    if text not in known:
        raise SettingsError(f"ASMS_APPROVAL is {text!r}; write {', '.join(known)}")
    return known[text]


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from ``environ`` (the process environment unless given); empty means not set."""
    given = {key: value for key, value in (os.environ if environ is None else environ).items() if value}
    home = Path(given.get("ASMS_HOME", PROJECT_ROOT / "var")).expanduser().resolve()
    replay = given.get("ASMS_REPLAY")
    settings = Settings(
        home=home,
        warehouse_dsn=given.get("ASMS_WAREHOUSE_DSN"),
        credentials=Path(given.get("ASMS_CREDENTIALS", home / "credentials.json")),
        drop=given.get("ASMS_DROP"),
        landing=given.get("ASMS_LANDING", str(home / "landing")),
        replay=Path(replay).expanduser().resolve() if replay else None,
        sources=_parse_sources(given.get("ASMS_SOURCES")),
        urls=_per_source(given, "URL"),
        schedules=_per_source(given, "SCHEDULE"),
        open_budget_years=parse_years(given.get("ASMS_OPEN_BUDGET_YEARS")),
        open_budget_items=_parse_names(given.get("ASMS_OPEN_BUDGET_ITEMS")),
        spending_since=_parse_day("ASMS_SPENDING_SINCE", given.get("ASMS_SPENDING_SINCE")),
        treasury_payers=given.get("ASMS_TREASURY_PAYERS"),
        members=given.get("ASMS_MEMBERS"),
        recipients=Path(given["ASMS_RECIPIENTS"]) if "ASMS_RECIPIENTS" in given else None,
        coordinators=Path(given["ASMS_COORDINATORS"]) if "ASMS_COORDINATORS" in given else None,
        corrections=Path(given["ASMS_CORRECTIONS"]) if "ASMS_CORRECTIONS" in given else None,
        embargoes=Path(given["ASMS_EMBARGOES"]) if "ASMS_EMBARGOES" in given else None,
        lock_timeout_seconds=int(given.get("ASMS_LOCK_TIMEOUT_SECONDS", "60")),
        approval=_parse_approval(given.get("ASMS_APPROVAL", "none")),
    )
    if settings.warehouse_dsn and settings.is_sample:
        raise SettingsError(
            "the sample is never loaded into an external server (ASMS_WAREHOUSE_DSN is set): "
            "name the folder of real returns in ASMS_DROP (make nightly DROP=PATH)"
        )
    return settings
