{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

with

accepted as (

    select * from {{ ref('int_observation__accepted') }}

),

derived as (

    select * from {{ ref('int_indicator__derived') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

suppressed as (

    select hidden.*
    from {{ ref('int_disclosure__suppressed') }} as hidden
    where hidden.subject_kind = 'reported' and {{ only_changed_keys('hidden', 'municipality', 'subject_code') }}

),

observations as (

    select
        municipality_code,
        indicator_code,
        time_period,
        sex,
        obs_value,
        obs_status,
        status_reason,
        obs_source,
        register_value,
        is_sample,
        submission_id,
        load_id
    from accepted
    union all
    select
        municipality_code,
        indicator_code,
        time_period,
        sex,
        obs_value,
        obs_status,
        null as status_reason,
        'derived' as obs_source,
        null::double precision as register_value,
        is_sample,
        null as submission_id,
        null as load_id
    from derived

),

final as (

    select
        observations.municipality_code,
        observations.indicator_code,
        indicators.collection_code,
        observations.time_period,
        {{ period_start('observations.time_period') }} as period_start,
        observations.sex,
        {{ unless_hidden('observations.obs_value') }} as obs_value,
        {{ unless_hidden('observations.obs_status', "'C'") }} as obs_status,
        {{ unless_hidden('observations.status_reason', "'suppressed'") }} as status_reason,
        observations.obs_source,
        observations.register_value,
        indicators.unit_measure,
        indicators.unit_mult,
        indicators.is_derived,
        indicators.conf_status,
        observations.is_sample,
        observations.submission_id,
        observations.load_id
    from observations
    inner join indicators on observations.indicator_code = indicators.indicator_code
    left join suppressed
        on
            observations.obs_value is not null
            and observations.municipality_code = suppressed.subject_code
            and indicators.collection_code = suppressed.collection_code
            and observations.indicator_code = suppressed.indicator_code
            and observations.time_period = suppressed.time_period
            and observations.sex = suppressed.sex
    left join {{ ref('int_embargo__held') }} as held
        on observations.indicator_code = held.indicator_code and left(observations.time_period, 4) = held.time_period
    -- values of restricted indicators, and those under embargo, stay in the schema `indicators`: no reader of marts may enter it
    where
        held.indicator_code is null
        and indicators.conf_status != 'restricted'
        and {{ only_changed_keys('observations') }}

)

select * from final
