select
    group_code,
    indicator_code,
    sex,
    tier,
    least_count,
    largest_share,
    least_contributors
from {{ source('catalogue', 'disclosure_cell') }}
