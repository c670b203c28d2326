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

select
    budget.municipality_code,
    budget.area_level,
    budget.budget_code,
    budget.time_period,
    budget.period_start,
    budget.budget_item,
    budget.classification_type,
    budget.classification_code,
    budget.classification_name,
    budget.fund_type,
    budget.amount_cumulative,
    budget.amount_month,
    budget.plan_amount,
    budget.approved_amount,
    budget.is_sample,
    budget.load_id
from {{ ref('int_budget__monthly') }} as budget
where {{ only_changed_keys('budget') }}
