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

reported as (

    select * from {{ ref('int_observation__recast') }}

),

derived as (

    select * from {{ ref('int_indicator__recast') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

suppressed as (

    select hidden.*
    from {{ ref('int_disclosure__suppressed') }} as hidden
    where hidden.subject_kind = 'recast' and {{ only_changed_keys('hidden', 'year') }}

),

observations as (

    select
        municipality_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        obs_value,
        obs_status,
        status_reason,
        part_count,
        answered_count,
        is_sample
    from reported
    union all
    select
        municipality_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        obs_value,
        obs_status,
        case when obs_status = 'B' then 'input_breaks' end as status_reason,
        null as part_count,
        null as answered_count,
        is_sample
    from derived

),

final as (

    select
        observations.municipality_code,
        observations.indicator_code,
        observations.collection_code,
        observations.time_period,
        {{ period_start('observations.time_period') }} as period_start,
        observations.sex,
        {{ unless_hidden('observations.obs_value') }} as obs_value,
        {{ unless_hidden('observations.obs_status', "'C'") }} as obs_status,
        {{ unless_hidden('observations.status_reason', "'suppressed'") }} as status_reason,
        observations.obs_status = 'B' as is_break,
        observations.part_count,
        observations.answered_count,
        indicators.unit_measure,
        indicators.unit_mult,
        indicators.is_derived,
        indicators.conf_status,
        observations.is_sample
    from observations
    inner join indicators on observations.indicator_code = indicators.indicator_code
    left join suppressed
        on
            observations.obs_value is not null
            and observations.municipality_code = suppressed.subject_code
            and observations.collection_code = suppressed.collection_code
            and observations.indicator_code = suppressed.indicator_code
            and observations.time_period = suppressed.time_period
            and observations.sex = suppressed.sex
    left join {{ ref('int_embargo__held') }} as held
        on observations.indicator_code = held.indicator_code and left(observations.time_period, 4) = held.time_period
    where
        held.indicator_code is null
        and indicators.conf_status != 'restricted'
        and {{ only_changed_keys('observations', 'year') }}

)

select * from final
