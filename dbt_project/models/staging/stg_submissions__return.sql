select
    collection_code,
    municipality_code,
    time_period,
    bool_or(is_sample) as is_sample
from {{ ref('stg_submissions__delivery') }}
where is_test is not true
group by collection_code, municipality_code, time_period
-- withdrawn, and not sent again since: there is no return
having max(batch_no) filter (where is_withdrawal is not true) > coalesce(max(batch_no) filter (where is_withdrawal), -1)
