{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off'],
        indexes=[{'columns': ['area_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- Sums are taken as numeric, which does not depend on order. The planner takes what it scans twice for one row, and would join
-- cells with cells by nested loops: minutes in place of a second.

with

cells as (

    select cell.*
    from {{ ref('int_observation__on_current') }} as cell
    where {{ only_changed_keys('cell', 'year') }}

),

derived as (

    select ratio.*
    from {{ ref('int_area__derived') }} as ratio
    where {{ only_changed_keys('ratio', 'year') }}

),

indicators as (

    select
        *,
        split_part(aggregation, ':', 1) as rule,
        nullif(split_part(aggregation, ':', 2), '') as weighing_code
    from {{ ref('stg_catalogue__indicator') }}
    where conf_status != 'restricted'

),

municipalities as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code,
        raion_code,
        oblast_code,
        population
    from {{ ref('int_municipality__described') }}

),

statuses as (

    select * from {{ ref('int_municipality__status') }}

),

areas as (

    select distinct
        place_code,
        raion_code as area_code,
        'raion' as area_level
    from municipalities
    where raion_code is not null
    union all
    select distinct
        place_code,
        oblast_code as area_code,
        'oblast' as area_level
    from municipalities
    union all
    select distinct
        place_code,
        'UA' as area_code,
        'country' as area_level
    from municipalities

),

periods as (

    select distinct
        time_period,
        {{ period_end('time_period') }} as last_day
    from cells

),

-- what there is to report of, whether anybody did or not
extents as (

    select
        areas.area_code,
        areas.area_level,
        periods.time_period,
        count(*) as unit_count,
        count(*) filter (where statuses.can_report is not false) as able_count,
        sum(municipalities.population) as population
    from periods
    cross join municipalities
    inner join areas on municipalities.place_code = areas.place_code
    left join statuses
        on
            municipalities.municipality_code = statuses.municipality_code
            and periods.last_day >= statuses.valid_from
            and (statuses.valid_to is null or periods.last_day < statuses.valid_to)
    group by areas.area_code, areas.area_level, periods.time_period

),

placed as (

    select
        municipalities.place_code,
        municipalities.population,
        cells.collection_code,
        cells.time_period,
        cells.indicator_code,
        cells.sex,
        cells.obs_value,
        cells.obs_status,
        cells.is_sample,
        indicators.rule,
        weighing.obs_value as weighing_value,
        cells.obs_status = 'M_NA'
        or (cells.obs_value is not null and (indicators.rule = 'sum' or weighing.obs_value is not null)) as is_counted
    from cells
    inner join municipalities on cells.municipality_code = municipalities.municipality_code
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

place_sums as (

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

),

area_sums as (

    select
        areas.area_code,
        place_sums.collection_code,
        place_sums.time_period,
        place_sums.indicator_code,
        place_sums.sex,
        case place_sums.rule
            when 'sum' then sum(place_sums.value_sum)
            else sum(place_sums.value_sum) / nullif(sum(place_sums.weighing_sum), 0)
        end::double precision as obs_value,
        sum(place_sums.reporting_count)::bigint as reporting_count,
        sum(place_sums.reporting_population)::bigint as reporting_population,
        bool_or(place_sums.is_estimated) as is_estimated,
        bool_or(place_sums.value_sum is not null) as has_value,
        bool_or(place_sums.is_sample) as is_sample
    from place_sums
    inner join areas on place_sums.place_code = areas.place_code
    group by
        areas.area_code, place_sums.collection_code, place_sums.time_period, place_sums.indicator_code, place_sums.sex,
        place_sums.rule
    having sum(place_sums.reporting_count) > 0
    union all
    select
        area_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        obs_value,
        reporting_count,
        reporting_population,
        is_estimated,
        true as has_value,
        is_sample
    from derived

),

-- an oblast of which nobody answered is listed as well, Crimea and Sevastopol among them; a raion is not
asked as (

    select
        extents.area_code,
        answered.collection_code,
        answered.time_period,
        answered.indicator_code,
        answered.is_sample
    from area_sums as answered
    inner join extents on answered.time_period = extents.time_period and extents.area_level = 'oblast'
    where answered.area_code = 'UA' and answered.sex = 'T'

),

listed as (

    select * from area_sums
    union all
    select
        asked.area_code,
        asked.collection_code,
        asked.time_period,
        asked.indicator_code,
        'T' as sex,
        null as obs_value,
        0 as reporting_count,
        0 as reporting_population,
        false as is_estimated,
        false as has_value,
        asked.is_sample
    from asked
    left join area_sums
        on
            asked.area_code = area_sums.area_code
            and asked.collection_code = area_sums.collection_code
            and asked.time_period = area_sums.time_period
            and asked.indicator_code = area_sums.indicator_code
            and area_sums.sex = 'T'
    where area_sums.area_code is null

),

final as (

    select
        listed.area_code,
        extents.area_level,
        listed.indicator_code,
        listed.collection_code,
        listed.time_period,
        {{ period_start('listed.time_period') }} as period_start,
        listed.sex,
        listed.obs_value,
        case
            when listed.reporting_count = 0 then 'M_NR'
            when not listed.has_value then 'M_NA'
            when listed.obs_value is null then 'M_Z'
            when listed.is_estimated then 'E'
            when listed.reporting_count < extents.unit_count then 'P'
            else 'A'
        end as obs_status,
        extents.unit_count,
        extents.able_count,
        listed.reporting_count,
        listed.reporting_population::double precision / nullif(extents.population, 0) as population_share,
        indicators.unit_measure,
        indicators.unit_mult,
        indicators.is_derived,
        listed.is_sample
    from listed
    inner join extents on listed.area_code = extents.area_code and listed.time_period = extents.time_period
    inner join indicators on listed.indicator_code = indicators.indicator_code

)

select * from final
