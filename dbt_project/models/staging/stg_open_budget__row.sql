{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {
                'columns': [
                    'area_code', 'time_period', 'budget_item', 'classification_type', 'classification_code', 'fund_type',
                    'budget_code',
                ],
            },
        ],
    )
}}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

budget_codes as (

    select * from {{ ref('budget_code') }}

),

raw_rows as (

    select * from {{ source('raw', 'open_budget_row') }}

),

-- the path of a delivery is the question asked: a code, an item, a classification, a year
latest as (

    select distinct on (path)
        load_id,
        is_sample
    from loads
    where source = 'open_budget' and status = 'loaded'
    order by path, received_no desc

),

typed as (

    select
        raw_rows.budget_code,
        budget_codes.area_code,
        budget_codes.area_level,
        budget_codes.valid_from,
        regexp_replace(btrim(raw_rows.rep_period), '^([0-9]{2})\.([0-9]{4})$', '\2-\1') as time_period,
        raw_rows.budget_item,
        coalesce(nullif(raw_rows.classification_type, ''), 'NONE') as classification_type,
        btrim(raw_rows.classification_code) as classification_code,
        {{ clean_text('raw_rows.classification_name') }} as classification_name,
        btrim(raw_rows.fund_typ) as fund_type,
        {{ amount('raw_rows.fakt_amt') }} as amount_cumulative,
        {{ amount('raw_rows.plans_amt') }} as plan_amount,
        raw_rows.year,
        raw_rows.load_id,
        latest.is_sample
    from raw_rows
    inner join latest on raw_rows.load_id = latest.load_id
    inner join budget_codes on raw_rows.budget_code = budget_codes.budget_code

),

final as (

    select
        typed.budget_code,
        typed.area_code,
        typed.area_level,
        typed.valid_from,
        typed.time_period,
        to_date(typed.time_period || '-01', 'YYYY-MM-DD') as period_start,
        typed.budget_item,
        typed.classification_type,
        typed.classification_code,
        typed.classification_name,
        typed.fund_type,
        typed.amount_cumulative,
        typed.plan_amount,
        typed.load_id,
        typed.is_sample
    from typed
    where
        typed.time_period ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'
        and left(typed.time_period, 4) = typed.year
        and typed.fund_type in ('C', 'S', 'T')
        and typed.classification_code != ''
        and typed.amount_cumulative is not null
        and {{ only_changed_keys('typed', code_column='area_code') }}

)

select * from final
