{#- What readers see of a row that may be in the CTE `suppressed`: the expression itself, or `instead`. -#}
{% macro unless_hidden(expression, instead='null') -%}
    case when suppressed.reason is null then {{ expression }}{% if instead != 'null' %} else {{ instead }}{% endif %} end
{%- endmacro %}

{#-
    The CTE `suppressed` of what was replaced or corrected, for rows of `told` and the CTE `cells` of disclosure control: a body's
    group of cards is hidden as a whole when any of it is hidden now, or any of `figures` was small. They were in no release that
    could have hidden them well.
-#}
{% macro suppressed_groups(told, figures) -%}
suppressed as (

    select
        hidden.subject_code as municipality_code,
        hidden.collection_code,
        hidden.time_period,
        cells.group_code,
        'hidden' as reason
    from {{ ref('int_disclosure__suppressed') }} as hidden
    inner join cells on hidden.indicator_code = cells.indicator_code and hidden.sex = cells.sex
    where hidden.subject_kind = 'reported' and {{ only_changed_keys('hidden', 'municipality', 'subject_code') }}
    union
    select
        {{ told }}.municipality_code,
        {{ told }}.collection_code,
        {{ told }}.time_period,
        cells.group_code,
        'hidden' as reason
    from {{ told }}
    inner join cells on {{ told }}.indicator_code = cells.indicator_code and {{ told }}.sex = cells.sex
    where
        {%- for figure in figures %}
        {{ 'or ' if not loop.first }}({{ told }}.{{ figure }} > 0 and {{ told }}.{{ figure }} < cells.least_count)
        {%- endfor %}

)
{%- endmacro %}
