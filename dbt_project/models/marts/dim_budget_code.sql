with

codes as (

    select * from {{ ref('budget_code') }}

),

final as (

    select
        budget_code,
        -- a code of eleven digits ends with a zero that the code of ten, which took its place in 2022 and 2023, has not
        left(budget_code, 10) as budget_code_10,
        area_code as municipality_code,
        area_level,
        valid_from::text as first_period,
        valid_to::text as last_period,
        name_uk,
        source
    from codes

)

select * from final
