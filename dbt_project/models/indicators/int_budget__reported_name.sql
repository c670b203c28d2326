{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

with

first_reported as (

    select
        budget.area_code as municipality_code,
        left(budget.time_period, 4) as time_period,
        budget.budget_item,
        budget.classification_type,
        budget.classification_code,
        budget.classification_name_key,
        min(budget.period_start) as first_date
    from {{ ref('stg_open_budget__row') }} as budget
    where budget.replaced_by is null and {{ only_changed_keys('budget', code_column='area_code') }}
    group by
        budget.area_code,
        left(budget.time_period, 4),
        budget.budget_item,
        budget.classification_type,
        budget.classification_code,
        budget.classification_name_key

)

select
    first_reported.municipality_code,
    first_reported.time_period,
    first_reported.budget_item,
    first_reported.classification_type,
    first_reported.classification_code,
    {{ clean_text('names.name') }} as name_uk,
    min(first_reported.first_date) as first_date
from first_reported
inner join {{ ref('stg_open_budget__name') }} as names on first_reported.classification_name_key = names.name_key
where names.name != ''
group by
    first_reported.municipality_code,
    first_reported.time_period,
    first_reported.budget_item,
    first_reported.classification_type,
    first_reported.classification_code,
    {{ clean_text('names.name') }}
