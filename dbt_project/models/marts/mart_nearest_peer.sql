-- The profile: population of the register, area (TER.001), share of urban population (POP.D12) and own income per head, each of
-- the newest year that tells it. Sizes differ by orders of magnitude, so their logarithms are compared. Means and deviations
-- are taken as numeric, which does not depend on order; ties go by code.
with

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

facts as (

    select * from {{ ref('fct_indicator_value') }}
    where indicator_code in ('TER.001', 'POP.D12') and sex = 'T' and obs_value is not null

),

budgets as (

    select * from {{ ref('mart_budget_profile') }}
    where own_income_per_head > 0 and year_status = 'A'

),

told as (

    select distinct on (municipality_code, indicator_code)
        municipality_code,
        indicator_code,
        obs_value
    from facts
    order by municipality_code asc, indicator_code asc, time_period desc

),

incomes as (

    select distinct on (municipality_code)
        municipality_code,
        own_income_per_head
    from budgets
    order by municipality_code asc, time_period desc

),

profiles as (

    select
        municipalities.municipality_code,
        ln(nullif(municipalities.population, 0)) as population,
        ln(case when area.obs_value > 0 then area.obs_value end) as area,
        urban.obs_value as urban_share,
        ln(incomes.own_income_per_head) as own_income
    from municipalities
    left join told as area
        on municipalities.municipality_code = area.municipality_code and area.indicator_code = 'TER.001'
    left join told as urban
        on municipalities.municipality_code = urban.municipality_code and urban.indicator_code = 'POP.D12'
    left join incomes on municipalities.municipality_code = incomes.municipality_code

),

complete as (

    select * from profiles
    where population is not null and area is not null and urban_share is not null and own_income is not null

),

spread as (

    select
        avg(population::numeric)::double precision as population_mean,
        nullif(stddev_pop(population::numeric), 0)::double precision as population_deviation,
        avg(area::numeric)::double precision as area_mean,
        nullif(stddev_pop(area::numeric), 0)::double precision as area_deviation,
        avg(urban_share::numeric)::double precision as urban_mean,
        nullif(stddev_pop(urban_share::numeric), 0)::double precision as urban_deviation,
        avg(own_income::numeric)::double precision as income_mean,
        nullif(stddev_pop(own_income::numeric), 0)::double precision as income_deviation
    from complete

),

-- what does not differ between any two says nothing
standardised as (

    select
        complete.municipality_code,
        coalesce((complete.population - spread.population_mean) / spread.population_deviation, 0) as population,
        coalesce((complete.area - spread.area_mean) / spread.area_deviation, 0) as area,
        coalesce((complete.urban_share - spread.urban_mean) / spread.urban_deviation, 0) as urban_share,
        coalesce((complete.own_income - spread.income_mean) / spread.income_deviation, 0) as own_income
    from complete
    cross join spread

),

pairs as (

    select
        one.municipality_code,
        other.municipality_code as peer_code,
        round(sqrt(
            (one.population - other.population) ^ 2 + (one.area - other.area) ^ 2
            + (one.urban_share - other.urban_share) ^ 2 + (one.own_income - other.own_income) ^ 2
        )::numeric, 6)::double precision as distance
    from standardised as one
    inner join standardised as other on one.municipality_code <> other.municipality_code

),

ranked as (

    select
        municipality_code,
        peer_code,
        distance,
        row_number() over (partition by municipality_code order by distance, peer_code) as peer_no
    from pairs

),

unranked as (

    select
        municipality_code,
        concat_ws(
            ', ',
            case when population is null then 'population' end,
            case when area is null then 'area' end,
            case when urban_share is null then 'urban_share' end,
            case when own_income is null then 'own_income' end
        ) as missing
    from profiles

),

final as (

    select
        municipality_code,
        peer_no::integer as peer_no,
        peer_code,
        distance,
        null as not_ranked_reason
    from ranked
    where peer_no <= 20
    union all
    select
        municipality_code,
        0 as peer_no,
        null as peer_code,
        null as distance,
        'missing: ' || missing as not_ranked_reason
    from unranked
    where missing <> ''

)

select * from final
