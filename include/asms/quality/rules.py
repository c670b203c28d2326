"""Rules on returns: ask them of the answers in force, open what they find, close what holds no longer.

Rules against peers are asked later, of the indicators (``asms.quality.peers``); the findings of both are opened here.

All set-based. Three sources of findings: what typing a cell broke (``stg_submissions__cell.broken_rule_id``), files of one batch
that contradict each other, and the limits and compiled rules of the catalogue (``rule_sql``). The readers' own findings are
written while files are read; here they are only closed.
"""

import logging
from typing import LiteralString

import psycopg
from psycopg import sql

from asms.quality.corrections import check_corrections
from asms.quality.rule_sql import NAMED_RULES, CompiledCheck, finding_statements, redone, run_statements
from asms.quality.trial_sql import trial_statements
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

SEVERITIES = ("fatal", "error", "warning", "info")

_CHECKS = "select check_sql, found_sql, expected_sql, slots from catalogue.compiled_rule order by rule_no"

_FORGET_VERDICTS = """
delete from quality.rule_verdict_count using quality.rule
where rule_verdict_count.rule_id = rule.rule_id and build_id = %s and rule.level {level_is}
"""
_ANY_TRIAL = "select 1 from raw.delivery where is_test limit 1"

_STORE_VERDICTS = """
insert into quality.rule_verdict_count (build_id, rule_id, verdict, target_count)
select %s, rule_id, verdict, sum(target_count) from verdict_now group by rule_id, verdict
"""

_UNKNOWN_RULES = """
select distinct found_now.rule_id
from found_now left join quality.rule on found_now.rule_id = rule.rule_id
where rule.rule_id is null
order by found_now.rule_id
"""

# The fingerprint is that of asms.findings.Finding: a test holds the two together.
_FINGERPRINTED = """
create temporary table fingerprinted as
select distinct on (finding_id)
    left(encode(sha256(convert_to(array_to_string(
        array[
            found_now.rule_id, 'submissions', null, found_now.submission_id, found_now.file_name, found_now.sheet,
            found_now.cell, found_now.indicator_code, found_now.sex, found_now.time_period, found_now.municipality_code,
            found_now.value_found
        ], chr(31), ''
    ), 'UTF8')), 'hex'), 32) as finding_id,
    found_now.*,
    rule.severity,
    concat(
        rule.title_uk, ': ' || named.indicator_code || ' «' || named.name_uk || '»',
        '. Знайдено: ', coalesce(found_now.value_found, '—'), '. ',
        'Очікувалося: ' || found_now.value_expected || '.'
    ) as message_uk,
    concat(
        rule.title_en, ': ' || named.indicator_code || ' “' || named.name_en || '”',
        '. Found: ', coalesce(found_now.value_found, '—'), '. ',
        'Expected: ' || found_now.value_expected || '.'
    ) as message_en,
    rule.remedy_uk,
    rule.remedy_en
from found_now
inner join quality.rule on found_now.rule_id = rule.rule_id and rule.is_active
left join catalogue.indicator as named
    on found_now.indicator_code = named.indicator_code and rule.rule_id = any(%s)
order by finding_id, found_now.value_expected
"""

# What staff accepted an explanation of, or waived, is not found while the value stands; a waived fatal finding whose value is
# not vouched for rejects the value and stops nothing.
_DECIDED = """
({alias}.rule_id, {alias}.collection_code, {alias}.municipality_code, {alias}.time_period, {alias}.indicator_code, {alias}.sex,
    {alias}.value_found)
    is not distinct from (silence.rule_id, silence.collection_code, silence.municipality_code, silence.time_period,
        silence.indicator_code, silence.sex, silence.value_found)
"""
_SILENCE = "delete from fingerprinted using quality.silence where silence.effect = 'silence' and {decided}"
_SOFTEN = (
    "update fingerprinted set severity = 'error' from quality.silence where silence.effect = 'reject' and {decided}"
)
# What a reader found names no indicator and is known by its cell and words too.
SAME_WORDS = "(finding.sheet, finding.cell, finding.message_uk) is not distinct from (judged.sheet, judged.cell, judged.message_uk)"
SILENCE_READERS = f"""
update quality.finding
set is_open = false, closed_at = now()
from quality.explanation as silence
inner join quality.finding as judged on silence.finding_id = judged.finding_id
inner join quality.rule on silence.rule_id = rule.rule_id
where
    finding.is_open and silence.status = 'accepted' and rule.engine = 'reader' and {_DECIDED.format(alias="finding")} and {SAME_WORDS}
"""  # noqa: S608 - constants

