"""Exchange rates and indicators of the World Bank: all pages once, what is wrong told, the last good answer stands."""

import dataclasses
import json
from collections.abc import Callable
from types import ModuleType

import pytest

from asms.intake.landing import LandingStore
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError, currency, world_bank
from asms.sources.http import Patience
from asms.warehouse.connection import Warehouse

pytestmark = pytest.mark.usefixtures("source_rules")
IMPATIENT = Patience(tries=2, sleep=lambda _: None)
Fetch = Callable[..., SourceResult]


def _swap(old: bytes, new: bytes) -> Callable[[Reply], Reply]:
    return lambda reply: dataclasses.replace(reply, body=reply.body.replace(old, new))


@pytest.fixture
def fetch(warehouse: Warehouse, settings: Settings) -> Fetch:
    def run(source: ModuleType, fault: Fault | None = None, **more: object) -> SourceResult:
        with serve(fault=fault) as server:
            pointed = settings.model_copy(update={"urls": server.urls, "open_budget_years": (2022, 2023)})
            put = LandingStore(settings.landing).put
            result: SourceResult = source.fetch(warehouse, pointed, put, patience=IMPATIENT, **more)
        return result

    return run


def _ask(warehouse: Warehouse, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_rates_come_by_year_and_only_once(fetch: Fetch) -> None:
    first = fetch(currency)
    assert (first.new_loads, first.row_count) == (4, 2 * 730)
    assert (fetch(currency).unchanged_loads, fetch(currency, force=True).new_loads) == (4, 4)
    assert fetch(currency, period="2020").row_count == 2 * 366


def test_indicators_come_with_all_pages_and_only_once(fetch: Fetch, warehouse: Warehouse) -> None:
    first = fetch(world_bank)
    assert (first.new_loads, first.row_count) == (4, 4 * 4 * 33)
    assert fetch(world_bank).unchanged_loads == 4
    assert _ask(warehouse, "select count(*) from raw.world_bank_value where value_text is null") == [(16,)], (
        "not yet known"
    )


@pytest.mark.parametrize(
    ("source", "bend", "words", "passes"),
    [
        (currency, lambda _: Reply(body=b'{"message": "no"}'), "no list of rates", False),
        (currency, _swap(b'"rate"', b'"kurs"'), "rates with.*KeyError", False),
        (currency, lambda reply: dataclasses.replace(reply, body=reply.body[:-20]), "no list of rates", False),
        (world_bank, lambda _: Reply(body=b"<html></html>", content_type="text/html"), "HTML", False),
        (world_bank, lambda _: Reply(429), "answered 429", True),
        (world_bank, lambda _: Reply(body=b'[{"message": [{"value": "not valid"}]}]'), "refuses.*not valid", False),
        (world_bank, _swap(b'"total": 132', b'"total": 140'), "140 were promised", True),
        (world_bank, _swap(b'"page": 2', b'"page": 1'), "changed while", True),
        (world_bank, _swap(b'"date": "1999"', b'"date": "1998"'), "different ones", True),
    ],
)  # fmt: skip
def test_a_bad_answer_leaves_the_last_good_one(
    fetch: Fetch, warehouse: Warehouse, source: ModuleType, bend: Callable[[Reply], Reply], words: str, passes: bool
) -> None:
    fetch(source)
    table = source.FEED.table
    before = _ask(warehouse, f"select count(*) from {table}")
    with pytest.raises(SourceError, match=words) as error:
        fetch(source, lambda _, reply: bend(reply))
    assert isinstance(error.value, TransientSourceError) == passes
    assert _ask(warehouse, f"select count(*) from {table}") == before
    assert _ask(warehouse, "select is_ok from ops.source_status") == [(False,)]


def test_one_indicator_that_fails_stops_no_other(fetch: Fetch) -> None:
    with pytest.raises(SourceError, match=r"SP\.POP\.TOTL"):
        fetch(world_bank, lambda path, reply: Reply(500) if "SP.POP" in path else reply)
    assert fetch(world_bank).unchanged_loads == 3


def test_an_odd_day_is_told_and_not_used(fetch: Fetch, warehouse: Warehouse) -> None:
    def bent(_: str, reply: Reply) -> Reply:
        days = json.loads(reply.body)
        days[3]["rate"], days[4]["cc"] = "n/a", "XXX"
        return dataclasses.replace(reply, body=json.dumps(days).encode())

    fetch(currency, bent, period="2023")
    found = _ask(warehouse, "select file_name, cell, value_found from quality.finding order by 1, 2")
    assert found == [
        (f"{code} 2023", cell, value) for code in ("EUR", "USD") for cell, value in (("cc:5", "XXX"), ("rate:4", "n/a"))
    ]
