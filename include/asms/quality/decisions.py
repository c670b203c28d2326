"""What staff decide about findings: accept or refuse a sender's explanation, waive a fatal finding, take a waiver back.

A decision holds for a rule, a place and the value found there, whatever file brings it: a new value is a new finding. It shows
in the findings at once and in the marts with the next build (``asms.warehouse.build`` redoes the keys of new decisions).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.rows import class_row

from asms.quality.rules import IS_SETTLED, SAME_WORDS, SILENCE_READERS
from asms.warehouse.connection import Warehouse

Status = Literal["offered", "accepted", "refused"]
Effect = Literal["reject", "silence", "none"]
STATUSES: tuple[Status, ...] = ("offered", "accepted", "refused")

_WHAT = "rule_id, collection_code, municipality_code, time_period, indicator_code, sex, value_found"


class DecisionError(ValueError):
    """A decision cannot be made; the message says why and what can be done."""


@dataclass(frozen=True)
class Explanation:
    """What a sender wrote beside a warning."""

    explanation_id: str
    status: Status
    rule_id: str
    title_uk: str
    municipality_code: str
    time_period: str
    indicator_code: str | None
    sex: str | None
    value_found: str | None
    text: str
    file_name: str
    """The feedback workbook that brought it."""
    offered_at: datetime
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True)
class OpenFinding:
    """An open finding, as a person looks for the id of one."""

    finding_id: str
    rule_id: str
    severity: str
    municipality_code: str | None
    time_period: str | None
    indicator_code: str | None
    sex: str | None
    file_name: str | None
    sheet: str | None
    cell: str | None
    value_found: str | None
    value_expected: str | None
    message_uk: str


_EXPLANATIONS = """
select
    explanation.explanation_id, explanation.status, explanation.rule_id, rule.title_uk, explanation.municipality_code,
    explanation.time_period, explanation.indicator_code, explanation.sex, explanation.value_found, explanation.text,
    delivery.path as file_name, explanation.offered_at, explanation.decided_by, explanation.decided_at
from quality.explanation
inner join quality.rule on explanation.rule_id = rule.rule_id
inner join raw.delivery on explanation.delivery_id = delivery.delivery_id
where
    (%(status)s::text is null or explanation.status = %(status)s)
    and (%(municipality)s::text is null or explanation.municipality_code = %(municipality)s)
order by explanation.offered_at, explanation.explanation_id
"""

_FINDINGS = """
select
    finding_id, rule_id, severity, municipality_code, time_period, indicator_code, sex, file_name, sheet, cell, value_found,
    value_expected, message_uk
from quality.finding
where
    is_open
    and (%(severity)s::text is null or severity = %(severity)s)
    and (%(municipality)s::text is null or municipality_code = %(municipality)s)
order by
    array_position(array['fatal', 'error', 'warning', 'info'], severity), municipality_code, time_period, rule_id, finding_id
"""

_DECIDE = """
update quality.explanation
set status = %(status)s, decided_by = %(by)s, decided_at = now(), decision_no = nextval('quality.decision_no')
from (select explanation_id, status from quality.explanation where explanation_id = %(id)s for update) as before
where explanation.explanation_id = before.explanation_id and explanation.status != %(status)s
returning before.status
"""

# All findings of the same rule, place and value, whichever file brought them.
_SAME_FINDINGS = f"""
from {{table}} as decided
inner join quality.finding as judged on decided.finding_id = judged.finding_id
inner join quality.rule on judged.rule_id = rule.rule_id
where
    decided.{{key}} = %(id)s
    and (rule.engine != 'reader' or {SAME_WORDS})
    and (
        finding.rule_id, finding.collection_code, finding.municipality_code, finding.time_period, finding.indicator_code,
        finding.sex, finding.value_found
    ) is not distinct from (
        decided.rule_id, decided.collection_code, decided.municipality_code, decided.time_period, decided.indicator_code,
        decided.sex, decided.value_found
    )
"""
_EXPLAINED = _SAME_FINDINGS.format(table="quality.explanation", key="explanation_id")
_CLOSE = f"update quality.finding set is_open = false, closed_at = now() {_EXPLAINED} and finding.is_open"  # noqa: S608 - constants

# The next build finds again what its rules find; readers do not read again. What they found and a newer reading or return has
# settled stays closed.
_REOPEN_READERS = f"""
update quality.finding set is_open = true, closed_at = null {_EXPLAINED}
    and rule.engine = 'reader'
    and not exists (
        select 1
        from ops.load
        inner join ops.load as later on load.delivery_id = later.delivery_id and load.loaded_at < later.loaded_at
        where load.load_id = finding.load_id
    )
    and not exists (select 1 from raw.delivery where finding.delivery_id = delivery.delivery_id and {IS_SETTLED})
