"""Bulk loading by COPY."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import psycopg

Block = str | bytes | memoryview
"""Lines as COPY takes them."""
_BLOCK_ROWS = 2_000
_NULL = "\\N"
_PLAIN = frozenset({int, float, date, Decimal, bool})  # what str() writes as the database reads it
_NUMBERS = frozenset({int, float})
_UNLIKE = re.compile(
    "[en]|0[.]0000"
)  # numbers that msgspec writes otherwise than str(): the very small, the very large, and nan


def copy_rows(
    connection: "psycopg.Connection", table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> int:
    """COPY ``rows`` into ``table`` ('schema.name') in the caller's transaction; return how many.

    None is NULL, a list of numbers is an array. U+0000, which PostgreSQL cannot store, is left out. Raises TypeError for
    what is no text, number or date.
    """
    rest = iter(rows)
    return copy_blocks(connection, table, columns, map(format_rows, iter(lambda: list(islice(rest, _BLOCK_ROWS)), [])))


def copy_blocks(connection: "psycopg.Connection", table: str, columns: Sequence[str], blocks: Iterable[Block]) -> int:
    """COPY blocks of text as ``format_rows`` makes them; return how many rows. Large blocks cost a third of what single rows do."""
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:  # COPY opens a table and all its indexes for no row as well
        return 0
    with connection.cursor() as cursor:
        with cursor.copy(_copy_statement(table, tuple(columns))) as copy:
            copy.write(first)
            for block in rest:
                copy.write(block)
        return cursor.rowcount


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
    """``rows`` in the text format of COPY, a line each."""
    lines = format_columns(zip(*rows, strict=True))
    return "\n".join(lines) + "\n" if lines else ""


def format_columns(columns: Iterable[Sequence[object]]) -> list[str]:
    """Lines of ``format_rows`` without their ends. What is to be spelled or escaped is looked for in a column, not value by value."""
    return list(map("\t".join, zip(*map(_spell_column, columns), strict=True)))


def _spell_column(values: Sequence[object]) -> Sequence[str]:
    """``values`` as COPY reads them."""
    with suppress(TypeError):  # a third of the time that it takes to look at every type, and most columns are texts
        return _escape_texts(values)  # type: ignore[arg-type]
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds <= _NUMBERS:
        text = msgspec.json.encode(values).decode()[1:-1]
        if not _UNLIKE.search(text):
            return text.split(",")
    if kinds <= _PLAIN:
        return [str(value) for value in values]
    if kinds == {type(None)}:
        return [_NULL] * len(values)
    texts = _escape_texts(
        ["" if value is None else value if value.__class__ is str else _spell(value) for value in values]  # type: ignore[misc]
    )
    return [_NULL if value is None else text for value, text in zip(values, texts, strict=True)]


def _escape_texts(texts: Sequence[str]) -> Sequence[str]:
    whole = "".join(texts)
    is_clean = not ("\\" in whole or "\t" in whole or "\n" in whole or "\r" in whole or "\0" in whole)
    return texts if is_clean else [_escape(text) for text in texts]


def _escape(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
    return text.replace("\r", "\\r").replace("\0", "")


def prefix_lines(block: str, value: str) -> str:
    """Put a first column of one ``value`` (that needs no escape) before every line of a block."""
    return f"{value}\t" + block[:-1].replace("\n", f"\n{value}\t") + "\n" if block else ""


def _spell(value: object) -> str:
    if isinstance(value, list | tuple) and all(type(element) in (int, float) for element in value):
        return "{" + ",".join(map(str, value)) + "}"
    if not isinstance(value, (str, *_PLAIN)):
        raise TypeError(f"COPY takes texts, numbers and dates, not {type(value).__name__}")
    return str(value)
