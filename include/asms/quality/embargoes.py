"""Embargoes: a CSV file of which figures are not to be published before a moment.

Declared data, as corrections are. A build asks once, at its start, which lines hold; their figures, and all that is computed of
them, are in none of its marts. When the moment has passed, the next build publishes them (ADR 0023).
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from pydantic import AwareDatetime, field_validator, model_validator

from asms.quality.declared import DeclaredLine, raise_problems, read_lines
from asms.warehouse.connection import Warehouse

_log = logging.getLogger(__name__)

_WHAT = "embargoes"


class Embargo(DeclaredLine):
    """One line: an indicator, or all of a domain, for a year."""

    domain_code: str | None
    indicator_code: str | None
    time_period: str
    embargo_until: AwareDatetime
    reason: str
    provider: str

    @field_validator("time_period")
    @classmethod
    def _check_period(cls, value: str) -> str:
        if not re.fullmatch(r"\d{4}", value):
            raise ValueError("a year is expected: 2024")
        return value

    @field_validator("embargo_until", mode="before")
    @classmethod
    def _check_zone(cls, value: object) -> object:
        if isinstance(value, str) and not re.search(r"(Z|[+-]\d\d:?\d\d)$", value):
            raise ValueError("a moment with its zone is expected: 2025-06-01T09:00+03:00")
        return value

    @field_validator("reason", "provider")
    @classmethod
    def _check_told(cls, value: str) -> str:
        if not re.search(r"\w", value):
            raise ValueError("write why, and who asked for it")
        return value

    @model_validator(mode="after")
    def _check_place(self) -> "Embargo":
        if (self.domain_code is None) == (self.indicator_code is None):
            raise ValueError("either domain_code or indicator_code must be given")
        return self


COLUMNS = tuple(Embargo.model_fields)


@dataclass(frozen=True)
class StoredEmbargoes:
    """``changed_count``: lines that are new, changed or gone since the file was stored before."""

    active_count: int
    changed_count: int


def read_embargoes(file: Path) -> dict[int, Embargo]:
    """The embargoes by line number. Raises DeclaredError."""
    found, problems = read_lines(file, Embargo)
    raise_problems(problems, _WHAT)
    return found


def store_embargoes(warehouse: Warehouse, file: Path | None) -> StoredEmbargoes:
    """Bring ``quality.embargo`` up to ``file``; None: there are none. Role ``gate``; equal content changes nothing.

    Raises:
        DeclaredError: the file cannot be used; what was stored before stands.
    """
    lines = read_embargoes(file) if file else {}
    rows = [{**line.model_dump(), "embargo_id": line.fingerprint} for line in lines.values()]
    with warehouse.connect("gate") as connection:
        raise_problems(list(_unknown(connection, file.name if file else "", lines)), _WHAT)
        changed = connection.execute(_RETIRE, ([row["embargo_id"] for row in rows],)).rowcount
        cursor = connection.cursor()
        for row in rows:
            changed += cursor.execute(_ADD, row).rowcount
    _log.info("embargoes: %d stand, %d changed", len(rows), changed)
    return StoredEmbargoes(len(rows), changed)


_RETIRE = "update quality.embargo set is_active = false where is_active and not embargo_id = any(%s)"

_ADD = """
insert into quality.embargo (
    embargo_id, domain_code, indicator_code, time_period, embargo_until, reason, provider
)
values (
    %(embargo_id)s, %(domain_code)s, %(indicator_code)s, %(time_period)s, %(embargo_until)s, %(reason)s, %(provider)s
)
on conflict (embargo_id) do update set is_active = true
where not embargo.is_active
"""


def _unknown(connection: psycopg.Connection, file_name: str, lines: dict[int, Embargo]) -> Iterator[str]:
    known = {
        "domain_code": {row[0] for row in connection.execute("select domain_code from catalogue.domain").fetchall()},
        "indicator_code": {
            row[0] for row in connection.execute("select indicator_code from catalogue.indicator").fetchall()
        },
    }
    for number, line in lines.items():
        for column, codes in known.items():
            code = getattr(line, column)
            if code is not None and code not in codes:
                yield f"{file_name}, line {number}, column {column}: the catalogue has no {code!r}"
