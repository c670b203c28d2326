{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

with

rows_of_months as (

    select budget.*
    from {{ ref('stg_open_budget__row') }} as budget
    where {{ only_changed_keys('budget', code_column='area_code') }}

),

before as (

    select * from rows_of_months
    where replaced_by is not null

),

restated as (

    select distinct
        budget_code,
        time_period,
        budget_item,
        classification_type,
        load_id,
        replaced_by
    from before

),

after as (

    select
        rows_of_months.*,
        restated.load_id as replaced_load_id
    from rows_of_months
    inner join restated
        on
            rows_of_months.load_id = restated.replaced_by
            and rows_of_months.budget_code = restated.budget_code
            and rows_of_months.time_period = restated.time_period
            and rows_of_months.budget_item = restated.budget_item
            and rows_of_months.classification_type = restated.classification_type

),

final as (

    select
        coalesce(after.area_code, before.area_code) as municipality_code,
        coalesce(after.area_level, before.area_level) as area_level,
        coalesce(after.budget_code, before.budget_code) as budget_code,
        coalesce(after.time_period, before.time_period) as time_period,
        coalesce(after.period_start, before.period_start) as period_start,
        coalesce(after.budget_item, before.budget_item) as budget_item,
        coalesce(after.classification_type, before.classification_type) as classification_type,
        coalesce(after.classification_code, before.classification_code) as classification_code,
        coalesce(after.fund_type, before.fund_type) as fund_type,
        before.amount_cumulative as amount_before,
        after.amount_cumulative as amount_after,
        before.plan_amount as plan_before,
        after.plan_amount as plan_after,
        coalesce(after.is_sample, before.is_sample) as is_sample,
        coalesce(after.replaced_load_id, before.load_id) as replaced_load_id,
        coalesce(after.load_id, before.replaced_by) as load_id
    from before
    full outer join after
        on
            before.load_id = after.replaced_load_id
            and before.budget_code = after.budget_code
            and before.time_period = after.time_period
            and before.budget_item = after.budget_item
            and before.classification_type = after.classification_type
            and before.classification_code = after.classification_code
            and before.fund_type = after.fund_type
    where
        before.amount_cumulative is distinct from after.amount_cumulative
        or before.plan_amount is distinct from after.plan_amount

)

select * from final
