{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period'], 'unique': true}],
    )
}}

with

keys as (

    select distinct
        sent.municipality_code,
        sent.time_period
    from {{ ref('stg_submissions__return') }} as sent
    where sent.time_period ~ '^[0-9]{4}$' and {{ only_changed_keys('sent', 'answer') }}

),

inputs as (
    {{ input_arrays(ref('stg_submissions__latest_cell'), 'keys', reads_ahead=false) }}
),

final as (

    select
        municipality_code,
        time_period,
        v,
        m
    from inputs

)

select * from final
