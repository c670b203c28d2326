select
    correction_id,
    collection_code,
    municipality_code,
    indicator_code,
    time_period,
    sex,
    action,
    expected_value,
    new_value,
    new_status,
    reason,
    provider
from {{ source('quality', 'correction') }}
where is_active
