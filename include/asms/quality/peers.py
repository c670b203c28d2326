"""The rules against peers: the figures of a body beside those of its peer group, by the robust z.

Asked after the indicators are computed, of accepted and derived values alike, and of whole groups: where one body changed, the
median of its group did, and with it the verdict on each of its members. What was asked last is kept in ``quality.peer_answer``,
so groups in which no figure moved are left alone.
"""

import logging
from collections.abc import Iterator

from asms.quality.rule_sql import AS_TEXT, CREATE_FOUND, CREATE_VERDICTS, redone
from asms.quality.rules import open_findings
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

# The answers, as they are now, of the bodies and years that the build redoes.
_ANSWERED = """
create temporary table answered as
select
    peer_limit.rule_id, member.peer_group_code, answer.collection_code, answer.municipality_code, answer.time_period,
    answer.indicator_code, answer.obs_value, answer.obs_status
from (
    select collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status
    from indicators.int_indicator__derived as derived
    where {derived_redone}
    union all
    select collection_code, municipality_code, time_period, indicator_code, sex, obs_value, obs_status
    from indicators.int_observation__accepted as accepted
    where {accepted_redone}
) as answer
inner join catalogue.peer_limit as peer_limit on answer.indicator_code = peer_limit.indicator_code and answer.sex = 'T'
inner join quality.rule as rule
    on
        peer_limit.rule_id = rule.rule_id
        and rule.is_active
        and coalesce(left(answer.time_period, 4)::integer >= rule.valid_from, true)
        and coalesce(left(answer.time_period, 4)::integer <= rule.valid_to, true)
inner join indicators.int_peer_group__membership as member
    on
        answer.municipality_code = member.municipality_code
        and peer_limit.peer_group_kind = member.peer_group_kind
        and left(answer.time_period, 4) between member.first_year and member.last_year
"""

# What is answered otherwise than it was asked of, each with the group that it was or is in.
_MOVED = """
create temporary table moved as
select rule_id, peer_group_code, municipality_code, time_period
from (
    select *, true as is_now from answered
    union all
    select *, false as is_now from quality.peer_answer as asked where {asked_redone}
) as either
group by
    rule_id, peer_group_code, collection_code, municipality_code, time_period, indicator_code, obs_value, obs_status
having count(*) = 1
"""

_FORGET = """
delete from quality.peer_answer as asked
using moved
where
    asked.municipality_code = any(array(select distinct moved.municipality_code from moved))
    and asked.rule_id = moved.rule_id
    and asked.municipality_code = moved.municipality_code
    and asked.time_period = moved.time_period
"""

_REMEMBER = """
insert into quality.peer_answer (
    rule_id, peer_group_code, collection_code, municipality_code, time_period, indicator_code, obs_value, obs_status
)
select
    answered.rule_id, answered.peer_group_code, answered.collection_code, answered.municipality_code, answered.time_period,
    answered.indicator_code, answered.obs_value, answered.obs_status
from answered
left join quality.peer_answer as asked
    on
        answered.rule_id = asked.rule_id
        and answered.municipality_code = asked.municipality_code
        and answered.time_period = asked.time_period
        and answered.collection_code = asked.collection_code
        and answered.peer_group_code = asked.peer_group_code
where asked.rule_id is null
"""

# Also asked again: what was told of a body that sent again, since its cells have another place now; and what was accepted of it and
# is refused, which was closed and stands again though no figure moved.
_TOUCHED = """
create temporary table touched as
select rule_id, peer_group_code, time_period from moved
union
select asked.rule_id, asked.peer_group_code, asked.time_period
from quality.finding as finding
inner join quality.peer_answer as asked
    on
        finding.rule_id = asked.rule_id
        and finding.municipality_code = asked.municipality_code
        and finding.time_period = asked.time_period
where finding.is_open and {finding_redone}
union
select asked.rule_id, asked.peer_group_code, asked.time_period
from quality.explanation
inner join quality.peer_answer as asked
    on
        explanation.rule_id = asked.rule_id
        and explanation.municipality_code = asked.municipality_code
        and explanation.time_period = asked.time_period
where explanation.status = 'refused' and {explanation_redone}
"""
_TOUCHED_ALL = """
create temporary table touched as
select distinct rule_id, peer_group_code, time_period from quality.peer_answer
"""

_COMPARED = """
create temporary table compared as
select asked.*
from touched
inner join quality.peer_answer as asked
    on
        touched.rule_id = asked.rule_id
        and touched.peer_group_code = asked.peer_group_code
        and touched.time_period = asked.time_period
"""

# `n` counts the body itself: of ten, nine are its peers.
_SPREAD = """
create temporary table spread as
select
    medians.rule_id, medians.peer_group_code, medians.time_period, medians.n, medians.median,
    greatest(
        1.4826 * percentile_cont(0.5) within group (order by abs(compared.obs_value - medians.median)),
        min(peer_limit.least_spread) * abs(medians.median)
    ) as spread
from (
    select
        rule_id, peer_group_code, time_period, count(*) as n,
        percentile_cont(0.5) within group (order by obs_value) as median
    from compared
    where obs_value is not null
    group by rule_id, peer_group_code, time_period
) as medians
inner join compared
    on
        medians.rule_id = compared.rule_id
        and medians.peer_group_code = compared.peer_group_code
        and medians.time_period = compared.time_period
        and compared.obs_value is not null
inner join catalogue.peer_limit as peer_limit on medians.rule_id = peer_limit.rule_id
group by medians.rule_id, medians.peer_group_code, medians.time_period, medians.n, medians.median
"""

