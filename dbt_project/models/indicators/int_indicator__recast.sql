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

cells as (

    select * from {{ ref('int_observation__on_current') }}

),

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

keys as (

    select distinct
        municipality_code,
        time_period
    from wanted

),

inputs as (
    {{ input_arrays('cells', 'keys') }}
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
