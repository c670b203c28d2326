with

in_force as (

    {{ load_in_force('council_membership') }}

),

cities as (

    select unit_code from {{ ref('stg_katottg__unit') }}
    where category = 'K'

),

lines as (

    select distinct
        memberships.known_by,
        lpad(memberships.council_code, 10, '0') as council_code,
        -- a city that is a region of its own stands there as its first digits
        coalesce(cities.unit_code, memberships.hromada_code) as municipality_code
    from {{ source('raw', 'council_membership') }} as memberships
    inner join in_force on memberships.load_id = in_force.load_id
    left join cities on memberships.hromada_code = left(cities.unit_code, 4)

),

final as (

    select
        known_by,
        council_code,
        municipality_code,
        -- the reader made it a finding: neither line counts, the council stays where it was
        count(*) over (partition by known_by, council_code) > 1 as is_contradicted
    from lines

)

select * from final
