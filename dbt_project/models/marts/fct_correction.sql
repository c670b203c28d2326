select
    corrections.collection_code,
    corrections.municipality_code,
    corrections.indicator_code,
    corrections.time_period,
    corrections.sex,
    corrections.action,
    corrections.expected_value,
    corrections.reason,
    corrections.provider,
    corrections.is_applied,
    corrections.reported_value,
    corrections.reported_status,
    corrections.corrected_value,
    corrections.corrected_status
from {{ ref('int_observation__correction') }} as corrections
inner join {{ ref('stg_catalogue__indicator') }} as indicators on corrections.indicator_code = indicators.indicator_code
left join {{ ref('int_embargo__held') }} as held
    on corrections.indicator_code = held.indicator_code and left(corrections.time_period, 4) = held.time_period
where held.indicator_code is null and indicators.conf_status != 'restricted'
