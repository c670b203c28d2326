"""What differs between two releases, or between the built candidate and the current release: by mart, indicator and value.

Published rows carry the range of releases that they stand in, so two releases are told apart by the rows that began or ended
between them: the cost follows what changed. A candidate is compared row by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from asms.warehouse.build import held_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import FACT_TABLE, Mart, NoReleaseError, check_release, read_contracts

Kind = Literal["new", "gone", "changed", "same_value"]


@dataclass(frozen=True)
class ValueChange:
    """One figure that differs. ``same_value``: only what stands beside it does, the return that gave it for instance."""

    kind: Kind
    municipality_code: str
    indicator_code: str
    time_period: str
    sex: str
    old_value: float | None
    old_status: str | None
    new_value: float | None
    new_status: str | None
    difference: float | None
    cause: str
    """withdrawn | embargo | correction | catalogue | suppressed | rule | return | inputs | method"""
    cause_detail: str | None
    """Rule ids, the file of the return, or why it was withdrawn or held back."""


@dataclass(frozen=True)
class TableDifference:
    """How many rows of one mart, by its key, differ."""

    table_name: str
    new_count: int
    gone_count: int
    changed_count: int


@dataclass(frozen=True)
class IndicatorDifference:
    """What differs in one indicator. ``sum_difference`` is over figures that both sides have."""

    indicator_code: str
    new_count: int
    gone_count: int
    changed_count: int
    municipality_count: int
    sum_difference: float | None
    cause: str


@dataclass(frozen=True)
class Difference:
    """``to_release`` is None for the candidate."""

    from_release: int
    to_release: int | None
    tables: list[TableDifference]
    indicators: list[IndicatorDifference]
    values: list[ValueChange]
    """The first of them, the largest relative change first."""
    value_count: int


# {old} and {new} give the rows that may differ on either side; the columns of both stand side by side, old_… and new_….
_ROWS = """
create temporary table {target} on commit drop as
select {columns}, before.is_there is not null as is_old, after.is_there is not null as is_new
from (select *, true as is_there from ({old}) as old_side) as before
full join (select *, true as is_there from ({new}) as new_side) as after on {on_key}
where row({before_business}) is distinct from row({after_business})
"""

# What either side holds back, and all that is computed of it.
_HELD = """
create temporary table held_figure on commit drop as
with recursive

held as (

    select build_embargo.build_id, indicator.indicator_code, embargo.time_period, embargo.reason
    from ops.build_embargo
    inner join quality.embargo on build_embargo.embargo_id = embargo.embargo_id
    inner join catalogue.indicator
        on embargo.indicator_code = indicator.indicator_code or embargo.domain_code = indicator.domain_code
    where build_embargo.build_id in (%(before)s, %(after)s)
    union
    select
        held.build_id,
        formula_term.indicator_code,
        (held.time_period::integer - formula_input.period_offset)::text as time_period,
        held.reason
    from held
    inner join catalogue.formula_input on held.indicator_code = formula_input.indicator_code
    inner join catalogue.formula_term on formula_input.slot = formula_term.slot
    where
        (held.time_period::integer - formula_input.period_offset)::text >= left(formula_term.period_from, 4)
        and (held.time_period::integer - formula_input.period_offset)::text < formula_term.period_to

)

select
    indicator_code,
    time_period,
    case when bool_or(build_id = %(before)s) then 'new' else 'gone' end as kind,
    string_agg(distinct reason, '; ') as reason
from held
group by indicator_code, time_period
having count(distinct build_id) = 1
"""

_TABLE_COUNTS = """
select
    count(*) filter (where not is_old) as new_count,
    count(*) filter (where not is_new) as gone_count,
    count(*) filter (where is_old and is_new) as changed_count
from {target}
"""

_VALUES = """
create temporary table value_change on commit drop as
with

changed as (

    select
        municipality_code, collection_code, indicator_code, time_period, sex,
        old_obs_value as old_value, old_obs_status as old_status, old_submission_id as old_submission,
        new_obs_value as new_value, new_obs_status as new_status, new_submission_id as new_submission,
        coalesce(new_is_derived, old_is_derived) as is_derived,
        new_obs_source = 'corrected'
        or old_obs_source = 'corrected' and old_submission_id is not distinct from new_submission_id as is_corrected,
        new_status_reason = 'suppressed' and old_status_reason is distinct from 'suppressed' as is_suppressed,
        case
            when not is_old then 'new'
            when not is_new then 'gone'
            when (old_obs_value, old_obs_status) is distinct from (new_obs_value, new_obs_status) then 'changed'
            else 'same_value'
        end as kind
    from differing

),

-- rules that reject a cell now or did: a finding that was closed still tells why the value was kept out
rejections as (

    select finding.submission_id, finding.indicator_code, finding.sex, string_agg(distinct finding.rule_id, ', ') as rule_ids
    from quality.finding
    where
        finding.severity in ('fatal', 'error') and finding.indicator_code is not null
        and finding.submission_id in (select new_submission from changed union select old_submission from changed)
    group by finding.submission_id, finding.indicator_code, finding.sex

),

