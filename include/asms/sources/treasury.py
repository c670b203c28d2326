"""Transactions and reports of the Treasury (spending.gov.ua) for the payers on a list that staff keep.

A payer is asked from its watermark, the last day that was answered, and some days before it, since the Treasury still books into
them. An answer is cut into days; stored are the days that are new or say something else than before, so that a night costs what
changed, and what a day no longer says is retracted and not deleted. A payer is read month by month, in order: a run that was
killed goes on where it stood.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import chain
from urllib.parse import urlsplit

import fsspec
import httpx
import msgspec
import psycopg

from asms.findings import Finding
from asms.settings import Settings, parse_years
from asms.sources import SourceError, SourceNotSetError, SourceResult
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import Beside, Feed, Reading, Store
from asms.sources.treasury_answer import (
    TRANSACTION_COLUMNS,
    Day,
    join_pages,
    new_fields,
    new_report_fields,
    odd_amounts,
    read_days,
    read_report_page,
    read_reports,
    read_transaction_page,
    to_bytes,
)
from asms.sources.watermark import add_years, move_watermark, read_watermark
from asms.warehouse.connection import Warehouse

BASE_URL = "https://api.spending.gov.ua"
TRANSACTIONS_PATH = "/api/v2/api/transactions/page/"
REPORTS_PATH = "/api/v2/api/reports/{}/page"
FEED = Feed(
    source="treasury",
    channel="api:treasury",
    reader_version="1",
    table="raw.treasury_transaction",
    columns=TRANSACTION_COLUMNS,
)
_REPORTS = Feed(
    source="treasury",
    channel="api:treasury",
    reader_version="1",
    table="raw.treasury_report",
    columns=(
        "row_no", "payer_edrpou", "municipality_code", "report_id", "report_name", "period", "amount", "date_publish",
        "date_cancel",
    ),
)  # fmt: skip
_DAY_COLUMNS = ("payer_edrpou", "municipality_code", "trans_date", "revision_no", "sha256", "row_count", "total_amount")
PAGE_SIZE = 500
_AGAIN = timedelta(days=7)  # how far before the watermark is asked again
_POLITE_PAUSE = 0.2
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PAYER, _CODE = re.compile(r"\d{8}"), re.compile(r"UA\d{17}")


@dataclass(frozen=True)
class Payer:
    """A payer and the municipality that it belongs to."""

    edrpou: str
    municipality_code: str


def read_payers(location: str) -> list[Payer]:
    """The CSV file ``payer_edrpou,municipality_code``. Raises SourceError that names the line, what is wrong and what to write."""
    try:
        with fsspec.open(location, "rt", encoding="utf-8-sig", newline="") as handle:
            lines = list(csv.DictReader(io.StringIO(handle.read())))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise SourceError(f"the list of payers {location} cannot be read: {error}") from error
    payers: dict[str, Payer] = {}
    for line_no, line in enumerate(lines, start=2):
        payer = Payer((line.get("payer_edrpou") or "").strip(), (line.get("municipality_code") or "").strip())
        if not _PAYER.fullmatch(payer.edrpou) or not _CODE.fullmatch(payer.municipality_code):
            raise SourceError(
                f"{location}, line {line_no}: '{payer.edrpou},{payer.municipality_code}'; write payer_edrpou (8 digits) and "
                "municipality_code (UA and 17 digits)"
            )
        if payers.setdefault(payer.edrpou, payer) != payer:
            raise SourceError(
                f"{location}, line {line_no}: {payer.edrpou} belongs to two municipalities; leave one line"
            )
    return [payers[edrpou] for edrpou in sorted(payers)]


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
    """Load ``raw.treasury_transaction`` and ``raw.treasury_report`` for every payer of the list.

    ``period`` (2023, 2021,2023 or 2021-2023) asks these years again instead of what follows the watermark. ``force`` accepts an
    answer that has lost a day. Raises as ``load_answers``, and SourceNotSetError without a list.
    """
    if not settings.treasury_payers:
        raise SourceNotSetError(
            "no payers are named: set ASMS_TREASURY_PAYERS to a CSV file payer_edrpou,municipality_code"
        )
    payers = read_payers(settings.treasury_payers)
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    given = patience or Patience(pause=0.0 if urlsplit(base_url).hostname in _LOOPBACK else _POLITE_PAUSE)
    today = datetime.now(UTC).date()  # decides only what is asked, never what is stored
    since = settings.spending_since or date(today.year - 1, 1, 1)
    years = parse_years(period)
    with client_for(client) as own_client, warehouse.connect("loader", autocommit=True) as connection:

        def ask(path: str, params: Mapping[str, str]) -> bytes:
            if given.pause:
                given.sleep(given.pause)
            return get_bytes(own_client, base_url + path, params, patience=given)

        def questions() -> Iterator[Question]:
            for payer in payers:
                reader = _PayerReader(connection, payer, ask, force)
                spans = [(date(year, 1, 1), date(year, 12, 31)) for year in years or ()] or [
                    (reader.start(since), today)
                ]
                for first, last in spans:
                    yield from reader.transactions(first, last)
                yield reader.reports()

        return load_answers(warehouse, settings, store, FEED, questions(), force=force)


@dataclass(frozen=True)
class Standing:
    """What is stored of a day."""

    revision_no: int
    sha256: str
    row_count: int
    total_amount: float | None


class _PayerReader:
    """The questions about one payer, in the order of days; a month that fails ends them, so that no gap is left behind."""

    def __init__(
        self, connection: psycopg.Connection, payer: Payer, ask: Callable[[str, Mapping[str, str]], bytes], force: bool
    ) -> None:
        self._connection, self._payer, self._ask, self._force = connection, payer, ask, force
        self._failed = False

    def start(self, since: date) -> date:
        """The day to ask from."""
        watermark = read_watermark(self._connection, FEED.source, self._payer.edrpou)
        return max(since, date.fromisoformat(watermark) - _AGAIN) if watermark else since

    def transactions(self, first: date, last: date) -> Iterator[Question]:
        try:
            records, count = self._page(first, last, 0)
            is_whole = count <= len(records)
            whole = join_pages(lambda no: (records if no == 0 else [], count), self._payer.edrpou) if is_whole else []
            for begin, end in _months(first, last):
                standing = standing_days(self._connection, self._payer.edrpou, begin, end)
                if is_whole:
                    of_month = [record for record in whole if begin <= _day_of(record) <= end]
                else:
                    of_month = join_pages(partial(self._page, begin, end), f"{self._payer.edrpou} {begin}")
                if of_month or any(was.row_count for was in standing.values()):
                    yield self._month(begin, end, to_bytes(of_month), standing)
                if self._failed:
                    return
        except SourceError as error:
            yield Question(f"payer={self._payer.edrpou}&startdate={first}", _raising(error), lambda _: None)

    def reports(self) -> Question:
        edrpou, code = self._payer.edrpou, self._payer.municipality_code
        path = f"reports payer={edrpou}"

        def page(number: int) -> tuple[list[msgspec.Raw], int]:
            body = self._ask(REPORTS_PATH.format(edrpou), {"page": str(number), "size": str(PAGE_SIZE)})
            return read_report_page(body, f"reports of {edrpou}")

        def read(data: bytes) -> Reading | None:
            rows = [(no, edrpou, code, *row) for no, row in enumerate(read_reports(data, edrpou), start=1)]
            texts = [[None if cell is None else str(cell) for cell in row] for row in rows]
            return Reading(texts, new_report_fields(data, FEED.source, path)) if rows else None

        return Question(
            path,
            lambda: to_bytes(join_pages(page, f"reports of {edrpou}")),
            read,
            feed=_REPORTS,
        )

    def _page(self, first: date, last: date, number: int) -> tuple[list[msgspec.Raw], int]:
        params = {
            "payers_edrpous": self._payer.edrpou, "startdate": str(first), "enddate": str(last), "page": str(number),
            "pageSize": str(PAGE_SIZE),
        }  # fmt: skip
        return read_transaction_page(self._ask(TRANSACTIONS_PATH, params), f"{self._payer.edrpou} {first} {last}")

    def _month(self, first: date, last: date, data: bytes, standing: Mapping[date, Standing]) -> Question:
        """One month, or what is asked of it. Everything that can be wrong with it is found out while it is asked."""
        reading: list[Reading | None] = []
        try:
            days = read_days(data, self._payer.edrpou, first, last)
            path = f"payer={self._payer.edrpou}&startdate={first}&enddate={max([*standing, *(day.trans_date for day in days)])}"
            watermark = read_watermark(self._connection, FEED.source, self._payer.edrpou)
            new = new_fields(data, FEED.source, path)
            reading.append(read_month(self._payer, path, days, standing, watermark, new, force=self._force))
        except SourceError as error:
            self._failed = True
            return Question(f"payer={self._payer.edrpou}&startdate={first}", _raising(error), lambda _: None)

        def read(_: bytes) -> Reading | None:
            add_years(self._connection, FEED.table, {day.trans_date.year for day in days})
            return reading[0]

        return Question(path, lambda: data, read, standing=lambda: sum(was.row_count for was in standing.values()))


def read_month(
    payer: Payer,
    path: str,
    days: Sequence[Day],
    standing: Mapping[date, Standing],
    watermark: str | None = None,
    new: Sequence[Finding] = (),
    *,
    force: bool = False,
) -> Reading | None:
    """What is new in ``days``; None when every day says what it said before. ``new`` are findings on the form of its records.

    Raises SourceError when a day that had transactions is not in the answer (``force`` retracts it), or too many amounts are none.
    """
    lost = sorted({day for day, was in standing.items() if was.row_count} - {day.trans_date for day in days})
    if lost and not force:
        raise SourceError(
            f"the answer to {path} has lost {', '.join(map(str, lost[:5]))}, which it had before: the earlier answer stands (load "
            "with force to retract these days)"
        )
    news = [day for day in days if (was := standing.get(day.trans_date)) is None or was.sha256 != day.sha256]
    if not news and not lost:
        return None
    gone = [(payer.edrpou, payer.municipality_code, day, _next(standing, day), "", 0, None) for day in lost]
    # when its turn comes: a new day is spelled and hashed while the server takes in the one before it
    stored = (
        (payer.edrpou, payer.municipality_code, day.trans_date, _next(standing, day.trans_date), day.sha256, len(day.rows),
         day.total_amount)
        for day in news
    )  # fmt: skip
    beside = [Beside("raw.treasury_day", _DAY_COLUMNS, chain(stored, gone))]
    if days and str(days[-1].trans_date) > (watermark or ""):
        beside.append(move_watermark(FEED.source, payer.edrpou, str(days[-1].trans_date)))
    return Reading(
        blocks=partial(_blocks, news),
        block_rows=sum(len(day.rows) for day in news),
        findings=(*new, *odd_amounts(news, FEED.source, path), *_smaller_days(payer, path, news, standing)),
        beside=beside,
    )


def standing_days(connection: psycopg.Connection, payer: str, first: date, last: date) -> dict[date, Standing]:
    """What stands of each day that was ever answered."""
    found = connection.execute(
        "select distinct on (trans_date) trans_date, revision_no, sha256, row_count, total_amount from raw.treasury_day "
        "where payer_edrpou = %s and trans_date between %s and %s order by trans_date, revision_no desc",
        (payer, first, last),
    )
    return {row[0]: Standing(row[1], row[2], row[3], None if row[4] is None else float(row[4])) for row in found}


def _blocks(days: Iterable[Day], before: str) -> Iterator[str]:
    row_no = 1
    for day in days:
        yield day.block(before, row_no)
        _ = day.sha256  # asked for here: the server is busy with the day's rows, and later it would wait
        row_no += len(day.rows)


def _next(standing: Mapping[date, Standing], day: date) -> int:
    return standing[day].revision_no + 1 if day in standing else 1


def _smaller_days(payer: Payer, path: str, days: Iterable[Day], standing: Mapping[date, Standing]) -> Iterator[Finding]:
    """Findings on days that have fewer transactions than they had: retracted, which is allowed and worth a look."""
    for day in days:
        was = standing.get(day.trans_date)
        if was and len(day.rows) < was.row_count:
            yield Finding(
                rule_id="TREASURY_DAY_SMALLER",
                dataset=FEED.source,
                message_uk=f"{payer.edrpou}, {day.trans_date}: було {was.row_count} трансакцій, стало {len(day.rows)}",
                message_en=f"{payer.edrpou}, {day.trans_date}: had {was.row_count} transactions, has {len(day.rows)}",
                municipality_code=payer.municipality_code,
                time_period=str(day.trans_date)[:7],
                file_name=path,
                cell=str(day.trans_date),
                value_found=str(len(day.rows)),
                value_expected=str(was.row_count),
            )


def _months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """``first`` to ``last`` cut at the ends of months, both days included."""
    while first <= last:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(last, following - timedelta(days=1))
        first = following


class _Dated(msgspec.Struct, gc=False):
    trans_date: date


def _day_of(record: msgspec.Raw) -> date:
    try:
        return msgspec.json.decode(record, type=_Dated).trans_date
    except msgspec.MsgspecError as error:
        raise SourceError(
            f"a transaction has no day ({error}): the service has changed, and the reader must follow"
        ) from error


def _raising(error: SourceError) -> Callable[[], bytes]:
    def ask() -> bytes:
        raise error

    return ask
