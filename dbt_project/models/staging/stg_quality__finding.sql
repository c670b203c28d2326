select
    finding_id,
    rule_id,
    severity,
    dataset,
    submission_id,
    collection_code,
    municipality_code,
    time_period,
    indicator_code,
    sex,
    is_sample
from {{ source('quality', 'open_finding') }}
