"""Rules on returns: ask them of the answers in force, open what they find, close what holds no longer.

All set-based. Three sources of findings: what typing a cell broke (``stg_submissions__cell.broken_rule_id``), files of one batch
that contradict each other, and the compiled rules of the catalogue. The readers' own findings are written while files are read;
here they are only closed.
"""

import logging
from typing import LiteralString

import psycopg
from psycopg import sql

from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

SEVERITIES = ("fatal", "error", "warning", "info")

_CREATE_FOUND = """
create temporary table found_now (
    rule_id text, load_id text, submission_id text, collection_code text, municipality_code text, time_period text,
    indicator_code text, sex text, file_name text, sheet text, cell text, value_found text, value_expected text
) on commit drop
"""

# Whether the build redoes the body and year of {alias}.
_REDONE = """
({is_full} or exists (
    select 1
    from ops.changed_key
    where
        changed_key.municipality_code = {alias}.municipality_code
        and changed_key.time_period = left({alias}.time_period, 4)
))
"""

# A cell counts when its return holds the answer in force. Where two lines of a return give one code different values, both
# are told. A value may be as long as a cell of Excel, so it is cut.
_FIND_TYPING = """
insert into found_now
select
    typed.broken_rule_id, typed.load_id, typed.submission_id, typed.collection_code, typed.municipality_code,
    typed.time_period, typed.indicator_code, typed.sex, submission.file_name, typed.sheet, typed.cell,
    left(typed.value_text, 500), null
from staging.stg_submissions__latest_cell as in_force
inner join staging.stg_submissions__cell as typed
    on
        in_force.submission_id = typed.submission_id
        and in_force.indicator_code = typed.indicator_code
        and in_force.sex = typed.sex
inner join raw.submission on typed.submission_id = submission.submission_id
where
    typed.broken_rule_id is not null
    and in_force.status_reason is distinct from 'conflict'
    and {redone}
"""

# A trial is never the answer in force, and its cells are told all the same.
_FIND_TRIALS = """
insert into found_now
select
    typed.broken_rule_id, typed.load_id, typed.submission_id, typed.collection_code, typed.municipality_code,
    typed.time_period, typed.indicator_code, typed.sex, submission.file_name, typed.sheet, typed.cell,
    left(typed.value_text, 500), null
from staging.stg_submissions__cell as typed
inner join raw.submission on typed.submission_id = submission.submission_id
where typed.is_test and typed.broken_rule_id is not null and {redone}
"""

# All files of the newest batch that answer the cell are named, with what each says.
_FIND_CONFLICTS = """
insert into found_now
select
    'RETURN_CONFLICT', null, null, in_force.collection_code, in_force.municipality_code, in_force.time_period,
    in_force.indicator_code, in_force.sex, said.file_names, said.sheet, said.cell, said.answers, null
from staging.stg_submissions__latest_cell as in_force
cross join lateral (
    select
        string_agg(distinct delivery.path, ', ' order by delivery.path) as file_names,
        (array_agg(typed.sheet order by delivery.path, typed.sheet, typed.cell))[1] as sheet,
        (array_agg(typed.cell order by delivery.path, typed.sheet, typed.cell))[1] as cell,
        string_agg(
            distinct concat(delivery.path, ': ', coalesce(left(typed.value_text, 200), '∅')), '; '
            order by concat(delivery.path, ': ', coalesce(left(typed.value_text, 200), '∅'))
        ) as answers,
        delivery.batch_no
    from staging.stg_submissions__cell as typed
    inner join raw.submission_delivery on typed.submission_id = submission_delivery.submission_id
    inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
    where
        typed.collection_code = in_force.collection_code
        and typed.municipality_code = in_force.municipality_code
        and typed.time_period = in_force.time_period
        and typed.indicator_code = in_force.indicator_code
        and typed.sex = in_force.sex
        and not delivery.is_test
    group by delivery.batch_no
    order by delivery.batch_no desc
    limit 1
) as said
where in_force.is_conflict and {redone}
"""

# The texts of a rule are computed only where it is broken; `check is false` leaves out what cannot be decided (no data).
_FIND_BROKEN = """
insert into found_now
select
    asked.rule_id, in_force.load_id, in_force.submission_id, indicator.collection_code, input.municipality_code,
    input.time_period, slot.indicator_code, asked.sex, submission.file_name, in_force.sheet, in_force.cell,
    asked.told[1], asked.told[2]
from staging.stg_submissions__input as input
cross join lateral (values {rules}) as asked (rule_id, sex, target_slot, told)
inner join catalogue.formula_input as slot on asked.target_slot = slot.slot
inner join catalogue.indicator on slot.indicator_code = indicator.indicator_code
left join staging.stg_submissions__latest_cell as in_force
    on
        input.municipality_code = in_force.municipality_code
        and input.time_period = in_force.time_period
        and slot.indicator_code = in_force.indicator_code
        and slot.sex = in_force.sex
        and indicator.collection_code = in_force.collection_code
left join raw.submission on in_force.submission_id = submission.submission_id
where asked.told is not null and {redone}
"""

