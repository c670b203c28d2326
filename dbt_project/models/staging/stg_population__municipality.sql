{{ config(materialized='table', indexes=[{'columns': ['municipality_code', 'time_period'], 'unique': true}]) }}

with

printed as (

    select
        municipality_code,
        time_period,
        population,
        load_id,
        sheet,
        row_no
    from {{ ref('stg_population__line') }}
    where municipality_code is not null and population is not null

),

-- of the regions of SDMX only Kyiv and Sevastopol are municipalities
regions as (

    select regions.*
    from {{ ref('stg_population_sdmx__area') }} as regions
    inner join {{ ref('stg_katottg__unit') }} as units on regions.area_code = units.unit_code
    where units.category in ('H', 'K')

),

final as (

    select
        municipality_code,
        time_period,
        population,
        'population' as source,
        load_id,
        sheet,
        row_no
    from printed
    union all
    select
        regions.area_code as municipality_code,
        regions.time_period,
        regions.population,
        'population_sdmx' as source,
        regions.load_id,
        null as sheet,
        regions.row_no
    from regions
    left join printed on regions.area_code = printed.municipality_code and regions.time_period = printed.time_period
    where printed.municipality_code is null

)

select * from final
