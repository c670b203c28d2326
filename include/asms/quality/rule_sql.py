"""The rules on returns as SQL: statements that read the staging layer and leave two temporary tables.

``found_now`` has one row per target that breaks a rule, ``verdict_now`` counts the verdicts of each rule. The warehouse runs
these statements, and so does ``asms check`` on one workbook (DuckDB, by way of sqlglot), so they keep to what both can do.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Answer(Protocol):
    """What an engine gives back for a statement."""

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class CompiledCheck:
    """A line of ``catalogue.compiled_rule``, in the order of ``rule_no``."""

    check_sql: str
    found_sql: str
    expected_sql: str
    slots: Sequence[int]


CREATE_FOUND = """
create temporary table found_now (
    rule_id text, load_id text, submission_id text, collection_code text, municipality_code text, time_period text,
    indicator_code text, sex text, file_name text, sheet text, cell text, value_found text, value_expected text
)
"""

CREATE_VERDICTS = "create temporary table verdict_now (rule_id text, verdict text, target_count bigint)"

# Whether the build redoes anything of the body of {alias}: its rows are found by index.
_OF_CHANGED = "{alias}.municipality_code = any(array(select changed_key.municipality_code from ops.changed_key))"
# Whether it redoes what bodies say, or what is computed of it, for the body and year of {alias}.
_REDONE = f"""
{_OF_CHANGED}
and exists (
    select 1
    from ops.changed_key
    where
        changed_key.municipality_code = {{alias}}.municipality_code
        and changed_key.time_period = left({{alias}}.time_period, 4)
        {{and_answer_changed}}
)
"""  # noqa: S608 - a constant

# A cell counts when its return holds the answer in force, as a plain one does. Where two lines of a return give one code different
# values, both are told. A trial is never the answer in force, and its cells are told all the same.
# A value may be as long as a cell of Excel, so it is cut.
_FIND_TYPING = """
insert into found_now
select
    typed.broken_rule_id, typed.load_id, typed.submission_id, typed.collection_code, typed.municipality_code,
    typed.time_period, typed.indicator_code, typed.sex, submission.file_name, typed.sheet, typed.cell,
    left(
        case typed.broken_rule_id
            when 'CELL_REASON_UNKNOWN'
                then (
                    select said.reason_text
                    from raw.submission_cell as said
                    where said.submission_id = typed.submission_id and said.sheet = typed.sheet and said.cell = typed.cell
                )
            else typed.value_text
        end,
        500
    ),
    null
from staging.stg_submissions__cell as typed
inner join raw.submission as submission on typed.submission_id = submission.submission_id
left join staging.stg_submissions__sorted_cell as in_force
    on
        in_force.submission_id = typed.submission_id
        and in_force.collection_code = typed.collection_code
        and in_force.municipality_code = typed.municipality_code
        and in_force.time_period = typed.time_period
        and in_force.indicator_code = typed.indicator_code
        and in_force.sex = typed.sex
where
    typed.broken_rule_id is not null
    and (typed.is_plain or typed.is_test or in_force.submission_id is not null)
    and in_force.status_reason is distinct from 'conflict'
    and {typed}
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
where in_force.is_conflict and {in_force}
"""

# A value is told as people write it, without zeros at its end.
AS_TEXT = "rtrim(rtrim(cast(cast({} as decimal(38, 6)) as varchar), '0'), '.')"

# What was computed is told to the decimals that the indicator has, and outward: no value that passes lies beyond. A trillionth is
# what computing with doubles may have added.
_SCALED_LOW, _SCALED_HIGH = (f"(year_before {sign} year_room) * power(10, indicator.decimals)" for sign in "-+")
_JUMP_LOW = AS_TEXT.format(f"floor({_SCALED_LOW} + 1e-12 * abs({_SCALED_LOW})) / power(10, indicator.decimals)")
_JUMP_HIGH = AS_TEXT.format(f"ceil({_SCALED_HIGH} - 1e-12 * abs({_SCALED_HIGH})) / power(10, indicator.decimals)")

_CELL_RULES = {
    "CELL_NOT_WHOLE": ("whole_verdict", "null"),
    "CELL_NEGATIVE": ("sign_verdict", "null"),
    "CELL_OUT_OF_BOUNDS": (
        "bounds_verdict",
        f"coalesce({AS_TEXT.format('low')}, '') || ' … ' || coalesce({AS_TEXT.format('high')}, '')",
    ),
    "YEAR_UNIT_SLIP": ("slip_verdict", f"'≈ ' || {AS_TEXT.format('year_before')}"),
    "YEAR_JUMP": (
        "year_verdict",
        f"{_JUMP_LOW} || ' … ' || {_JUMP_HIGH}",
    ),
}
"""By rule id: its column in ``judged``, and what was expected."""

NAMED_RULES = [*_CELL_RULES, "REGISTER_DIFFERS"]
"""Rules whose titles speak of any indicator, so that a message must name the one."""

_FAILS = " or ".join(f"{verdict} = 2" for verdict, _ in _CELL_RULES.values())
_VERDICT_NAME = "case {} when 1 then 'pass' when 2 then 'fail' when 3 then 'no_data' when 4 then 'not_due' else 'not_applicable' end"
"""A verdict is a number in between: numbers are found fast in an array, and grouped by in half the time of words."""

# Every cell that is asked, beside its limits and last year's value. A verdict is null where the rule has nothing to ask. One row for
# each cell that fails, and of all others of a body one for each domain and combination of verdicts: no more is asked of them, and
# to put them aside and count them afterwards takes longer than to judge them. Where a cell stands in its return is looked up
# later too. Body by body: two years of one are found by index and met in the processor's cache.
_JUDGE_CELLS = f"""
create temporary table judged as
select
    asked.municipality_code,
    asked.time_period,
    told.*
