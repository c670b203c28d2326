"""Tenders and contracts of ProZorro, by the feed of changes of its public API.

The feed gives each tender once, at its last change, in the order of the service's own clock; what follows an offset is asked page
by page, and the offset of the last page is the watermark. The feed's fields carry the contracts, so that no tender is asked by
itself. A tender's own ``dateModified`` is set by many servers: it may lie before one already known, or ahead of the feed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import httpx
import msgspec
import psycopg

from asms.findings import Finding
from asms.settings import Settings
from asms.sources import SourceError, SourceResult, TransientSourceError
from asms.sources.answers import Question, load_answers
from asms.sources.http import Patience, client_for, get_bytes
from asms.sources.ledger import Beside, Feed, Reading, Store
from asms.sources.new_column import new_columns, titles_of
from asms.sources.watermark import add_years, move_watermark, read_watermark
from asms.warehouse.connection import Warehouse

BASE_URL = "https://public-api.prozorro.gov.ua"
PATH = "/api/2.5/tenders"
FEED = Feed(
    source="prozorro",
    channel="api:prozorro",
    reader_version="1",
    table="raw.prozorro_tender",
    columns=(
        "row_no", "feed_date", "feed_offset", "tender_id", "tender_number", "date_modified", "date_created", "status",
        "procurement_method_type", "buyer_edrpou", "buyer_name", "buyer_region", "buyer_locality",
    ),
)  # fmt: skip
_CONTRACT_TABLE = "raw.prozorro_contract"
_CONTRACT_COLUMNS = (
    "row_no", "contract_no", "feed_date", "tender_id", "contract_id", "contract_number", "status", "date_signed", "amount",
    "currency", "supplier_edrpou", "supplier_name",
)  # fmt: skip
_FIELDS = "tenderID,status,procurementMethodType,dateCreated,procuringEntity,contracts"
_PAGE_SIZE = 100
_SKEW = timedelta(hours=1)  # how far a tender's own time may be ahead of the feed
_POLITE_PAUSE = 0.2
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Identifier(msgspec.Struct):
    id: str | int | None = None


class _Address(msgspec.Struct):
    region: str | None = None
    locality: str | None = None


class _Body(msgspec.Struct):
    name: str | None = None
    identifier: _Identifier = msgspec.field(default_factory=_Identifier)
    address: _Address = msgspec.field(default_factory=_Address)


class _Money(msgspec.Struct):
    amount: float | None = None
    currency: str | None = None


class _Contract(msgspec.Struct):
    id: str
    contractID: str | None = None  # noqa: N815 - the service's names
    status: str | None = None
    dateSigned: str | None = None  # noqa: N815
    value: _Money = msgspec.field(default_factory=_Money)
    suppliers: list[_Body] = msgspec.field(default_factory=list)


class _Tender(msgspec.Struct):
    id: str
    dateModified: datetime  # noqa: N815
    tenderID: str  # noqa: N815
    status: str
    procurementMethodType: str | None = None  # noqa: N815
    dateCreated: str | None = None  # noqa: N815
    procuringEntity: _Body = msgspec.field(default_factory=_Body)  # noqa: N815
    contracts: list[_Contract] = msgspec.field(default_factory=list)


# Of a contract, which nobody here reads.
_UNREAD = (
    "awardID", "buyerID", "contractNumber", "contractTemplateName", "title", "title_en", "title_ru", "description",
    "description_en", "description_ru", "period", "items", "date", "documents", "parameters", "unitPrices", "bidID", "xml",
)  # fmt: skip


class _Offset(msgspec.Struct):
    offset: str | float


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next_page: _Offset
    prev_page: _Offset | None = None


class _Key(msgspec.Struct):
    id: str
    dateModified: datetime  # noqa: N815


Ask = Callable[[Mapping[str, str]], bytes]


def fetch(
    warehouse: Warehouse,
    settings: Settings,
    store: Store,
    *,
    force: bool = False,
    client: httpx.Client | None = None,
    patience: Patience | None = None,
) -> SourceResult:
    """Load ``raw.prozorro_tender`` and ``raw.prozorro_contract``: what follows the watermark, a page being a load of its own.

    ``force`` reads the last page again, from the watermark before. Raises as ``load_answers``; the pages before the one that
    failed stand, and the next run begins with it.
    """
    base_url = settings.urls.get(FEED.source, BASE_URL).rstrip("/")
    given = patience or Patience(pause=0.0 if urlsplit(base_url).hostname in _LOOPBACK else _POLITE_PAUSE)
    since = settings.spending_since or date(datetime.now(UTC).year - 1, 1, 1)  # decides only what is asked
    with client_for(client) as own_client, warehouse.connect("loader", autocommit=True) as connection:

        def ask(params: Mapping[str, str]) -> bytes:
            if given.pause:
                given.sleep(given.pause)
            return get_bytes(own_client, base_url + PATH, params, patience=given)

        watermark = read_watermark(connection, FEED.source, "tenders", back=int(force))
        walk = _Walk(connection, ask, watermark or since.isoformat(), is_known=watermark is not None)
        return load_answers(warehouse, settings, store, FEED, walk.questions(), force=force)


@dataclass
class _Walk:
    """The pages that follow ``offset``, one after the other; one that fails ends the walk."""

    connection: psycopg.Connection
    ask: Ask
    offset: str
    is_known: bool
    """Whether what stands before ``offset`` was read."""
    is_at_end: bool = False
    page_count: int = 0

    def questions(self) -> Iterator[Question]:
        while not self.is_at_end:
            asked = self.offset
            self.is_at_end = True  # until the page has been read
            yield Question(f"tenders offset={asked}", partial(self._page, asked), self._read, standing=self._count_rows)

    def _page(self, asked: str) -> bytes:
        """The page, as what is landed: its end and its records. Raises SourceError for one that cannot be the next."""
        body = self.ask({"offset": asked, "limit": str(_PAGE_SIZE), "opt_fields": _FIELDS})
        page = _decode(body, _Page, asked)
        end = str(page.next_page.offset)
        if page.data:
            if self.is_known:
                if read_offset(end) <= read_offset(asked):
                    raise TransientSourceError(
                        f"the feed does not go on: the page after {asked} ends at {end}, and repeats"
                    )
                self._check_join(asked, page)
            _decode(b"[" + b",".join(map(bytes, page.data)) + b"]", list[_Tender], asked)  # before anything is booked
            self.offset, self.is_known, self.is_at_end = end, True, False
            self.page_count += 1
        return msgspec.json.encode({"next_offset": end, "data": page.data})

    def _check_join(self, asked: str, page: _Page) -> None:
        """Raise TransientSourceError when the entry before the page is none that was read: the feed skipped it."""
        if page.prev_page is None:
            return
        params = {"offset": str(page.prev_page.offset), "descending": "1", "limit": "1"}
        before = _decode(self.ask(params), _Page, asked)
        if not before.data:
            return
        key = msgspec.json.decode(before.data[0], type=_Key)
        found = self.connection.execute(
            "select 1 from raw.prozorro_tender where tender_id = %s and date_modified = %s limit 1",
            (key.id, key.dateModified.isoformat()),
        ).fetchone()
        if found is None:
            raise TransientSourceError(
                f"the feed skips records: before the page after {asked} stands {key.id} of {key.dateModified.isoformat()}, which "
                "was on no page; what was read stands (load with force to read the last page again)"
            )

    def _read(self, data: bytes) -> Reading | None:
        reading = read_page(data, self._known_times)
        if reading:
            for table in (FEED.table, _CONTRACT_TABLE):
                add_years(self.connection, table, {_feed_day(data).year})
        return reading

    def _known_times(self, tender_ids: list[str]) -> dict[str, str]:
        found = self.connection.execute(
            "select tender_id, max(date_modified) from raw.prozorro_tender where tender_id = any(%s) group by tender_id",
            (tender_ids,),
        )
        return dict(found.fetchall())

    def _count_rows(self) -> int:
        """Rows in force, at the end of a walk that brought none; 0 at the end of another, whose pages were counted."""
        if self.page_count:
            return 0
        row = self.connection.execute(
            "select sum(row_count) from ops.load where source = %s", (FEED.source,)
        ).fetchone()
        return int(row[0] or 0) if row else 0


def read_page(data: bytes, known_times: Callable[[list[str]], dict[str, str]]) -> Reading | None:
    """Rows of a landed page (its end and its records); None when it has none.

    ``known_times`` tells the last ``date_modified`` of tenders that are stored. A record that comes twice with one time is taken
    once. A time ahead of the feed, or before one that is stored, gives a Finding; staging decides which is in force.
    """
    page = msgspec.json.decode(data, type=_Landed)
    if not page.data:
        return None
    end = read_offset(page.next_offset)
    feed_date = end.date()
    tenders = list({(tender.id, tender.dateModified): tender for tender in page.data}.values())
    known = known_times([tender.id for tender in tenders])
    findings = _new_fields(data)
    for tender in tenders:
        before = known.get(tender.id)
        modified = tender.dateModified
        if modified > end + _SKEW:
            findings.append(_skewed(tender, f"≤ {end.isoformat()}", "попереду стрічки", "ahead of the feed"))
        elif before and modified < datetime.fromisoformat(before):
            findings.append(
                _skewed(tender, f"≥ {before}", "раніше за вже відому зміну", "before a change already known")
            )
    rows = [
        (
            no, feed_date, page.next_offset, tender.id, tender.tenderID, tender.dateModified.isoformat(), tender.dateCreated,
            tender.status, tender.procurementMethodType, _text(tender.procuringEntity.identifier.id),
            tender.procuringEntity.name, tender.procuringEntity.address.region, tender.procuringEntity.address.locality,
        )
        for no, tender in enumerate(tenders, start=1)
    ]  # fmt: skip
    contracts = [
        (
            no, contract_no, feed_date, tender.id, contract.id, contract.contractID, contract.status, contract.dateSigned,
            _text(contract.value.amount), contract.value.currency, _text(supplier.identifier.id), supplier.name,
        )
        for no, tender in enumerate(tenders, start=1)
        for contract_no, contract in enumerate(tender.contracts, start=1)
        for supplier in (contract.suppliers or [_Body()])[:1]
    ]  # fmt: skip
    beside = (
        Beside(_CONTRACT_TABLE, _CONTRACT_COLUMNS, contracts),
        move_watermark(FEED.source, "tenders", page.next_offset),
    )
    return Reading(rows, findings, beside=beside)


def _new_fields(data: bytes) -> list[Finding]:
    records = msgspec.json.decode(data, type=_Records).data
    contracts = [record["contracts"] for record in records if "contracts" in record]
    of_contracts = [one for some in contracts for one in msgspec.json.decode(some, type=list[dict[str, msgspec.Raw]])]
    return [
        *new_columns(titles_of(records), FEED.source, _Tender.__struct_encode_fields__, "tenders"),
        *new_columns(
            titles_of(of_contracts), FEED.source, (*_Contract.__struct_encode_fields__, *_UNREAD), "tenders.contracts"
        ),
    ]


class _Records(msgspec.Struct):
    data: list[dict[str, msgspec.Raw]]


class _Landed(msgspec.Struct):
    next_offset: str
    data: list[_Tender]


def read_offset(text: str) -> datetime:
    """The moment that an offset names: seconds and a number behind a point, or an ISO day or time. Raises SourceError."""
    try:
        seconds, _, number = text.partition(".")
        if seconds.isdigit():
            return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=min(int(number or 0), 999_999))
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise SourceError(
            f"the feed's offset is {text!r}, and no moment can be read from it: the service has changed"
        ) from error


def _feed_day(data: bytes) -> date:
    return read_offset(msgspec.json.decode(data, type=_Landed).next_offset).date()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _skewed(tender: _Tender, expected: str, why_uk: str, why_en: str) -> Finding:
    found = tender.dateModified.isoformat()
    return Finding(
        rule_id="SOURCE_CLOCK_SKEW",
        dataset=FEED.source,
        message_uk=f"{tender.tenderID}: dateModified {found}, {why_uk}",
        message_en=f"{tender.tenderID}: dateModified {found}, {why_en}",
        file_name="tenders",
        cell=tender.id,
        value_found=found,
        value_expected=expected,
    )


def _decode(body: bytes, kind: type, asked: str):  # type: ignore[no-untyped-def]
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            f"the page after {asked} does not have its agreed form ({error}): the service has changed, and the reader must follow"
        ) from error
