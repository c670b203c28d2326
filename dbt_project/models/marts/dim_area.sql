with

areas as (

    select * from {{ ref('int_area__history') }}

),

final as (

    select
        area_code,
        valid_from,
        valid_to,
        valid_from_basis,
        changed_after,
        valid_to is null as is_current,
        area_level,
        category,
        name_uk,
        {{ romanise('name_uk') }} as name_en,
        parent_code,
        municipality_code
    from areas

)

select * from final