from (
    select distinct
        arrived.municipality_code,
        arrived.time_period
    from raw.submission as arrived
    where {{arrived}}
) as asked
cross join lateral (
    select
        collection_code,
        domain_code,
        whole_verdict,
        sign_verdict,
        bounds_verdict,
        slip_verdict,
        year_verdict,
        case when {_FAILS} then indicator_code end as indicator_code,
        case when {_FAILS} then sex end as sex,
        count(*) as asked_count,
        count(*) filter (where not is_blank) as answered_count,
        max(obs_value) as obs_value,
        max(low) as low,
        max(high) as high,
        max(year_before) as year_before,
        max(year_room) as year_room
    from (
        select
            collection_code,
            domain_code,
            indicator_code,
            sex,
            obs_value,
            is_blank,
            low,
            high,
            year_before,
            year_room,
            case
                when not is_whole then null
                when obs_value is null then missing
                when obs_value = round(obs_value) then 1
                else 2
            end as whole_verdict,
            case
                when low is null or low < 0 then null
                when obs_value is null then missing
                when obs_value >= 0 then 1
                else 2
            end as sign_verdict,
            case
                when low is null and high is null then null
                when obs_value is null then missing
                when obs_value < low and (obs_value >= 0 or low < 0) then 2
                when obs_value > high then 2
                else 1
            end as bounds_verdict,
            case
                when slip_low is null then null
                when obs_value is null then missing
                when year_before is null then 3
                when is_slip then 2
                else 1
            end as slip_verdict,
            case
                when year_share is null then null
                when obs_value is null then missing
                when year_before is null then 3
                when year_before = 0 or is_slip then 5
                when abs(obs_value - year_before) <= year_room then 1
                else 2
            end as year_verdict
        from (
            select
                cell.collection_code,
                cell.domain_code,
                cell.indicator_code,
                cell.sex,
                cell.obs_value,
                coalesce(cell.obs_status = 'M_NR' and cell.status_reason = 'blank', false) as is_blank,
                case cell.obs_status when 'M_NA' then 5 when 'M_ND' then 4 else 3 end as missing,
                cell.is_whole,
                cell.low,
                cell.high,
                cell.year_share,
                cell.year_before,
                cell.slip_factors[1] as slip_low,
                greatest(cell.year_share * abs(cell.year_before), cell.year_floor) as year_room,
                coalesce(
                    cell.year_before != 0
                    and abs(cell.obs_value - cell.year_before) > cell.year_floor
                    and (
                        abs(cell.obs_value / nullif(cell.year_before, 0) / cell.slip_factors[1] - 1) <= cell.slip_share
                        or abs(cell.obs_value / nullif(cell.year_before, 0) / cell.slip_factors[2] - 1) <= cell.slip_share
                        or abs(cell.obs_value / nullif(cell.year_before, 0) / cell.slip_factors[3] - 1) <= cell.slip_share
                        or abs(cell.obs_value / nullif(cell.year_before, 0) / cell.slip_factors[4] - 1) <= cell.slip_share
                    ),
                    false
                ) as is_slip
            from (
                select
                    answer.collection_code,
                    answer.indicator_code,
                    answer.sex,
                    answer.obs_value,
                    answer.obs_status,
                    answer.status_reason,
                    cell_limit.domain_code,
                    cell_limit.is_whole,
                    cell_limit.low,
                    cell_limit.high,
                    cell_limit.year_share,
                    cell_limit.year_floor,
                    cell_limit.slip_factors,
                    cell_limit.slip_share,
                    case when cell_limit.year_share is not null then answer.year_before end as year_before
                from (
                    select
                        said.collection_code,
                        said.time_period,
                        said.indicator_code,
                        said.sex,
                        said.obs_value,
                        said.obs_status,
                        said.status_reason,
                        earlier.obs_value as year_before
                    from staging.stg_submissions__latest_cell as said
                    left join (
                        select
                            collection_code,
                            indicator_code,
                            sex,
                            obs_value
                        from staging.stg_submissions__latest_cell as said_before
                        where
                            said_before.municipality_code = asked.municipality_code
                            and said_before.time_period
                            = case when length(asked.time_period) = 4 then cast(cast(asked.time_period as integer) - 1 as varchar) end
                        offset 0
                    ) as earlier
                        on
                            said.collection_code = earlier.collection_code
                            and said.indicator_code = earlier.indicator_code
                            and said.sex = earlier.sex
                    where said.municipality_code = asked.municipality_code and said.time_period = asked.time_period
                    offset 0
                ) as answer
                inner join (
                    select
                        indicator.domain_code,
                        card_limit.*
                    from catalogue.cell_limit as card_limit
                    inner join catalogue.indicator as indicator on card_limit.indicator_code = indicator.indicator_code
                    offset 0
                ) as cell_limit
                    on
                        answer.indicator_code = cell_limit.indicator_code
                        and answer.sex = cell_limit.sex
                        and answer.time_period >= cell_limit.period_from
                        and answer.time_period < cell_limit.period_to
                offset 0
            ) as cell
        ) as compared
        offset 0
    ) as verdicts
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9
) as told
"""  # noqa: S608 - names of columns

_FAILED_CELLS = """
create temporary table failed as
select judged.*, in_force.load_id, in_force.submission_id, in_force.sheet, in_force.cell
from judged
inner join staging.stg_submissions__latest_cell as in_force
    on
        judged.collection_code = in_force.collection_code
        and judged.municipality_code = in_force.municipality_code
        and judged.time_period = in_force.time_period
        and judged.indicator_code = in_force.indicator_code
        and judged.sex = in_force.sex
        and {in_force}