_RULES = """
select compiled_rule.rule_id, compiled_rule.sex, compiled_rule.target_slot, compiled_rule.check_sql,
    compiled_rule.found_sql, compiled_rule.expected_sql
from catalogue.compiled_rule
inner join quality.rule on compiled_rule.rule_id = rule.rule_id
where rule.is_active
order by compiled_rule.rule_id, compiled_rule.sex
"""

_UNKNOWN_RULES = """
select distinct found_now.rule_id
from found_now left join quality.rule on found_now.rule_id = rule.rule_id
where rule.rule_id is null
order by found_now.rule_id
"""

# The fingerprint is that of asms.findings.Finding: a test holds the two together.
_FINGERPRINTED = """
create temporary table fingerprinted on commit drop as
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
        rule.title_uk, '. Знайдено: ', coalesce(found_now.value_found, '—'), '. ',
        'Очікувалося: ' || found_now.value_expected || '.'
    ) as message_uk,
    concat(
        rule.title_en, '. Found: ', coalesce(found_now.value_found, '—'), '. ',
        'Expected: ' || found_now.value_expected || '.'
    ) as message_en,
    rule.remedy_uk,
    rule.remedy_en
from found_now
inner join quality.rule on found_now.rule_id = rule.rule_id and rule.is_active
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
_SILENCE_READERS = """
update quality.finding
set is_open = false, closed_at = now()
from quality.silence
where finding.is_open and silence.effect = 'silence' and {decided}
"""

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
    and finding.is_open
    and {redone}
    and not exists (select 1 from fingerprinted where fingerprinted.finding_id = finding.finding_id)
"""

# What a reader found in a delivery is settled when a later delivery on the same path was read, or when the body it is about
# has sent a newer return for the period. A file that could not be read and came under another name is closed by hand.
_CLOSE_READERS = """
update quality.finding
set is_open = false, closed_at = now()
from quality.rule, raw.delivery
where
    finding.rule_id = rule.rule_id
    and rule.engine = 'reader'
    and finding.delivery_id = delivery.delivery_id
    and finding.is_open
    and (
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
    )
"""

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
        # hundreds of small expressions cost more to compile than to run
        connection.execute("set local jit = off")
        connection.execute(_CREATE_FOUND)
        connection.execute(_scoped(_FIND_TYPING, "in_force", is_full))
        connection.execute(_scoped(_FIND_TRIALS, "typed", is_full))
        connection.execute(_scoped(_FIND_CONFLICTS, "in_force", is_full))
        _find_broken(connection, is_full)
        _check_rules_known(connection)
        connection.execute(_FINGERPRINTED)
        connection.execute(_decided(_SILENCE, "fingerprinted"))
        connection.execute(_decided(_SOFTEN, "fingerprinted"))
        opened = connection.execute(_OPEN, (warehouse.is_sample,)).rowcount
        closed = connection.execute(_scoped(_CLOSE, "finding", is_full)).rowcount
        closed += connection.execute(_CLOSE_READERS).rowcount
        closed += connection.execute(_decided(_SILENCE_READERS, "finding")).rowcount
        counted: dict[str, int] = dict(connection.execute(_COUNT).fetchall())
    logger.info("build %d: %d findings opened or renewed, %d closed", build_id, opened, closed)
    return {severity: counted.get(severity, 0) for severity in SEVERITIES}


def _scoped(statement: LiteralString, alias: str, is_full: bool, **parts: sql.Composable) -> sql.Composed:
    redone = sql.SQL(_REDONE).format(is_full=sql.Literal(is_full), alias=sql.Identifier(alias))
    return sql.SQL(statement).format(redone=redone, **parts)


def _decided(statement: LiteralString, alias: str) -> sql.Composed:
    return sql.SQL(statement).format(decided=sql.SQL(_DECIDED).format(alias=sql.Identifier(alias)))


def _find_broken(connection: psycopg.Connection, is_full: bool) -> None:
    """Ask every compiled rule of every return in one statement. Their SQL is the catalogue's own, made from a grammar."""
    rules = [
        sql.SQL("({}, {}, {}, case when ({}) is false then array[{}, {}] end)").format(
            sql.Literal(rule_id),
            sql.Literal(sex),
            sql.Literal(slot),
            *(sql.SQL(text) for text in (check_sql, found_sql, expected_sql)),
        )
        for rule_id, sex, slot, check_sql, found_sql, expected_sql in connection.execute(_RULES).fetchall()
    ]
    if rules:
        connection.execute(_scoped(_FIND_BROKEN, "input", is_full, rules=sql.SQL(",\n").join(rules)))


def _check_rules_known(connection: psycopg.Connection) -> None:
    unknown = [str(row[0]) for row in connection.execute(_UNKNOWN_RULES).fetchall()]
    if unknown:
        raise LookupError(
            f"quality.rule has no {', '.join(unknown)}: store the catalogue, or correct the id in staging"
        )
