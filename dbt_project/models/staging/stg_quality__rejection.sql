select
    submission_id,
    indicator_code,
    sex,
    bool_or(is_open) as is_open
from {{ source('quality', 'finding') }}
where severity in ('fatal', 'error') and submission_id is not null and indicator_code is not null
group by submission_id, indicator_code, sex