"""

_FIND_CELLS = """
insert into found_now
select
    '{rule_id}', judged.load_id, judged.submission_id, judged.collection_code, judged.municipality_code, judged.time_period,
    judged.indicator_code, judged.sex, submission.file_name, judged.sheet, judged.cell, {found}, {expected}
from failed as judged
inner join raw.submission as submission on judged.submission_id = submission.submission_id
inner join catalogue.indicator as indicator on judged.indicator_code = indicator.indicator_code
where judged.{verdict} = 2
"""

_COUNT_CELLS = """
insert into verdict_now
select '{rule_id}', {name}, sum(asked_count) from judged where {verdict} is not null group by {verdict}
"""

_DOMAIN_ANSWERS = """
create temporary table domain_answer as
select
    collection_code, municipality_code, time_period, domain_code,
    sum(asked_count) as asked_count,
    sum(answered_count) as answered_count
from judged
group by collection_code, municipality_code, time_period, domain_code
"""

_FIND_EMPTY_DOMAINS = """
insert into found_now
select
    'DOMAIN_NO_ANSWER', empty_domain.load_id, empty_domain.submission_id, empty_domain.collection_code,
    empty_domain.municipality_code, empty_domain.time_period, null, null, submission.file_name, empty_domain.sheet, null,
    empty_domain.domain_code || ': 0 / ' || cast(empty_domain.asked_count as varchar), null
