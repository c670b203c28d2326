"""Public spending: read in steps, killed and gone on with, retracted; what repeats or skips is found out, the last good data stands."""

import dataclasses
import json
from collections.abc import Callable
from datetime import date
from types import ModuleType

import pytest

from asms.intake.landing import LandingStore
from asms.sample import PAYERS_FILE, SPENDING_SINCE
from asms.sample.server import Fault, serve
from asms.sample.services import Reply
from asms.settings import Settings
from asms.sources import SourceError, SourceNotSetError, SourceResult, TransientSourceError, prozorro, treasury
from asms.sources.http import Patience
from asms.warehouse.connection import Warehouse

pytestmark = pytest.mark.usefixtures("source_rules")
IMPATIENT = Patience(tries=2, sleep=lambda _: None)
Fetch = Callable[..., SourceResult]
TABLES = ("treasury_transaction", "treasury_day", "treasury_report", "prozorro_tender", "prozorro_contract")


@pytest.fixture
def fetch(warehouse: Warehouse, settings: Settings) -> Fetch:
    def run(source: ModuleType, fault: Fault | None = None, **more: object) -> SourceResult:
        with serve(fault=fault) as server:
            pointed = settings.model_copy(
                update={
                    "urls": server.urls,
                    "treasury_payers": str(PAYERS_FILE),
                    "spending_since": date.fromisoformat(SPENDING_SINCE),
                }
            )
            put = LandingStore(settings.landing).put
            result: SourceResult = source.fetch(warehouse, pointed, put, patience=IMPATIENT, **more)
        return result

    return run


