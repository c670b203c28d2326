{#-
    One row per derived indicator and sex (code, sex, value, status), computed from arrays v and s of the row it is joined to. The
    expressions are read from the catalogue when the model runs, so no generated file stands beside them. No formulas, no rows.
-#}
{% macro formula_rows() -%}
    {%- set formulas = [] -%}
    {%- if execute -%}
        {%- set formulas = run_query(
            'select indicator_code, sex, value_sql, status_sql from ' ~ ref('stg_catalogue__compiled_formula')
            ~ ' order by compute_order, sex'
        ).rows -%}
    {%- endif -%}
    {%- if formulas -%}
        values
        {%- for code, sex, value, status in formulas %}
            ('{{ code }}', '{{ sex }}', {{ value }}, {{ status }}){{ ',' if not loop.last }}
        {%- endfor -%}
    {%- else -%}
        select null::text, null::text, null::double precision, null::text where false
    {%- endif -%}
{%- endmacro %}
