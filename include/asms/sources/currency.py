"""Official exchange rates of the National Bank (bank.gov.ua), day by day, for comparing amounts over years."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx

from asms.findings import Finding
from asms.settings import Settings, parse_years
from asms.sources import SourceError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes, read_json
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns, titles_of
from asms.warehouse.connection import Warehouse

BASE_URL = "https://bank.gov.ua"
PATH = "/NBU_Exchange/exchange_site"
CURRENCIES = ("USD", "EUR")
_FIELDS = ("cc", "exchangedate", "rate", "units")
_UNREAD = ("r030", "txt", "enname", "rate_per_unit", "group", "calcdate")
FEED = Feed(
    source="currency",
    channel="api:currency",
    reader_version="1",
    table="raw.currency_rate",
    columns=("row_no", "currency_code", "rate_date", "rate", "units"),
)
_PATTERNS = {
    "exchangedate": re.compile(r"(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])\.\d{4}"),
    "rate": re.compile(r"\d{1,6}(\.\d{1,8})?"),
    "units": re.compile(r"10{0,4}"),
}


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    period: str | None = None,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.currency_rate`` for the years of ``period`` (2023, 2021,2023 or 2021-2023), else of the
    budgets (``ASMS_OPEN_BUDGET_YEARS``), else for this year and the last.

    A currency's year is a load of its own; a year that grows day by day replaces itself. Raises as ``load_answers``.
    """
    this_year = datetime.now(UTC).year  # decides only what is asked, never what is stored
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    with client_for(client) as own_client:

        def question(code: str, year: int) -> Question:
            params = {
                "start": f"{year}0101", "end": f"{year}1231", "valcode": code.lower(), "sort": "exchangedate", "order": "asc", "json": "",
            }  # fmt: skip
            return Question(
                f"{code} {year}",
                lambda: get_bytes(own_client, base_url + PATH, params, patience=patience),
                lambda data: read_rates(data, code, year),
            )

        def questions() -> Iterator[Question]:
            for year in parse_years(period) or settings.open_budget_years or (this_year - 1, this_year):
                yield from (question(code, year) for code in CURRENCIES)

        return load_answers(warehouse, settings, store, FEED, questions(), force=force)


def read_rates(data: bytes, code: str, year: int) -> Reading | None:
    """Cut an answer into rows of raw.currency_rate (after ``load_id``); None when it has no day of that year.

    A day with another currency, or a date or rate of a strange form, is kept with a Finding. Raises SourceError for an answer
    that is no list of rates.
    """
    try:
        records = read_json(data)
        days = [{field: record[field] for field in _FIELDS} for record in records]
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(
            f"the answer for {code} {year} is no list of rates with {', '.join(_FIELDS)} ({type(error).__name__} {error}): the service "
            "has changed, and the reader must follow"
        ) from error
    findings = [
        _odd(f"{code} {year}", row_no, field, str(day[field]), expected)
        for row_no, day in enumerate(days, start=1)
        for field, expected in (*((name, pattern.pattern) for name, pattern in _PATTERNS.items()), ("cc", code))
        if not re.fullmatch(expected, str(day[field]))
    ]
    rows = [
        (row_no, day["cc"], day["exchangedate"], str(day["rate"]), str(day["units"]))
        for row_no, day in enumerate(days, start=1)
    ]
    findings += new_columns(titles_of(records), FEED.source, (*_FIELDS, *_UNREAD), f"{code} {year}")
    return Reading(rows, findings) if rows else None


def _odd(path: str, row_no: int, field: str, value: str, expected: str) -> Finding:
    return Finding(
        rule_id="SOURCE_VALUE_INVALID",
        dataset=FEED.source,
        message_uk=f"День {row_no}, {field}: «{value}»; день не використано",
        message_en=f"day {row_no}, {field}: '{value}'; the day is not used",
        file_name=path,
        cell=f"{field}:{row_no}",
        value_found=value[:200],
        value_expected=expected,
    )
