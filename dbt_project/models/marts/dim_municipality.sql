with

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

final as (

    select
        municipality_code,
        name_uk,
        {{ romanise('name_uk') }} as name_en,
        full_name_uk,
        centre_name_uk,
        {{ romanise('centre_name_uk') }} as centre_name_en,
        category,
        hromada_type,
        size_class,
        raion_code,
        raion_name_uk,
        {{ romanise('raion_name_uk') }} as raion_name_en,
        oblast_code,
        oblast_name_uk,
        {{ romanise('oblast_name_uk') }} as oblast_name_en,
        population,
        population_period,
        false as is_sample
    from municipalities

)

select * from final
