"""How far an incremental source has read a feed: a day or an offset that the service itself named, kept with the load that brought it.

What belongs: reading and writing ``ops.source_watermark``, the partitions of years that such sources fill. What does not: what
a watermark means (the source's module).
"""

from collections.abc import Iterable

import psycopg

from asms.sources.ledger import Beside

_TABLE = "ops.source_watermark"


def read_watermark(connection: psycopg.Connection, source: str, feed: str, *, back: int = 0) -> str | None:
    """The last watermark of ``feed``, or the one ``back`` steps before it; None where there is none."""
    row = connection.execute(
        "select watermark from ops.source_watermark where source = %s and feed = %s "
        "order by watermark_no desc offset %s limit 1",
        (source, feed, back),
    ).fetchone()
    return str(row[0]) if row else None


def move_watermark(source: str, feed: str, watermark: str) -> Beside:
    """Rows for ``Reading.beside``: the watermark moves when the load is booked, or not at all."""
    return Beside(_TABLE, ("source", "feed", "watermark"), [(source, feed, watermark)])


def add_years(connection: psycopg.Connection, table: str, years: Iterable[int]) -> None:
    """Make the partitions of ``table`` ('raw.name') for ``years``; a no-op for those that are there."""
    for year in sorted(set(years)):
        connection.execute("select raw.add_year(%s, %s)", (table.removeprefix("raw."), year))
