with

municipalities as (

    select * from {{ ref('int_municipality__history') }}

),

final as (

    select
        municipality_code,
        valid_from,
        valid_to,
        valid_from_basis,
        changed_after,
        valid_to is null as is_current,
        name_uk,
        {{ romanise('name_uk') }} as name_en,
        category,
        centre_name_uk,
        centre_category,
        raion_code,
        raion_name_uk,
        oblast_code,
        oblast_name_uk,
        koatuu_code
    from municipalities

)

select * from final
