{{ config(materialized='table', indexes=[{'columns': ['area_code', 'time_period'], 'unique': true}]) }}

with

in_force as (

    {{ load_in_force('population_sdmx') }}

),

figures as (

    select figure.*
    from {{ source('raw', 'population_sdmx_value') }} as figure
    inner join in_force on figure.load_id = in_force.load_id

),

final as (

    select
        region_code as area_code,
        time_period,
        split_part(value_text, '.', 1)::bigint as population,
        load_id,
        row_no
    from figures
    -- all ages, both sexes, town and country, by year
    where
        indicator_code = 'PNMI_01'
        and age_code = '_T'
        and gender_code = '_T'
        and terrain_code = '_T'
        and freq = 'A'
        and region_code ~ '^UA[0-9]{17}$'
        and time_period ~ '^[0-9]{4}$'
        and value_text ~ '^[0-9]{1,12}([.]0+)?$'

)

select * from final
