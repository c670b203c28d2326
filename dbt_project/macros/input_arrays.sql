{#-
    One row per body and year of `keys`: arrays v (values, NaN where there is none), s (statuses) and m (1 not applicable, 2 not
    due yet, else 0) in the order of catalogue.formula_input.slot, which compiled formulas and rules are computed from. NaN and not NULL, because the place of an
    element is computed in an array of numbers without NULLs and searched for in any other; compiled expressions take both for missing.
    `cells` and `keys` are relations or names of CTEs; `cells` has one row per collection_code, municipality_code, time_period,
    indicator_code, sex. What no cell answers has status M_NR, or M_ND when it is asked of a year for which the body has sent no
    return yet.
-#}
{% macro input_arrays(cells, keys) %}
    select
        places.municipality_code,
        places.time_period,
        array_agg(
            coalesce(case when places.origin = 'register' then register.population else cells.obs_value end, 'NaN')
            order by places.slot
        ) as v,
        array_agg(
            case
                when places.origin = 'register' then case when register.population is null then 'M_NR' else 'A' end
                when cells.obs_status is not null then cells.obs_status
                when places.period_offset > 0 and returns.time_period is null then 'M_ND'
                else 'M_NR'
            end
            order by places.slot
        ) as s,
        array_agg(
            case
                when cells.obs_status = 'M_NA' then 1
                when cells.obs_status = 'M_ND' then 2
                when cells.obs_status is null and places.period_offset > 0 and returns.time_period is null then 2
                else 0
            end
            order by places.slot
        ) as m
    from (
        -- `offset 0` makes the planner count these before it chooses how to join them
        select
            keys.municipality_code,
            keys.time_period,
            inputs.slot,
            inputs.origin,
            inputs.collection_code,
            inputs.indicator_code,
            inputs.sex,
            inputs.period_offset,
            (keys.time_period::integer + inputs.period_offset)::text as asked_period
        from {{ keys }} as keys
        cross join {{ ref('stg_catalogue__formula_input') }} as inputs
        offset 0
    ) as places
    left join {{ cells }} as cells
        on
            places.origin = 'reported'
            and places.collection_code = cells.collection_code
            and places.municipality_code = cells.municipality_code
            and places.asked_period = cells.time_period
            and places.indicator_code = cells.indicator_code
            and places.sex = cells.sex
    left join {{ ref('stg_submissions__return') }} as returns
        on
            places.period_offset > 0
            and places.collection_code = returns.collection_code
            and places.municipality_code = returns.municipality_code
            and places.asked_period = returns.time_period
    left join (
        select
            municipality_code,
            population::double precision as population,
            time_period as known_from,
            coalesce(lead(time_period) over (partition by municipality_code order by time_period), '9999') as known_to
        from {{ ref('stg_population__municipality') }}
    ) as register
        on
            places.origin = 'register'
            and places.municipality_code = register.municipality_code
            and places.asked_period >= register.known_from
            and places.asked_period < register.known_to
    group by places.municipality_code, places.time_period
{% endmacro %}
