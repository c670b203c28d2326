select
    name_key,
    btrim(name) as name
from {{ source('raw', 'open_budget_name') }}
