{#-
    One row per body and year of `keys`: arrays v (values) and s (statuses) in the order of catalogue.formula_input.slot, which
    compiled formulas and rules are computed from. `cells` and `keys` are relations or names of CTEs; `cells` has one row per
    municipality_code, time_period, indicator_code, sex. What no cell answers has status M_NR, or M_ND when it is asked of a year
    for which the body has sent no return yet.
-#}
{% macro input_arrays(cells, keys) %}
    select
        keys.municipality_code,
        keys.time_period,
        array_agg(
            case when inputs.origin = 'register' then register.population else cells.obs_value end order by inputs.slot
        ) as v,
        array_agg(
            case
                when inputs.origin = 'register' then case when register.population is null then 'M_NR' else 'A' end
                when cells.obs_status is not null then cells.obs_status
                when inputs.period_offset > 0 and returns.time_period is null then 'M_ND'
                else 'M_NR'
            end
            order by inputs.slot
        ) as s
    from {{ keys }} as keys
    cross join {{ ref('stg_catalogue__formula_input') }} as inputs
    left join {{ cells }} as cells
        on
            inputs.origin = 'reported'
            and keys.municipality_code = cells.municipality_code
            and (keys.time_period::integer + inputs.period_offset)::text = cells.time_period
            and inputs.indicator_code = cells.indicator_code
            and inputs.sex = cells.sex
    left join {{ ref('stg_submissions__return') }} as returns
        on
            keys.municipality_code = returns.municipality_code
            and (keys.time_period::integer + inputs.period_offset)::text = returns.time_period
            and inputs.collection_code = returns.collection_code
    left join lateral (
        select population.population::double precision as population
        from {{ ref('stg_population__municipality') }} as population
        where
            inputs.origin = 'register'
            and population.municipality_code = keys.municipality_code
            and population.time_period <= (keys.time_period::integer + inputs.period_offset)::text
        order by population.time_period desc
        limit 1
    ) as register on true
    group by keys.municipality_code, keys.time_period
{% endmacro %}
