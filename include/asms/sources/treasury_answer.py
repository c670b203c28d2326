"""Answers of spending.gov.ua: pages of transactions and of reports, cut into rows as found. Pure functions.

What belongs: the form of a page and of a record, joining pages without a gap. What does not: asking (``treasury``), amounts and
dates as such (dbt staging).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, partial
from itertools import groupby
from math import fsum
from operator import attrgetter
from typing import TypeVar

import msgspec

from asms.findings import Finding
from asms.sources import SourceError, TransientSourceError
from asms.sources.new_column import new_columns, titles_of
from asms.warehouse.copy import format_columns

_Read = TypeVar("_Read")
Value = str | int | float | None
_AMOUNT = re.compile(r"-?\d{1,15}([.]\d{1,2})?")
_JOINED, _EMPTY = b",\n", b"[]"
_MOST_BAD_ROWS = 50  # more than this in one answer is another format, not a slip


class Transaction(msgspec.Struct, gc=False):
    """A payment, in the order of the columns of raw.treasury_transaction after ``row_no``. Fields beside these are not read."""

    trans_date: date
    id: int | str
    doc_date: Value = None
    doc_number: Value = None
    amount: Value = None
    currency: Value = None
    payer_edrpou: Value = None
    payer_name: Value = None
    recipt_edrpou: Value = None
    recipt_name: Value = None
    payment_details: Value = None
    region_id: Value = None
    payment_type: Value = None
    kekv: Value = None
    kpk: Value = None
    contract_id: Value = msgspec.field(name="contractId", default=None)
    contract_number: Value = msgspec.field(name="contractNumber", default=None)
    budget_code: Value = msgspec.field(name="budgetCode", default=None)


# What the answer may not lack, though a record may leave it empty: a renamed field must not pass for a missing value.
_REQUIRED = ("id", "trans_date", "amount", "payer_edrpou", "recipt_edrpou")
TRANSACTION_COLUMNS = (
    "row_no", "trans_date", "transaction_id", "doc_date", "doc_number", "amount", "currency", "payer_edrpou", "payer_name",
    "recipt_edrpou", "recipt_name", "payment_details", "region_id", "payment_type", "kekv", "kpk", "contract_id",
    "contract_number", "budget_code",
)  # fmt: skip


# Of a payment's papers and banks, which nobody here reads.
_UNREAD = (
    "doc_vob", "doc_vob_name", "doc_v_date", "doc_add_attr", "amount_cop", "payer_account", "payer_mfo", "payer_bank",
    "payer_edrpou_fact", "payer_name_fact", "recipt_account", "recipt_mfo", "recipt_bank", "recipt_edrpou_fact",
    "recipt_name_fact", "payment_data", "source_id", "source_name", "system_key", "system_key_ff",
)  # fmt: skip
_KNOWN = {*Transaction.__struct_encode_fields__, *_UNREAD}


class Report(msgspec.Struct, gc=False):
    """A report that a payer published; ``date_cancel`` is the day on which it was withdrawn."""

    id: int | str
    report_name: Value = msgspec.field(name="reportName", default=None)
    period: Value = None
    amount: Value = None
    date_publish: Value = msgspec.field(name="datePublish", default=None)
    date_cancel: Value = msgspec.field(name="dateCancel", default=None)


_KNOWN_OF_REPORTS = {*Report.__struct_encode_fields__, "edrpou"}


class _Key(msgspec.Struct, gc=False):
    id: int | str


class TransactionPage(msgspec.Struct, gc=False):
    """A page; ``count`` is the number of all transactions that were asked for."""

    transactions: list[msgspec.Raw]
    count: int


class ReportPage(msgspec.Struct, gc=False):
    content: list[msgspec.Raw]
    total: int = msgspec.field(name="totalElements")


_read_transactions = msgspec.json.Decoder(list[Transaction]).decode
_read_key = msgspec.json.Decoder(_Key).decode
_read_page = msgspec.json.Decoder(TransactionPage).decode
_read_reports = msgspec.json.Decoder(ReportPage).decode


def read_transaction_page(body: bytes, asked: str) -> tuple[list[msgspec.Raw], int]:
    """Records of a page and how many there are in all. Raises SourceError for what is no such page."""
    page = _decode(lambda: _read_page(body), asked)
    return page.transactions, page.count


def read_report_page(body: bytes, asked: str) -> tuple[list[msgspec.Raw], int]:
    """As ``read_transaction_page``, of reports."""
    page = _decode(lambda: _read_reports(body), asked)
    return page.content, page.total


def join_pages(ask_page: Callable[[int], tuple[list[msgspec.Raw], int]], asked: str) -> list[msgspec.Raw]:
    """The records of all pages, each once, sorted by id.

    A record that comes again, as it does when one was inserted before it meanwhile, is taken once. Raises TransientSourceError
    when fewer different records came than were promised (a page was skipped) or the promise changed: asking again mends both.
    """
    found: dict[str, msgspec.Raw] = {}
    came = page_no = 0
    total: int | None = None
    while total is None or came < total:
        records, count = ask_page(page_no)
        if total not in (None, count):
            raise TransientSourceError(
                f"the pages of {asked} changed while they were read: {total} records, then {count}"
            )
        total = count
        for record in records:
            key = str(_decode(partial(_read_key, record), asked).id)
            if bytes(found.setdefault(key, record)) != bytes(record):
                raise TransientSourceError(f"{asked}: record {key} came twice and was not the same")
        came += len(records)
        page_no += 1
        if not records:
            break
    if len(found) != total:
        raise TransientSourceError(
            f"the pages of {asked} repeat or skip records: {len(found)} different ones came, {total} were promised"
        )
    return [found[key] for key in sorted(found, key=lambda key: (len(key), key))]


def to_bytes(records: Iterable[msgspec.Raw]) -> bytes:
    """Records as one JSON list: what is landed. Equal records give equal bytes, whatever the pages were."""
    return b"[" + _JOINED.join(map(bytes, records)) + b"]"


@dataclass(frozen=True)
class Day:
    """The transactions of one day, in the order of their ids."""

    trans_date: date
    rows: Sequence[Transaction]

    @cached_property
    def lines(self) -> list[str]:
        """Rows as COPY takes them, without ``row_no`` and line ends."""
        _, *columns = zip(*map(msgspec.structs.astuple, self.rows), strict=True)
        return format_columns([[str(self.trans_date)] * len(self.rows), *columns])

    @cached_property
    def sha256(self) -> str:
        block = "\n".join(self.lines) + "\n"
        return hashlib.sha256("".join(sorted(block.splitlines(keepends=True))).encode()).hexdigest()

    @cached_property
    def total_amount(self) -> float | None:
        """Sum in UAH; None where an amount cannot be read."""
        try:
            return round(fsum([float(row.amount or 0) for row in self.rows]), 2)
        except ValueError:
            return None

    def block(self, before: str, first_no: int) -> str:
        """Rows as COPY takes them, numbered from ``first_no``, with ``before`` in front of each."""
        return "".join([f"{before}{number}\t{line}\n" for number, line in enumerate(self.lines, start=first_no)])


def read_days(data: bytes, payer: str, first: date, last: date) -> list[Day]:
    """Cut a landed answer about ``payer`` from ``first`` to ``last`` (both included) into days, the first first.

    Raises SourceError for a record without what it must have, of another payer, or of a day that was not asked for.
    """
    asked = f"{payer} {first} {last}"
    rows: list[Transaction] = _decode(lambda: _read_transactions(data), asked)
    if not rows:
        return []
    _check_fields(data, asked)
    rows.sort(key=attrgetter("trans_date"))
    if rows[0].trans_date < first or rows[-1].trans_date > last:
        raise SourceError(
            f"{asked}: the service answered with days from {rows[0].trans_date} to {rows[-1].trans_date}, which were not asked for"
        )
    others = {str(row.payer_edrpou) for row in rows} - {payer}
    if others:
        raise SourceError(f"{asked}: the service answered about other payers ({', '.join(sorted(others)[:3])})")
    return [Day(day, list(of_day)) for day, of_day in groupby(rows, key=attrgetter("trans_date"))]


def new_fields(data: bytes, dataset: str, path: str) -> list[Finding]:
    """Findings on fields that the transactions of a landed answer did not have before; its first and its last are looked at."""
    if len(data) <= len(_EMPTY):
        return []
    ends = (_first_record(data), data[data.rfind(_JOINED) + len(_JOINED) if _JOINED in data else 1 : -1])
    return new_columns([title for record in ends for title in _titles(record, path)], dataset, _KNOWN, path)


def odd_amounts(days: Iterable[Day], dataset: str, path: str) -> list[Finding]:
    """Findings on amounts that are none; the row is stored and its amount not used. Raises SourceError for more than 50."""
    found = [_odd_amount(row, dataset, path) for day in days for row in day.rows if not _is_amount(row.amount)]
    if len(found) > _MOST_BAD_ROWS:
        raise SourceError(f"{path}: more than {_MOST_BAD_ROWS} amounts are none, first: {found[0].message_en}")
    return found


def new_report_fields(data: bytes, dataset: str, path: str) -> list[Finding]:
    """As ``new_fields``, of reports; all of them are looked at."""
    records = _decode(lambda: msgspec.json.decode(data, type=list[dict[str, msgspec.Raw]]), path)
    return new_columns(titles_of(records), dataset, _KNOWN_OF_REPORTS, path)


def read_reports(data: bytes, payer: str) -> Iterator[tuple[Value, ...]]:
    """Rows of raw.treasury_report after ``load_id``, ``row_no``, payer and municipality."""
    reports = _decode(lambda: msgspec.json.decode(data, type=list[Report]), payer)
    for report in reports:
        yield msgspec.structs.astuple(report)


def _is_amount(value: Value) -> bool:
    return value.__class__ in (int, float) or (isinstance(value, str) and _AMOUNT.fullmatch(value) is not None)


def _odd_amount(row: Transaction, dataset: str, path: str) -> Finding:
    value = "" if row.amount is None else str(row.amount)
    return Finding(
        rule_id="SOURCE_VALUE_INVALID",
        dataset=dataset,
        message_uk=f"Трансакція {row.id}, {row.trans_date}: сума «{value}»; суму не використано",
        message_en=f"transaction {row.id}, {row.trans_date}: amount '{value}'; the amount is not used",
        file_name=path,
        cell=f"amount:{row.id}",
        value_found=value[:200],
        value_expected="123.45",
    )


def _first_record(data: bytes) -> bytes:
    return data[1 : data.find(_JOINED) if _JOINED in data else -1]


def _titles(record: bytes, asked: str) -> list[str]:
    return list(_decode(lambda: msgspec.json.decode(record, type=dict[str, msgspec.Raw]), asked))


def _check_fields(data: bytes, asked: str) -> None:
    first = _titles(_first_record(data), asked)
    lost = [name for name in _REQUIRED if name not in first]
    if lost:
        raise SourceError(
            f"{asked}: the records lack {', '.join(lost)}; they have {', '.join(sorted(first))}: the service has changed, and "
            "the reader must follow"
        )


def _decode(read: Callable[[], _Read], asked: str) -> _Read:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(
            f"the answer about {asked} does not have its agreed form ({error}): the service has changed, and the reader must follow"
        ) from error