from (
    select
        domain_answer.collection_code, domain_answer.municipality_code, domain_answer.time_period, domain_answer.domain_code,
        domain_answer.asked_count,
        max(in_force.load_id) as load_id, max(in_force.submission_id) as submission_id, min(in_force.sheet) as sheet
    from domain_answer
    inner join catalogue.indicator as indicator on domain_answer.domain_code = indicator.domain_code
    inner join staging.stg_submissions__latest_cell as in_force
        on
            domain_answer.collection_code = in_force.collection_code
            and domain_answer.municipality_code = in_force.municipality_code
            and domain_answer.time_period = in_force.time_period
            and indicator.indicator_code = in_force.indicator_code
    where domain_answer.answered_count = 0
    group by
        domain_answer.collection_code, domain_answer.municipality_code, domain_answer.time_period, domain_answer.domain_code,
        domain_answer.asked_count
) as empty_domain
inner join raw.submission as submission on empty_domain.submission_id = submission.submission_id
"""

_COUNT_DOMAINS = """
insert into verdict_now
select 'DOMAIN_NO_ANSWER', case when answered_count = 0 then 'fail' else 'pass' end, count(*) from domain_answer group by 2
"""

# All checks of a body and year in one row. The arrays are copied, so that they are unpacked once and not for every reference; the
# texts are made only where a check fails.
_ASK_CHECKS = """
create temporary table answered as
select
    input.municipality_code,
    input.time_period,
    input.v,
    __verdicts__ as verdicts
from (
    select
        stored.municipality_code,
        stored.time_period,
        array_cat(stored.v, stored.v[1:0]) as v,
        array_cat(stored.m, stored.m[1:0]) as m
    from staging.stg_submissions__input as stored
    where {stored}
    offset 0
) as input
"""

# The one query among the statements: of nine hundred checks few fail, and only of these it is put together what was found.
_LIST_BROKEN = """
select distinct numbers.rule_no
from (
    select array_cat(verdicts, verdicts[1:0]) as verdicts
    from answered
    offset 0
) as said
cross join catalogue.compiled_rule as numbers
where said.verdicts[numbers.rule_no] = 2
"""

_TELL_BROKEN = """
create temporary table asked as
select
    said.municipality_code,
    said.time_period,
    said.verdicts,
    __told__ as told
from (
    select
        municipality_code,
        time_period,
        array_cat(v, v[1:0]) as v,
        array_cat(verdicts, verdicts[1:0]) as verdicts
    from answered
    offset 0
) as said
"""

_IN_FORCE = """
    coalesce(cast(left(asked.time_period, 4) as integer) >= rule.valid_from, true)
    and coalesce(cast(left(asked.time_period, 4) as integer) <= rule.valid_to, true)
"""

_FIND_BROKEN = f"""
insert into found_now
select
    compiled.rule_id, in_force.load_id, in_force.submission_id, indicator.collection_code, asked.municipality_code,
    asked.time_period, place.indicator_code, compiled.sex, submission.file_name, in_force.sheet, in_force.cell,
    split_part(asked.told, chr(31), 1), split_part(asked.told, chr(31), 2)
from (
    select
        said.municipality_code,
        said.time_period,
        numbers.rule_no,
        said.told[numbers.rule_no] as told
    from (
        select
            municipality_code,
            time_period,
            told,
            array_cat(verdicts, verdicts[1:0]) as verdicts
        from asked
        offset 0
    ) as said
    cross join catalogue.compiled_rule as numbers
    where said.verdicts[numbers.rule_no] = 2
    offset 0
) as asked
inner join catalogue.compiled_rule as compiled on asked.rule_no = compiled.rule_no
inner join quality.rule as rule on compiled.rule_id = rule.rule_id
inner join catalogue.formula_input as place on compiled.target_slot = place.slot
inner join catalogue.indicator as indicator on place.indicator_code = indicator.indicator_code
left join staging.stg_submissions__latest_cell as in_force
    on
        asked.municipality_code = in_force.municipality_code
        and asked.time_period = in_force.time_period
        and place.indicator_code = in_force.indicator_code
        and place.sex = in_force.sex
        and indicator.collection_code = in_force.collection_code
        and {{in_force}}
left join raw.submission as submission on in_force.submission_id = submission.submission_id
where {_IN_FORCE}
"""  # noqa: S608 - both parts are constants

_COUNT_CHECKS = f"""
insert into verdict_now
select
    rule_id, {_VERDICT_NAME.format("verdict_no")},
    sum(target_count)
