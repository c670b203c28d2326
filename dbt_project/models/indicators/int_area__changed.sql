{{ config(materialized='view') }}

with

changed as (

    select
        municipality_code,
        time_period
    from {{ ref('stg_ops__changed_key') }}

),

municipalities as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code
    from {{ ref('int_municipality__described') }}

),

areas as (

    select * from {{ ref('int_area__place') }}

),

-- a figure of a territory that is no more is put together into today's
touched as (

    select * from changed
    union
    select
        crosswalk.target_code as municipality_code,
        changed.time_period
    from changed
    inner join {{ ref('int_boundary__crosswalk') }} as crosswalk on changed.municipality_code = crosswalk.source_code
    where crosswalk.target_valid_to is null

),

final as (

    select
        municipalities.place_code as area_code,
        touched.time_period
    from touched
    inner join municipalities on touched.municipality_code = municipalities.municipality_code
    union
    -- of all oblasts it is told what is asked of the country
    select
        areas.area_code,
        changed.time_period
    from areas
    cross join changed
    where areas.area_level != 'raion'

)

select * from final
