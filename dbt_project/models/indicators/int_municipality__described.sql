{{ config(indexes=[{'columns': ['municipality_code'], 'unique': true}]) }}

with

units as (

    select * from {{ ref('stg_katottg__unit') }}

),

population as (

    select distinct on (municipality_code) *
    from {{ ref('stg_population__municipality') }}
    order by municipality_code asc, time_period desc

),

-- the codifier lists the centre of a hromada first
centres as (

    select distinct on (municipality_code)
        municipality_code,
        name_uk,
        category
    from units
    where category in ('M', 'X', 'C')
    order by municipality_code, unit_code

),

limits as (

    select *
    from {{ ref('peer_group_limit') }}
    where valid_to is null

),

final as (

    select
        units.unit_code as municipality_code,
        units.category,
        units.name_uk,
        concat_ws(
            ' ',
            case when units.category = 'K' then 'місто' end,
            units.name_uk,
            case centres.category when 'M' then 'міська' when 'X' then 'селищна' when 'C' then 'сільська' end,
            case when units.category = 'H' then 'територіальна громада' end
        ) as full_name_uk,
        coalesce(centres.name_uk, case when units.category = 'K' then units.name_uk end) as centre_name_uk,
        case
            when units.category = 'K' or centres.category = 'M' then 'urban'
            when centres.category = 'X' then 'settlement'
            when centres.category = 'C' then 'rural'
            else 'unknown'
        end as hromada_type,
        units.raion_code,
        raions.name_uk as raion_name_uk,
        units.oblast_code,
        oblasts.name_uk as oblast_name_uk,
        population.population,
        population.time_period as population_period,
        coalesce(split_part(limits.peer_group_code, ':', 2), 'unknown') as size_class
    from units
    inner join units as oblasts on units.oblast_code = oblasts.unit_code
    left join units as raions on units.raion_code = raions.unit_code
    left join centres on units.unit_code = centres.municipality_code
    left join population on units.unit_code = population.municipality_code
    left join limits
        on population.population >= limits.population_from and coalesce(population.population < limits.population_to, true)
    where units.category in ('H', 'K')

)

select * from final
