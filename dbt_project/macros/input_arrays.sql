{#-
    One row per body and year of `keys`: arrays v (values, NaN where there is none), s (statuses) and m (1 not applicable, 2 not
    due yet, else 0) in the order of catalogue.formula_input.slot, which compiled formulas and rules are computed from. NaN and not NULL, because the place of an
    element is computed in an array of numbers without NULLs and searched for in any other; compiled expressions take both for missing.
    `cells` and `keys` are relations or names of CTEs; `cells` has one row per collection_code, municipality_code, time_period,
    indicator_code, sex, and is read once: a CTE that is read twice would be put aside, and gone through for each body. What no cell answers
    has status M_NR, or M_ND when it is asked of a year for which the body has sent no return yet. Where nothing `reads_ahead`, the places
    of later years stay empty.

    Body by body, so that what is joined and put in order is one return and stays in the processor's cache: in one join over the
    country the same takes twice the time. `offset 0` keeps the planner from making one join of it.
-#}
{% macro input_arrays(cells, keys, reads_ahead=true) %}
    with

    inputs as materialized (
        select
            slot,
            {% if reads_ahead %}origin{% else %}case when period_offset <= 0 then origin end as origin{% endif %},
            collection_code,
            indicator_code,
            sex,
            {% if reads_ahead %}period_offset{% else %}least(period_offset, 0) as period_offset{% endif %}
        from {{ ref('stg_catalogue__formula_input') }}
    ),

    -- years that are read, and what is read of others than a return's own
    beside as materialized (
        select
            array_agg(distinct period_offset) as offsets,
            array_agg(distinct indicator_code) filter (where period_offset != 0) as codes
        from inputs
    ),

    sent as materialized (
        select
            municipality_code,
            array_agg(collection_code || ' ' || time_period) as returns
        from {{ ref('stg_submissions__return') }}
        group by municipality_code
    )

    select
        keys.municipality_code,
        keys.time_period,
        arrays.v,
        arrays.s,
        arrays.m
    from {{ keys }} as keys
    left join sent on keys.municipality_code = sent.municipality_code
    -- as an array, so that years reach the index
    cross join lateral (
        select
            array(
                select (keys.time_period::integer + period_offset)::text
                from unnest(beside.offsets) as period_offset
            ) as periods,
            beside.codes
        from beside
    ) as around
    cross join lateral (
        select
            array_agg(
                coalesce(case when places.origin = 'register' then places.population else places.obs_value end, 'NaN')
                order by places.slot
            ) as v,
            array_agg(
                case
                    when places.origin = 'register' then case when places.population is null then 'M_NR' else 'A' end
                    when places.obs_status is not null then places.obs_status
                    when places.is_ahead then 'M_ND'
                    else 'M_NR'
                end
                order by places.slot
            ) as s,
            array_agg(
                case
                    when places.obs_status = 'M_NA' then 1
                    when places.obs_status = 'M_ND' then 2
                    when places.obs_status is null and places.is_ahead then 2
                    else 0
                end
                order by places.slot
            ) as m
        from (
            select
                inputs.slot,
                inputs.origin,
                answers.obs_value,
                answers.obs_status,
                register.population,
                inputs.period_offset > 0
                and (inputs.collection_code || ' ' || (keys.time_period::integer + inputs.period_offset)::text = any(sent.returns))
                is not true as is_ahead
            from inputs
            left join (
                select
                    cells.collection_code,
                    cells.indicator_code,
                    cells.sex,
                    cells.time_period::integer - keys.time_period::integer as period_offset,
                    cells.obs_value,
                    cells.obs_status
                from {{ cells }} as cells
                where
                    cells.municipality_code = keys.municipality_code
                    and cells.time_period = any(around.periods)
                    and (cells.time_period = keys.time_period or cells.indicator_code = any(around.codes))
                offset 0
            ) as answers
                on
                    inputs.origin = 'reported'
                    and inputs.collection_code = answers.collection_code
                    and inputs.indicator_code = answers.indicator_code
                    and inputs.sex = answers.sex
                    and inputs.period_offset = answers.period_offset
            left join (
                select
                    registered.population::double precision as population,
                    registered.time_period as known_from,
                    coalesce(lead(registered.time_period) over (order by registered.time_period), '9999') as known_to
                from {{ ref('stg_population__municipality') }} as registered
                where registered.municipality_code = keys.municipality_code
                offset 0
            ) as register
                on
                    inputs.origin = 'register'
                    and (keys.time_period::integer + inputs.period_offset)::text >= register.known_from
                    and (keys.time_period::integer + inputs.period_offset)::text < register.known_to
            order by inputs.slot
        ) as places
    ) as arrays
{% endmacro %}
