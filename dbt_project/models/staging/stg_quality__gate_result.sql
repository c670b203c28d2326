with

results as (

    select * from {{ source('quality', 'gate_result') }}

),

latest as (

    select
        gate,
        max(build_id) as build_id
    from results
    group by gate

),

final as (

    select
        results.gate,
        results.engine,
        results.dataset,
        results.check_id,
        results.severity,
        results.success,
        results.unexpected_count
    from results
    inner join latest on results.gate = latest.gate and results.build_id = latest.build_id

)

select * from final
