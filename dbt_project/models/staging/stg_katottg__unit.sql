{{ config(materialized='table', indexes=[{'columns': ['unit_code']}, {'columns': ['municipality_code']}]) }}

with

editions as (

    select * from {{ ref('stg_katottg__edition_unit') }}

),

final as (

    select
        unit_code,
        category,
        name_uk,
        oblast_code,
        raion_code,
        municipality_code,
        parent_code
    from editions
    where is_newest

)

select * from final
