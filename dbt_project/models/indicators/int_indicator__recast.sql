{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off'],
        indexes=[{'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex'], 'unique': true}],
    )
}}

-- Hash joins where keys are equal: the planner takes what was computed for two rows, and goes through all indicators and all
-- recast years for each of a million.

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

with

as_reported as (

    select * from {{ ref('int_indicator__derived') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

parts as (

    select
        collection_code,
        municipality_code,
        time_period,
        bool_or(has_share) as has_share
    from {{ ref('int_boundary__recast') }}
    where time_period ~ '^[0-9]{4}$'
    group by collection_code, municipality_code, time_period

),

offsets as (

    select distinct period_offset
    from {{ ref('stg_catalogue__formula_input') }}
    where period_offset <> 0

),

-- a formula that looks at another year is computed anew when that year was put together
neighbours as (

    select distinct
        sent.collection_code,
        sent.municipality_code,
        sent.time_period,
        parts.has_share
    from parts
    cross join offsets
    inner join {{ ref('stg_submissions__return') }} as sent
        on
            parts.collection_code = sent.collection_code
            and parts.municipality_code = sent.municipality_code
            and sent.time_period = (parts.time_period::integer - offsets.period_offset)::text

),

wanted as (

    select
        asked.collection_code,
        asked.municipality_code,
        asked.time_period,
        bool_or(asked.is_recast) as is_recast,
        bool_or(asked.has_share) as has_share
    from (
        select
            collection_code,
            municipality_code,
            time_period,
            has_share,
            true as is_recast
        from parts
        union all
        select
            collection_code,
            municipality_code,
            time_period,
            has_share,
            false as is_recast
        from neighbours
    ) as asked
    where {{ only_changed_keys('asked', 'year') }}
    group by asked.collection_code, asked.municipality_code, asked.time_period

),

-- beside each year those of the body that stand as reported: of a year that was put together no answer is read and left out
keys as (

    select
        wanted.municipality_code,
        wanted.time_period,
        array_agg(sent.time_period) filter (where parts.time_period is null) as periods_as_reported
    from (
        select distinct
            municipality_code,
            time_period
        from wanted
    ) as wanted
    left join {{ ref('stg_submissions__return') }} as sent on wanted.municipality_code = sent.municipality_code
    left join parts
        on
            sent.collection_code = parts.collection_code
            and sent.municipality_code = parts.municipality_code
            and sent.time_period = parts.time_period
    group by wanted.municipality_code, wanted.time_period

),

inputs as (
    {% set cells %}
    (
        select
            recast.collection_code,
            recast.municipality_code,
            recast.time_period,
            recast.indicator_code,
            recast.sex,
            recast.obs_value,
            recast.obs_status
        from {{ ref('int_observation__recast') }} as recast
        union all
        select
            accepted.collection_code,
            accepted.municipality_code,
            accepted.time_period,
            accepted.indicator_code,
            accepted.sex,
            accepted.obs_value,
            accepted.obs_status
        from {{ ref('int_observation__accepted') }} as accepted
        left join parts
            on
                accepted.collection_code = parts.collection_code
                and accepted.municipality_code = parts.municipality_code
                and accepted.time_period = parts.time_period
        where parts.time_period is null and accepted.time_period = any(keys.periods_as_reported)
    )
    {% endset %}
    {{ input_arrays(cells, 'keys') }}
),

computed as (
    {{ formula_rows('inputs') }}
),

checked as (

    select
        wanted.collection_code,
        computed.municipality_code,
        computed.time_period,
        computed.indicator_code,
        computed.sex,
        case when computed.obs_value between -1e300 and 1e300 then computed.obs_value end as obs_value,
        case
            when computed.obs_value is not null and not computed.obs_value between -1e300 and 1e300 then 'M_Q'
            when computed.obs_status = 'A' and wanted.has_share then 'E'
            else computed.obs_status
        end as obs_status,
        wanted.is_recast
    from computed
    inner join indicators on computed.indicator_code = indicators.indicator_code
    inner join wanted
        on
            computed.municipality_code = wanted.municipality_code
            and computed.time_period = wanted.time_period
            and indicators.collection_code = wanted.collection_code

),

samples as (

    select
        municipality_code,
        time_period,
        bool_or(is_sample) as is_sample
    from {{ ref('int_observation__recast') }}
    group by municipality_code, time_period

),

final as (

    select
        checked.collection_code,
        checked.municipality_code,
        checked.time_period,
        checked.indicator_code,
        checked.sex,
        checked.obs_value,
        checked.obs_status,
        coalesce(samples.is_sample, as_reported.is_sample, false) as is_sample
    from checked
    left join samples
        on checked.municipality_code = samples.municipality_code and checked.time_period = samples.time_period
    left join as_reported
        on
            checked.collection_code = as_reported.collection_code
            and checked.municipality_code = as_reported.municipality_code
            and checked.time_period = as_reported.time_period
            and checked.indicator_code = as_reported.indicator_code
            and checked.sex = as_reported.sex
    -- beside a year that was put together only what thereby becomes another figure
    where
        checked.is_recast
        or (checked.obs_value, checked.obs_status = 'B')
        is distinct from (as_reported.obs_value, as_reported.obs_status = 'B')

)

select * from final
