-- A view: what is plain would else be written and indexed a second time, and that is nearly all of the country's cells.
select
    collection_code,
    municipality_code,
    time_period,
    indicator_code,
    sex,
    value_text,
    value_type,
    obs_value,
    obs_status,
    status_reason,
    broken_rule_id,
    false as is_conflict,
    submission_id,
    sheet,
    cell,
    load_id,
    batch_no,
    is_sample
from {{ ref('stg_submissions__cell') }}
where is_plain
union all
select
    collection_code,
    municipality_code,
    time_period,
    indicator_code,
    sex,
    value_text,
    value_type,
    obs_value,
    obs_status,
    status_reason,
    broken_rule_id,
    is_conflict,
    submission_id,
    sheet,
    cell,
    load_id,
    batch_no,
    is_sample
from {{ ref('stg_submissions__sorted_cell') }}