_JUDGE = """
create temporary table judged_by_peers as
select
    compared.*, spread.median,
    case
        when compared.obs_value is null
            then case
                when compared.obs_status in ('M_NA', 'M_Z') then 'not_applicable'
                when compared.obs_status = 'M_ND' then 'not_due'
                else 'no_data'
            end
        when spread.n < peer_limit.least_count then 'no_data'
        when spread.spread = 0 then 'not_applicable'
        when abs(compared.obs_value - spread.median) <= peer_limit.z_limit * spread.spread then 'pass'
        else 'fail'
    end as verdict
from compared
inner join catalogue.peer_limit as peer_limit on compared.rule_id = peer_limit.rule_id
left join spread
    on
        compared.rule_id = spread.rule_id
        and compared.peer_group_code = spread.peer_group_code
        and compared.time_period = spread.time_period
"""

# The median is told to two digits: it moves a little with every return of the group, and each change would be news to all whom
# the rule told.
_FIND = f"""
insert into found_now
select
    judged.rule_id, target.load_id, target.submission_id, judged.collection_code, judged.municipality_code,
    judged.time_period, peer_limit.target_code, peer_limit.target_sex, submission.file_name, target.sheet, target.cell,
    {AS_TEXT.format("round(judged.obs_value::numeric, indicator.decimals)")},
    '≈ ' || case
        when judged.median = 0 then '0'
        else {AS_TEXT.format("round(judged.median::numeric, 1 - floor(log(abs(judged.median)))::integer)")}
    end
from judged_by_peers as judged
inner join catalogue.peer_limit as peer_limit on judged.rule_id = peer_limit.rule_id
inner join catalogue.indicator as indicator on judged.indicator_code = indicator.indicator_code
left join indicators.int_observation__accepted as target
    on
        judged.collection_code = target.collection_code
        and judged.municipality_code = target.municipality_code
        and judged.time_period = target.time_period
        and peer_limit.target_code = target.indicator_code
        and peer_limit.target_sex = target.sex
left join raw.submission as submission on target.submission_id = submission.submission_id
where judged.verdict = 'fail'
"""  # noqa: S608 - all parts are constants

_COUNT = "insert into verdict_now select rule_id, verdict, count(*) from judged_by_peers group by rule_id, verdict"

# `is true` keeps what was asked in one hash, and from being searched for each open finding.
_WAS_ASKED = """
((finding.rule_id, finding.municipality_code, finding.time_period) in (
    select rule_id, municipality_code, time_period from compared
    union all
    select rule_id, municipality_code, time_period from moved
)) is true
"""


_ANY_ANSWER = "select 1 from quality.peer_answer limit 1"


def _statements(*, is_full: bool) -> Iterator[str]:
    # The planner takes the few bodies for fewer, and would go through all rules for each of their answers.
    yield "set local enable_nestloop = off"
    yield "set local enable_mergejoin = off"
    yield CREATE_FOUND
    yield CREATE_VERDICTS
    yield _ANSWERED.format(
        derived_redone=redone("derived", is_full=is_full, is_computed=True),
        accepted_redone=redone("accepted", is_full=is_full, is_computed=True),
    )
    yield _MOVED.format(asked_redone=redone("asked", is_full=is_full, is_computed=True))
    yield "analyze answered"
    yield "analyze moved"
    yield _FORGET
    yield _REMEMBER
    aliases = ("finding", "explanation")
    redone_of = {f"{alias}_redone": redone(alias, is_full=is_full, is_computed=True) for alias in aliases}
    yield _TOUCHED_ALL if is_full else _TOUCHED.format(**redone_of)
    yield "analyze touched"
    yield _COMPARED
    yield "analyze compared (rule_id, peer_group_code, time_period)"
    yield _SPREAD
    yield _JUDGE
    yield "set local enable_nestloop = on"
    yield _FIND
    yield _COUNT


def apply_peer_rules(warehouse: Warehouse, build_id: int, is_full: bool) -> dict[str, int]:
    """Bring the findings against peers up to the indicators of this build; role ``gate``, one transaction.

    Asks about the groups in which a figure moved since they were asked last, or all when ``is_full``. Warnings alone come of it,
    so what was accepted before stands. Running it twice changes nothing.

    Returns how often each verdict was given.
    """
    with warehouse.connect("gate") as connection:
        connection.execute("set work_mem = '192MB'")
        is_full = is_full or connection.execute(_ANY_ANSWER).fetchone() is None
        for statement in _statements(is_full=is_full):
            connection.execute(statement.encode())
        asked = "true" if is_full else _WAS_ASKED
        opened, closed = open_findings(connection, build_id, asked, level_is="= 'peers'", is_sample=warehouse.is_sample)
        counted = connection.execute("select verdict, sum(target_count)::bigint from verdict_now group by verdict")
        verdicts: dict[str, int] = dict(counted.fetchall())
    logger.info("build %d: against peers %d findings opened or renewed, %d closed", build_id, opened, closed)
    return verdicts