"""  # noqa: S608 - constants


def list_explanations(
    warehouse: Warehouse, status: Status | None = None, municipality_code: str | None = None
) -> list[Explanation]:
    """Explanations in the order in which they came; role ``gate``."""
    with warehouse.connect("gate") as connection:
        return (
            connection.cursor(row_factory=class_row(Explanation))
            .execute(_EXPLANATIONS, {"status": status, "municipality": municipality_code})
            .fetchall()
        )


def list_findings(
    warehouse: Warehouse, severity: str | None = None, municipality_code: str | None = None
) -> list[OpenFinding]:
    """Open findings, the most severe first; role ``gate``."""
    with warehouse.connect("gate") as connection:
        return (
            connection.cursor(row_factory=class_row(OpenFinding))
            .execute(_FINDINGS, {"severity": severity, "municipality": municipality_code})
            .fetchall()
        )


def decide_explanation(warehouse: Warehouse, explanation_id: str, status: Status, by: str) -> bool:
    """Accept or refuse an explanation as ``by``; return whether that changed anything.

    An accepted one closes the warning while its value stands. A refused one that had been accepted lets the next build open
    the warning again; one of a reader is open at once.

    Raises:
        DecisionError: there is no such explanation.
    """
    with warehouse.connect("gate") as connection:
        values = {"id": explanation_id, "status": status, "by": by}
        before = connection.execute(_DECIDE, values).fetchone()
        if before is None and not _exists(connection, "explanation", "explanation_id", explanation_id):
            raise DecisionError(f"there is no explanation {explanation_id}: list them with asms explanation list")
        if before is not None and status == "accepted":
            connection.execute(_CLOSE.encode(), values)
        elif before == ("accepted",):
            connection.execute(_REOPEN_READERS.encode(), values)
            connection.execute(SILENCE_READERS.encode())  # another explanation of the same may be accepted
    return before is not None


def waive_finding(warehouse: Warehouse, finding_id: str, effect: Effect, reason: str, by: str) -> None:
    """Decide as ``by`` that a fatal finding stops no release while its value stands.

    ``effect`` 'reject': the value is rejected as by an error, the rest is published. 'silence': the value is right and is
    published. 'none': take a waiver back, so that the next build finds it again.

    Raises:
        DecisionError: no reason, no such finding, or one that is not fatal.
    """
    if not reason.strip():
        raise DecisionError("a waiver needs a reason: --reason TEXT")
    with warehouse.connect("gate") as connection:
        found = connection.execute(
            "select rule.severity from quality.finding inner join quality.rule on finding.rule_id = rule.rule_id "
            "where finding.finding_id = %s",
            (finding_id,),
        ).fetchone()
        if found is None:
            raise DecisionError(f"there is no finding {finding_id}: list them with asms finding list --severity fatal")
        if found[0] != "fatal":
            raise DecisionError(
                f"finding {finding_id} is of severity {found[0]}, which closes no gate: an error is mended by the sender, "
                "a warning is explained by the sender (asms explanation list)"
            )
        decided = connection.execute(
            f"insert into quality.waiver ({_WHAT}, finding_id, effect, reason, decided_by, decision_no) "  # noqa: S608 - a constant
            f"select {_WHAT}, finding_id, %(effect)s, %(reason)s, %(by)s, nextval('quality.decision_no') "
            "from quality.finding where finding_id = %(id)s returning decision_no",
            {"id": finding_id, "effect": effect, "reason": reason.strip(), "by": by},
        ).fetchone()
        outcome = {
            "reject": "severity = 'error'",
            "silence": "is_open = false, closed_at = now()",
            "none": "severity = 'fatal'",
        }
        same = _SAME_FINDINGS.format(table="quality.waiver", key="decision_no")
        connection.execute(
            f"update quality.finding set {outcome[effect]} {same} and finding.is_open",  # noqa: S608 - constants
            {"id": decided[0] if decided else None},
        )


def _exists(connection: psycopg.Connection, table: str, key: str, value: str) -> bool:
    query = f"select 1 from quality.{table} where {key} = %s"  # noqa: S608 - names are constants of this module
    return connection.execute(query, (value,)).fetchone() is not None
