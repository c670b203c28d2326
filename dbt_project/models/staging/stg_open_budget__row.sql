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
    order by path asc, received_no desc, loaded_at desc, load_id asc

),

asked as (

    select
        raw_rows.*,
        raw_rows.year as time_period,
        budget_codes.area_code,
        budget_codes.area_level,
        budget_codes.valid_from,
        latest.is_sample
    from raw_rows
    inner join latest on raw_rows.load_id = latest.load_id
    inner join budget_codes on raw_rows.budget_code = budget_codes.budget_code

),

-- materialized: conditions on typed text, pushed down to the scan, would be taken for ones that hardly a row meets
typed as materialized (

    select
        asked.budget_code,
        asked.area_code,
        asked.area_level,
        asked.valid_from,
        asked.year,
        btrim(asked.rep_period) as reported_period,
        right(btrim(asked.rep_period), 4) || '-' || left(btrim(asked.rep_period), 2) as time_period,
        asked.budget_item,
        coalesce(nullif(asked.classification_type, ''), 'NONE') as classification_type,
        btrim(asked.classification_code) as classification_code,
        btrim(asked.classification_name) as classification_name,
        btrim(asked.fund_typ) as fund_type,
        {{ amount('asked.fakt_amt') }} as amount_cumulative,
        {{ amount('asked.plans_amt') }} as plan_amount,
        asked.load_id,
        asked.is_sample
    from asked
    where {{ only_changed_keys('asked', code_column='area_code') }}

),

final as (

    select
        budget_code,
        area_code,
        area_level,
        valid_from,
        time_period,
        {{ period_start('time_period') }} as period_start,
        budget_item,
        classification_type,
        classification_code,
        classification_name,
        fund_type,
        amount_cumulative,
        plan_amount,
        load_id,
        is_sample
    from typed
    where
        reported_period ~ '^(0[1-9]|1[0-2])\.[0-9]{4}$'
        and left(time_period, 4) = year
        and fund_type in ('C', 'S', 'T')
        and classification_code != ''
        and amount_cumulative is not null

)

select * from final
