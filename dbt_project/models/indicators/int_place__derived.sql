{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off', 'set local enable_sort = off'],
        indexes=[{'columns': ['place_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

-- A ratio of an area is computed of the sums of its inputs, over the municipalities for which it can be computed: one that gave
-- the numerator alone is in neither sum. Sums are taken as numeric, which does not depend on order. They are kept by raion, so
-- that where a body changed its raion is summed anew, and not its oblast and the country.

with

cells as (

    select * from {{ ref('int_observation__on_current') }}
    {% if is_incremental() %} where {{ of_changed_places('municipality_code') }} {% endif %}

),

standing as (

    select source_code as municipality_code
    from {{ ref('int_boundary__crosswalk') }}
    where source_valid_to is null

),

places as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code,
        population
    from {{ ref('int_municipality__described') }}

),

recast_values as (

    select * from {{ ref('int_indicator__recast') }}
    {% if is_incremental() %} where {{ of_changed_places('municipality_code') }} {% endif %}

),

as_reported as (

    select * from {{ ref('int_indicator__derived') }}
    {% if is_incremental() %} where {{ of_changed_places('municipality_code') }} {% endif %}

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
placed as (

    select
        derived.*,
        places.place_code,
        places.population
    from derived
    inner join places on derived.municipality_code = places.municipality_code
    where derived.obs_status in ('A', 'E', 'M_Z')

),

included as (

    select * from placed
    where {{ only_changed_keys('placed', 'area', 'place_code') }}

),

terms as materialized (
    {{ formula_terms() }}
),

asked as materialized (

    select
        terms.indicator_code,
        terms.sex,
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

-- apart from the arrays, for whose order the planner would put all terms in order
term_sums as materialized (

    select
        included.place_code,
        included.collection_code,
        included.time_period,
        asked.indicator_code,
        asked.sex,
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
    group by
        included.place_code, included.collection_code, included.time_period, asked.indicator_code, asked.sex, asked.term_no

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

arrays as (

    select
        place_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        array_agg(term_sum order by term_no) as term_sums
    from term_sums
    group by place_code, collection_code, time_period, indicator_code, sex

),

final as (

    select
        counts.place_code,
        counts.collection_code,
        counts.time_period,
        counts.indicator_code,
        counts.sex,
        arrays.term_sums,
        counts.reporting_count,
        counts.reporting_population,
        counts.is_estimated,
        counts.is_sample
    from counts
    inner join arrays
        on
            counts.place_code = arrays.place_code
            and counts.collection_code = arrays.collection_code
            and counts.time_period = arrays.time_period
            and counts.indicator_code = arrays.indicator_code
            and counts.sex = arrays.sex

)

select * from final
