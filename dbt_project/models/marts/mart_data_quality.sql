with

findings as (

    select * from {{ ref('stg_quality__finding') }}

),

loads as (

    select * from {{ ref('stg_ops__load') }}

),

gate_results as (

    select * from {{ ref('stg_quality__gate_result') }}

),

samples as (

    select coalesce(bool_or(is_sample), false) as is_sample
    from loads

),

-- No run, no time: a night that changes nothing leaves this table as it was. The gate over the marts comes after them.
final as (

    select
        'finding' as kind,
        dataset,
        coalesce(municipality_code, 'unknown') as municipality_code,
        coalesce(time_period, 'unknown') as time_period,
        rule_id,
        severity,
        count(*) as open_count,
        false as is_passed,
        bool_or(is_sample) as is_sample
    from findings
    group by dataset, coalesce(municipality_code, 'unknown'), coalesce(time_period, 'unknown'), rule_id, severity
    union all
    select
        'gate' as kind,
        gate_results.dataset,
        'all' as municipality_code,
        'all' as time_period,
        gate_results.check_id as rule_id,
        gate_results.severity,
        case when gate_results.success then 0 else coalesce(gate_results.unexpected_count, 1) end as open_count,
        gate_results.success as is_passed,
        samples.is_sample
    from gate_results
    cross join samples
    where gate_results.gate != 'marts'

)

select * from final
