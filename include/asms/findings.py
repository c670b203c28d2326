"""A finding: one thing that is wrong in what came in, and where. A leaf, because readers of every kind make them.

What belongs: the record, its fingerprint, its insertion. What does not: rules (``quality.rule``), gates, mail.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import psycopg


@dataclass(frozen=True)
class Finding:
    """What a reader found: the rule broken, the place, the value, and what to do, in Ukrainian and English.

    ``rule_id`` is one of ``quality.rule``; severity, titles and remedies come from there. ``message_*`` say what is wrong
    here, with the figures; a reader that knows a better remedy than the rule's gives ``remedy_*``.
    """

    rule_id: str
    dataset: str
    message_uk: str
    message_en: str
    load_id: str | None = None
    delivery_id: str | None = None
    submission_id: str | None = None
    collection_code: str | None = None
    municipality_code: str | None = None
    time_period: str | None = None
    indicator_code: str | None = None
    sex: str | None = None
    file_name: str | None = None
    sheet: str | None = None
    cell: str | None = None
    value_found: str | None = None
    value_expected: str | None = None
    remedy_uk: str | None = None
    remedy_en: str | None = None

    @property
    def finding_id(self) -> str:
        """Fingerprint of what was found where: finding it again is not a second finding."""
        parts = (
            self.rule_id, self.dataset, self.delivery_id, self.submission_id, self.file_name, self.sheet, self.cell,
            self.indicator_code, self.sex, self.time_period, self.municipality_code, self.value_found,
        )  # fmt: skip
        return hashlib.sha256("\x1f".join(part or "" for part in parts).encode()).hexdigest()[:32]


_INSERT = """
insert into quality.finding (
    finding_id, rule_id, severity, dataset, load_id, delivery_id, submission_id, collection_code, municipality_code,
    time_period, indicator_code, sex, file_name, sheet, cell, value_found, value_expected, message_uk, message_en,
    remedy_uk, remedy_en, is_sample
)
select
    %(finding_id)s, rule.rule_id, rule.severity, %(dataset)s, %(load_id)s, %(delivery_id)s, %(submission_id)s,
    %(collection_code)s, %(municipality_code)s, %(time_period)s, %(indicator_code)s, %(sex)s, %(file_name)s, %(sheet)s,
    %(cell)s, %(value_found)s, %(value_expected)s, %(message_uk)s, %(message_en)s,
    coalesce(%(remedy_uk)s, rule.remedy_uk), coalesce(%(remedy_en)s, rule.remedy_en), %(is_sample)s
from quality.rule
where rule.rule_id = %(rule_id)s
on conflict (finding_id) do update set is_open = true, closed_at = null, load_id = excluded.load_id
"""


def insert_findings(connection: psycopg.Connection, findings: Iterable[Finding], *, is_sample: bool) -> int:
    """Insert ``findings`` in the caller's transaction; return how many.

    Raises:
        LookupError: a finding names a rule that ``quality.rule`` does not have (the catalogue was not stored first).
    """
    count = 0
    for finding in findings:
        values = {**finding.__dict__, "finding_id": finding.finding_id, "is_sample": is_sample}
        if connection.execute(_INSERT, values).rowcount != 1:
            raise LookupError(
                f"rule {finding.rule_id} is not in quality.rule: store the catalogue's rules before reading"
            )
        count += 1
    return count
