{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail'
    )
}}

with

year_end as (

    select budget.*
    from {{ ref('int_budget__year_end') }} as budget
    where {{ only_changed_keys('budget') }}

),

municipalities as (

    select * from {{ ref('dim_municipality') }}

),

summed as (

    select
        municipality_code,
        time_period,
        max(budget_code) as budget_code,
        max(last_period) filter (where budget_item = 'INCOMES') as income_period,
        max(last_period) filter (where classification_type = 'ECONOMIC') as expense_period,
        max(last_period) filter (where classification_type = 'PROGRAM') as programme_period,
        sum(amount_cumulative) filter (where budget_item = 'INCOMES') as income_amount,
        coalesce(
            sum(amount_cumulative) filter (where budget_item = 'INCOMES' and classification_code like '4%'),
            case when bool_or(budget_item = 'INCOMES') then 0 end
        ) as transfer_amount,
        sum(plan_amount) filter (where budget_item = 'INCOMES') as income_plan_amount,
        sum(amount_cumulative) filter (where classification_type = 'ECONOMIC') as expense_amount,
        coalesce(
            sum(amount_cumulative) filter (where classification_type = 'ECONOMIC' and classification_code like '3%'),
            case when bool_or(classification_type = 'ECONOMIC') then 0 end
        ) as capital_amount,
        sum(plan_amount) filter (where classification_type = 'ECONOMIC') as expense_plan_amount,
        coalesce(
            sum(amount_cumulative) filter (where classification_type = 'PROGRAM' and classification_code like '1%'),
            case when bool_or(classification_type = 'PROGRAM') then 0 end
        ) as education_amount,
        coalesce(
            sum(amount_cumulative) filter (where classification_type = 'PROGRAM' and classification_code like '0%'),
            case when bool_or(classification_type = 'PROGRAM') then 0 end
        ) as administration_amount,
        sum(amount_cumulative) filter (where budget_item = 'FINANCING_DEBTS') as debt_financing_amount,
        sum(amount_cumulative) filter (where budget_item = 'CREDITS') as credit_amount,
        is_sample
    from year_end
    group by municipality_code, time_period, is_sample

),

final as (

    select
        summed.municipality_code,
        summed.time_period,
        {{ period_start('summed.time_period') }} as period_start,
        summed.budget_code,
        summed.income_period,
        summed.expense_period,
        summed.programme_period,
        municipalities.population,
        summed.income_amount::numeric(18, 2) as income_amount,
        (summed.income_amount - summed.transfer_amount)::numeric(18, 2) as own_income_amount,
        summed.transfer_amount::numeric(18, 2) as transfer_amount,
        summed.income_plan_amount::numeric(18, 2) as income_plan_amount,
        summed.expense_amount::numeric(18, 2) as expense_amount,
        summed.capital_amount::numeric(18, 2) as capital_amount,
        summed.expense_plan_amount::numeric(18, 2) as expense_plan_amount,
        summed.education_amount::numeric(18, 2) as education_amount,
        summed.administration_amount::numeric(18, 2) as administration_amount,
        summed.debt_financing_amount::numeric(18, 2) as debt_financing_amount,
        summed.credit_amount::numeric(18, 2) as credit_amount,
        ((summed.income_amount - summed.transfer_amount) / nullif(municipalities.population, 0))::double precision
            as own_income_per_head,
        (summed.transfer_amount / nullif(summed.income_amount, 0))::double precision as transfer_share,
        (summed.capital_amount / nullif(summed.expense_amount, 0))::double precision as capital_share,
        (summed.education_amount / nullif(municipalities.population, 0))::double precision as education_per_head,
        (summed.administration_amount / nullif(municipalities.population, 0))::double precision as administration_per_head,
        (summed.income_amount / nullif(summed.income_plan_amount, 0))::double precision as income_execution_share,
        (summed.expense_amount / nullif(summed.expense_plan_amount, 0))::double precision as expense_execution_share,
        case when summed.income_amount is null then 'M_NR' when summed.income_amount = 0 then 'M_Z' else 'A' end as income_status,
        case when summed.expense_amount is null then 'M_NR' when summed.expense_amount = 0 then 'M_Z' else 'A' end
            as expense_status,
        case when summed.programme_period is null then 'M_NR' else 'A' end as programme_status,
        case when coalesce(municipalities.population, 0) = 0 then 'M_Z' else 'A' end as per_head_status,
        case
            when summed.income_period is null then 'M_NR'
            when summed.income_period < summed.time_period || '-12' then 'P'
            else 'A'
        end as year_status,
        summed.is_sample
    from summed
    inner join municipalities on summed.municipality_code = municipalities.municipality_code

)

select * from final
