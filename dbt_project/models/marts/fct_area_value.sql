{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=[
            'set local enable_nestloop = off',
            'set local enable_mergejoin = off',
            'set local enable_sort = off',
        ],
        indexes=[{'columns': ['area_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- The planner takes what it scans twice for one row, and would go through all sums for each of them. It would also put all of
-- them in order to add them up.

with

place_sums as (

    select * from {{ ref('int_place__sum') }}

),

derived as (

    select ratio.*
    from {{ ref('int_area__derived') }} as ratio
    where {{ only_changed_keys('ratio', 'area', 'area_code') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}
    where conf_status != 'restricted'

),

suppressed as (

    select hidden.*
    from {{ ref('int_disclosure__suppressed') }} as hidden
    where hidden.subject_kind = 'area' and {{ only_changed_keys('hidden', 'area', 'subject_code') }}

),

-- a mean that is weighted by what is under embargo is as well
embargoes as (

    select * from {{ ref('int_embargo__held') }}

),

municipalities as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code,
        population
    from {{ ref('int_municipality__described') }}

),

statuses as (

    select * from {{ ref('int_municipality__status') }}

),

areas as (

    select * from {{ ref('int_area__place') }}

),

periods as (

    select
        time_period,
        {{ period_end('time_period') }} as last_day
    from (
        select time_period from place_sums
        where {{ only_changed_keys('place_sums', 'year') }}
        union
        select time_period from derived
    ) as told

),

-- what there is to report of, whether anybody did or not
extents as (

    select
        areas.area_code,
        areas.area_level,
        periods.time_period,
        count(*) as unit_count,
        count(*) filter (where statuses.can_report is not false) as able_count,
        count(municipalities.population) as population_known_count,
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
        areas.area_code,
        place_sums.*
    from place_sums
    inner join areas on place_sums.place_code = areas.place_code

),

area_sums as (

    select
        area_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        case rule
            when 'sum' then sum(value_sum)
            else sum(value_sum) / nullif(sum(weighing_sum), 0)
        end::double precision as obs_value,
        sum(reporting_count)::bigint as reporting_count,
        sum(reporting_population)::bigint as reporting_population,
        bool_or(is_estimated) as is_estimated,
        bool_or(value_sum is not null) as has_value,
        bool_or(is_sample) as is_sample
    from placed
    where {{ only_changed_keys('placed', 'area', 'area_code') }}
    group by area_code, collection_code, time_period, indicator_code, sex, rule
    having sum(reporting_count) > 0
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
        {{ unless_hidden('listed.obs_value') }} as obs_value,
        case
            when suppressed.reason is not null then 'C'
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
        extents.population_known_count,
        indicators.unit_measure,
        indicators.unit_mult,
        indicators.is_derived,
        listed.is_sample
    from listed
    inner join extents on listed.area_code = extents.area_code and listed.time_period = extents.time_period
    inner join indicators on listed.indicator_code = indicators.indicator_code
    left join suppressed
        on
            listed.obs_value is not null
            and listed.area_code = suppressed.subject_code
            and listed.collection_code = suppressed.collection_code
            and listed.indicator_code = suppressed.indicator_code
            and listed.time_period = suppressed.time_period
            and listed.sex = suppressed.sex
    left join embargoes as held
        on listed.indicator_code = held.indicator_code and left(listed.time_period, 4) = held.time_period
    left join embargoes as weighing_held
        on
            split_part(indicators.aggregation, ':', 2) = weighing_held.indicator_code
            and left(listed.time_period, 4) = weighing_held.time_period
    where held.indicator_code is null and weighing_held.indicator_code is null

)

select * from final
