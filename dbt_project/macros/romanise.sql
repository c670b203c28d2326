{#-
    A Ukrainian name in Latin letters by the official table (Cabinet of Ministers resolution No. 55 of 27 January 2010):
    Є, Ї, Й, Ю, Я have one spelling at the start of a word and another elsewhere, зг is zgh, ь and the apostrophe are left out.
-#}
{% macro romanise(column) -%}
    {%- set at_start = {'Є': 'Ye', 'Ї': 'Yi', 'Й': 'Y', 'Ю': 'Yu', 'Я': 'Ya', 'є': 'ye', 'ї': 'yi', 'й': 'y', 'ю': 'yu', 'я': 'ya'} -%}
    {%- set anywhere = {
        'Зг': 'Zgh', 'зг': 'zgh', 'Є': 'IE', 'Ю': 'IU', 'Я': 'IA', 'є': 'ie', 'ю': 'iu', 'я': 'ia',
        'Ж': 'Zh', 'Х': 'Kh', 'Ц': 'Ts', 'Ч': 'Ch', 'Ш': 'Sh', 'Щ': 'Shch',
        'ж': 'zh', 'х': 'kh', 'ц': 'ts', 'ч': 'ch', 'ш': 'sh', 'щ': 'shch'
    } -%}
    {%- set ns = namespace(sql="translate(" ~ column ~ ", '’ʼ''`ьЬ', '')") -%}
    {%- for letter, latin in at_start.items() -%}
        {%- set ns.sql = "regexp_replace(" ~ ns.sql ~ ", '(^|[ (-])" ~ letter ~ "', '\\1" ~ latin ~ "', 'g')" -%}
    {%- endfor -%}
    {%- for letters, latin in anywhere.items() -%}
        {%- set ns.sql = "replace(" ~ ns.sql ~ ", '" ~ letters ~ "', '" ~ latin ~ "')" -%}
    {%- endfor -%}
    translate(
        {{ ns.sql }},
        'АБВГҐДЕЗИІЇЙКЛМНОПРСТУФабвгґдезиіїйклмнопрстуф',
        'ABVHGDEZYIIIKLMNOPRSTUFabvhgdezyiiiklmnoprstuf'
    )
{%- endmacro %}
