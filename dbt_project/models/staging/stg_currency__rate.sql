{{ config(materialized='table', indexes=[{'columns': ['currency_code', 'rate_date'], 'unique': true}]) }}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

raw_rates as (

    select * from {{ source('raw', 'currency_rate') }}

),

-- the path of a delivery is a currency and a year
latest as (

    select distinct on (path)
        load_id,
        path,
        is_sample
    from loads
    where source = 'currency' and status = 'loaded'
    order by path asc, received_no desc, loaded_at desc, load_id asc

),

final as (

    select distinct on (raw_rates.currency_code, raw_rates.rate_date)
        raw_rates.currency_code,
        to_date(raw_rates.rate_date, 'DD.MM.YYYY') as rate_date,
        (raw_rates.rate::numeric / raw_rates.units::numeric)::numeric(18, 8) as uah_per_unit,
        raw_rates.load_id,
        latest.is_sample
    from raw_rates
    inner join latest on raw_rates.load_id = latest.load_id
    where
        raw_rates.currency_code || ' ' || right(raw_rates.rate_date, 4) = latest.path
        and raw_rates.rate_date ~ '^(0[1-9]|[12][0-9]|3[01])[.](0[1-9]|1[0-2])[.][0-9]{4}$'
        and raw_rates.rate ~ '^[0-9]{1,6}([.][0-9]{1,8})?$'
        and raw_rates.units ~ '^10{0,4}$'
    order by raw_rates.currency_code, raw_rates.rate_date, raw_rates.row_no

)

select * from final
