select
    group_code,
    equation_code,
    indicator_code,
    sex,
    sign
from {{ source('catalogue', 'disclosure_term') }}
