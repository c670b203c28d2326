select
    collection_code,
    time_period,
    due_date
from {{ source('catalogue', 'deadline') }}
