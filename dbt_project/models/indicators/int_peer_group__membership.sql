{{ config(indexes=[{'columns': ['municipality_code', 'peer_group_kind']}]) }}

with

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

groups as (

    select * from {{ ref('peer_group') }}

),

limits as (

    select * from {{ ref('peer_group_limit') }}

),

listed as (

    select * from {{ ref('peer_group_member') }}

),

oblasts as (

    select
        unit_code,
        name_uk
    from {{ ref('stg_katottg__unit') }}

),

-- what was before the first state known is taken to have been as it was then
states as (

    select
        history.municipality_code,
        case
            when row_number() over (partition by history.municipality_code order by history.valid_from) > 1
                then history.valid_from
        end as valid_from,
        history.valid_to,
        history.oblast_code,
        case
            when history.category = 'K' or history.centre_category = 'M' then 'urban'
            when history.centre_category in ('T', 'X') then 'settlement'
            when history.centre_category = 'C' then 'rural'
            else 'unknown'
        end as hromada_type
    from {{ ref('int_municipality__history') }} as history
    inner join municipalities on history.municipality_code = municipalities.municipality_code

),

-- a figure is of 1 January and stands until the next one
figures as (

    select
        municipality_code,
        population,
        case
            when row_number() over (partition by municipality_code order by time_period) > 1
                then make_date(time_period::integer, 1, 1)
        end as valid_from,
        make_date(lead(time_period) over (partition by municipality_code order by time_period)::integer, 1, 1) as valid_to
    from {{ ref('stg_population__municipality') }}

),

sizes as (

    select
        figures.municipality_code,
        limits.peer_group_code,
        greatest(figures.valid_from, limits.valid_from) as valid_from,
        least(figures.valid_to, limits.valid_to) as valid_to
    from figures
    inner join limits
        on
            figures.population >= limits.population_from
            and coalesce(figures.population < limits.population_to, true)
            and coalesce(figures.valid_from < limits.valid_to, true)
            and coalesce(figures.valid_to > limits.valid_from, true)

),

kinds as (

    select
        municipality_code,
        'country' as peer_group_kind,
        'UA' as peer_group_code,
        'Україна' as own_name_uk,
        null::date as valid_from,
        null::date as valid_to
    from municipalities
    union all
    select
        states.municipality_code,
        'oblast' as peer_group_kind,
        'oblast:' || states.oblast_code as peer_group_code,
        oblasts.name_uk as own_name_uk,
        states.valid_from,
        states.valid_to
    from states
    left join oblasts on states.oblast_code = oblasts.unit_code
    union all
    select
        municipality_code,
        'type' as peer_group_kind,
        'type:' || hromada_type as peer_group_code,
        hromada_type as own_name_uk,
        valid_from,
        valid_to
    from states
    union all
    select
        municipalities.municipality_code,
        'size' as peer_group_kind,
        coalesce(sizes.peer_group_code, 'size:unknown') as peer_group_code,
        'unknown' as own_name_uk,
        sizes.valid_from,
        sizes.valid_to
    from municipalities
    left join sizes on municipalities.municipality_code = sizes.municipality_code
    union all
    select
        listed.municipality_code,
        listed.peer_group_code as peer_group_kind,
        listed.peer_group_code,
        listed.peer_group_code as own_name_uk,
        listed.valid_from,
        listed.valid_to
    from listed
    inner join municipalities on listed.municipality_code = municipalities.municipality_code

),

placed as (

    select
        *,
        lag(peer_group_code) over stretches as code_before,
        lag(valid_to) over stretches as valid_to_before
    from kinds
    window stretches as (partition by municipality_code, peer_group_kind order by valid_from asc nulls first)

),

-- a renaming, or a figure of the same size, does not end a membership
numbered as (

    select
        *,
        sum(
            case when code_before = peer_group_code and valid_to_before is not distinct from valid_from then 0 else 1 end
        ) over (partition by municipality_code, peer_group_kind order by valid_from asc nulls first) as stretch_no
    from placed

),

merged as (

    select
        municipality_code,
        peer_group_kind,
        peer_group_code,
        own_name_uk,
        case when bool_and(valid_from is not null) then min(valid_from) end as valid_from,
        case when bool_and(valid_to is not null) then max(valid_to) end as valid_to
    from numbered
    group by municipality_code, peer_group_kind, peer_group_code, own_name_uk, stretch_no

),

final as (

    select
        merged.municipality_code,
        merged.peer_group_kind,
        merged.peer_group_code,
        coalesce(groups.name_uk, merged.own_name_uk) as name_uk,
        coalesce(groups.name_en, {{ romanise('merged.own_name_uk') }}) as name_en,
        merged.valid_from,
        merged.valid_to,
        -- the years on whose last day the membership stands
        coalesce(to_char(merged.valid_from, 'YYYY'), '0000') as first_year,
        coalesce((extract(year from merged.valid_to) - 1)::text, '9999') as last_year
    from merged
    left join groups on merged.peer_group_code = groups.peer_group_code

)

select * from final
where first_year <= last_year
