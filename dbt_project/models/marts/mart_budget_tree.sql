{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='{{ find_renamed_budgets() }}'
    )
}}

-- depends_on: {{ ref('stg_ops__changed_key') }}

with

year_end as (

    select budget.*
    from {{ ref('int_budget__year_end') }} as budget
    where {{ only_changed_keys('budget', 'budget_name') }}

),

names as (

    select * from {{ ref('dim_budget_classification') }}

),

-- each amount under its own code and under every code above it
placed as (

    select
        year_end.*,
        above.stem,
        rpad(left(year_end.classification_code, above.stem), length(year_end.classification_code), '0') as tree_code
    from year_end
    cross join lateral (
        select distinct least(stem, {{ budget_code_stem('year_end.classification_code') }}) as stem
        from unnest(
                case when length(year_end.classification_code) = 8 then array[1, 2, 4, 6, 8] else array[1, 2, 3, 4, 6] end
            ) as stem
        where stem >= {{ budget_section_stem('year_end.classification_code', 'year_end.classification_type') }}
    ) as above

),

summed as (

    select
        municipality_code,
        time_period,
        last_period,
        last_period_start,
        budget_item,
        classification_type,
        tree_code as classification_code,
        max(case when tree_code = classification_code then 1 else 0 end) = 1 as is_reported,
        sum(amount_cumulative)::numeric(18, 2) as amount,
        sum(plan_amount)::numeric(18, 2) as plan_amount,
        is_sample
    from (
        select distinct on (
            municipality_code, time_period, budget_item, classification_type, classification_code, tree_code
        ) *
        from placed
        order by
            municipality_code asc, time_period asc, budget_item asc, classification_type asc, classification_code asc,
            tree_code asc
    ) as once
    group by
        municipality_code, time_period, last_period, last_period_start, budget_item, classification_type, tree_code, is_sample

),

totals as (

    select
        municipality_code,
        time_period,
        budget_item,
        classification_type,
        sum(amount_cumulative) as amount
    from year_end
    group by municipality_code, time_period, budget_item, classification_type

),

first_names as (

    select distinct on (budget_item, classification_type, classification_code)
        budget_item,
        classification_type,
        classification_code,
        name_uk
    from names
    order by budget_item asc, classification_type asc, classification_code asc, valid_from asc

),

final as (

    select
        summed.municipality_code,
        summed.time_period,
        summed.last_period,
        summed.budget_item,
        summed.classification_type,
        summed.classification_code,
        {{ budget_code_above('summed.classification_code', 'summed.classification_type') }} as parent_code,
        {{ budget_section('summed.classification_code', 'summed.classification_type') }} as section_code,
        -- called as it was then; a code that is older than its first known name bears that one
        coalesce(then_named.name_uk, first_names.name_uk) as name_uk,
        summed.is_reported,
        summed.amount,
        summed.plan_amount,
        (summed.amount / nullif(totals.amount, 0))::double precision as amount_share,
        summed.is_sample
    from summed
    inner join totals
        on
            summed.municipality_code = totals.municipality_code
            and summed.time_period = totals.time_period
            and summed.budget_item = totals.budget_item
            and summed.classification_type = totals.classification_type
    left join names as then_named
        on
            summed.budget_item = then_named.budget_item
            and summed.classification_type = then_named.classification_type
            and summed.classification_code = then_named.classification_code
            and summed.last_period_start >= then_named.valid_from
            and (then_named.valid_to is null or summed.last_period_start < then_named.valid_to)
    left join first_names
        on
            summed.budget_item = first_names.budget_item
            and summed.classification_type = first_names.classification_type
            and summed.classification_code = first_names.classification_code

)

select * from final
