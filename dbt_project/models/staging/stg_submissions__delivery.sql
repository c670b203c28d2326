with

arrivals as (

    select * from {{ source('raw', 'submission_delivery') }}

),

submissions as (

    select * from {{ source('raw', 'submission') }}

),

loads as (

    select * from {{ ref('stg_ops__load') }}

),

final as (

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
        loads.is_test
    from arrivals
    inner join submissions on arrivals.submission_id = submissions.submission_id
    inner join loads on arrivals.load_id = loads.load_id
    order by arrivals.delivery_id asc, loads.loaded_at desc, loads.load_id asc, arrivals.submission_id asc

)

select * from final
