{#- What readers see of a row that may be in the CTE `suppressed`: the expression itself, or `instead`. -#}
{% macro unless_hidden(expression, instead='null') -%}
    case when suppressed.reason is null then {{ expression }}{% if instead != 'null' %} else {{ instead }}{% endif %} end
{%- endmacro %}
