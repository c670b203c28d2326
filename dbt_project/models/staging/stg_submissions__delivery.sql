with

arrivals as (

    select * from {{ source('raw', 'submission_delivery') }}

),

submissions as (

    select * from {{ source('raw', 'submission') }}

),

deliveries as (

    select * from {{ source('raw', 'delivery') }}

),

final as (

    select
        arrivals.delivery_id,
        arrivals.submission_id,
        arrivals.load_id,
        submissions.form_code,
        submissions.form_version,
        submissions.collection_code,
        submissions.municipality_code,
        submissions.time_period,
        submissions.file_name,
        deliveries.path,
        deliveries.batch_no,
        deliveries.received_no,
        deliveries.is_sample
    from arrivals
    inner join submissions on arrivals.submission_id = submissions.submission_id
    inner join deliveries on arrivals.delivery_id = deliveries.delivery_id

)

select * from final
