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
        budget.*,
        budget.area_code as municipality_code,
        left(budget.time_period, 4) as year,
        extract(month from budget.period_start)::integer as month
    from {{ ref('stg_open_budget__row') }} as budget
    where {{ only_changed_keys('budget', code_column='area_code') }}

),

-- A changed code answers under both codes for the same month: the newest that has the month, never both.
chosen_codes as (

    select distinct on (municipality_code, budget_item, classification_type, time_period)
        municipality_code,
        area_level,
        budget_item,
        classification_type,
        time_period,
        period_start,
        year,
        month,
        budget_code,
        load_id,
        is_sample
    from reported
    order by municipality_code, budget_item, classification_type, time_period, valid_from desc, budget_code

),

chosen_rows as (

    select reported.*
    from reported
    inner join chosen_codes
        on
            reported.municipality_code = chosen_codes.municipality_code
            and reported.budget_item = chosen_codes.budget_item
            and reported.classification_type = chosen_codes.classification_type
            and reported.time_period = chosen_codes.time_period
            and reported.budget_code = chosen_codes.budget_code

),

lines as (

    select distinct
        municipality_code,
        budget_item,
        classification_type,
        year,
        classification_code,
        fund_type
    from chosen_rows

),

-- Every line in every reported month of its year: a report lists what is not zero, so a line that is missing from one is zero.
spread as (

    select
        chosen_codes.municipality_code,
        chosen_codes.area_level,
        chosen_codes.budget_code,
        chosen_codes.time_period,
        chosen_codes.period_start,
        chosen_codes.month,
        chosen_codes.budget_item,
        chosen_codes.classification_type,
        lines.classification_code,
        lines.fund_type,
        chosen_rows.classification_name,
        coalesce(chosen_rows.amount_cumulative, 0) as amount_cumulative,
        chosen_rows.plan_amount,
        chosen_rows.budget_code is not null as is_listed,
        coalesce(chosen_rows.load_id, chosen_codes.load_id) as load_id,
        chosen_codes.is_sample,
        lag(chosen_codes.month) over year_of_line as month_before,
        lag(coalesce(chosen_rows.amount_cumulative, 0)) over year_of_line as cumulative_before
    from chosen_codes
    inner join lines
        on
            chosen_codes.municipality_code = lines.municipality_code
            and chosen_codes.budget_item = lines.budget_item
            and chosen_codes.classification_type = lines.classification_type
            and chosen_codes.year = lines.year
    left join chosen_rows
        on
            chosen_codes.municipality_code = chosen_rows.municipality_code
            and chosen_codes.budget_item = chosen_rows.budget_item
            and chosen_codes.classification_type = chosen_rows.classification_type
            and chosen_codes.time_period = chosen_rows.time_period
            and lines.classification_code = chosen_rows.classification_code
            and lines.fund_type = chosen_rows.fund_type
    window
        year_of_line as (
            partition by
                chosen_codes.municipality_code,
                chosen_codes.budget_item,
                chosen_codes.classification_type,
                chosen_codes.year,
                lines.classification_code,
                lines.fund_type
            order by chosen_codes.month
        )

),

final as (

    select
        municipality_code,
        area_level,
        budget_code,
        time_period,
        period_start,
        budget_item,
        classification_type,
        classification_code,
        coalesce(
            classification_name,
            first_value(classification_name) over (
                partition by municipality_code, budget_item, classification_type, classification_code, left(time_period, 4)
                order by (classification_name is null), time_period desc, fund_type
            )
        ) as classification_name,
        fund_type,
        amount_cumulative,
        -- the flow of a month is known only when the month before it was reported too
        case
            when month = 1 then amount_cumulative
            when month_before = month - 1 then amount_cumulative - cumulative_before
        end::numeric(18, 2) as amount_month,
        plan_amount,
        load_id,
        is_sample
    from spread
    where is_listed or cumulative_before != 0

)

select * from final
