with

-- A check of one build's loads and keys speaks of those alone: shown as the state of the data, a fault would vanish with the
-- next night, and a full build would give another table than the nights before it.
results as (

    select * from {{ source('quality', 'gate_result') }}
    where not is_scoped

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
