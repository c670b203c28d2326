select
    collection_code,
    municipality_code,
    time_period,
    bool_or(is_sample) as is_sample
from {{ ref('stg_submissions__delivery') }}
where is_test is not true
group by collection_code, municipality_code, time_period
