{{
    config(
        materialized='table',
        indexes=[{'columns': ['indicator_code', 'country_code', 'time_period'], 'unique': true}],
    )
}}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

raw_values as (

    select * from {{ source('raw', 'world_bank_value') }}

),

-- the path of a delivery is an indicator
latest as (

    select distinct on (path)
        load_id,
        is_sample
    from loads
    where source = 'world_bank' and status = 'loaded'
    order by path asc, received_no desc, loaded_at desc, load_id asc

),

final as (

    select
        raw_values.indicator_code,
        raw_values.indicator_name as name_en,
        raw_values.country_code,
        raw_values.time_period,
        case when {{ is_castable('raw_values.value_text') }} then raw_values.value_text::double precision end as obs_value,
        raw_values.load_id,
        latest.is_sample
    from raw_values
    inner join latest on raw_values.load_id = latest.load_id
    where
        raw_values.time_period ~ '^[0-9]{4}$'
        and (raw_values.value_text is null or raw_values.value_text ~ '^-?[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?$')

)

select * from final
