{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off', 'set local enable_sort = off'],
        indexes=[{'columns': ['place_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- Sums are taken as numeric, which does not depend on order. The planner takes what it scans twice for one row, and would join
-- cells with cells by nested loops: minutes in place of a second. It would also put all cells in order to add them up.

with

municipalities as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code,
        population
    from {{ ref('int_municipality__described') }}

),

everywhere as (

    select
        municipalities.place_code,
        municipalities.population,
        cell.*
    from {{ ref('int_observation__on_current') }} as cell
    inner join municipalities on cell.municipality_code = municipalities.municipality_code
    {% if is_incremental() %} where {{ of_changed_places('cell.municipality_code') }} {% endif %}

),

cells as (

    select * from everywhere
    where {{ only_changed_keys('everywhere', 'area', 'place_code') }}

),

indicators as (

    select
        indicator_code,
        split_part(aggregation, ':', 1) as rule,
        nullif(split_part(aggregation, ':', 2), '') as weighing_code
    from {{ ref('stg_catalogue__indicator') }}
    where conf_status != 'restricted'

),

placed as (

    select
        cells.*,
        indicators.rule,
        weighing.obs_value as weighing_value,
        cells.obs_status = 'M_NA'
        or (cells.obs_value is not null and (indicators.rule = 'sum' or weighing.obs_value is not null)) as is_counted
    from cells
    inner join indicators on cells.indicator_code = indicators.indicator_code
    left join cells as weighing
        on
            indicators.weighing_code = weighing.indicator_code
            and cells.municipality_code = weighing.municipality_code
            and cells.collection_code = weighing.collection_code
            and cells.time_period = weighing.time_period
            and cells.sex = weighing.sex
    where indicators.rule in ('sum', 'weighted')

),

final as (

    select
        place_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        rule,
        sum(case rule when 'sum' then obs_value else obs_value * weighing_value end::numeric) as value_sum,
        sum(case when obs_value is not null then weighing_value end::numeric) as weighing_sum,
        count(*) filter (where is_counted) as reporting_count,
        sum(population) filter (where is_counted) as reporting_population,
        bool_or(obs_status = 'E') as is_estimated,
        bool_or(is_sample) as is_sample
    from placed
    group by place_code, collection_code, time_period, indicator_code, sex, rule

)

select * from final
