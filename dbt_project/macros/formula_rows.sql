{#-
    One row per body, year, derived indicator and sex (code, sex, value, status), computed from arrays v and s of `inputs`. The
    expressions are read from the catalogue when the model runs, so no generated file stands beside them. No formulas, no rows.

    One SELECT of all expressions into two arrays, which are then unnested: rows of VALUES would be prepared for execution anew
    for every body. `offset 0` keeps the arrays from being computed for every row that is unnested.
-#}
{% macro formula_rows(inputs) -%}
    {%- set formulas = [] -%}
    {%- if execute -%}
        {%- set formulas = run_query(
            'select indicator_code, sex, value_sql, status_sql from ' ~ ref('stg_catalogue__compiled_formula')
            ~ ' order by compute_order, sex'
        ).rows -%}
    {%- endif -%}
    select
        computed.municipality_code,
        computed.time_period,
        formula.indicator_code,
        formula.sex,
        formula.obs_value,
        formula.obs_status
    from (
        select
            inputs.municipality_code,
            inputs.time_period,
            array[{% for row in formulas %}{{ row[2] }}{{ ', ' if not loop.last }}{% endfor %}]::double precision [] as obs_values,
            array[{% for row in formulas %}{{ row[3] }}{{ ', ' if not loop.last }}{% endfor %}]::text [] as obs_statuses
        from (
            -- names have one length, so that the place of an element is computed in an array of them, and searched for among texts
            select
                municipality_code,
                time_period,
                v,
                s::name [] as s
            from {{ inputs }}
            offset 0
        ) as inputs
        offset 0
    ) as computed
    cross join lateral unnest(
        array[{% for row in formulas %}'{{ row[0] }}'{{ ', ' if not loop.last }}{% endfor %}]::text [],
        array[{% for row in formulas %}'{{ row[1] }}'{{ ', ' if not loop.last }}{% endfor %}]::text [],
        computed.obs_values,
        computed.obs_statuses
    ) as formula (indicator_code, sex, obs_value, obs_status)
{%- endmacro %}
