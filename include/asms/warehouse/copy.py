"""Bulk loading by COPY."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

_BLOCK_ROWS = 2_000
_NULL = "\\N"
_PLAIN = (int, float, date, Decimal, bool)  # what str() writes as the database reads it; the commonest first
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})


def copy_rows(
    connection: "psycopg.Connection", table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """COPY ``rows`` into ``table`` ('schema.name') in the caller's transaction; return how many.

    None is NULL, a list of numbers is an array. U+0000, which PostgreSQL cannot store, is left out. Raises TypeError for
    what is no text, number or date.
    """
    count = 0

    def blocks() -> Iterable[str]:
        nonlocal count
        rest = iter(rows)
        while some := list(islice(rest, _BLOCK_ROWS)):
            count += len(some)
            yield format_rows(some)

    copy_blocks(connection, table, columns, blocks())
    return count


def copy_blocks(connection: "psycopg.Connection", table: str, columns: Sequence[str], blocks: Iterable[str]) -> None:
    """COPY blocks of text as ``format_rows`` makes them; large blocks cost a third of what single rows do."""
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:  # COPY opens a table and all its indexes for no row as well
        return
    with connection.cursor() as cursor, cursor.copy(_copy_statement(table, tuple(columns))) as copy:
        copy.write(first)
        for block in rest:
            copy.write(block)


@cache
def _copy_statement(table: str, columns: tuple[str, ...]) -> bytes:
    from psycopg import sql  # processes that read files format rows and never connect

    schema, _, name = table.partition(".")
    return (
        sql.SQL("copy {}.{} ({}) from stdin")
        .format(sql.Identifier(schema), sql.Identifier(name), sql.SQL(", ").join(map(sql.Identifier, columns)))
        .as_bytes(None)
    )


def format_rows(rows: Sequence[Sequence[object]]) -> str:
    """``rows`` in the text format of COPY, a line each. What has to be escaped is looked for in the whole, not value by value."""
    if not rows:
        return ""
    lines = [
        "\t".join([value if value.__class__ is str else _NULL if value is None else _spell(value) for value in row])  # type: ignore[misc]
        for row in rows
    ]
    block = "\n".join(lines)
    null_count = sum([row.count(None) for row in rows])
    is_clean = (
        block.count("\n") == len(rows) - 1
        and block.count("\t") == sum(map(len, rows)) - len(rows)
        and block.count("\\") == null_count
        and "\r" not in block
        and "\0" not in block
    )
    if not is_clean:
        block = "\n".join([_clean_line(line, row) for line, row in zip(lines, rows, strict=True)])
    return block + "\n"


def _clean_line(line: str, row: Sequence[object]) -> str:
    """``line`` if nothing in it has to be escaped, else ``row`` spelled anew."""
    is_clean = (
        line.count("\t") == len(row) - 1
        and line.count("\\") == row.count(None)
        and not ("\n" in line or "\r" in line or "\0" in line)
    )
    return line if is_clean else "\t".join([_escape(value) for value in row])


def prefix_lines(block: str, value: str) -> str:
    """Put a first column of one ``value`` (that needs no escape) before every line of a block."""
    return f"{value}\t" + block[:-1].replace("\n", f"\n{value}\t") + "\n" if block else ""


def _spell(value: object) -> str:
    if value.__class__ in _PLAIN:
        return str(value)
    if value is None:
        return _NULL
    if isinstance(value, list | tuple) and all(type(element) in (int, float) for element in value):
        return "{" + ",".join(map(str, value)) + "}"
    if not isinstance(value, (str, *_PLAIN)):
        raise TypeError(f"COPY takes texts, numbers and dates, not {type(value).__name__}")
    return str(value)


def _escape(value: object) -> str:
    return _NULL if value is None else _spell(value).translate(_ESCAPES)
