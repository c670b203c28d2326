with

areas as (

    select * from {{ ref('int_area__history') }}

),

-- thirty thousand settlements share half as many names, and each is spelt once
names as (

    select
        name_uk,
        {{ romanise('name_uk') }} as name_en
    from areas
    group by name_uk

),

final as (

    select
        areas.area_code,
        areas.valid_from,
        areas.valid_to,
        areas.valid_from_basis,
        areas.changed_after,
        areas.valid_to is null as is_current,
        areas.area_level,
        areas.category,
        areas.name_uk,
        names.name_en,
        areas.parent_code,
        areas.municipality_code
    from areas
    left join names on areas.name_uk = names.name_uk

)

select * from final
