select
    indicator_code,
    sex,
    value_sql,
    status_sql,
    compute_order
from {{ source('catalogue', 'compiled_formula') }}
