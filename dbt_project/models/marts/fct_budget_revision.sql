{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

select
    revised.municipality_code,
    revised.area_level,
    revised.budget_code,
    revised.time_period,
    revised.period_start,
    revised.budget_item,
    revised.classification_type,
    revised.classification_code,
    revised.fund_type,
    revised.amount_before,
    revised.amount_after,
    revised.plan_before,
    revised.plan_after,
    revised.is_sample,
    revised.replaced_load_id,
    revised.load_id
from {{ ref('int_budget__revised') }} as revised
where {{ only_changed_keys('revised') }}
