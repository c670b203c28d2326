"""Monthly execution of local budgets from the Open Budget API (openbudget.gov.ua).

Every budget of the seed ``budget_code`` is asked for its incomes, its expenses by economy and by programme, its debts and its
credits, year by year. An answer is a whole year, cumulative from 1 January; stored are the months of it that are new or say
something else than before, so that a restated month stands beside what it was, and a year costs twelve months and not 78.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from asms.findings import Finding
from asms.settings import Settings, parse_years
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.budget_code import BudgetCode, read_budget_codes
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import (
    Arrival,
    Beside,
    Feed,
    LastArrival,
    Reading,
    Store,
    book_read,
    commit_without_waiting,
    last_arrivals,
    next_batch,
    record_status,
)
from asms.sources.open_budget_answer import (
    KINDS,
    NAMES,
    ROW_COLUMNS,
    Answer,
    Kind,
    Month,
    Request,
    block_of,
    check_whole,
    is_month,
    parse_answer,
)
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

BASE_URL = "https://api.openbudget.gov.ua"
PATH = "/api/public/localBudgetData"
FEED = Feed(
    source="open_budget",
    channel="api:open_budget",
    reader_version="1",
    table="raw.open_budget_row",
    columns=("row_no", *(f"{name}_key" if name in NAMES else name for name in ROW_COLUMNS)),
)
_MONTH_TABLE = "raw.open_budget_month"
_MONTH_COLUMNS = (
    "budget_code", "budget_item", "classification_type", "year", "rep_period", "sha256", "row_count", "total_amount",
    "has_plain_amounts",
)  # fmt: skip
_LOG_EVERY = 100  # requests
_BOOKED_ROWS = 20_000  # answers are booked together when they have as many
_ASKED_AT_ONCE = 500  # requests of which the database tells at once what stands
_GIVE_UP_AFTER = 4  # areas in a row without an answer: the service is down, and asking forty more would take an hour
_POLITE_PAUSE = 0.2  # seconds between requests to the real service, which answers 429 when asked too fast
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOST_NAMED = 5


@dataclass
class _Tally:
    """What has come of the requests so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[Request, SourceError] = field(default_factory=dict)


def default_years() -> tuple[int, ...]:
    """Years that are asked when nobody says which: this one, and the last, whose December is restated in spring.

    The clock decides only what is asked, never what is stored.
    """
    this_year = datetime.now(UTC).year
    return (this_year - 1, this_year)


def plan_requests(codes: Iterable[BudgetCode], years: Sequence[int], kinds: Sequence[Kind] = KINDS) -> list[Request]:
    """All questions of a run: each year, each code that is valid in it, each kind."""
    known = list(codes)
    return [
        Request(code.budget_code, code.area_code, kind, year)
        for year in years
        for code in known
        if code.is_valid(year)
        for kind in kinds
    ]


def choose_kinds(names: Sequence[str] | None) -> tuple[Kind, ...]:
    """The kinds that settings name, all where they name none. Raises SourceError for a name that is none."""
    known = {kind.name: kind for kind in KINDS}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise SourceError(
            f"ASMS_OPEN_BUDGET_ITEMS names {', '.join(unknown)}; the service is asked for {', '.join(known)}"
        )
    return KINDS if names is None else tuple(known[name] for name in names)


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
    requests = plan_requests(codes or read_budget_codes(), years, choose_kinds(settings.open_budget_items))
    given = patience or Patience(pause=0.0 if urlsplit(base_url).hostname in _LOOPBACK else _POLITE_PAUSE)
    with client_for(client) as own_client, warehouse.connect("loader", autocommit=True) as connection:
        commit_without_waiting(connection)
        run = _Run(connection, store, settings.is_sample, force, next_batch(connection, FEED.source))

        def ask(request: Request) -> bytes:
            return get_bytes(own_client, base_url + PATH, request.params, check=check_whole, patience=given)

        tally = _ask_all(requests, ask, run, given)
        row_count = _count_standing_rows(connection, requests)
    return _conclude(warehouse, tally, len(requests), row_count)


