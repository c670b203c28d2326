{{ config(materialized='table') }}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

units as (

    select * from {{ ref('stg_katottg__unit') }}

),

former_names as (

    select * from {{ ref('municipality_former_name') }}

),

latest_load as (

    select load_id
    from loads
    where source = 'population' and status = 'loaded'
    order by received_no desc, loaded_at desc, load_id asc
    limit 1

),

raw_lines as (

    select
        population_unit.load_id,
        population_unit.sheet,
        population_unit.row_no,
        population_unit.time_period,
        {{ clean_text('population_unit.oblast_text') }} as oblast_text,
        {{ clean_text('population_unit.raion_text') }} as raion_text,
        {{ clean_text('population_unit.name_text') }} as name_text,
        {{ clean_text('population_unit.value_text') }} as value_text
    from {{ source('raw', 'population_unit') }} as population_unit
    inner join latest_load on population_unit.load_id = latest_load.load_id

),

-- the table also prints the country, oblasts and raions: those are sums of the lines kept here
lines as materialized (

    select
        *,
        name_text ~ '^м\. ?' as is_city,
        case
            when name_text ~ 'міська' then 3
            when name_text ~ 'селищна' then 2
            when name_text ~ 'сільська' then 1
        end as rank_of_centre,
        {{ fold_name("regexp_replace(oblast_text, ' область$', '')") }} as oblast_key,
        {{ fold_name("regexp_replace(raion_text, ' район$', '')") }} as raion_key,
        {{
            fold_name(
                "regexp_replace(name_text, '^м\\. ?| \\(.*$| (міська|селищна|сільська)? ?(ТГ|територіальна громада)$', '', 'g')"
            )
        }} as name_key,
        {{ number_text('value_text') }} as number_text
    from raw_lines
    where name_text ~ '(^м\. ?)|( ТГ$)|( територіальна громада$)'

),

-- the codifier lists the settlement that a hromada is led from first
centres as (

    select distinct on (municipality_code)
        municipality_code,
        category
    from units
    where category in ('M', 'X', 'C')
    order by municipality_code, unit_code

),

municipalities as (

    select
        units.municipality_code,
        units.category,
        oblasts.name_uk as oblast_name,
        raions.name_uk as raion_name,
        units.name_uk,
        case centres.category when 'M' then 3 when 'X' then 2 when 'C' then 1 end as rank_of_centre
    from units
    inner join units as oblasts on units.oblast_code = oblasts.unit_code
    left join units as raions on units.raion_code = raions.unit_code
    left join centres on units.unit_code = centres.municipality_code
    where units.category in ('H', 'K')

),

names as (

    select
        municipality_code,
        name_uk,
        false as is_former
    from municipalities
    union all
    select
        municipality_code,
        former_name_uk as name_uk,
        true as is_former
    from former_names
    where unit_kind = 'hromada'

),

keyed as materialized (

    select
        municipalities.municipality_code,
        municipalities.category = 'K' as is_city,
        municipalities.rank_of_centre,
        names.is_former,
        {{ fold_name('municipalities.oblast_name') }} as oblast_key,
        {{ fold_name('municipalities.raion_name') }} as raion_key,
        {{ fold_name('names.name_uk') }} as name_key
    from municipalities
    inner join names on municipalities.municipality_code = names.municipality_code

),

-- Nearest first: the same raion (raions were renamed too, so another one does not rule out), the name in force, the same kind of
-- centre (a settlement may have changed its kind since).
candidates as (

    select
        lines.sheet,
        lines.row_no,
        keyed.municipality_code,
        rank() over (
            partition by lines.sheet, lines.row_no
            order by
                coalesce(lines.raion_key = keyed.raion_key, false) desc,
                keyed.is_former,
                abs(coalesce(lines.rank_of_centre - keyed.rank_of_centre, 0))
        ) as nearness
    from lines
    inner join keyed
        on
            lines.is_city = keyed.is_city
            and lines.name_key = keyed.name_key
            and (lines.is_city or lines.oblast_key = keyed.oblast_key)

),

resolved as (

    select
        sheet,
        row_no,
        min(municipality_code) as municipality_code
    from candidates
    where nearness = 1
    group by sheet, row_no
    having count(distinct municipality_code) = 1

),

-- a municipality that two lines claim belongs to neither
claimed as (

    select
        *,
        count(*) over (partition by municipality_code) as claim_count
    from resolved

),

final as (

    select
        lines.load_id,
        lines.sheet,
        lines.row_no,
        lines.oblast_text,
        lines.raion_text,
        lines.name_text,
        claimed.municipality_code,
        lines.time_period,
        lines.value_text,
        case
            when lines.number_text ~ '^[0-9]{1,15}([.][0-9]*)?$' then round(lines.number_text::numeric)::bigint
        end as population
    from lines
    left join claimed
        on
            lines.sheet = claimed.sheet
            and lines.row_no = claimed.row_no
            and claimed.claim_count = 1

)

select * from final
