"""What single statements cost the server: its own statistics of each, read from its log."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from asms.warehouse.connection import Warehouse

_SETTINGS = {"log_statement_stats": "on", "log_min_error_statement": "log"}
_USED = re.compile(r"!\t([\d.]+) s user, ([\d.]+) s system")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:")
_SHOWN = 40  # words of a statement


@contextmanager
def statement_costs(warehouse: Warehouse, home: Path) -> Iterator[list[tuple[float, str]]]:
    """Yield a list that holds, afterwards, seconds of CPU and text of each statement of the connections opened meanwhile.

    What parallel workers of a statement use is not in it.
    """
    log = home / "pg" / "server.log"
    begin = log.stat().st_size
    found: list[tuple[float, str]] = []
    database = sql.Identifier(warehouse.database)
    with warehouse.connect("admin", autocommit=True) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(sql.SQL("alter database {} set {} = {}").format(database, sql.Identifier(name), value))
    try:
        yield found
    finally:
        with warehouse.connect("admin", autocommit=True) as connection:
            for name in _SETTINGS:
                connection.execute(sql.SQL("alter database {} reset {}").format(database, sql.Identifier(name)))
        found += _read(log, begin)


def _read(log: Path, begin: int) -> Iterator[tuple[float, str]]:
    with log.open(encoding="utf-8", errors="replace") as file:
        file.seek(begin)
        seconds: float | None = None
        text: list[str] = []
        for line in file:
            if _STAMP.match(line):
                if text and seconds is not None:
                    yield seconds, " ".join(text[1:_SHOWN])
                    seconds = None
                _, is_text, begin_of_text = line.partition("STATEMENT:  ")
                text = ["", *begin_of_text.split()] if is_text else []
            elif used := _USED.search(line):
                seconds = float(used[1]) + float(used[2])
            elif text and len(text) < _SHOWN:
                text += line.split()
        if text and seconds is not None:
            yield seconds, " ".join(text[1:_SHOWN])


def tell(costs: list[tuple[float, str]], least: float = 0.1) -> str:
    """The dearest statements, a line each."""
    lines = [f"    {seconds:6.2f} s  {text[:150]}" for seconds, text in sorted(costs, reverse=True) if seconds >= least]
    return "\n".join(lines)
