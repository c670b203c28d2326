select
    subject_kind,
    subject_code,
    collection_code,
    indicator_code,
    time_period,
    sex,
    obs_value,
    is_hidden
from {{ source('ops', 'disclosed') }}