-- why a return was withdrawn, told where its figures are gone
withdrawn as (

    select
        withdrawal.collection_code, withdrawal.municipality_code, withdrawal.time_period,
        (array_agg(withdrawal.reason order by delivery.batch_no desc))[1] as reason
    from raw.submission_withdrawal as withdrawal
    inner join raw.delivery on withdrawal.delivery_id = delivery.delivery_id
    group by withdrawal.collection_code, withdrawal.municipality_code, withdrawal.time_period

),

judged as (

    select
        changed.*,
        withdrawn.reason as withdrawal_reason,
        held_figure.reason as embargo_reason,
        card.indicator_code is not null as is_card_changed,
        (changed.new_status = 'M_Q') is distinct from (changed.old_status = 'M_Q')
        and (changed.new_status = 'M_Q' or changed.old_submission is not distinct from changed.new_submission)
        and not changed.is_derived as is_by_rule,
        case when changed.new_status = 'M_Q' then changed.new_submission else changed.old_submission end as rejected_submission
    from changed
    left join withdrawn
        on
            changed.kind = 'gone'
            and changed.collection_code = withdrawn.collection_code
            and changed.municipality_code = withdrawn.municipality_code
            and changed.time_period = withdrawn.time_period
    -- what appears was held back before, what is gone is held back now
    left join held_figure
        on
            changed.kind = held_figure.kind
            and changed.indicator_code = held_figure.indicator_code
            and left(changed.time_period, 4) = held_figure.time_period
    left join changed_card as card on changed.indicator_code = card.indicator_code

),

caused as (

    select
        judged.*,
        case
            when withdrawal_reason is not null then 'withdrawn'
            when embargo_reason is not null then 'embargo'
            when is_corrected then 'correction'
            when is_card_changed then 'catalogue'
            when is_suppressed and kind = 'changed' then 'suppressed'
            when is_by_rule then 'rule'
            when is_derived then 'inputs'
            when old_submission is distinct from new_submission then 'return'
            else 'method'
        end as cause
    from judged

)

select
    caused.kind, caused.municipality_code, caused.indicator_code, caused.time_period, caused.sex,
    caused.old_value, caused.old_status, caused.new_value, caused.new_status,
    caused.new_value - caused.old_value as difference,
    caused.cause,
    case caused.cause
        when 'rule' then (
            select string_agg(rule_ids, ', ')
            from rejections
            where
                rejections.submission_id = caused.rejected_submission
                and rejections.indicator_code = caused.indicator_code
                and coalesce(rejections.sex, caused.sex) = caused.sex
        )
        when 'withdrawn' then caused.withdrawal_reason
        when 'embargo' then caused.embargo_reason
        when 'return' then submission.file_name
    end as cause_detail
from caused
left join raw.submission on coalesce(caused.new_submission, caused.old_submission) = submission.submission_id
"""

_INDICATORS = """
select
    indicator_code,
    count(*) filter (where kind = 'new') as new_count,
    count(*) filter (where kind = 'gone') as gone_count,
    count(*) filter (where kind = 'changed') as changed_count,
    count(distinct municipality_code) as municipality_count,
    sum(difference) as sum_difference,
    string_agg(distinct cause, ', ' order by cause) as cause
from value_change
where kind != 'same_value'
group by indicator_code
order by count(*) desc, indicator_code
"""

_FIRST_VALUES = """
select * from value_change where kind != 'same_value'
order by
    abs(difference / nullif(old_value, 0)) desc nulls first, municipality_code, indicator_code, time_period, sex
