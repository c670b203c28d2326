{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

with

totals as (

    select
        budget.municipality_code,
        budget.budget_code,
        left(budget.time_period, 4) as time_period,
        budget.time_period as last_period,
        budget.period_start as last_period_start,
        budget.budget_item,
        budget.classification_type,
        budget.classification_code,
        budget.amount_cumulative,
        -- an estimate of own receipts is no part of the approved plan; where the service gives one, it is the plan
        coalesce(nullif(budget.plan_amount, 0), budget.approved_amount) as plan_amount,
        budget.is_sample,
        max(budget.time_period) over reported as latest_period
    from {{ ref('int_budget__monthly') }} as budget
    where budget.fund_type = 'T' and budget.area_level = 'municipality' and {{ only_changed_keys('budget') }}
    window
        reported as (
            partition by
                budget.municipality_code, budget.budget_item, budget.classification_type, left(budget.time_period, 4)
        )

),

final as (

    select
        municipality_code,
        budget_code,
        time_period,
        last_period,
        last_period_start,
        budget_item,
        classification_type,
        classification_code,
        amount_cumulative,
        plan_amount,
        is_sample
    from totals
    where last_period = latest_period

)

select * from final
