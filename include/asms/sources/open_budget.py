"""Monthly execution of local budgets from the Open Budget API (openbudget.gov.ua).

Every budget of the seed ``budget_code`` is asked for its incomes and for its expenses by economic classification, year by
year. An answer is a whole year, cumulative from 1 January, so a restated month comes with the next answer.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import psycopg

from asms.settings import Settings, parse_years
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.budget_code import BudgetCode, read_budget_codes
from asms.sources.http import Patience, get_bytes, new_client
from asms.sources.ledger import Feed, Reading, Store, book, next_batch, record_status, standing_load
from asms.sources.open_budget_answer import Answer, BudgetItem, Request, check_whole, parse_answer
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

BASE_URL = "https://api.openbudget.gov.ua"
PATH = "/api/public/localBudgetData"
FEED = Feed(
    source="open_budget",
    channel="api:open_budget",
    reader_version="1",
    table="raw.open_budget_row",
    columns=(
        "row_no", "budget_code", "budget_item", "classification_type", "year", "rep_period", "fund_typ", "cod_budget",
        "classification_code", "classification_name", "zat_amt", "plans_amt", "fakt_amt",
    ),
)  # fmt: skip
_ITEMS: tuple[BudgetItem, ...] = ("INCOMES", "EXPENSES")
_LOG_EVERY = 100  # requests
_GIVE_UP_AFTER = 4  # areas in a row without an answer: the service is down, and asking forty more would take an hour
_POLITE_PAUSE = 0.2  # seconds between requests to the real service, which answers 429 when asked too fast
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_NAMED = 5


@dataclass
class _Tally:
    """What has come of the requests so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    failures: dict[Request, SourceError] = field(default_factory=dict)


def default_years() -> tuple[int, ...]:
    """Years that are asked when nobody says which: this one, and the last, whose December is restated in spring.

    The clock decides only what is asked, never what is stored.
    """
    this_year = datetime.now(UTC).year
    return (this_year - 1, this_year)


def plan_requests(codes: Iterable[BudgetCode], years: Sequence[int]) -> list[Request]:
    """All questions of a run: each year, each code that is valid in it, each item."""
    known = list(codes)
    return [
        Request(code.budget_code, code.area_code, item, year)
        for year in years
        for code in known
        if code.is_valid(year)
        for item in _ITEMS
    ]


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    period: str | None = None,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
    codes: Sequence[BudgetCode] | None = None,
) -> SourceResult:
    """Load ``raw.open_budget_row`` for the years of ``period`` (2023, 2021,2023 or 2021-2023).

    Without one they are those of the settings, else last year and this one. Every answer is a delivery and a load of its
    own: one that fails leaves the others standing, and what it had brought before. Unchanged answers are a no-op; ``force``
    books them as new arrivals, and accepts an answer that has lost months.

    Raises:
        TransientSourceError: some answers did not come, and all for reasons that pass; the rest is loaded.
        SourceError: some answers cannot be used (the message names budgets and years); the rest is loaded.
    """
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    years = parse_years(period) or settings.open_budget_years or default_years()
    requests = plan_requests(codes or read_budget_codes(), years)
    given = patience or Patience(pause=0.0 if urlsplit(base_url).hostname in _LOOPBACK else _POLITE_PAUSE)
    own_client = client or new_client()
    try:
        with warehouse.connect("loader", autocommit=True) as connection:
            run = _Run(connection, store, settings.is_sample, force, next_batch(connection, FEED.source))

            def ask(request: Request) -> bytes:
                return get_bytes(own_client, base_url + PATH, request.params, check=check_whole, patience=given)

            tally = _ask_all(requests, ask, run, given)
    finally:
        if client is None:
            own_client.close()
    return _conclude(warehouse, tally, len(requests))


@dataclass(frozen=True)
class _Run:
    """What every booking of one run shares."""

    connection: psycopg.Connection
    store: Store
    is_sample: bool
    force: bool
    batch_no: int


