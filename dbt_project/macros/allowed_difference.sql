{#-
    How far an answer may be from what a register knows and still say the same: a share of the figure, and never less than half
    a unit of the last decimal that the card asks for.
-#}
{% macro allowed_difference(known, tolerance, decimals) -%}
    greatest(
        coalesce({{ tolerance }}, 0) * abs({{ known }})::double precision,
        0.5 * power(10::double precision, -{{ decimals }})
    ) + 1e-9
{%- endmacro %}
