{#- The columns that name one answer of one body. -#}
{% macro cell_key(alias=none) -%}
    {%- for column in ['collection_code', 'municipality_code', 'time_period', 'indicator_code', 'sex'] -%}
        {{ alias ~ '.' if alias }}{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
