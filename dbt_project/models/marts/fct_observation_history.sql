{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period']}],
    )
}}

with

history as (

    select told.*
    from {{ ref('int_observation__history') }} as told
    where {{ only_changed_keys('told') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

cells as (

    select * from {{ ref('stg_catalogue__disclosure_cell') }}

),

{{ suppressed_groups('history', ['obs_value']) }},

final as (

    select
        history.municipality_code,
        history.collection_code,
        history.indicator_code,
        history.time_period,
        history.sex,
        history.known_from,
        history.known_to,
        {{ unless_hidden('history.obs_value') }} as obs_value,
        {{ unless_hidden('history.obs_status', "'C'") }} as obs_status,
        {{ unless_hidden('history.status_reason', "'suppressed'") }} as status_reason,
        indicators.unit_measure,
        history.is_withdrawn,
        history.submission_id,
        history.is_sample
    from history
    inner join indicators on history.indicator_code = indicators.indicator_code
    left join cells
        on
            history.obs_value is not null
            and history.indicator_code = cells.indicator_code
            and history.sex = cells.sex
    left join suppressed
        on
            history.municipality_code = suppressed.municipality_code
            and history.collection_code = suppressed.collection_code
            and history.time_period = suppressed.time_period
            and cells.group_code = suppressed.group_code
    left join {{ ref('int_embargo__held') }} as held
        on history.indicator_code = held.indicator_code and left(history.time_period, 4) = held.time_period
    where held.indicator_code is null and indicators.conf_status != 'restricted'

)

select * from final
