{{
    config(
        materialized='table',
        indexes=[{'columns': ['table_code', 'time_period', 'budget_code'], 'unique': true}],
    )
}}

with

units as (

    select * from {{ ref('stg_katottg__unit') }}

),

former_names as (

    select * from {{ ref('municipality_former_name') }}

),

known_areas as (

    select * from {{ ref('budget_area') }}

),

transfer_values as (

    select * from {{ ref('stg_transfers__value') }}

),

named as (

    select
        table_code,
        time_period,
        budget_code,
        {{ clean_text('min(name_text)') }} as name_uk
    from transfer_values
    group by table_code, time_period, budget_code

),

budgets as materialized (

    select
        *,
        case
            when name_uk ~* '^(усього|всього|разом)' then 'total'
            when name_uk ~* '^(резерв|обсяг коштів)' then 'reserve'
            when name_uk ~* '^(зведений бюджет|бюджети) ' then 'aggregate'
            when name_uk ~* '^(обласний бюджет |бюджет автономної республіки крим)' then 'oblast'
            when name_uk ~* '^районний бюджет ' then 'raion'
            when name_uk ~* '^бюджет міста (києва|севастополя)$' then 'city'
            when name_uk ~* ' територіальної громади$' then 'hromada'
            else 'unknown'
        end as budget_level
    from named

),

keyed as materialized (

    select
        *,
        -- a budget is named in the genitive: «Вінницької області», «Вінницької міської територіальної громади»
        {{ fold_name("regexp_replace(name_uk, '^Обласний бюджет (.*)ої област.$', '\\1а')") }} as oblast_key,
        {{ fold_name("regexp_replace(name_uk, '^Бюджет (.*)ої (міської|селищної|сільської) територіальної громади$', '\\1а')") }}
            as hromada_key,
        case
            when name_uk ~ ' міської т' then 3
            when name_uk ~ ' селищної т' then 2
            when name_uk ~ ' сільської т' then 1
        end as rank_of_centre
    from budgets

),

-- the first two digits of a code are the region, and its own budget says which that is
oblasts as (

    select
        keyed.table_code,
        keyed.time_period,
        left(keyed.budget_code, 2) as region_digits,
        min(units.unit_code) as oblast_code
    from keyed
    inner join units on keyed.oblast_key = {{ fold_name('units.name_uk') }} and units.category = 'O'
    where keyed.budget_level = 'oblast'
    group by keyed.table_code, keyed.time_period, left(keyed.budget_code, 2)

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

names as (

    select
        unit_code as municipality_code,
        name_uk,
        false as is_former
    from units
    where category = 'H'
    union all
    select
        municipality_code,
        former_name_uk as name_uk,
        true as is_former
    from former_names
    where unit_kind = 'hromada'

),

hromadas as materialized (

    select
        names.municipality_code,
        units.oblast_code,
        names.is_former,
        {{ fold_name('names.name_uk') }} as hromada_key,
        case centres.category when 'M' then 3 when 'X' then 2 when 'C' then 1 end as rank_of_centre
    from names
    inner join units on names.municipality_code = units.unit_code
    left join centres on names.municipality_code = centres.municipality_code

),

-- nearest first: the same kind of centre, the name in force (budgets print no raion, which tells hromadas of one name apart)
candidates as (

    select
        keyed.table_code,
        keyed.time_period,
        keyed.budget_code,
        hromadas.municipality_code,
        rank() over (
            partition by keyed.table_code, keyed.time_period, keyed.budget_code
            order by abs(coalesce(keyed.rank_of_centre - hromadas.rank_of_centre, 0)), hromadas.is_former
        ) as nearness
    from keyed
    inner join oblasts
        on
            keyed.table_code = oblasts.table_code
            and keyed.time_period = oblasts.time_period
            and left(keyed.budget_code, 2) = oblasts.region_digits
    inner join hromadas
        on keyed.hromada_key = hromadas.hromada_key and oblasts.oblast_code = hromadas.oblast_code
    where keyed.budget_level = 'hromada'

),

resolved as (

    select
        table_code,
        time_period,
        budget_code,
        min(municipality_code) as area_code
    from candidates
    where nearness = 1
    group by table_code, time_period, budget_code
    having count(distinct municipality_code) = 1
    union all
    select
        keyed.table_code,
        keyed.time_period,
        keyed.budget_code,
        units.unit_code as area_code
    from keyed
    inner join units
        on
            units.category = 'K'
            and units.name_uk
            = case when keyed.name_uk ~* 'києва$' then 'Київ' when keyed.name_uk ~* 'севастополя$' then 'Севастополь' end
    where keyed.budget_level = 'city'
    union all
    select
        keyed.table_code,
        keyed.time_period,
        keyed.budget_code,
        oblasts.oblast_code as area_code
    from keyed
    inner join oblasts
        on
            keyed.table_code = oblasts.table_code
            and keyed.time_period = oblasts.time_period
            and left(keyed.budget_code, 2) = oblasts.region_digits
    where keyed.budget_level = 'oblast'

),

-- a unit that two budgets claim belongs to neither
claimed as (

    select
        *,
        count(*) over (partition by table_code, time_period, area_code) as claim_count
    from resolved

),

final as (

    select
        budgets.table_code,
        budgets.time_period,
        budgets.budget_code,
        budgets.budget_level,
        budgets.name_uk,
        coalesce(known_areas.area_code, claimed.area_code) as area_code
    from budgets
    left join known_areas on budgets.budget_code = known_areas.budget_code
    left join claimed
        on
            budgets.table_code = claimed.table_code
            and budgets.time_period = claimed.time_period
            and budgets.budget_code = claimed.budget_code
            and claimed.claim_count = 1

)

select * from final
