{{ config(materialized='table', indexes=[{'columns': ['municipality_code', 'time_period'], 'unique': true}]) }}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

units as (

    select * from {{ ref('stg_katottg__unit') }}

),

raw_rows as (

    select * from {{ source('raw', 'health_declarations_row') }}

),

-- the month that the publisher says the file is of; a corrected file of a month replaces the one before
latest as (

    select distinct on (left(held.as_of_text, 7))
        held.load_id,
        left(held.as_of_text, 7) as time_period,
        loads.is_sample
    from (
        select distinct
            load_id,
            as_of_text
        from raw_rows
    ) as held
    inner join loads on held.load_id = loads.load_id
    where loads.status = 'loaded' and held.as_of_text ~ '^[0-9]{4}-(0[1-9]|1[0-2])'
    order by left(held.as_of_text, 7) asc, loads.received_no desc, loads.loaded_at desc, held.load_id asc

),

final as (

    select distinct on (units.municipality_code, latest.time_period)
        units.municipality_code,
        latest.time_period,
        {%- for column in ['total', 'female', 'male', 'urban', 'rural', 'youth', 'working_age_total', 'male_18_60'] %}
        case when raw_rows.{{ column }} ~ '^ *[0-9]{1,9} *$' then btrim(raw_rows.{{ column }})::integer end
            as {{ 'declaration_count' if column == 'total' else column ~ '_count' }},
        {%- endfor %}
        raw_rows.load_id,
        raw_rows.row_no,
        latest.is_sample
    from raw_rows
    inner join latest on raw_rows.load_id = latest.load_id
    inner join units on btrim(raw_rows.hromada_code) = units.unit_code and units.category in ('H', 'K')
    order by units.municipality_code, latest.time_period, raw_rows.row_no

)

select * from final
