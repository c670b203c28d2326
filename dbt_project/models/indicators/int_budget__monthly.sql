{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {
                'columns': [
                    'municipality_code', 'time_period', 'budget_item', 'classification_type', 'classification_code', 'fund_type',
                ],
                'unique': true,
            },
        ],
    )
}}

with

reported as (

    select
        budget.area_code as municipality_code,
        budget.area_level,
        budget.budget_code,
        budget.time_period,
        budget.period_start,
        left(budget.time_period, 4) as year,
        extract(month from budget.period_start)::integer as month,
        budget.budget_item,
        budget.classification_type,
        budget.classification_code,
        budget.classification_name_key,
        budget.fund_type,
        budget.amount_cumulative,
        budget.plan_amount,
        budget.approved_amount,
        budget.row_nos,
        budget.load_id,
        budget.is_sample,
        -- a changed code answers under both codes for the same month: the newest that has the month, never both
        dense_rank() over (
            partition by budget.area_code, budget.budget_item, budget.classification_type, budget.time_period
            order by budget.valid_from desc, budget.budget_code asc
        ) as code_place
    from {{ ref('stg_open_budget__row') }} as budget
    where budget.replaced_by is null and {{ only_changed_keys('budget', code_column='area_code') }}

),

-- Each line beside the months that the budget reported before and after it, and beside its own last appearance. Windows and not
-- joins: they cost one sort, and need no statistics that a first load does not have.
placed as (

    select
        *,
        max(month) over month_before as reported_before,
        min(month) over month_after as reported_after,
        min(time_period) over month_after as time_period_after,
        min(period_start) over month_after as period_start_after,
        min(budget_code) over month_after as budget_code_after,
        min(load_id) over month_after as load_id_after,
        lag(month) over line as listed_before,
        lag(amount_cumulative) over line as cumulative_before,
        lead(month) over line as listed_after
    from reported
    where code_place = 1
    window
        month_before as (
            partition by municipality_code, budget_item, classification_type, year
            order by month groups between 1 preceding and 1 preceding
        ),
        month_after as (
            partition by municipality_code, budget_item, classification_type, year
            order by month groups between 1 following and 1 following
        ),
        line as (
            partition by municipality_code, budget_item, classification_type, year, classification_code, fund_type
            order by month
        )

),

listed as (

    select
        municipality_code,
        area_level,
        budget_code,
        time_period,
        period_start,
        budget_item,
        classification_type,
        classification_code,
        classification_name_key,
        fund_type,
        amount_cumulative,
        -- the flow of a month is known only when the month before it was reported too
        case
            when month = 1 then amount_cumulative
            when reported_before = month - 1
                then amount_cumulative - case when listed_before = reported_before then cumulative_before else 0 end
        end::numeric(18, 2) as amount_month,
        plan_amount,
        approved_amount,
        row_nos,
        load_id,
        is_sample
    from placed

),

-- a report lists what is not zero, so a line that is gone from the next report has been taken back
reversed as (

    select
        municipality_code,
        area_level,
        budget_code_after as budget_code,
        time_period_after as time_period,
        period_start_after as period_start,
        budget_item,
        classification_type,
        classification_code,
        classification_name_key,
        fund_type,
        0::numeric(18, 2) as amount_cumulative,
        case when reported_after = month + 1 then -amount_cumulative end::numeric(18, 2) as amount_month,
        null::numeric(18, 2) as plan_amount,
        null::numeric(18, 2) as approved_amount,
        null as row_nos,
        load_id_after as load_id,
        is_sample
    from placed
    where reported_after is not null and listed_after is distinct from reported_after and amount_cumulative != 0

),

names as (

    select * from {{ ref('stg_open_budget__name') }}

),

lines as (

    select * from listed
    union all
    select * from reversed

),

final as (

    select
        lines.municipality_code,
        lines.area_level,
        lines.budget_code,
        lines.time_period,
        lines.period_start,
        lines.budget_item,
        lines.classification_type,
        lines.classification_code,
        names.name as classification_name,
        lines.fund_type,
        lines.amount_cumulative,
        lines.amount_month,
        lines.plan_amount,
        lines.approved_amount,
        lines.row_nos,
        lines.load_id,
        lines.is_sample
    from lines
    left join names on lines.classification_name_key = names.name_key

)

select * from final
