"""What senders explain in the feedback workbooks that we sent them: into ``quality.explanation``, for staff to decide on.

A row names a finding by its id; rule, place and value are those of the finding in the warehouse, whatever the file says now.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asms.intake.problem import ProblemError

if TYPE_CHECKING:
    import psycopg

LONGEST_EXPLANATION = 2000
"""Characters of an explanation."""

# What a reader found is known by its cell and words too: it names no indicator.
_FINDINGS = """
select
    finding.finding_id, finding.municipality_code, finding.severity, finding.rule_id, finding.collection_code, finding.time_period,
    finding.indicator_code, finding.sex, finding.value_found,
    case when rule.engine = 'reader' then concat_ws('|', finding.sheet, finding.cell, finding.message_uk) end as told
from quality.finding
inner join quality.rule on finding.rule_id = rule.rule_id
where finding.finding_id = any(%s)
"""

_INSERT = """
insert into quality.explanation (
    explanation_id, rule_id, collection_code, municipality_code, time_period, indicator_code, sex, value_found, finding_id,
    text, delivery_id
)
select
    %(explanation_id)s, rule_id, collection_code, municipality_code, time_period, indicator_code, sex, value_found,
    finding_id, %(text)s, %(delivery_id)s
from quality.finding
where finding_id = %(finding_id)s
on conflict (explanation_id) do nothing
"""


@dataclass(frozen=True)
class OfferedExplanation:
    """A row of a feedback workbook that somebody wrote beside; ``sheet`` and ``cell`` are of the text."""

    finding_id: str
    text: str
    sheet: str
    cell: str


def store_explanations(
    connection: "psycopg.Connection",
    delivery_id: str,
    municipality_code: str,
    offered: Sequence[OfferedExplanation],
    *,
    is_trial: bool = False,
) -> tuple[int, list[ProblemError]]:
    """Store in the caller's transaction what may be explained; return how many are new, and why others were not taken.

    The same text on the same rule, place and value is one explanation, however often it comes. Of a trial nothing is stored,
    and the same is told.
    """
    rows = connection.execute(_FINDINGS, ([row.finding_id for row in offered],)).fetchall()
    found = {row[0]: row[1:] for row in rows}
    new_count, problems = 0, []
    for row in offered:
        finding = found.get(row.finding_id)
        if finding is None or finding[0] != municipality_code:
            problems.append(_unknown(row))
        elif finding[1] != "warning":
            problems.append(_not_a_warning(row))
        elif len(row.text) > LONGEST_EXPLANATION:
            problems.append(_too_long(row))
        elif not is_trial:
            *what, told = finding[2:]
            parts = (*what, *([told] if told else []), municipality_code, row.text)
            digest = hashlib.sha256("\x1f".join(part or "" for part in parts).encode()).hexdigest()
            values = {"explanation_id": digest[:16], "text": row.text.replace("\x00", ""), "delivery_id": delivery_id}
            new_count += connection.execute(_INSERT, {**values, "finding_id": row.finding_id}).rowcount
    return new_count, problems


def _unknown(row: OfferedExplanation) -> ProblemError:
    return ProblemError(
        "EXPLANATION_OF_UNKNOWN",
        "Пояснення стосується зауваження, якого ця громада не має: ідентифікатор у прихованому стовпці змінено або "
        "звіт про перевірку належить іншій громаді",
        "The explanation is of a finding that this municipality does not have: its id in the hidden column was changed, or "
        "the feedback workbook is another's",
        sheet=row.sheet,
        cell=row.cell,
        value_found=row.finding_id[:100],
    )


def _not_a_warning(row: OfferedExplanation) -> ProblemError:
    return ProblemError(
        "EXPLANATION_OF_ERROR",
        "Пояснити можна лише попередження; помилку треба виправити у звіті",
        "Only a warning can be explained; an error has to be mended in the return",
        sheet=row.sheet,
        cell=row.cell,
        value_found=row.finding_id,
    )


def _too_long(row: OfferedExplanation) -> ProblemError:
    return ProblemError(
        "EXPLANATION_TOO_LONG",
        f"Пояснення має {len(row.text)} символів; приймається до {LONGEST_EXPLANATION}",
        f"The explanation has {len(row.text)} characters; up to {LONGEST_EXPLANATION} are taken",
        sheet=row.sheet,
        cell=row.cell,
        value_found=str(len(row.text)),
    )