from (
    select
        compiled.rule_id,
        case when {_IN_FORCE} then asked.verdict_no else 5 end as verdict_no,
        asked.target_count
    from (
        select
            said.time_period,
            numbers.rule_no,
            said.verdicts[numbers.rule_no] as verdict_no,
            count(*) as target_count
        from (select time_period, array_cat(verdicts, verdicts[1:0]) as verdicts from asked offset 0) as said
        cross join catalogue.compiled_rule as numbers
        group by said.time_period, numbers.rule_no, said.verdicts[numbers.rule_no]
    ) as asked
    inner join catalogue.compiled_rule as compiled on asked.rule_no = compiled.rule_no
    inner join quality.rule as rule on compiled.rule_id = rule.rule_id
) as answered
group by rule_id, verdict_no
"""  # noqa: S608 - both parts are constants


def finding_statements(*, has_checks: bool, is_full: bool, is_alone: bool = False) -> Iterator[str]:
    """The statements in their order; some have marks for ``run_statements``.

    ``is_full`` asks about every body and year, not only those of ``ops.changed_key``. ``is_alone``: one return is all there is,
    so nothing can contradict it.
    """
    yield CREATE_FOUND
    yield CREATE_VERDICTS
    yield _scoped(_FIND_TYPING, "typed", is_full=is_full)
    if not is_alone:
        yield _scoped(_FIND_CONFLICTS, "in_force", is_full=is_full)
    yield from ask_statements(has_checks=has_checks, is_full=is_full)


def ask_statements(*, has_checks: bool, is_full: bool, is_counted: bool = True) -> Iterator[str]:
    """Of ``finding_statements`` those that ask values: single cells, domains, and the compiled checks."""
    yield _scoped(_JUDGE_CELLS, "arrived", is_full=is_full)
    in_force = "true" if is_full else _OF_CHANGED.format(alias="in_force")
    yield _FAILED_CELLS.format(in_force=in_force)
    for rule_id, (verdict, expected) in _CELL_RULES.items():
        found = AS_TEXT.format("obs_value")
        yield _FIND_CELLS.format(rule_id=rule_id, verdict=verdict, found=found, expected=expected)
        if is_counted:
            yield _COUNT_CELLS.format(rule_id=rule_id, verdict=verdict, name=_VERDICT_NAME.format(verdict))
    yield _DOMAIN_ANSWERS
    yield _FIND_EMPTY_DOMAINS
    if is_counted:
        yield _COUNT_DOMAINS
    if has_checks:
        yield _scoped(_ASK_CHECKS, "stored", is_full=is_full)
        yield _LIST_BROKEN
        yield _TELL_BROKEN
        yield _FIND_BROKEN.format(in_force=in_force)
        if is_counted:
            yield _COUNT_CHECKS


def redone(alias: str, *, is_full: bool, is_computed: bool = False) -> str:
    """Condition: the build redoes what the body of ``alias`` says of the year, or, when ``is_computed``, what is computed of it."""
    answered = "" if is_computed else "and changed_key.reason != 'formula'"
    return "true" if is_full else _REDONE.format(alias=alias, and_answer_changed=answered)


def run_statements(
    statements: Iterable[str],
    checks: Sequence[CompiledCheck],
    execute: Callable[[str], Answer],
    verdicts: str | None = None,
) -> None:
    """Execute ``statements`` in their order, with the compiled ``checks`` where they have marks.

    The SQL of the checks is the catalogue's own, made from a grammar. Where they were asked before, ``verdicts`` is the
    expression that finds the array of their answers for a row of ``input``.
    """
    asked = verdicts or f"array[{','.join(map(verdict_sql, checks))}]"
    told = ""
    for statement in statements:
        answer = execute(statement.replace("__verdicts__", asked).replace("__told__", f"array[{told}]"))
        if statement.lstrip()[:6].lower() == "select":
            broken = {row[0] for row in answer.fetchall()}
            told = ",\n".join(_told(check, number, broken) for number, check in enumerate(checks, 1))


def _told(check: CompiledCheck, number: int, broken: Collection[int]) -> str:
    if number not in broken:
        return "cast(null as varchar)"
    return f"case when verdicts[{number}] = 2 then ({check.found_sql}) || chr(31) || ({check.expected_sql}) end"


def verdict_sql(check: CompiledCheck) -> str:
    """The number of a check's verdict (see ``_VERDICT_NAME``) as an expression over the arrays ``v`` and ``m``."""
    reasons = ", ".join(f"m[{slot}]" for slot in check.slots)
    return (
        f"case ({check.check_sql}) when true then 1 when false then 2 else case"
        f" when 1 in ({reasons}) then 5 when 2 in ({reasons}) then 4 else 3 end end"
    )


def _scoped(statement: str, alias: str, *, is_full: bool) -> str:
    return statement.format(**{alias: redone(alias, is_full=is_full)})
