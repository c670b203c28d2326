{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='set local enable_nestloop = off',
        indexes=[{'columns': ['municipality_code', 'time_period']}],
    )
}}

-- The planner takes arrivals and rejections for one row, and would make them anew for each answer.

with

{{ answers_in_batches() }}

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

-- a finding on an answer that stands no more was closed because a newer one came: the answer stays rejected
rejected as (

    select distinct
        rejections.submission_id,
        rejections.indicator_code,
        sexes.sex
    from {{ ref('stg_quality__rejection') }} as rejections
    inner join (values ('T'), ('F'), ('M')) as sexes (sex) on rejections.sex = sexes.sex or rejections.sex is null

),

arrivals as (

    select
        concat_ws('|', collection_code, municipality_code, time_period, batch_no) as arrival_key,
        {{ arrived_at('collection_code, municipality_code, time_period') }} as received_at
    from deliveries
    group by collection_code, municipality_code, time_period, batch_no

),

-- as in stg_submissions__sorted_cell: an answer begins with the first batch of its unbroken run, and a batch that contradicts
-- itself answers only what nothing has answered before
begun as (

    select
        *,
        concat_ws('|', collection_code, municipality_code, time_period, batch_no) as arrival_key
    from (
        select
            *,
            bool_or(not is_contradicted) over (partition by {{ cell_key() }} order by batch_no) as was_answered
        from batches
    ) as batches
    where case when is_contradicted then not was_answered else answer is distinct from answer_before end

),

spans as (

    select
        begun.*,
        arrivals.received_at as known_from,
        lead(arrivals.received_at) over (partition by {{ cell_key() }} order by begun.batch_no) as known_to,
        coalesce(lead(begun.is_withdrawal) over (partition by {{ cell_key() }} order by begun.batch_no), false) as is_withdrawn
    from begun
    inner join arrivals on begun.arrival_key = arrivals.arrival_key

),

final as (

    select
        spans.collection_code,
        spans.municipality_code,
        spans.time_period,
        spans.indicator_code,
        spans.sex,
        spans.known_from,
        spans.known_to,
        case when not spans.is_contradicted and rejected.submission_id is null then spans.obs_value end as obs_value,
        case
            when spans.is_contradicted or rejected.submission_id is not null then 'M_Q'
            else spans.obs_status
        end as obs_status,
        case
            when spans.is_contradicted then 'conflict'
            when rejected.submission_id is not null then 'rejected'
            else spans.status_reason
        end as status_reason,
        spans.is_withdrawn,
        spans.submission_id,
        spans.is_sample
    from spans
    inner join asked_cells
        on
            spans.collection_code = asked_cells.collection_code
            and spans.indicator_code = asked_cells.indicator_code
            and spans.sex = asked_cells.sex
            and left(spans.time_period, 4) >= asked_cells.valid_from::text
            and left(spans.time_period, 4) <= coalesce(asked_cells.valid_to::text, '9999')
    left join rejected
        on
            spans.submission_id = rejected.submission_id
            and spans.indicator_code = rejected.indicator_code
            and spans.sex = rejected.sex
    where spans.known_to > spans.known_from and not spans.is_withdrawal

)

select * from final
