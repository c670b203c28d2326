{{ config(materialized='table', indexes=[{'columns': ['unit_code']}, {'columns': ['municipality_code']}]) }}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

latest_load as (

    select load_id
    from loads
    where source = 'katottg' and status = 'loaded'
    order by received_no desc, loaded_at desc, load_id asc
    limit 1

),

units as (

    select
        katottg_unit.level1_code,
        katottg_unit.level2_code,
        katottg_unit.level3_code,
        katottg_unit.level4_code,
        katottg_unit.level5_code,
        translate({{ clean_text('katottg_unit.category') }}, 'ОРКНМХСВТ', 'OPKHMXCBT') as category,
        {{ clean_text('katottg_unit.name') }} as name_uk
    from {{ source('raw', 'katottg_unit') }} as katottg_unit
    inner join latest_load on katottg_unit.load_id = latest_load.load_id

),

final as (

    select
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
