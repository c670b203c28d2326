{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex'], 'unique': true}],
    )
}}

with

registers as (

    select register.*
    from {{ ref('int_register__value') }} as register
    where {{ only_changed_keys('register') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

final as (

    select
        registers.municipality_code,
        registers.indicator_code,
        registers.collection_code,
        registers.time_period,
        {{ period_start('registers.time_period') }} as period_start,
        registers.sex,
        registers.register_code,
        registers.register_value,
        indicators.unit_measure,
        registers.load_id,
        registers.sheet,
        registers.row_nos
    from registers
    inner join indicators on registers.indicator_code = indicators.indicator_code
    left join {{ ref('int_embargo__held') }} as held
        on registers.indicator_code = held.indicator_code and left(registers.time_period, 4) = held.time_period
    where held.indicator_code is null and indicators.conf_status != 'restricted'

)

select * from final
