"""Corrections by staff: a CSV file of what to take in place of what a return says, each with the value that it expects to find.

The file is declared data: the database is never edited. A correction is applied, by ``int_observation__correction``, while the
return says what the correction expects. When the return was mended it is not, and a finding says so until its line is removed.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg.rows import dict_row
from pydantic import field_validator, model_validator

from asms.findings import Finding, insert_findings
from asms.quality.declared import DeclaredLine, raise_problems, read_lines
from asms.warehouse.connection import Warehouse

_log = logging.getLogger(__name__)

DATASET = "corrections"
RULE = "CORRECTION_NOT_APPLIED"


class Correction(DeclaredLine):
    """One line. ``expected_value`` None: the return gives no value there."""

    collection_code: str
    municipality_code: str
    indicator_code: str
    time_period: str
    sex: Literal["T", "F", "M"]
    action: Literal["drop", "set", "scale", "flag"]
    expected_value: float | None
    new_value: float | None
    new_status: Literal["B", "E", "P"] | None
    reason: str
    provider: str

    @field_validator("expected_value", "new_value", mode="before")
    @classmethod
    def _read_number(cls, value: object) -> object:
        """As spreadsheets of both languages write it: 1234.5, 1 234,5."""
        return re.sub(r"[\s\u00a0\u202f]", "", value).replace(",", ".") if isinstance(value, str) else value

    @field_validator("municipality_code")
    @classmethod
    def _check_body(cls, value: str) -> str:
        if not re.fullmatch(r"UA\d{17}", value):
            raise ValueError("UA and 17 digits are expected")
        return value

    @field_validator("time_period")
    @classmethod
    def _check_period(cls, value: str) -> str:
        if not re.fullmatch(r"\d{4}(-Q[1-4]|-(0[1-9]|1[0-2]))?", value):
            raise ValueError("a period is expected: 2024, 2024-Q1 or 2024-03")
        return value

    @field_validator("reason", "provider")
    @classmethod
    def _check_told(cls, value: str) -> str:
        if not re.search(r"\w", value):
            raise ValueError("write why, and who told so")
        return value

    @model_validator(mode="after")
    def _check_action(self) -> "Correction":
        needs = {
            "drop": (True, False, False),
            "set": (None, True, False),
            "scale": (True, True, False),
            "flag": (True, False, True),
        }
        given = (self.expected_value is not None, self.new_value is not None, self.new_status is not None)
        columns = ("expected_value", "new_value", "new_status")
        for column, need, is_given in zip(columns, needs[self.action], given, strict=True):
            if need is not None and need != is_given:
                raise ValueError(f"{column} must {'be given' if need else 'be empty'} for {self.action}")
        return self

    @property
    def key(self) -> tuple[str, ...]:
        return (self.collection_code, self.municipality_code, self.indicator_code, self.time_period, self.sex)


COLUMNS = tuple(Correction.model_fields)


@dataclass(frozen=True)
class StoredCorrections:
    """``changed_count``: lines that are new, changed or gone since the file was stored before."""

    active_count: int
    changed_count: int


def read_corrections(file: Path) -> dict[int, Correction]:
    """The corrections by line number; no value is corrected twice. Raises DeclaredError."""
    found, problems = read_lines(file, Correction)
    lines_of: dict[tuple[str, ...], int] = {}
    for number, line in found.items():
        first = lines_of.setdefault(line.key, number)
        if first != number:
            problems.append(f"{file.name}, line {number}: line {first} corrects this value already; leave one of them")
    raise_problems(problems, DATASET)
    return found


def store_corrections(warehouse: Warehouse, file: Path | None) -> StoredCorrections:
    """Bring ``quality.correction`` up to ``file``; None: there are none. Role ``gate``; equal content changes nothing.

    A line that is new, changed or gone is a decision: the next build redoes its body and year.

    Raises:
        DeclaredError: the file cannot be used; what was stored before stands.
    """
    lines = read_corrections(file) if file else {}
    with warehouse.connect("gate") as connection:
        raise_problems(list(_unknown(connection, file.name if file else "", lines)), DATASET)
        rows = [
            {
                **c.model_dump(),
                "correction_id": c.fingerprint,
                "line_no": number,
                "file_name": file.name if file else "",
            }
            for number, c in lines.items()
        ]
        changed = connection.execute(_RETIRE, ([row["correction_id"] for row in rows],)).rowcount
        cursor = connection.cursor()
        for row in rows:
            changed += cursor.execute(_ADD, row).rowcount
            cursor.execute(_PLACE, row)
    _log.info("corrections: %d stand, %d changed", len(rows), changed)
    return StoredCorrections(len(rows), changed)


def check_corrections(connection: psycopg.Connection, *, is_sample: bool) -> int:
    """Open a finding for each correction whose return does not say what it expects, and close those that are settled.

    Returns how many are open.
    """
    broken = connection.cursor(row_factory=dict_row).execute(_NOT_APPLIED).fetchall()
    findings = [_finding(row) for row in broken]
    connection.execute(
        "update quality.finding set is_open = false, closed_at = now() "
        "where rule_id = %s and is_open and not finding_id = any(%s)",
        (RULE, [finding.finding_id for finding in findings]),
    )
    return insert_findings(connection, findings, is_sample=is_sample)


_RETIRE = """
update quality.correction set is_active = false, decision_no = nextval('quality.decision_no')
where is_active and not correction_id = any(%s)
"""

_ADD = """
insert into quality.correction (
    correction_id, collection_code, municipality_code, indicator_code, time_period, sex, action, expected_value, new_value,
    new_status, reason, provider, file_name, line_no, decision_no
)
values (
    %(correction_id)s, %(collection_code)s, %(municipality_code)s, %(indicator_code)s, %(time_period)s, %(sex)s, %(action)s,
    %(expected_value)s, %(new_value)s, %(new_status)s, %(reason)s, %(provider)s, %(file_name)s, %(line_no)s,
    nextval('quality.decision_no')
)
on conflict (correction_id) do update set is_active = true, decision_no = excluded.decision_no
where not correction.is_active
"""

_PLACE = """
update quality.correction set file_name = %(file_name)s, line_no = %(line_no)s
where correction_id = %(correction_id)s and (file_name, line_no) is distinct from (%(file_name)s, %(line_no)s)
"""

# The condition under which int_observation__correction does not apply it.
_NOT_APPLIED = """
select
    correction.*,
    answer.obs_value,
    answer.obs_status,
    answer.value_text,
    sent.municipality_code is not null as is_sent
