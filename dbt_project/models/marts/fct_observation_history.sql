{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period']}],
    )
}}

select
    history.municipality_code,
    history.collection_code,
    history.indicator_code,
    history.time_period,
    history.sex,
    history.known_from,
    history.known_to,
    history.obs_value,
    history.obs_status,
    history.status_reason,
    indicators.unit_measure,
    history.is_withdrawn,
    history.submission_id,
    history.is_sample
from {{ ref('int_observation__history') }} as history
inner join {{ ref('stg_catalogue__indicator') }} as indicators on history.indicator_code = indicators.indicator_code
left join {{ ref('int_embargo__held') }} as held
    on history.indicator_code = held.indicator_code and left(history.time_period, 4) = held.time_period
where held.indicator_code is null and indicators.conf_status != 'restricted' and {{ only_changed_keys('history') }}
