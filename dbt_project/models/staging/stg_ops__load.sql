with

loads as (

    select * from {{ source('ops', 'load') }}

),

deliveries as (

    select * from {{ source('raw', 'delivery') }}

),

released as (

    select * from {{ source('ops', 'release_load') }}

),

-- what the running build set out to publish; what arrives while it runs is the next one's
in_build as (

    select build_load.load_id
    from {{ source('ops', 'build_load') }} as build_load
    inner join {{ source('ops', 'build') }} as build on build_load.build_id = build.build_id
    where build.status = 'running'

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
        deliveries.received_at,
        loads.loaded_at,
        loads.is_sample,
        deliveries.is_test
    from loads
    inner join deliveries on loads.delivery_id = deliveries.delivery_id
    left join released on loads.load_id = released.load_id
    left join in_build on loads.load_id = in_build.load_id
    where released.load_id is not null or in_build.load_id is not null

)

select * from final
