"""How every source books what it fetched: delivery, load and rows in one transaction, and the state of the source.

What belongs: ids, the no-op on unchanged bytes, the status row. What does not: anything of one source.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
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

    A reader of many rows gives ``blocks`` instead, and how many rows are in them: called with what stands before each line (the
    load), it makes them as ``asms.warehouse.copy.format_rows`` does.
    """

    rows: Sequence[Sequence[object]] = ()
    findings: Sequence[Finding] = ()
    blocks: Callable[[str], Iterable[Block]] | None = None
    block_rows: int = 0
    beside: Sequence[Beside] = ()

    @property
    def row_count(self) -> int:
        return len(self.rows) + self.block_rows


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
    arrival = Arrival.of(feed, path, data, last_arrivals(connection, feed, [path]).get(path), force=force)
    if arrival.standing_rows is not None:
        return Booking("unchanged", arrival.standing_rows)
    with connection.transaction():
        reading = read()
        if reading is None:
            return Booking("nothing", 0)
        book_read(connection, feed, [(arrival, reading)], store=store, batch_no=batch_no, is_sample=is_sample)
    return Booking("new", reading.row_count)


@dataclass(frozen=True)
class LastArrival:
    """What came last on a path; ``row_count`` is that of the load that this reader version made of it, None when it made none."""

    path_seq: int
    sha256: str
    row_count: int | None


def last_arrivals(connection: psycopg.Connection, feed: Feed, paths: Sequence[str]) -> dict[str, LastArrival]:
    """What came last on each of ``paths`` on which something came."""
    rows = connection.execute(
        """
        select last.path, last.path_seq, last.sha256, load.row_count
        from unnest(%s::text[]) as asked (path)
        cross join lateral (
            select * from raw.delivery
            where delivery.channel = %s and delivery.path = asked.path
            order by delivery.path_seq desc
            limit 1
        ) as last
        left join ops.load
            on
                last.source = load.source
                and last.delivery_id = load.delivery_id
                and load.reader_version = %s
        """,
        (list(paths), feed.channel, feed.reader_version),
    )
    return {path: LastArrival(*row) for path, *row in rows}


@dataclass(frozen=True)
class Arrival:
    """An answer on its way into the ledger."""

    path: str
    data: bytes = field(repr=False)
    sha256: str
    path_seq: int
    is_new: bool
    """Whether it is an arrival of its own; else the last one on its path, read anew."""
    delivery_id: str
    load_id: str
    standing_rows: int | None
    """Rows of the load that stands already; None when it is to be read."""

    @classmethod
    def of(cls, feed: Feed, path: str, data: bytes, last: LastArrival | None, *, force: bool = False) -> "Arrival":
        """``data`` beside what came on ``path`` before."""
        digest = hashlib.sha256(data).hexdigest()
        is_new = force or last is None or last.sha256 != digest
        path_seq = (last.path_seq if last else 0) + is_new
        delivery_id = _digest(feed.channel, path, str(path_seq), digest)[:32]
        load_id = f"{feed.source}-{_digest(delivery_id, feed.reader_version)[:24]}"
        return cls(
            path, data, digest, path_seq, is_new, delivery_id, load_id, None if is_new or not last else last.row_count
        )


def book_read(
    connection: psycopg.Connection,
    feed: Feed,
    read: Sequence[tuple[Arrival, Reading]],
    *,
    store: Store,
    batch_no: int,
    is_sample: bool,
) -> None:
    """Land and book answers with what was read of each, in the caller's transaction."""
    for arrival, _ in read:
        if arrival.is_new:
            store(arrival.data)
    loads = [
        (arrival.load_id, arrival.delivery_id, arrival.path, arrival.path_seq, arrival.sha256, len(arrival.data),
         arrival.is_new, reading.row_count, len(reading.findings))
        for arrival, reading in read
    ]  # fmt: skip
    told = (feed.source, feed.channel, batch_no, is_sample, feed.reader_version)
    connection.execute(_WRITE_LOADS, [*told, *map(list, zip(*loads, strict=True))])
    columns = ("load_id", *feed.columns)
    copy_rows(connection, feed.table, columns, ((it.load_id, *row) for it, reading in read for row in reading.rows))
    copy_blocks(
        connection,
        feed.table,
        columns,
        (block for it, reading in read if reading.blocks for block in reading.blocks(f"{it.load_id}\t")),
    )
    for table, of_table in dict.fromkeys(
        (other.table, other.columns) for _, reading in read for other in reading.beside
    ):
        rows = (
            (it.load_id, *row)
            for it, reading in read
            for other in reading.beside
            if (other.table, other.columns) == (table, of_table)
            for row in other.rows
        )
        copy_rows(connection, table, ("load_id", *of_table), rows)
    insert_findings(
        connection,
        (
            replace(finding, load_id=it.load_id, delivery_id=it.delivery_id)
            for it, reading in read
            for finding in reading.findings
        ),
        is_sample=is_sample,
    )


_WRITE_LOADS = """
with told as (
    select
        *, %s as source, %s as channel, %s::bigint as batch_no, %s as is_sample, %s as reader_version
    from unnest(
        %s::text[], %s::text[], %s::text[], %s::integer[], %s::text[], %s::bigint[], %s::boolean[], %s::bigint[], %s::bigint[]
    ) as told (load_id, delivery_id, path, path_seq, sha256, size_bytes, is_new, row_count, finding_count)
),

arrived as (
    insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample)
    select delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample from told where is_new
)

insert into ops.load (load_id, source, delivery_id, reader_version, status, row_count, finding_count, is_sample)
select load_id, source, delivery_id, reader_version, 'loaded', row_count, finding_count, is_sample from told
"""


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
