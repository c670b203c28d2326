{#- Last day of an SDMX period: 2024, 2024-Q1, 2024-03. -#}
{% macro period_end(time_period) -%}
    ({{ period_start(time_period) }} + case length({{ time_period }})
        when 4 then interval '1 year'
        when 7 then case when {{ time_period }} like '%Q%' then interval '3 months' else interval '1 month' end
    end)::date - 1
{%- endmacro %}
