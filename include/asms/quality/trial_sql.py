"""The rules on returns asked of trials: the statements of ``rule_sql`` over the cells of trials in place of the answers in force.

The newest trial of a body and year answers, cell by cell; other years are as they stand in earnest, and what was sent in earnest
for the year is not looked at. Findings join those of ``found_now``; verdicts are not counted, for a trial counts nowhere.
"""

from collections.abc import Iterator
from functools import reduce

from asms.quality.rule_sql import ask_statements, redone

# A blank beside a value is no answer.
_CELLS = """
create temporary table trial_cell as
select distinct on (
    typed.collection_code, typed.municipality_code, typed.time_period, typed.indicator_code, typed.sex
) typed.*
from staging.stg_submissions__cell as typed
where typed.is_test and {redone}
order by
    typed.collection_code, typed.municipality_code, typed.time_period, typed.indicator_code, typed.sex, typed.batch_no desc,
    typed.received_no desc, coalesce(typed.status_reason = 'blank', false), typed.sheet, typed.cell
"""

# As the macro input_arrays of the dbt project makes them of the answers in force: NaN where there is no value, 1 not
# applicable, 2 not due yet.
_INPUTS = """
create temporary table trial_input as
select
    keys.municipality_code, keys.time_period,
    array_agg(
        coalesce(case place.origin when 'register' then register.population else said.obs_value end, 'NaN')
        order by place.slot
    ) as v,
    array_agg(
        case
            when said.obs_status = 'M_NA' then 1
            when said.obs_status = 'M_ND' then 2
            when said.obs_status is null and place.period_offset > 0 then 2
            else 0
        end
        order by place.slot
    ) as m
from (select distinct municipality_code, time_period from trial_cell where time_period ~ '^[0-9]{{4}}$') as keys
cross join catalogue.formula_input as place
inner join catalogue.indicator as indicator on place.indicator_code = indicator.indicator_code
left join (
    select
        trial.collection_code, trial.municipality_code, trial.time_period, trial.indicator_code, trial.sex,
        0 as period_offset, trial.obs_value, trial.obs_status
    from trial_cell as trial
    union all
    select
        other.collection_code, other.municipality_code, keys.time_period, other.indicator_code, other.sex,
        offsets.period_offset, other.obs_value, other.obs_status
    from (select distinct municipality_code, time_period from trial_cell where time_period ~ '^[0-9]{{4}}$') as keys
    cross join (select distinct period_offset from catalogue.formula_input where period_offset != 0) as offsets
    inner join staging.stg_submissions__latest_cell as other
        on
            keys.municipality_code = other.municipality_code
            and (keys.time_period::integer + offsets.period_offset)::text = other.time_period
) as said
    on
        place.origin = 'reported'
        and indicator.collection_code = said.collection_code
        and keys.municipality_code = said.municipality_code
        and keys.time_period = said.time_period
        and place.indicator_code = said.indicator_code
        and place.sex = said.sex
        and place.period_offset = said.period_offset
left join lateral (
    select known.population::double precision as population
    from staging.stg_population__municipality as known
    where
        place.origin = 'register'
        and known.municipality_code = keys.municipality_code
        and known.time_period <= (keys.time_period::integer + place.period_offset)::text
    order by known.time_period desc
    limit 1
) as register on true
group by keys.municipality_code, keys.time_period
"""

_TABLES = ("judged", "failed", "domain_answer", "answered", "asked")

_IN_TRIALS = {
    "raw.submission as arrived": "trial_cell as arrived",
    "staging.stg_submissions__latest_cell as said\n": "trial_cell as said\n",
    "staging.stg_submissions__latest_cell as in_force": "trial_cell as in_force",
    "staging.stg_submissions__input as stored": "trial_input as stored",
    "from failed as judged\n": "from trial_failed as judged\n",
    **{f"temporary table {name} as": f"temporary table trial_{name} as" for name in _TABLES},
    **{f"from {name}\n": f"from trial_{name} as {name}\n" for name in _TABLES},
}
"""What stands for what in the statements that ask."""


def trial_statements(*, has_checks: bool, is_full: bool) -> Iterator[str]:
    """The statements in their order, after those of ``rule_sql``; some have marks for ``run_statements``."""
    yield _CELLS.format(redone=redone("typed", is_full=is_full))
    yield _INPUTS.format()
    # what is in these tables is asked about already
    for statement in ask_statements(has_checks=has_checks, is_full=True, is_counted=False):
        yield reduce(lambda text, names: text.replace(*names), _IN_TRIALS.items(), statement)
