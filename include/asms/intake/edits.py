"""Values that a sender changed in the report that we sent him: they are told, never taken.

A report may be older than the return in force, so a value in it is no correction that can be trusted: the return is.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

import psycopg

from asms.intake.problem import ProblemError
from asms.intake.table_reading import MappedCell

_SENT = """
select cell.indicator_code, cell.sex, cell.value_text, cell.reason_text
from raw.submission_cell as cell
inner join raw.submission on cell.submission_id = submission.submission_id
where submission.submission_id = %s and submission.municipality_code = %s and submission.form_code = %s
"""
_LONGEST_SHOWN = 500
_COMPARED = 1_000
"""Characters of a text that are compared: a report shows long ones cut."""


def find_edits(
    connection: psycopg.Connection, about_id: str, municipality_code: str, form_code: str, shown: Sequence[MappedCell]
) -> list[ProblemError]:
    """A problem for each answer of ``shown`` that is not what the return ``about_id`` of ``form_code`` holds.

    Where that is no return of this municipality and form there is nothing to compare with.
    """
    sent: defaultdict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for code, sex, value, reason in connection.execute(_SENT, (about_id, municipality_code, form_code)):
        sent[code, sex].add((_fold(value), _fold(reason)))
    problems = []
    for cell in shown if sent else ():
        found = sent.get((cell.indicator_code, cell.sex), {("", "")})
        is_value = _fold(cell.value_text) not in {value for value, _ in found}
        is_reason = cell.sex == "T" and _fold(cell.reason_text) not in {reason for _, reason in found}
        if is_value or is_reason:
            problems.append(_edited(cell, cell.value_text if is_value else cell.reason_text))
    return problems


def _fold(text: str | None) -> str:
    """What stays of an answer when programs write it anew: a number's first 12 digits, a text's visible characters."""
    try:
        return format(float(text or ""), ".12g")
    except ValueError:
        return re.sub(r"[\s\x00-\x1f]+", "", text or "")[:_COMPARED]


def _edited(cell: MappedCell, text: str | None) -> ProblemError:
    shown = (text or "")[:_LONGEST_SHOWN]
    return ProblemError(
        "FEEDBACK_VALUE_EDITED",
        f"У звіті про перевірку відповідь на {cell.indicator_code} змінено на «{shown}»; у звіті громади вона лишилася такою, "
        "як її надіслано",
        f"In the feedback workbook the answer to {cell.indicator_code} was changed to “{shown}”; in the return it stays as it "
        "was sent",
        sheet=cell.sheet,
        cell=cell.cell,
        value_found=shown or None,
    )
