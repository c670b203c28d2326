"""How every source books what it fetched: delivery, load and rows in one transaction, and the state of the source.

What belongs: ids, the no-op on unchanged bytes, the status row. What does not: anything of one source.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import psycopg

from asms.findings import Finding, insert_findings
from asms.sources import SourceResult
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import Block, copy_blocks, copy_rows

Store = Callable[[bytes], str]
"""Puts bytes into the landing store and returns their sha256 (hex)."""


@dataclass(frozen=True)
class Feed:
    """One source as the ledger knows it.

    ``channel`` is logical and names no host, so that ids are the same whichever server answered. ``reader_version``
    changes when the reader would cut the same bytes into other rows: what is landed is then read anew.
    """

    source: str
    channel: str
    reader_version: str
    table: str
    columns: tuple[str, ...]
    """Columns of ``table`` after ``load_id``."""


@dataclass(frozen=True)
class Beside:
    """Rows of another table that belong to the same load, asked for after its own; ``columns`` are those after ``load_id``."""

    table: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[object]]


@dataclass(frozen=True)
class Reading:
    """What a reader cut out of one answer: rows in the order of ``Feed.columns``, and findings without load or delivery.

    A reader of many rows gives ``blocks`` instead: called with what stands before each line (the load), it makes them as
    ``asms.warehouse.copy.format_rows`` does. They are copied before the load is written, which tells their number, so their table
    has no foreign key to it.
    """

    rows: Iterable[Sequence[object]] = ()
    findings: Sequence[Finding] = ()
    blocks: Callable[[str], Iterable[Block]] | None = None
    beside: Sequence[Beside] = ()


@dataclass(frozen=True)
class Booking:
    """What booking one answer did; ``row_count`` is that of the load in force (0 when there was nothing to book)."""

    outcome: Literal["new", "unchanged", "nothing"]
    row_count: int


def commit_without_waiting(connection: psycopg.Connection) -> None:
    """Let commits of ``connection`` not wait for the disk, which takes in one answer then while the next is read.

    ``record_status`` commits after them, waits for its own and with it for all before: what a run tells is on disk. Answers that a
    crash of the server takes are gone whole, with their watermarks, and are asked for again.
    """
    connection.execute("set synchronous_commit = off")


def next_batch(connection: psycopg.Connection, source: str) -> int:
    """Number of the scan that begins now: arrivals of one scan share it."""
    row = connection.execute(
        "select coalesce(max(batch_no), 0) + 1 from raw.delivery where source = %s", (source,)
    ).fetchone()
    return int(row[0]) if row else 1


def book(  # noqa: PLR0913 - one booking is one sentence, and its parts are named
    connection: psycopg.Connection,
    feed: Feed,
    path: str,
    data: bytes,
    read: Callable[[], Reading | None],
    *,
    store: Store,
    batch_no: int,
    is_sample: bool,
    force: bool = False,
) -> Booking:
    """Land ``data`` and book it as an arrival on ``path`` with its rows, in one transaction of its own.

    ``connection`` is in autocommit mode. Bytes equal to the last arrival on the path are a no-op (``read`` is not
    called), unless this reader version has not read them yet, or ``force`` books them as a new arrival. Nothing is booked
    when ``read`` raises, or returns None (there is nothing in the answer).
    """
    digest = hashlib.sha256(data).hexdigest()
    last = _last_arrival(connection, feed, path)
    is_new_arrival = force or last is None or last.sha256 != digest
    if last and last.row_count is not None and not is_new_arrival:
        return Booking("unchanged", last.row_count)
    path_seq = (last.path_seq if last else 0) + is_new_arrival
    delivery_id = _digest(feed.channel, path, str(path_seq), digest)[:32]
    load_id = f"{feed.source}-{_digest(delivery_id, feed.reader_version)[:24]}"
    with connection.transaction():
        reading = read()
        if reading is None:
            return Booking("nothing", 0)
        if is_new_arrival:
            store(data)
        columns = ("load_id", *feed.columns)
        rows = [(load_id, *row) for row in reading.rows]
        row_count = len(rows)
        if reading.blocks:
            row_count += copy_blocks(connection, feed.table, columns, reading.blocks(f"{load_id}\t"))
        connection.execute(
            _WRITE_LOAD,
            {
                "is_new_arrival": is_new_arrival, "load_id": load_id,
                "delivery_id": delivery_id, "source": feed.source, "channel": feed.channel, "path": path,
                "path_seq": path_seq, "sha256": digest, "size": len(data), "batch_no": batch_no, "is_sample": is_sample,
                "reader_version": feed.reader_version, "row_count": row_count, "finding_count": len(reading.findings),
            },
        )  # fmt: skip
        copy_rows(connection, feed.table, columns, rows)
        for other in reading.beside:
            copy_rows(connection, other.table, ("load_id", *other.columns), ((load_id, *row) for row in other.rows))
        insert_findings(
            connection,
            (replace(finding, load_id=load_id, delivery_id=delivery_id) for finding in reading.findings),
            is_sample=is_sample,
        )
        return Booking("new", row_count)


_WRITE_LOAD = """
with arrival as (
    insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)
    select
        %(delivery_id)s, %(source)s, %(channel)s, %(path)s, %(path_seq)s, %(sha256)s, %(size)s, %(batch_no)s, %(is_sample)s
    where %(is_new_arrival)s
)
insert into ops.load (load_id, source, delivery_id, reader_version, status, row_count, finding_count, is_sample)
values (
    %(load_id)s, %(source)s, %(delivery_id)s, %(reader_version)s, 'loaded', %(row_count)s, %(finding_count)s, %(is_sample)s
)
"""


@dataclass(frozen=True)
class _Arrival:
    path_seq: int
    sha256: str
    row_count: int | None
    """Of the load that this reader version made of it; None when it made none."""


def _last_arrival(connection: psycopg.Connection, feed: Feed, path: str) -> _Arrival | None:
    row = connection.execute(
        """
        select delivery.path_seq, delivery.sha256, load.row_count
        from raw.delivery
        left join ops.load
            on
                delivery.source = load.source
                and delivery.delivery_id = load.delivery_id
                and load.reader_version = %s
        where delivery.channel = %s and delivery.path = %s
        order by delivery.path_seq desc
        limit 1
        """,
        (feed.reader_version, feed.channel, path),
    ).fetchone()
    return _Arrival(*row) if row else None


def record_status(warehouse: Warehouse, result: SourceResult) -> None:
    """Write how the source stands into ``ops.source_status``; a success closes an earlier failure.

    On a connection of its own, which waits for the disk (``commit_without_waiting``).
    """
    with warehouse.connect("loader") as connection:
        connection.execute(
            """
            insert into ops.source_status (source, is_ok, message, last_ok_at, row_count)
            values (%(source)s, %(is_ok)s, %(message)s, case when %(is_ok)s then now() end, %(row_count)s)
            on conflict (source) do update set
                is_ok = excluded.is_ok,
                message = excluded.message,
                checked_at = now(),
                last_ok_at = coalesce(excluded.last_ok_at, ops.source_status.last_ok_at),
                row_count = case when excluded.is_ok then excluded.row_count else ops.source_status.row_count end
            """,
            result.__dict__,
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
