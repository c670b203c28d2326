"""Indicators of the World Bank for Ukraine and some countries beside it, page by page."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes, read_json
from asms.sources.ledger import Feed, Reading, Store
from asms.sources.new_column import new_columns, titles_of
from asms.warehouse.connection import Warehouse

BASE_URL = "https://api.worldbank.org"
COUNTRIES = ("UKR", "POL", "ROU", "MDA")
INDICATORS = ("SP.POP.TOTL", "SP.URB.TOTL.IN.ZS", "NY.GDP.PCAP.CD", "FP.CPI.TOTL.ZG")
_FIELDS = ("indicator", "countryiso3code", "date", "value", "obs_status")
_UNREAD = ("country", "unit", "decimal")
_PER_PAGE = 100
_MOST_PAGES = 100
FEED = Feed(
    source="world_bank",
    channel="api:world_bank",
    reader_version="1",
    table="raw.world_bank_value",
    columns=("row_no", "indicator_code", "indicator_name", "country_code", "time_period", "value_text", "obs_status"),
)


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.world_bank_value``: every year of ``INDICATORS`` for ``COUNTRIES``. An indicator is a load of its own.

    Raises as ``load_answers``.
    """
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    with client_for(client) as own_client:

        def question(indicator: str) -> Question:
            url = f"{base_url}/v2/country/{';'.join(COUNTRIES)}/indicator/{indicator}"

            def ask_page(page: int) -> bytes:
                params = {"format": "json", "per_page": str(_PER_PAGE), "page": str(page)}
                return get_bytes(own_client, url, params, patience=patience)

            return Question(
                indicator, lambda: join_pages(ask_page, indicator), lambda data: read_values(data, indicator)
            )

        return load_answers(warehouse, settings, store, FEED, map(question, INDICATORS), force=force)


def join_pages(ask_page: Callable[[int], bytes], indicator: str) -> bytes:
    """All records of all pages as one JSON list, equal bytes for equal records (the time in the pages' heads is left out).

    Raises TransientSourceError when pages repeat or skip records, or the total changes between them (the bank published in the
    midst: asking again mends it), SourceError when a page is none.
    """
    records: list[dict[str, Any]] = []
    total: int | None = None
    page = pages = 1
    while page <= pages:
        head, found = _read_page(ask_page(page), indicator)
        if total not in (None, head["total"]) or head["page"] != page:
            raise TransientSourceError(
                f"the pages of {indicator} changed while they were read (page {page}, total {total})"
            )
        total, pages = head["total"], min(int(head["pages"]), _MOST_PAGES)
        records += found
        page += 1
    keys = {(record.get("countryiso3code"), record.get("date")) for record in records}
    if len(keys) != len(records) or len(records) != total:
        raise TransientSourceError(
            f"the pages of {indicator} have {len(records)} records, {len(keys)} different ones; {total} were promised"
        )
    return json.dumps(records, ensure_ascii=False, sort_keys=True).encode()


def read_values(data: bytes, indicator: str) -> Reading:
    """Cut the joined pages into rows of raw.world_bank_value (after ``load_id``), text as found."""
    records = read_json(data)
    rows = [(row_no, *_cut(record)) for row_no, record in enumerate(records, start=1)]
    return Reading(rows, new_columns(titles_of(records), FEED.source, (*_FIELDS, *_UNREAD), indicator))


def _cut(record: dict[str, Any]) -> tuple[Any, ...]:
    return (
        record["indicator"]["id"], record["indicator"]["value"], record["countryiso3code"], str(record["date"]),
        None if record["value"] is None else repr(record["value"]), record.get("obs_status") or None,
    )  # fmt: skip


def _read_page(body: bytes, indicator: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Head and records of a page. An error of the bank comes with status 200 too, as a list of one with a message."""
    try:
        head, *rest = read_json(body)
        if "message" in head:
            raise SourceError(f"the bank refuses {indicator}: {head['message'][0].get('value')}")
        records = rest[0] or []
        fields = {"indicator", "countryiso3code", "date", "value"}
        lost = fields - set(records[0]) if records else set()
        if lost:
            raise SourceError(f"the records of {indicator} lack {', '.join(sorted(lost))}: the service has changed")
        for record in records:
            _cut(record)  # the first may be whole and a later one not
        return {key: int(head[key]) for key in ("page", "pages", "total")}, records
    except (ArithmeticError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise SourceError(
            f"the answer for {indicator} is no page of the bank ({type(error).__name__} {error})"
        ) from error
