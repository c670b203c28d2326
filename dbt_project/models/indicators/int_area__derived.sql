{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['area_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

-- A ratio of an area is computed of the sums of its inputs, over the municipalities for which it can be computed: one that gave
-- the numerator alone is in neither sum. Sums are taken as numeric, which does not depend on order.

with

cells as (

    select * from {{ ref('int_observation__on_current') }}

),

standing as (

    select source_code as municipality_code
    from {{ ref('int_boundary__crosswalk') }}
    where source_valid_to is null

),

places as (

    select
        municipality_code,
        raion_code,
        oblast_code,
        population
    from {{ ref('int_municipality__described') }}

),

recast_values as (

    select * from {{ ref('int_indicator__recast') }}

),

as_reported as (

    select * from {{ ref('int_indicator__derived') }}

),

derived as (

    select
        collection_code,
        municipality_code,
        time_period,
        indicator_code,
        sex,
        obs_status,
        is_sample
    from recast_values
    union all
    select
        as_reported.collection_code,
        as_reported.municipality_code,
        as_reported.time_period,
        as_reported.indicator_code,
        as_reported.sex,
        as_reported.obs_status,
        as_reported.is_sample
    from as_reported
    inner join standing on as_reported.municipality_code = standing.municipality_code
    left join recast_values
        on
            as_reported.municipality_code = recast_values.municipality_code
            and as_reported.time_period = recast_values.time_period
            and as_reported.indicator_code = recast_values.indicator_code
            and as_reported.sex = recast_values.sex
    where recast_values.municipality_code is null

),

-- a denominator of zero (M_Z) in one municipality is none in the area
included as (

    select
        derived.*,
        coalesce(places.raion_code, places.municipality_code) as place_code,
        places.population
    from derived
    inner join places on derived.municipality_code = places.municipality_code
    where derived.obs_status in ('A', 'E', 'M_Z') and {{ only_changed_keys('derived', 'year') }}

),

terms as materialized (
    {{ formula_terms() }}
),

asked as materialized (

    select
        terms.indicator_code,
        terms.sex,
        terms.formula_no,
        terms.term_no,
        inputs.origin,
        inputs.collection_code as input_collection_code,
        inputs.indicator_code as input_code,
        inputs.sex as input_sex,
        inputs.period_offset
    from terms
    inner join {{ ref('stg_catalogue__formula_input') }} as inputs on terms.slot = inputs.slot

),

registered as materialized (

    select
        municipality_code,
        population::double precision as population,
        time_period as known_from,
        coalesce(lead(time_period) over (partition by municipality_code order by time_period), '9999') as known_to
    from {{ ref('stg_population__municipality') }}

),

term_sums as (

    select
        included.place_code,
        included.collection_code,
        included.time_period,
        asked.formula_no,
        asked.term_no,
        sum(coalesce(cells.obs_value, registered.population)::numeric) as term_sum
    from included
    inner join asked on included.indicator_code = asked.indicator_code and included.sex = asked.sex
    left join cells
        on
            asked.origin = 'reported'
            and included.municipality_code = cells.municipality_code
            and asked.input_collection_code = cells.collection_code
            and asked.input_code = cells.indicator_code
            and asked.input_sex = cells.sex
            and (included.time_period::integer + asked.period_offset)::text = cells.time_period
    left join registered
        on
            asked.origin = 'register'
            and included.municipality_code = registered.municipality_code
            and (included.time_period::integer + asked.period_offset)::text >= registered.known_from
            and (included.time_period::integer + asked.period_offset)::text < registered.known_to
    group by included.place_code, included.collection_code, included.time_period, asked.formula_no, asked.term_no

),

counts as (

    select
        place_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        count(*) as reporting_count,
        sum(population) as reporting_population,
        bool_or(obs_status = 'E') as is_estimated,
        bool_or(is_sample) as is_sample
    from included
    group by place_code, collection_code, time_period, indicator_code, sex

),

areas as (

    select distinct
        coalesce(raion_code, municipality_code) as place_code,
        raion_code as area_code,
        'raion' as area_level
    from places
    where raion_code is not null
    union all
    select distinct
        coalesce(raion_code, municipality_code) as place_code,
        oblast_code as area_code,
        'oblast' as area_level
    from places
    union all
    select distinct
        coalesce(raion_code, municipality_code) as place_code,
        'UA' as area_code,
        'country' as area_level
    from places

),

area_terms as (

    select
        areas.area_code,
        areas.area_level,
        term_sums.collection_code,
        term_sums.time_period,
        term_sums.formula_no,
        term_sums.term_no,
        sum(term_sums.term_sum)::double precision as term_sum
    from term_sums
    inner join areas on term_sums.place_code = areas.place_code
    group by
        areas.area_code, areas.area_level, term_sums.collection_code, term_sums.time_period, term_sums.formula_no,
        term_sums.term_no

),

arrays as (

    select
        area_code,
        area_level,
        collection_code,
        time_period,
        formula_no,
        array_agg(term_sum order by term_no) as terms
    from area_terms
    group by area_code, area_level, collection_code, time_period, formula_no

),

computed as (

    select
        area_code,
        area_level,
        collection_code,
        time_period,
        formula_no,
        {{ formula_of_terms() }} as obs_value
    from arrays

),

area_counts as (

    select
        areas.area_code,
        counts.collection_code,
        counts.time_period,
        counts.indicator_code,
        counts.sex,
        sum(counts.reporting_count)::bigint as reporting_count,
        sum(counts.reporting_population)::bigint as reporting_population,
        bool_or(counts.is_estimated) as is_estimated,
        bool_or(counts.is_sample) as is_sample
    from counts
    inner join areas on counts.place_code = areas.place_code
    group by areas.area_code, counts.collection_code, counts.time_period, counts.indicator_code, counts.sex

),

formulas as (

    select distinct
        indicator_code,
        sex,
        formula_no
    from terms

),

final as (

    select
        computed.area_code,
        computed.area_level,
        computed.collection_code,
        computed.time_period,
        formulas.indicator_code,
        formulas.sex,
        case when computed.obs_value between -1e300 and 1e300 then computed.obs_value end as obs_value,
        area_counts.reporting_count,
        area_counts.reporting_population,
        area_counts.is_estimated,
        area_counts.is_sample
    from computed
    inner join formulas on computed.formula_no = formulas.formula_no
    inner join area_counts
        on
            computed.area_code = area_counts.area_code
            and computed.collection_code = area_counts.collection_code
            and computed.time_period = area_counts.time_period
            and formulas.indicator_code = area_counts.indicator_code
            and formulas.sex = area_counts.sex

)

select * from final
