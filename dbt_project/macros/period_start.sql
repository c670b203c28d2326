{#- First day of an SDMX period: 2024, 2024-Q1, 2024-03. -#}
{% macro period_start(time_period) -%}
    case
        when {{ time_period }} ~ '^[0-9]{4}$' then make_date({{ time_period }}::integer, 1, 1)
        when {{ time_period }} ~ '^[0-9]{4}-Q[1-4]$'
            then make_date(left({{ time_period }}, 4)::integer, right({{ time_period }}, 1)::integer * 3 - 2, 1)
        when {{ time_period }} ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'
            then make_date(left({{ time_period }}, 4)::integer, right({{ time_period }}, 2)::integer, 1)
    end
{%- endmacro %}