def _ask(warehouse: Warehouse, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect("gate") as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def _hashes(warehouse: Warehouse) -> list[object]:
    """Fingerprint of each raw table, in any order of rows, ids of loads included."""
    query = "select md5(string_agg(line::text, '|' order by line::text)) from raw.{} as line"
    return [_ask(warehouse, query.format(table))[0][0] for table in TABLES]


def _bend(change: Callable[[dict[str, list[dict[str, object]]]], object], only: str = "") -> Fault:
    """A fault that changes the JSON of the answers whose path contains ``only``."""

    def fault(path: str, reply: Reply) -> Reply:
        if only not in path:
            return reply
        answer = json.loads(reply.body)
        change(answer)
        return dataclasses.replace(reply, body=json.dumps(answer).encode())

    return fault


def _fail_after(count: int) -> Fault:
    seen: list[str] = []

    def fault(path: str, reply: Reply) -> Reply:
        seen.append(path)
        return reply if len(seen) <= count else Reply(503)

    return fault


def test_all_is_read_once_and_the_second_time_nothing_is_new(fetch: Fetch, warehouse: Warehouse) -> None:
    first = fetch(treasury)
    assert (
        first.row_count == sum(row[0] for row in _ask(warehouse, "select count(*) from raw.treasury_transaction")) + 9
    )  # type: ignore[misc]
    assert fetch(prozorro).row_count == 240
    before = _hashes(warehouse)
    again = fetch(treasury)
    assert (again.new_loads, again.unchanged_loads > 0) == (0, True)
    assert fetch(prozorro).new_loads == 0
    assert _hashes(warehouse) == before
    parts = "select inhrelid::regclass::text from pg_inherits where inhparent = 'raw.treasury_transaction'::regclass order by 1"
    assert [row[0] for row in _ask(warehouse, parts)] == [
        "raw.treasury_transaction_2023", "raw.treasury_transaction_2024",
    ]  # fmt: skip


def test_killed_half_way_and_run_again_gives_the_same_tables(fetch: Fetch, warehouse: Warehouse) -> None:
    for source, count in ((treasury, 5), (prozorro, 2)):
        with pytest.raises(TransientSourceError):
            fetch(source, _fail_after(count))
        assert fetch(source).is_ok
    resumed = _hashes(warehouse)
    with warehouse.connect("admin") as connection:
        connection.execute("truncate raw.delivery, ops.load, raw.treasury_transaction cascade")
    for source in (treasury, prozorro):
        fetch(source)
    assert _hashes(warehouse) == resumed


@pytest.mark.parametrize(
    ("source", "fault", "words", "passes"),
    [
        (treasury, lambda _, __: Reply(429), "answered 429", True),
        (treasury, _bend(lambda page: page.update(transactions=page["transactions"][1:]), "transactions/page/"), "repeat or skip", True),
        (treasury, _bend(lambda page: page["transactions"][3].pop("trans_date"), "payers_edrpous=99000003"), "has no day", False),
        (treasury, _bend(lambda page: [row.pop("amount") for row in page["transactions"]], "=99000003"), "lack amount", False),
        (treasury, _bend(lambda page: page["transactions"][3].update(payer_edrpou="1"), "=99000003"), "other payers", False),
        (prozorro, lambda _, __: Reply(429), "answered 429", True),
        (prozorro, _bend(lambda page: page["data"][0].pop("id")), "agreed form", False),
        (prozorro, _bend(lambda page: page["next_page"].update(offset="1.1"), "offset=17"), "does not go on", True),
    ],
)  # fmt: skip
def test_a_bad_answer_keeps_what_was_read(
    fetch: Fetch, warehouse: Warehouse, source: ModuleType, fault: Fault, words: str, passes: bool
) -> None:
    with pytest.raises(SourceError, match=words) as error:
        fetch(source, fault)
    assert isinstance(error.value, TransientSourceError) == passes
    assert fetch(source).is_ok, "and the next run brings the rest"
    assert _ask(warehouse, "select count(*), count(distinct tender_id) from raw.prozorro_tender") == (
        [(240, 220)] if source is prozorro else [(0, 0)]
    )


def test_a_skipped_record_is_found_out(fetch: Fetch, warehouse: Warehouse) -> None:
    def skip(path: str, reply: Reply) -> Reply:
        if "descending" in path or "offset=17" not in path:
            return reply
        answer = json.loads(reply.body)
        answer["data"] = answer["data"][1:]
        seconds, number = answer["prev_page"]["offset"].split(".")
        answer["prev_page"]["offset"] = f"{int(seconds) + 21_600}.{int(number) + 1:010}"
        return dataclasses.replace(reply, body=json.dumps(answer).encode())

    with pytest.raises(TransientSourceError, match="skips records"):
        fetch(prozorro, skip)
    assert _ask(warehouse, "select count(*) from raw.prozorro_tender") == [(100,)]


def test_a_day_that_says_less_is_a_revision_and_a_lost_one_is_refused(fetch: Fetch, warehouse: Warehouse) -> None:
    fetch(treasury)
    last = "select max(trans_date) from raw.treasury_day where payer_edrpou = '99000003'"
    day = str(_ask(warehouse, last)[0][0])

    def without(one: str) -> Fault:
        def change(page: dict[str, list[dict[str, object]]]) -> None:
            page["transactions"] = [row for row in page["transactions"] if row["trans_date"] != one]
            page["count"] = len(page["transactions"])  # type: ignore[assignment]

        return _bend(change, "payers_edrpous=99000003")

    def fewer(page: dict[str, list[dict[str, object]]]) -> None:
        rows = page["transactions"]
        page["transactions"] = [row for row in rows if row["trans_date"] != day] + [
            r for r in rows if r["trans_date"] == day
        ][1:]
        page["count"] = len(page["transactions"])  # type: ignore[assignment]

    with pytest.raises(SourceError, match=f"lost {day}"):
        fetch(treasury, without(day))
    assert fetch(treasury, without(day), force=True).is_ok
    revisions = (
        f"select revision_no, row_count from raw.treasury_day where payer_edrpou = '99000003' and trans_date = '{day}'"
    )
    assert _ask(warehouse, revisions + " order by 1") == [(1, 1), (2, 0)]
    fetch(treasury)
    assert _ask(warehouse, revisions + " order by 1")[-1] == (3, 1)
    before = _ask(warehouse, "select count(*) from raw.treasury_transaction where payer_edrpou = '99000001'")
    many = str(_ask(warehouse, last.replace("99000003", "99000001"))[0][0])
    day = many
    fetch(treasury, _bend(fewer, "payers_edrpous=99000001"))
    assert _ask(warehouse, "select rule_id, value_found, value_expected from quality.finding") == [
        ("TREASURY_DAY_SMALLER", "13", "14")
    ]
    after = _ask(warehouse, "select count(*) from raw.treasury_transaction where payer_edrpou = '99000001'")
    assert after[0][0] - before[0][0] == 13, "only the day that changed is stored again"  # type: ignore[operator]


def test_clock_skew_is_told(fetch: Fetch, warehouse: Warehouse) -> None:
    fetch(prozorro, _bend(lambda page: page["data"][5].update(dateModified="2031-01-01T00:00:00+02:00"), "offset=2023"))
    found = _ask(warehouse, "select rule_id, value_found from quality.finding")
    assert found == [("SOURCE_CLOCK_SKEW", "2031-01-01T00:00:00+02:00")] * len(found) and found


def test_without_payers_there_is_nothing_to_ask(warehouse: Warehouse, settings: Settings) -> None:
    with pytest.raises(SourceNotSetError, match="ASMS_TREASURY_PAYERS"):
        treasury.fetch(warehouse, settings, LandingStore(settings.landing).put)
