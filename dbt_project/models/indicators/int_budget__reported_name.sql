{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

select
    budget.area_code as municipality_code,
    left(budget.time_period, 4) as time_period,
    budget.budget_item,
    budget.classification_type,
    budget.classification_code,
    {{ clean_text('budget.classification_name') }} as name_uk,
    min(budget.period_start) as first_date
from {{ ref('stg_open_budget__row') }} as budget
where
    budget.replaced_by is null
    and budget.classification_name != ''
    and {{ only_changed_keys('budget', code_column='area_code') }}
group by
    budget.area_code,
    left(budget.time_period, 4),
    budget.budget_item,
    budget.classification_type,
    budget.classification_code,
    {{ clean_text('budget.classification_name') }}
