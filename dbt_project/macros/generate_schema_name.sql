{#- A layer's schema is its own name, not dbt's "<target schema>_<name>": migrations grant on these names. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