from quality.correction
left join staging.stg_submissions__return as sent
    on
        correction.collection_code = sent.collection_code
        and correction.municipality_code = sent.municipality_code
        and correction.time_period = sent.time_period
left join staging.stg_submissions__latest_cell as answer
    on
        correction.collection_code = answer.collection_code
        and correction.municipality_code = answer.municipality_code
        and correction.time_period = answer.time_period
        and correction.indicator_code = answer.indicator_code
        and correction.sex = answer.sex
where
    correction.is_active
    and (
        sent.municipality_code is null
        or answer.obs_value is distinct from correction.expected_value
        or answer.obs_status = 'C'
    )
order by correction.correction_id
"""


def _finding(row: dict[str, Any]) -> Finding:
    place = f"{row['municipality_code']} {row['indicator_code']} {row['time_period']} {row['sex']}"
    now_uk = "звіту немає" if not row["is_sent"] else f"у звіті тепер {_shown(row['obs_value'], row['obs_status'])}"
    now_en = (
        "there is no return" if not row["is_sent"] else f"the return says {_shown(row['obs_value'], row['obs_status'])}"
    )
    expected = _shown(row["expected_value"], None)
    return Finding(
        rule_id=RULE,
        dataset=DATASET,
        collection_code=row["collection_code"],
        municipality_code=row["municipality_code"],
        time_period=row["time_period"],
        indicator_code=row["indicator_code"],
        sex=row["sex"],
        file_name=f"{row['file_name']}, {row['line_no']}",
        value_found=_shown(row["obs_value"], row["obs_status"]),
        value_expected=expected,
        message_uk=f"Виправлення {row['action']} для {place} не застосовано: очікувалося {expected}, {now_uk}",
        message_en=f"Correction {row['action']} of {place} is not applied: {expected} was expected, {now_en}",
    )


def _shown(value: float | None, status: str | None) -> str:
    return f"{value:.15g}" if value is not None else status or "—"


def _unknown(connection: psycopg.Connection, file_name: str, lines: dict[int, Correction]) -> Iterator[str]:
    """Lines about cells that the catalogue does not ask for."""
    cards: dict[str, tuple[str, bool, bool]] = {
        code: (collection, is_derived, is_split)
        for code, collection, is_derived, is_split in connection.execute(
            "select indicator_code, collection_code, is_derived, is_sex_split from catalogue.indicator"
        ).fetchall()
    }
    for number, line in lines.items():
        where = f"{file_name}, line {number}"
        card = cards.get(line.indicator_code)
        if card is None:
            yield f"{where}, column indicator_code: the catalogue has no {line.indicator_code!r}; look it up in dim_indicator"
        elif card[1]:
            yield f"{where}, column indicator_code: {line.indicator_code} is computed; correct what it is computed from"
        elif card[0] != line.collection_code:
            yield f"{where}, column collection_code: {line.indicator_code} is of {card[0]}, not {line.collection_code!r}"
        elif line.sex != "T" and not card[2]:
            yield f"{where}, column sex: {line.indicator_code} is not asked by sex; write T"
