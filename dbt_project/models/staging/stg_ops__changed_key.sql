select distinct
    municipality_code,
    time_period
from {{ source('ops', 'changed_key') }}
