{{ config(materialized='view') }}

with

units as (

    select * from {{ ref('int_unit__history') }}

),

oblasts as (

    select distinct unit_code
    from units
    where category in ('O', 'K')

),

councils as (

    select * from {{ ref('stg_boundaries__council') }}

),

koatuu as (

    select * from {{ ref('stg_katottg__koatuu') }}

),

-- digits 3 to 5 of a КОАТУУ code that begin with 2 are a raion; the list of councils names those that had councils of their own
old_raions as (

    select
        raion_code,
        max(name_uk) as name_uk
    from (
        select
            left(council_code, 5) || '00000' as raion_code,
            case when centre_name_uk like '% район' then centre_name_uk end as name_uk
        from councils
        where substr(council_code, 3, 1) = '2'
        union all
        select
            left(koatuu_code, 5) || '00000' as raion_code,
            null as name_uk
        from koatuu
        where substr(koatuu_code, 3, 1) = '2'
    ) as raion
    group by raion_code

),

final as (

    select
        unit_code as area_code,
        valid_from,
        valid_to,
        valid_from_basis,
        changed_after,
        case category
            when 'O' then 'oblast'
            when 'P' then 'raion'
            when 'H' then 'municipality'
            when 'K' then 'municipality'
            when 'B' then 'city_district'
            else 'settlement'
        end as area_level,
        category,
        name_uk,
        coalesce(parent_code, 'UA') as parent_code,
        municipality_code
    from units
    union all
    select
        'UA' as area_code,
        min(valid_from) as valid_from,
        null as valid_to,
        'assumed' as valid_from_basis,
        null as changed_after,
        'country' as area_level,
        'UA' as category,
        'Україна' as name_uk,
        null as parent_code,
        null as municipality_code
    from units
    having count(*) > 0
    union all
    select
        old_raions.raion_code as area_code,
        '{{ var("councils_known_since") }}'::date as valid_from,
        '{{ var("raions_changed_on") }}'::date as valid_to,
        'assumed' as valid_from_basis,
        null as changed_after,
        'raion_old' as area_level,
        'P' as category,
        -- a raion without councils of its own when the list was made is not named by any source
        coalesce(old_raions.name_uk, 'Район ' || old_raions.raion_code) as name_uk,
        oblasts.unit_code as parent_code,
        null as municipality_code
    from old_raions
    left join oblasts on left(oblasts.unit_code, 4) = 'UA' || left(old_raions.raion_code, 2)
    union all
    select
        councils.council_code as area_code,
        '{{ var("councils_known_since") }}'::date as valid_from,
        '{{ var("codifier_begins") }}'::date as valid_to,
        'assumed' as valid_from_basis,
        null as changed_after,
        'council' as area_level,
        'R' as category,
        councils.name_uk,
        coalesce(old_raions.raion_code, oblasts.unit_code) as parent_code,
        null as municipality_code
    from councils
    left join old_raions on left(councils.council_code, 5) || '00000' = old_raions.raion_code
    left join oblasts on left(oblasts.unit_code, 4) = 'UA' || left(councils.council_code, 2)

)

select * from final
