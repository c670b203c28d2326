{#-
    Typing of what people write into number cells. Pure expressions: whatever the text is, none of them raises an error.
-#}

{#- The text with every kind of blank made one blank, ends trimmed, and the typographic minus made a hyphen. -#}
{% macro clean_text(column) -%}
    btrim(regexp_replace(
        translate({{ column }}, U&'\00A0\0085\1680\2028\2029\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\200B\202F\205F\3000\FEFF\2060\2212\2010\2011', {{ "'" ~ (' ' * 22) ~ "---'" }}),
        '[ \t\n\r\f\v]+', ' ', 'g'
    ))
{%- endmacro %}

{#-
    The number that cleaned text writes, in the spelling that PostgreSQL casts; NULL when it writes none, or could be read in
    two ways ('1.234,5'). Thousands may be parted by blanks, the decimal sign is a comma or a point.
-#}
{% macro number_text(cleaned) -%}
    case
        when {{ cleaned }} ~ '^[+-]? ?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?$'
            then replace(replace({{ cleaned }}, ' ', ''), ',', '.')
        when {{ cleaned }} ~ '^[+-]? ?[0-9]{1,3}( [0-9]{3})+([.,][0-9]+)?$'
            then replace(replace({{ cleaned }}, ' ', ''), ',', '.')
    end
{%- endmacro %}

{#- The double that a text writes in the plainest way, digits and a point; NULL of any other text. `number_text` reads the rest. -#}
{% macro plain_number(column) -%}
    case when {{ column }} ~ '^-?[0-9]+([.][0-9]+)?$' and length({{ column }}) <= 60 then {{ column }}::double precision end
{%- endmacro %}

{#- Whether a text is a number with words after it, like '12,5 тис. грн'. -#}
{% macro has_unit(cleaned) -%}
    {{ cleaned }} ~ '^[+-]? ?[0-9]([0-9., ]*[0-9.,])? ?[A-Za-zА-Яа-яҐґЄєІіЇї%‰°₴$€].*$'
{%- endmacro %}

{#- The number of such a text, and the words after it. -#}
{% macro number_part(cleaned) -%}
    regexp_replace({{ cleaned }}, ' ?[A-Za-zА-Яа-яҐґЄєІіЇї%‰°₴$€].*$', '')
{%- endmacro %}

{% macro unit_part(cleaned) -%}
    regexp_replace({{ cleaned }}, '^[+-]? ?[0-9., ]+', '')
{%- endmacro %}

{#- A unit for comparing: full stops, blanks and case do not tell units apart. -#}
{% macro fold_unit(column) -%}
    lower(regexp_replace({{ column }}, '[. ]', '', 'g'))
{%- endmacro %}

{#- Whether number text may be cast to a double: no figure of a hromada has 60 digits or an exponent of three. -#}
{% macro is_castable(number_text) -%}
    (length({{ number_text }}) <= 60 and {{ number_text }} !~ '[eE][+-]?0*[1-9][0-9]{2}')
{%- endmacro %}

{#-
    An amount of money as the open budget writes it; NULL when it is none, or is beyond numeric(18, 2). is_plain names a column that
    says that the reader found it written as the database reads it.
-#}
{% macro amount(column, is_plain=none) -%}
    case
        {%- if is_plain %}
        when {{ is_plain }} then {{ column }}::numeric(18, 2)
        {%- endif %}
        -- as the service writes it today: one look is enough. This is the dearest part of staging, and counted repeats would
        -- make it three times as dear
        when octet_length({{ column }}) <= 16 and {{ column }} ~ '^-?[0-9]+([.][0-9]+)?$'
            then {{ column }}::numeric(18, 2)
        when {{ column }} ~ '^ *[+-]?[0-9]{1,18}([.,][0-9]{1,10})?([eE][+]?[0-9]{1,2})? *$'
            then
                case
                    when abs(replace(btrim({{ column }}), ',', '.')::numeric) < 1e16
                        then replace(btrim({{ column }}), ',', '.')::numeric
                end
    end::numeric(18, 2)
{%- endmacro %}

{#- A name for comparing: apostrophes, hyphens, blanks and case do not tell names apart, nor do Latin look-alikes. -#}
{% macro fold_name(column) -%}
    translate(
        lower({{ clean_text(column) }}),
        'abcehikmoptxy''’ʼ‘`′"- _',
        'авсенікмортху'
    )
{%- endmacro %}
