with

arrivals as (

    select * from {{ source('raw', 'submission_delivery') }}

),

submissions as (

    select * from {{ source('raw', 'submission') }}

),

withdrawals as (

    select * from {{ source('raw', 'submission_withdrawal') }}

),

loads as (

    select * from {{ ref('stg_ops__load') }}

),

returns as (

    -- a delivery that was read anew, by a newer form definition, counts as its latest reading says
    select distinct on (arrivals.delivery_id)
        arrivals.delivery_id,
        arrivals.submission_id,
        arrivals.load_id,
        submissions.form_code,
        submissions.form_version,
        submissions.collection_code,
        submissions.municipality_code,
        submissions.time_period,
        submissions.file_name,
        loads.path,
        loads.batch_no,
        loads.received_no,
        loads.received_at,
        loads.is_sample,
        loads.is_test,
        false as is_withdrawal,
        null as withdrawal_reason
    from arrivals
    inner join submissions on arrivals.submission_id = submissions.submission_id
    inner join loads on arrivals.load_id = loads.load_id
    order by arrivals.delivery_id asc, loads.loaded_at desc, loads.load_id asc, arrivals.submission_id asc

),

-- a withdrawal arrives as a return that says nothing any more
final as (

    select * from returns
    union all
    select
        withdrawals.delivery_id,
        withdrawals.delivery_id as submission_id,
        withdrawals.load_id,
        null as form_code,
        null as form_version,
        withdrawals.collection_code,
        withdrawals.municipality_code,
        withdrawals.time_period,
        null as file_name,
        loads.path,
        loads.batch_no,
        loads.received_no,
        loads.received_at,
        loads.is_sample,
        loads.is_test,
        true as is_withdrawal,
        withdrawals.reason as withdrawal_reason
    from withdrawals
    inner join loads on withdrawals.load_id = loads.load_id

)

select * from final