_OPEN = """
insert into quality.finding (
    finding_id, rule_id, severity, dataset, load_id, submission_id, collection_code, municipality_code, time_period,
    indicator_code, sex, file_name, sheet, cell, value_found, value_expected, message_uk, message_en, remedy_uk, remedy_en,
    is_sample
)
select
    finding_id, rule_id, severity, 'submissions', load_id, submission_id, collection_code, municipality_code, time_period,
    indicator_code, sex, file_name, sheet, cell, value_found, value_expected, rtrim(message_uk), rtrim(message_en),
    remedy_uk, remedy_en, %s
from fingerprinted
on conflict (finding_id) do update set
    is_open = true, closed_at = null, severity = excluded.severity, load_id = excluded.load_id,
    value_expected = excluded.value_expected, message_uk = excluded.message_uk, message_en = excluded.message_en,
    remedy_uk = excluded.remedy_uk, remedy_en = excluded.remedy_en
where
    (
        finding.is_open, finding.severity, finding.load_id, finding.message_uk, finding.message_en, finding.remedy_uk,
        finding.remedy_en
    ) is distinct from (
        true, excluded.severity, excluded.load_id, excluded.message_uk, excluded.message_en, excluded.remedy_uk,
        excluded.remedy_en
    )
"""

_CLOSE = """
update quality.finding
set is_open = false, closed_at = now()
from quality.rule
where
    finding.rule_id = rule.rule_id
    and rule.engine = 'sql'
    and rule.level {level_is}
    and finding.is_open
    and {asked}
    and not exists (select 1 from fingerprinted where fingerprinted.finding_id = finding.finding_id)
"""

# What a reader found in a delivery is settled when a later delivery on the same path was read, or when the body it is about
# has sent a newer return for the period or withdrawn it. A file that could not be read and came under another name is closed by hand.
IS_SETTLED = """
(
    exists (
        select 1
        from raw.delivery as later
        inner join ops.load on later.delivery_id = load.delivery_id
        where later.channel = delivery.channel and later.path = delivery.path and later.path_seq > delivery.path_seq
    )
    or exists (
        select 1
        from raw.submission
        inner join raw.submission_delivery on submission.submission_id = submission_delivery.submission_id
        inner join raw.delivery as later on submission_delivery.delivery_id = later.delivery_id
        where
            submission.municipality_code = finding.municipality_code
            and submission.time_period = finding.time_period
            and submission.collection_code = finding.collection_code
            and later.batch_no > delivery.batch_no
    )
    or exists (
        select 1
        from raw.submission_withdrawal as withdrawal
        inner join raw.delivery as later on withdrawal.delivery_id = later.delivery_id
        where
            withdrawal.municipality_code = finding.municipality_code
            and withdrawal.time_period = finding.time_period
            and withdrawal.collection_code = finding.collection_code
            and later.batch_no > delivery.batch_no
    )
)
"""
_CLOSE_READERS = f"""
update quality.finding
set is_open = false, closed_at = now()
from quality.rule, raw.delivery
where
    finding.rule_id = rule.rule_id
    and rule.engine = 'reader'
    and finding.delivery_id = delivery.delivery_id
    and finding.is_open
    and {IS_SETTLED}
"""  # noqa: S608 - constants

