{#-
    Budget codes carry their place in their digits, zeros filling them up: КДБ 11010100 is below 11010000, 11000000, 10000000;
    a code of four digits (ТПКВКМБ, КЕКВ, КФКВ) goes down digit by digit. What begins with 0 (0111, 0150) has its section in two.
-#}
{% macro budget_code_stem(code) -%}
    case
        when length({{ code }}) = 8 and length(rtrim({{ code }}, '0')) between 3 and 4 then 4
        when length({{ code }}) = 8 and length(rtrim({{ code }}, '0')) between 5 and 6 then 6
        when length({{ code }}) = 8 and length(rtrim({{ code }}, '0')) between 7 and 8 then 8
        else greatest(length(rtrim({{ code }}, '0')), 1)
    end
{%- endmacro %}

{#- How many digits name the section of a code: two of a function and of what begins with 0, else one. -#}
{% macro budget_section_stem(code, classification_type) -%}
    case when {{ classification_type }} = 'FUNCTIONAL' or left({{ code }}, 1) = '0' then 2 else 1 end
{%- endmacro %}

{#- The code of the section that a code is in. -#}
{% macro budget_section(code, classification_type) -%}
    rpad(left({{ code }}, {{ budget_section_stem(code, classification_type) }}), length({{ code }}), '0')
{%- endmacro %}

{#- The code right above a code; NULL of a section. -#}
{% macro budget_code_above(code, classification_type) -%}
    case
        when {{ budget_code_stem(code) }} > {{ budget_section_stem(code, classification_type) }}
            then
                rpad(
                    left(
                        {{ code }},
                        case
                            when length({{ code }}) = 8 and {{ budget_code_stem(code) }} > 2 then {{ budget_code_stem(code) }} - 2
                            else {{ budget_code_stem(code) }} - 1
                        end
                    ),
                    length({{ code }}),
                    '0'
                )
    end
{%- endmacro %}