@dataclass(frozen=True)
class _Run:
    """What every booking of one run shares, and what was read and is booked with the next ones."""

    connection: psycopg.Connection
    store: Store
    is_sample: bool
    force: bool
    batch_no: int
    read: list[tuple[Arrival, Reading]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def book(self) -> None:
        """Book what was read: many answers at once cost a third less than one by one."""
        if self.read:
            with self.connection.transaction():
                self.connection.execute(_KEEP_NAMES, [list(self.names), list(self.names.values())])
                book_read(
                    self.connection, FEED, self.read, store=self.store, batch_no=self.batch_no, is_sample=self.is_sample
                )
        self.read.clear()
        self.names.clear()


def _ask_all(requests: Sequence[Request], ask: Callable[[Request], bytes], run: _Run, patience: Patience) -> _Tally:
    tally = _Tally()
    silent_areas: list[str] = []  # in a row, without an answer
    silent_codes: dict[str, TransientSourceError] = {}
    standing: Mapping[Request, Mapping[str, _Standing]] = {}
    arrivals: Mapping[str, LastArrival] = {}
    for count, request in enumerate(requests, start=1):
        if request not in standing:
            of_now = requests[count - 1 : count - 1 + _ASKED_AT_ONCE]
            standing = _standing_months(run.connection, of_now)
            arrivals = last_arrivals(run.connection, FEED, [asked.path for asked in of_now])
        if len(silent_areas) >= _GIVE_UP_AFTER:
            tally.failures[request] = TransientSourceError("not asked: the service does not answer")
            continue
        if request.budget_code in silent_codes:
            tally.failures[request] = silent_codes[request.budget_code]
            continue
        try:
            arrival = Arrival.of(FEED, request.path, ask(request), arrivals.get(request.path), force=run.force)
            tally.outcomes[_take(run, request, arrival, standing[request])] += 1
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
    run.book()
    return tally


def _take(run: _Run, request: Request, arrival: Arrival, standing: Mapping[str, "_Standing"]) -> str:
    """Read one answer, to be booked. A header without rows is an answer too: there is nothing to load (and it is not zero)."""
    if arrival.standing_rows is not None:
        return "unchanged"
    answer = parse_answer(arrival.data, request)
    had = {period for period, was in standing.items() if was.row_count and is_month(period)}
    lost = sorted(had - answer.periods)
    if lost and not run.force:
        raise SourceError(
            f"the answer to {request} has lost {', '.join(lost)}, which it had before: a report once published does not "
            "vanish, so the earlier answer stands (load with force to accept the new one)"
        )
    if not answer.months and not standing:
        return "nothing"
    news = [month for month in answer.months if _is_news(month, standing)]
    stored = [
        (month.rep_period, month.sha256, month.row_count, month.total_amount, answer.has_plain_amounts)
        for month in news
    ]
    gone = [(period, "", 0, None, False) for period in lost]
    reading = Reading(
        blocks=partial(_blocks, answer, news),
        block_rows=sum(month.row_count for month in news),
        findings=(*answer.findings, *_smaller_months(request, news, standing)),
        beside=(Beside(_MONTH_TABLE, _MONTH_COLUMNS, [(*request.key, *month) for month in (*stored, *gone)]),),
    )
    run.read.append((arrival, reading))
    run.names.update(answer.names)
    if sum(reading.row_count for _, reading in run.read) >= _BOOKED_ROWS:
        run.book()
    return "new"


def _blocks(answer: Answer, months: Sequence[Month], before: str) -> Iterator[memoryview | bytes]:
    """Rows of raw.open_budget_row as COPY takes them, with ``before`` (the load) in front of each."""
    if months:
        yield block_of(answer, months, before)
        yield b"\n"


_KEEP_NAMES = """
insert into raw.open_budget_name (name_key, name)
select name_key, name from unnest(%s::text[], %s::text[]) as told (name_key, name)
order by name_key
on conflict do nothing
"""  # in one order, so that two runs at once wait for each other and not each for the other


@dataclass(frozen=True)
class _Standing:
    """What is stored of a month."""

    sha256: str
    row_count: int
    total_amount: Decimal | None


_STANDING = """
select distinct on (month.budget_code, month.budget_item, month.classification_type, month.year, month.rep_period)
    month.budget_code, month.budget_item, month.classification_type, month.year,
    month.rep_period, month.sha256, month.row_count, month.total_amount
from raw.open_budget_month as month
inner join ops.load on month.load_id = load.load_id
inner join raw.delivery on load.delivery_id = delivery.delivery_id
where (month.budget_code, month.budget_item, month.classification_type, month.year) in (
    select * from unnest(%s::text[], %s::text[], %s::text[], %s::text[])
)
order by
    month.budget_code, month.budget_item, month.classification_type, month.year, month.rep_period,
    delivery.received_no desc, load.loaded_at desc
"""


def _standing_months(
    connection: psycopg.Connection, requests: Sequence[Request]
) -> Mapping[Request, Mapping[str, _Standing]]:
    """What stands of each month that was ever answered to each of ``requests``."""
    by_key = {request.key: request for request in requests}
    standing: dict[Request, dict[str, _Standing]] = {request: {} for request in requests}
    for *key, period, sha256, count, total in _ask_standing(connection, requests):
        standing[by_key[tuple(key)]][period] = _Standing(sha256, count, total)
    return standing


def _ask_standing(connection: psycopg.Connection, requests: Sequence[Request]) -> list[tuple[Any, ...]]:
    keys = [list(part) for part in zip(*(request.key for request in requests), strict=True)]
    return connection.execute(_STANDING, keys).fetchall() if keys else []


def _count_standing_rows(connection: psycopg.Connection, requests: Sequence[Request]) -> int:
    """Raw rows in force for ``requests``."""
    return sum(row_count for *_, row_count, _total in _ask_standing(connection, requests))


def _is_news(month: Month, standing: Mapping[str, _Standing]) -> bool:
    was = standing.get(month.rep_period)
    return was is None or was.sha256 != month.sha256


def _smaller_months(request: Request, months: Iterable[Month], standing: Mapping[str, _Standing]) -> Iterator[Finding]:
    """Findings on months that are restated to less than they were: allowed, and worth a look."""
    for month in months:
        was, now = standing.get(month.rep_period), month.total_amount
        if was is None or was.total_amount is None or now is None or now >= float(was.total_amount):
            continue
        yield Finding(
            rule_id="OPEN_BUDGET_MONTH_SMALLER",
            dataset="open_budget",
            message_uk=f"{request.kind.name}, {month.rep_period}: було {was.total_amount:,.2f} грн, стало {now:,.2f} грн",
            message_en=f"{request.kind.name}, {month.rep_period}: was UAH {was.total_amount:,.2f}, is UAH {now:,.2f}",
            municipality_code=request.area_code,
            time_period=f"{month.rep_period[3:]}-{month.rep_period[:2]}",
            file_name=request.path,
            value_found=f"{now:.2f}",
            value_expected=f"{was.total_amount:.2f}",
        )


def _conclude(warehouse: Warehouse, tally: _Tally, asked: int, row_count: int) -> SourceResult:
    failed = len(tally.failures)
    new, unchanged = tally.outcomes["new"], tally.outcomes["unchanged"]
    message = (
        _explain(tally.failures, asked)
        if failed
        else f"{asked} asked: {new} new, {unchanged} unchanged, {tally.outcomes['nothing']} without rows; {row_count} rows"
    )
    result = SourceResult(FEED.source, failed == 0, new, unchanged, failed, row_count, message)
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
