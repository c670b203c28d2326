{#-
    A Ukrainian name in Latin letters by the official table (Cabinet of Ministers resolution No. 55 of 27 January 2010):
    Є, Ї, Й, Ю, Я have one spelling at the start of a word and another elsewhere, зг is zgh, ь and the apostrophe are left out.

    Letters that become two or more get their further letters first (ж → жh), then each letter becomes its first one.
-#}
{% macro romanise(column) -%}
    {%- set ns = namespace(sql="translate(" ~ column ~ ", '’ʼ''`ьЬ', '')") -%}
    {%- for pattern, replacement in [
        ('([Зз])г', '\\1gh'),
        ('([ЖХЧШжхчш])', '\\1h'),
        ('([Цц])', '\\1s'),
        ('([Щщ])', '\\1hch'),
        ('(^|[ (-])Й', '\\1Y'),
        ('(^|[ (-])й', '\\1y'),
        ('(^|[ (-])([ЄЇЮЯ])', '\\1Y\\2'),
        ('(^|[ (-])([єїюя])', '\\1y\\2'),
        ('(?<![Yy])([ЄЮЯєюя])', 'i\\1'),
    ] -%}
        {%- set ns.sql = "regexp_replace(" ~ ns.sql ~ ", '" ~ pattern ~ "', '" ~ replacement ~ "', 'g')" -%}
    {%- endfor -%}
    translate(
        {{ ns.sql }},
        'АБВГҐДЕЄЖЗИІЇЙКЛМНОПРСТУФХЦЧШЩЮЯабвгґдеєжзиіїйклмнопрстуфхцчшщюя',
        'ABVHGDEeZZYIiIKLMNOPRSTUFKTCSSuaabvhgdeezzyiiiklmnoprstufktcssua'
    )
{%- endmacro %}
