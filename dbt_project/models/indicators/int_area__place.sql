{{ config(materialized='view') }}

with

municipalities as (

    select
        coalesce(raion_code, municipality_code) as place_code,
        raion_code,
        oblast_code
    from {{ ref('int_municipality__described') }}

),

final as (

    select distinct
        place_code,
        raion_code as area_code,
        'raion' as area_level
    from municipalities
    where raion_code is not null
    union all
    select distinct
        place_code,
        oblast_code as area_code,
        'oblast' as area_level
    from municipalities
    union all
    select distinct
        place_code,
        'UA' as area_code,
        'country' as area_level
    from municipalities

)

select * from final
