{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        post_hook='analyze {{ this }}',
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- Small, and most of it comes with a few corrections: taken for empty, it would be gone through once for each cell.

with

{{ answers_in_batches('return') }}

-- the answer in force is dated from the first batch of its unbroken run; contradicting batches answer nothing
standing as (

    select distinct on ({{ cell_key() }}) *
    from batches
    where is_contradicted or answer is distinct from answer_before
    order by {{ cell_key() }}, is_contradicted, batch_no desc

),

final as (

    select
        collection_code,
        municipality_code,
        time_period,
        indicator_code,
        sex,
        value_text,
        value_type,
        case when not is_contradicted then obs_value end as obs_value,
        case when is_contradicted or is_withdrawal then 'M_Q' else obs_status end as obs_status,
        case when is_contradicted or is_withdrawal then 'conflict' else status_reason end as status_reason,
        broken_rule_id,
        is_conflict,
        submission_id,
        sheet,
        cell,
        load_id,
        batch_no,
        is_sample
    from standing
    -- what contradicts itself after a withdrawal is told; what was withdrawn is not
    where not is_withdrawal or is_conflict

)

select * from final
