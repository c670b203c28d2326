"""Open data: one module per source that fetches it and stores its rows as text in ``raw``.

What belongs: asking a service politely, telling a good answer from a bad one, landing its bytes, cutting them into
rows. What does not: typing, cleaning and joining (dbt staging), what a figure means, the order of loads (DAGs). The HTTP
client and the landing store are passed in, so that tests and the local server use the same code as the real services.

Each source's module has ``fetch(warehouse, settings, store, *, force=False)``, with further keywords named as the params of its
DAG (``period``), which loads what is new, returns a SourceResult and raises SourceError.
"""

from dataclasses import dataclass


class SourceError(RuntimeError):
    """A source could not be loaded, wholly or in part; what was loaded before stands. The message says what to do."""


class TransientSourceError(SourceError):
    """The source may answer if asked again later: no connection, a time-out, 429, 5xx, a body cut short."""


class SourceNotSetError(SourceError):
    """The source is not configured and need not be: it is left out, and that is no failure. The message names the setting."""


@dataclass(frozen=True)
class SourceResult:
    """What one run of one source did.

    ``row_count`` counts the raw rows in force for everything that was asked, loaded now or before; ``new_loads`` and
    ``unchanged_loads`` count answers; ``failed`` counts requests that brought no usable answer.
    """

    source: str
    is_ok: bool
    new_loads: int
    unchanged_loads: int
    failed: int
    row_count: int
    message: str
