select
    municipality_code,
    time_period,
    reason not in ('neighbour', 'formula') as is_return_changed,
    reason != 'formula' as is_answer_changed
from {{ source('ops', 'changed_key') }}
