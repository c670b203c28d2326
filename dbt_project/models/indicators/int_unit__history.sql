{{ config(indexes=[{'columns': ['unit_code']}]) }}

with

edition_units as (

    select * from {{ ref('stg_katottg__edition_unit') }}

),

koatuu as (

    select * from {{ ref('stg_katottg__koatuu') }}

),

snapshots as (

    select
        edition_from,
        edition_to,
        unit_code,
        category,
        name_uk,
        oblast_code,
        raion_code,
        municipality_code,
        parent_code
    from edition_units
    union all
    -- the table of older codes is older than the editions, and tells no places
    select
        '{{ var("codifier_begins") }}'::date as edition_from,
        '{{ var("codifier_begins") }}'::date as edition_to,
        unit_code,
        category,
        name_uk,
        null as oblast_code,
        null as raion_code,
        null as municipality_code,
        null as parent_code
    from koatuu

),

-- Where the place is not told, it is the one that the oldest edition tells; of a village that went before the first edition, that
-- of the hromada whose code its own begins with. Windows, since the planner cannot know how many rows a join here would have.
placed as (

    select
        edition_from,
        edition_to,
        unit_code,
        category,
        name_uk,
        coalesce(oblast_code, first_value(oblast_code) over unit, first_value(oblast_code) over hromada) as oblast_code,
        case
            when oblast_code is not null then raion_code
            when first_value(oblast_code) over unit is not null then first_value(raion_code) over unit
            else first_value(raion_code) over hromada
        end as raion_code,
        case
            when oblast_code is not null then municipality_code
            when first_value(oblast_code) over unit is not null then first_value(municipality_code) over unit
            else first_value(municipality_code) over hromada
        end as municipality_code,
        case
            when oblast_code is not null then parent_code
            when first_value(oblast_code) over unit is not null then first_value(parent_code) over unit
            else first_value(municipality_code) over hromada
        end as parent_code,
        dense_rank() over (order by edition_from, edition_to) as edition_no
    from snapshots
    window
        unit as (partition by unit_code order by oblast_code is null, edition_from),
        hromada as (partition by left(unit_code, 9) order by category = 'H' desc, oblast_code is null, edition_from)

),

editions as (

    select
        edition_no,
        edition_from,
        edition_to,
        lag(edition_from) over (order by edition_no) as previous_from,
        lead(edition_to) over (order by edition_no) as next_to
    from placed
    group by edition_no, edition_from, edition_to

),

-- editions in a row that show the unit in one state share the number of the run
runs as (

    select
        *,
        edition_no - row_number() over (
            partition by unit_code, category, name_uk, oblast_code, raion_code, municipality_code, parent_code
            order by edition_no
        ) as run_no
    from placed
    where oblast_code is not null

),

states as (

    select
        unit_code,
        category,
        name_uk,
        oblast_code,
        raion_code,
        municipality_code,
        parent_code,
        min(edition_no) as first_no,
        max(edition_no) as last_no
    from runs
    group by unit_code, category, name_uk, oblast_code, raion_code, municipality_code, parent_code, run_no

),

final as (

    select
        states.unit_code,
        states.category,
        states.name_uk,
        states.oblast_code,
        states.raion_code,
        states.municipality_code,
        states.parent_code,
        -- what the oldest edition shows is taken to have been so since there are codes
        case
            when states.first_no = 1 then least('{{ var("codifier_begins") }}'::date, first_editions.edition_from)
            else first_editions.edition_to
        end as valid_from,
        last_editions.next_to as valid_to,
        case when states.first_no = 1 then 'assumed' else 'edition' end as valid_from_basis,
        first_editions.previous_from as changed_after
    from states
    inner join editions as first_editions on states.first_no = first_editions.edition_no
    inner join editions as last_editions on states.last_no = last_editions.edition_no

)

select * from final