def _ask_all(requests: Sequence[Request], ask: Callable[[Request], bytes], run: _Run, patience: Patience) -> _Tally:
    tally = _Tally()
    silent_areas: list[str] = []  # in a row, without an answer
    silent_codes: dict[str, TransientSourceError] = {}
    for count, request in enumerate(requests, start=1):
        if len(silent_areas) >= _GIVE_UP_AFTER:
            tally.failures[request] = TransientSourceError("not asked: the service does not answer")
            continue
        if request.budget_code in silent_codes:
            tally.failures[request] = silent_codes[request.budget_code]
            continue
        try:
            _take(run, request, ask(request), tally)
            silent_areas.clear()
        except TransientSourceError as error:
            logger.warning("open_budget: %s: %s", request, error)
            tally.failures[request] = silent_codes[request.budget_code] = error
            if request.area_code not in silent_areas:
                silent_areas.append(request.area_code)
        except SourceError as error:
            logger.warning("open_budget: %s: %s", request, error)
            tally.failures[request] = error
            silent_areas.clear()
        if count % _LOG_EVERY == 0:
            logger.info("open_budget: %d of %d asked, %d failed", count, len(requests), len(tally.failures))
        if patience.pause:
            patience.sleep(patience.pause)
    return tally


def _take(run: _Run, request: Request, body: bytes, tally: _Tally) -> None:
    """Book one answer. A header without rows is an answer too: there is nothing to load (and it is not zero)."""

    def read() -> Reading | None:
        answer = parse_answer(body, request)
        standing = _standing_periods(run.connection, request)
        lost = sorted(standing - answer.periods, key=lambda period: period[::-1])
        if lost and not run.force:
            raise SourceError(
                f"the answer to {request} has lost {', '.join(lost)}, which it had before: a report once published does not "
                "vanish, so the earlier answer stands (load with force to accept the new one)"
            )
        if not answer.rows and not standing:
            return None
        return Reading(_raw_rows(answer, request), answer.findings)

    booking = book(
        run.connection, FEED, request.path, body, read,
        store=run.store, batch_no=run.batch_no, is_sample=run.is_sample, force=run.force,
    )  # fmt: skip
    tally.outcomes[booking.outcome] += 1
    tally.rows += booking.row_count


def _raw_rows(answer: Answer, request: Request) -> Iterator[tuple[object, ...]]:
    """Rows of raw.open_budget_row after ``load_id``, in the order of ``FEED.columns``."""
    asked = (request.budget_code, request.budget_item, request.classification_type, str(request.year))
    names = FEED.columns[1 + len(asked) :]
    for row in answer.rows:
        yield (row.row_no, *asked, *(row.values[name] for name in names))


def _standing_periods(connection: psycopg.Connection, request: Request) -> frozenset[str]:
    """Months that the answer in force for ``request`` has."""
    load_id = standing_load(connection, FEED, request.path)
    found = connection.execute(
        "select distinct rep_period from raw.open_budget_row where load_id = %s and rep_period is not null", (load_id,)
    ).fetchall()
    return frozenset(str(period) for (period,) in found)


def _conclude(warehouse: Warehouse, tally: _Tally, asked: int) -> SourceResult:
    failed = len(tally.failures)
    new, unchanged = tally.outcomes["new"], tally.outcomes["unchanged"]
    message = (
        _explain(tally.failures, asked)
        if failed
        else f"{asked} asked: {new} new, {unchanged} unchanged, {tally.outcomes['nothing']} without rows; {tally.rows} rows"
    )
    result = SourceResult(FEED.source, failed == 0, new, unchanged, failed, tally.rows, message)
    record_status(warehouse, result)
    logger.info("open_budget: %s", message)
    if failed:
        passing = all(isinstance(error, TransientSourceError) for error in tally.failures.values())
        raise TransientSourceError(message) if passing else SourceError(message)
    return result


def _explain(failures: Mapping[Request, SourceError], asked: int) -> str:
    """What failed and why, by reason; Ukrainian first."""
    codes = sorted({f"{request.budget_code} ({request.year})" for request in failures})
    named = ", ".join(codes[:_MOST_NAMED]) + (f" … (+{len(codes) - _MOST_NAMED})" if len(codes) > _MOST_NAMED else "")
    reasons = dict.fromkeys(str(error) for error in failures.values())
    shown = "; ".join(list(reasons)[:3])
    return (
        f"Не отримано {len(failures)} з {asked} відповідей; діють попередні дані. / "
        f"{len(failures)} of {asked} answers could not be loaded; earlier data stands. {shown}. Budgets: {named}."
    )
