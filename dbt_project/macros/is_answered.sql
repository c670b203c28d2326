{#-
    A cell is answered by a value or by a reason: «there is none» and «not applicable» are answers. Blank (M_NR), a refusal and
    what a rule rejected (M_Q) are not.
-#}
{% macro is_answered(alias) -%}
    ({{ alias }}.obs_value is not null or {{ alias }}.obs_status in ('M_NA', 'M_NC', 'M_ND', 'C'))
{%- endmacro %}

{#- What a register says where the return says nothing is served and is no answer of the body: completeness counts answers. -#}
{% macro is_answered_by_body(alias) -%}
    ({{ is_answered(alias) }} and {{ alias }}.obs_source is distinct from 'register')
{%- endmacro %}

{#- The moment at which a due date is over, in Kyiv. -#}
{% macro end_of_day(column) -%}
    (({{ column }} + 1)::timestamp at time zone 'Europe/Kyiv')
{%- endmacro %}
