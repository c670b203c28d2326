with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

-- an edition that came twice is one edition: the file that came last
editions as (

    select distinct on (edition.edition)
        edition.load_id,
        edition.edition,
        edition.edition_from,
        edition.edition_to
    from {{ source('raw', 'katottg_edition') }} as edition
    inner join loads on edition.load_id = loads.load_id
    order by edition.edition asc, loads.received_no desc, loads.loaded_at desc, loads.load_id asc

),

newest as (

    select edition
    from editions
    order by edition_from desc, edition desc
    limit 1

),

units as (

    select
        editions.edition,
        editions.edition_from,
        editions.edition_to,
        katottg_unit.level1_code,
        katottg_unit.level2_code,
        katottg_unit.level3_code,
        katottg_unit.level4_code,
        katottg_unit.level5_code,
        translate({{ clean_text('katottg_unit.category') }}, 'ОРКНМХСВТ', 'OPKHMXCBT') as category,
        {{ clean_text('katottg_unit.name') }} as name_uk
    from {{ source('raw', 'katottg_unit') }} as katottg_unit
    inner join editions on katottg_unit.load_id = editions.load_id

),

final as (

    select
        edition,
        edition_from,
        edition_to,
        edition = (select newest.edition from newest) as is_newest,
        coalesce(level5_code, level4_code, level3_code, level2_code, level1_code) as unit_code,
        category,
        name_uk,
        level1_code as oblast_code,
        -- a city with the rank of an oblast repeats its own code at the levels between
        nullif(level2_code, level1_code) as raion_code,
        coalesce(level3_code, case when category = 'K' then level1_code end) as municipality_code,
        case
            when level5_code is not null then level4_code
            when level4_code is not null then level3_code
            when level3_code is not null then level2_code
            when level2_code is not null then level1_code
        end as parent_code
    from units
    where level1_code is not null

)

select * from final
