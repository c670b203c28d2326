with

loads as (

    select * from {{ source('ops', 'load') }}

),

deliveries as (

    select * from {{ source('raw', 'delivery') }}

),

final as (

    select
        loads.load_id,
        loads.source,
        loads.status,
        loads.delivery_id,
        deliveries.path,
        deliveries.batch_no,
        deliveries.received_no,
        loads.is_sample
    from loads
    inner join deliveries on loads.delivery_id = deliveries.delivery_id

)

select * from final
