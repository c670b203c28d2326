with

memberships as (

    select * from {{ ref('stg_boundaries__membership') }}
    where not is_contradicted

),

councils as (

    select * from {{ ref('stg_boundaries__council') }}

),

koatuu as (

    select * from {{ ref('stg_katottg__koatuu') }}
    where category in ('H', 'K')

),

-- The history is silent on Crimea and Sevastopol. There the codifier tells: the hromada bears its council's КОАТУУ code.
silent as (

    select distinct on (councils.council_code)
        '{{ var("codifier_begins") }}'::date as known_by,
        councils.council_code,
        koatuu.unit_code as municipality_code
    from councils
    inner join koatuu on left(councils.council_code, 8) = left(koatuu.koatuu_code, 8)
    left join memberships on councils.council_code = memberships.council_code
    where memberships.council_code is null
    order by councils.council_code asc, koatuu.koatuu_code asc, koatuu.unit_code asc

),

snapshots as (

    select
        known_by,
        council_code,
        municipality_code,
        'council_history' as source
    from memberships
    union all
    select
        known_by,
        council_code,
        municipality_code,
        'koatuu' as source
    from silent

),

marked as (

    select
        *,
        lag(municipality_code) over council as previous_code,
        lag(known_by) over council as previous_known_by
    from snapshots
    window council as (partition by council_code order by known_by)

),

final as (

    select
        council_code,
        municipality_code,
        known_by,
        previous_code,
        -- the last day on which it was known to be in the hromada that it left
        case when previous_code is not null then previous_known_by end as known_after,
        lead(known_by) over (partition by council_code order by known_by) as known_until,
        source
    from marked
    where municipality_code is distinct from previous_code

)

select * from final
