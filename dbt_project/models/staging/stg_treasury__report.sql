with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

raw_reports as (

    select * from {{ source('raw', 'treasury_report') }}

),

-- the path of a delivery is a payer
latest as (

    select distinct on (path)
        load_id,
        is_sample
    from loads
    where source = 'treasury' and status = 'loaded' and path like 'reports payer=%'
    order by path asc, received_no desc, loaded_at desc, load_id asc

),

final as (

    select
        raw_reports.report_id,
        raw_reports.municipality_code,
        raw_reports.payer_edrpou,
        raw_reports.report_name as name_uk,
        raw_reports.period as time_period,
        {{ amount('raw_reports.amount') }} as amount,
        case
            when raw_reports.date_publish ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]' then left(raw_reports.date_publish, 10)::date
        end as valid_from,
        case
            when raw_reports.date_cancel ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]' then left(raw_reports.date_cancel, 10)::date
        end as valid_to,
        raw_reports.date_cancel is null as is_in_force,
        raw_reports.load_id,
        latest.is_sample
    from raw_reports
    inner join latest on raw_reports.load_id = latest.load_id

)

select * from final