limit %(limit)s
"""

_CARD_COLUMNS = ("unit_measure", "unit_mult", "formula", "is_derived", "conf_status")


def compare_releases(warehouse: Warehouse, manifest: Path, before: int, after: int, *, limit: int = 20) -> Difference:
    """What ``after`` shows otherwise than ``before`` does; reads only, role ``gate``. ``limit`` bounds ``values``.

    Raises:
        NoReleaseError, ReleasePrunedError: one of them cannot be read.
    """
    with warehouse.connect("gate") as connection:
        check_release(connection, before)
        check_release(connection, after)
        tables = _compare(connection, read_contracts(manifest), lambda mart: _released_sides(mart, before, after))
        return _tell(connection, before, after, tables, limit)


def compare_candidate(warehouse: Warehouse, manifest: Path, *, limit: int = 20) -> Difference:
    """What the held candidate in schema ``build`` would show otherwise than the current release does.

    Raises:
        NoReleaseError: no candidate is held, or there is no release to compare it with.
    """
    candidate = held_build(warehouse)
    if candidate is None:
        raise NoReleaseError("no candidate is held: make one with asms release publish --hold")
    with warehouse.connect("gate") as connection:
        row = connection.execute("select release_id from ops.current_release").fetchone()
        if row is None:
            raise NoReleaseError("there is no release yet that the candidate could be compared with")
        current = int(row[0])
        tables = _compare(connection, read_contracts(manifest), lambda mart: _candidate_sides(mart, current))
        return _tell(connection, current, None, tables, limit, build_id=candidate)


def _released_sides(mart: Mart, before: int, after: int) -> tuple[sql.Composable, sql.Composable]:
    """Rows of ``before`` that ``after`` does not show, and the other way round, whichever of them is the older release."""

    def rows(at: int, other: int) -> sql.Composable:
        return sql.SQL(
            "select {columns} from published.{name} where release_from <= {at} and (release_to is null or release_to > {at}) "
            "and (release_from > {other} or release_to <= {other})"
        ).format(
            columns=_names(mart.column_names),
            name=sql.Identifier(mart.name),
            at=sql.Literal(at),
            other=sql.Literal(other),
        )

    return rows(before, after), rows(after, before)


def _candidate_sides(mart: Mart, current: int) -> tuple[sql.Composable, sql.Composable]:
    columns = _names(mart.column_names)
    name = sql.Identifier(mart.name)
    old = sql.SQL(
        "select {} from published.{} where release_from <= {at} and (release_to is null or release_to > {at})"
    ).format(columns, name, at=sql.Literal(current))
    return old, sql.SQL("select {} from build.{}").format(columns, name)


def _compare(connection: psycopg.Connection, marts: Sequence[Mart], sides: Any) -> list[TableDifference]:
    """Leave the differing rows of facts in ``differing`` and the cards that changed in ``changed_card``; count all marts."""
    connection.execute("create temporary table changed_card (indicator_code text) on commit drop")
    found = []
    for mart in marts:
        if mart.reads is not None:  # it says what the stored marts say
            continue
        is_fact = mart.name == FACT_TABLE
        target = sql.Identifier("differing" if is_fact else f"differing_{mart.name}")
        connection.execute(_side_by_side(mart, target, *sides(mart)))
        row = connection.execute(sql.SQL(_TABLE_COUNTS).format(target=target)).fetchone()
        assert row is not None  # noqa: S101 - an aggregate always gives a row
        found.append(TableDifference(mart.name, *row))
        if mart.name == "dim_indicator":
            card = [column for column in _CARD_COLUMNS if column in mart.column_names]
            connection.execute(
                sql.SQL(
                    "insert into changed_card select indicator_code from {target} "
                    "where is_old and is_new and row({old}) is distinct from row({new})"
                ).format(
                    target=target,
                    old=_names([f"old_{name}" for name in card]),
                    new=_names([f"new_{name}" for name in card]),
                )
            )
    return [table for table in found if table.new_count or table.gone_count or table.changed_count]


def _side_by_side(mart: Mart, target: sql.Identifier, old: sql.Composable, new: sql.Composable) -> sql.Composed:
    others = [name for name in mart.business_names if name not in mart.key]
    columns = [sql.SQL("coalesce(before.{0}, after.{0}) as {0}").format(sql.Identifier(name)) for name in mart.key]
    columns += [
        sql.SQL("{}.{} as {}").format(sql.Identifier(side), sql.Identifier(name), sql.Identifier(f"{prefix}_{name}"))
        for side, prefix in (("before", "old"), ("after", "new"))
        for name in others
    ]
    return sql.SQL(_ROWS).format(
        target=target,
        columns=sql.SQL(", ").join(columns),
        old=old,
        new=new,
        on_key=sql.SQL(" and ").join(sql.SQL("before.{0} = after.{0}").format(sql.Identifier(k)) for k in mart.key),
        before_business=_names(mart.business_names, "before"),
        after_business=_names(mart.business_names, "after"),
    )


def _names(names: Sequence[str], alias: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) if alias else sql.Identifier(name) for name in names)


def _tell(
    connection: psycopg.Connection,
    before: int,
    after: int | None,
    tables: list[TableDifference],
    limit: int,
    *,
    build_id: int | None = None,
) -> Difference:
    """``build_id``: of the candidate, where ``after`` is None."""
    builds: dict[int, int] = dict(
        connection.execute(
            "select release_id, build_id from ops.release where release_id in (%s, %s)", (before, after)
        ).fetchall()
    )
    connection.execute(_HELD, {"before": builds[before], "after": build_id if after is None else builds[after]})
    connection.execute(_VALUES)
    indicators = connection.cursor(row_factory=class_row(IndicatorDifference)).execute(_INDICATORS).fetchall()
    values = connection.cursor(row_factory=class_row(ValueChange)).execute(_FIRST_VALUES, {"limit": limit}).fetchall()
    count = sum(row.new_count + row.gone_count + row.changed_count for row in indicators)
    return Difference(before, after, tables, indicators, values, count)