_COUNT = "select severity, count(*) from quality.finding where is_open and dataset = 'submissions' group by severity"


def apply_rules(warehouse: Warehouse, build_id: int, is_full: bool) -> dict[str, int]:
    """Bring ``quality.finding`` up to what the rules say of the answers in force; role ``gate``, one transaction.

    Asks about the keys of ``ops.changed_key``, or all when ``is_full``. A finding made before keeps its id and ``found_at``; one
    that holds no longer is closed, and opened again should it come back. Running it twice changes nothing.

    Returns the number of open findings on returns by severity, after this.

    Raises:
        LookupError: staging broke a rule that ``quality.rule`` does not have.
    """
    with warehouse.connect("gate") as connection:
        # last year's answers of the whole country are hashed in memory; the setting ends with the connection
        connection.execute("set work_mem = '192MB'")
        # Temporary tables have no statistics, and of the years that are redone the planner expects a handful of cells: it would put
        # all cells in order to meet or count them, or go through them once for each.
        connection.execute("set enable_mergejoin = off")
        connection.execute("set enable_sort = off")
        connection.execute("set enable_nestloop = off")
        checks = [CompiledCheck(*row) for row in connection.execute(_CHECKS)]
        has_checks = bool(checks)

        def execute(statement: str) -> psycopg.Cursor:
            return connection.execute(statement.encode())

        run_statements(finding_statements(has_checks=has_checks, is_full=is_full), checks, execute)
        if connection.execute(_ANY_TRIAL).fetchone():
            run_statements(trial_statements(has_checks=has_checks, is_full=is_full), checks, execute)
        _check_rules_known(connection)
        asked = redone("finding", is_full=is_full)
        opened, closed = open_findings(
            connection, build_id, asked, level_is="not in ('register', 'peers')", is_sample=warehouse.is_sample
        )
        closed += connection.execute(_CLOSE_READERS.encode()).rowcount
        closed += connection.execute(SILENCE_READERS.encode()).rowcount
        check_corrections(connection, is_sample=warehouse.is_sample)
        counted: dict[str, int] = dict(connection.execute(_COUNT).fetchall())
    logger.info("build %d: %d findings opened or renewed, %d closed", build_id, opened, closed)
    return {severity: counted.get(severity, 0) for severity in SEVERITIES}


def open_findings(
    connection: psycopg.Connection, build_id: int, asked: str, *, level_is: LiteralString, is_sample: bool
) -> tuple[int, int]:
    """Open what stands in ``found_now``, close what stands there no more, store the counts of ``verdict_now``.

    This concerns the rules whose level ``level_is`` and the findings that the condition ``asked`` holds of; the counts replace
    those of an earlier try of the build. Returns how many findings were opened or renewed, and closed.
    """
    connection.execute(_FINGERPRINTED, (NAMED_RULES,))
    connection.execute(_decided(_SILENCE, "fingerprinted"))
    connection.execute(_decided(_SOFTEN, "fingerprinted"))
    opened = connection.execute(_OPEN, (is_sample,)).rowcount
    closed = connection.execute(_CLOSE.format(level_is=level_is, asked=asked).encode()).rowcount
    connection.execute(sql.SQL(_FORGET_VERDICTS).format(level_is=sql.SQL(level_is)), (build_id,))
    connection.execute(_STORE_VERDICTS, (build_id,))
    return opened, closed


def _decided(statement: LiteralString, alias: str) -> sql.Composed:
    return sql.SQL(statement).format(decided=sql.SQL(_DECIDED).format(alias=sql.Identifier(alias)))


def _check_rules_known(connection: psycopg.Connection) -> None:
    unknown = [str(row[0]) for row in connection.execute(_UNKNOWN_RULES).fetchall()]
    if unknown:
        raise LookupError(
            f"quality.rule has no {', '.join(unknown)}: store the catalogue, or correct the id in staging"
        )
