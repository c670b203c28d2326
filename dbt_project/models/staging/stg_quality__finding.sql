with

findings as (

    select * from {{ source('quality', 'finding') }}

),

-- what was sent as a trial only is told to its sender and counts nowhere
arrivals as (

    select
        submission_id,
        bool_and(is_test) as is_test
    from {{ ref('stg_submissions__delivery') }}
    group by submission_id

),

deliveries as (

    select * from {{ source('raw', 'delivery') }}

),

final as (

    select
        findings.finding_id,
        findings.rule_id,
        findings.severity,
        findings.dataset,
        findings.submission_id,
        findings.collection_code,
        findings.municipality_code,
        findings.time_period,
        findings.indicator_code,
        findings.sex,
        findings.is_sample
    from findings
    left join arrivals on findings.submission_id = arrivals.submission_id
    left join deliveries on findings.delivery_id = deliveries.delivery_id
    where
        findings.is_open
        and arrivals.is_test is not true
        and deliveries.is_test is not true

)

select * from final
