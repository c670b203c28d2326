{#- The columns that name one answer of one body. -#}
{% macro cell_key() -%}
    collection_code, municipality_code, time_period, indicator_code, sex
{%- endmacro %}
