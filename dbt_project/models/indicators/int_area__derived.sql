{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['area_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

with

place_sums as (

    select * from {{ ref('int_place__derived') }}

),

areas as (

    select * from {{ ref('int_area__place') }}

),

formulas as (

    select distinct
        indicator_code,
        sex,
        formula_no
    from ({{ formula_terms() }}) as terms

),

placed as (

    select
        areas.area_code,
        areas.area_level,
        place_sums.*
    from place_sums
    inner join areas on place_sums.place_code = areas.place_code

),

included as (

    select * from placed
    where {{ only_changed_keys('placed', 'area', 'area_code') }}

),

area_terms as (

    select
        included.area_code,
        included.collection_code,
        included.time_period,
        included.indicator_code,
        included.sex,
        term.term_no,
        sum(term.term_sum)::double precision as term_sum
    from included
    cross join lateral unnest(included.term_sums) with ordinality as term (term_sum, term_no)
    group by
        included.area_code, included.collection_code, included.time_period, included.indicator_code, included.sex,
        term.term_no

),

arrays as (

    select
        area_terms.area_code,
        area_terms.collection_code,
        area_terms.time_period,
        area_terms.indicator_code,
        area_terms.sex,
        formulas.formula_no,
        array_agg(area_terms.term_sum order by area_terms.term_no) as terms
    from area_terms
    inner join formulas on area_terms.indicator_code = formulas.indicator_code and area_terms.sex = formulas.sex
    group by
        area_terms.area_code, area_terms.collection_code, area_terms.time_period, area_terms.indicator_code, area_terms.sex,
        formulas.formula_no

),

computed as (

    select
        area_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        {{ formula_of_terms() }} as obs_value
    from arrays

),

area_counts as (

    select
        area_code,
        area_level,
        collection_code,
        time_period,
        indicator_code,
        sex,
        sum(reporting_count)::bigint as reporting_count,
        sum(reporting_population)::bigint as reporting_population,
        bool_or(is_estimated) as is_estimated,
        bool_or(is_sample) as is_sample
    from included
    group by area_code, area_level, collection_code, time_period, indicator_code, sex

),

final as (

    select
        computed.area_code,
        area_counts.area_level,
        computed.collection_code,
        computed.time_period,
        computed.indicator_code,
        computed.sex,
        case when computed.obs_value between -1e300 and 1e300 then computed.obs_value end as obs_value,
        area_counts.reporting_count,
        area_counts.reporting_population,
        area_counts.is_estimated,
        area_counts.is_sample
    from computed
    inner join area_counts
        on
            computed.area_code = area_counts.area_code
            and computed.collection_code = area_counts.collection_code
            and computed.time_period = area_counts.time_period
            and computed.indicator_code = area_counts.indicator_code
            and computed.sex = area_counts.sex

)

select * from final
