{#-
    Formulas for areas. What a formula of a hromada reads is one array of all inputs of the catalogue; for an area each formula has
    sums of its own, over the hromadas for which it can be computed, so here each reads a short array of its own terms: its inputs
    in the order in which its expression names them.
-#}
{% macro compiled_formulas() -%}
    {%- set formulas = [] -%}
    {%- set rows = run_query(
        'select indicator_code, sex, value_sql from ' ~ ref('stg_catalogue__compiled_formula') ~ ' order by compute_order, sex'
    ).rows -%}
    {%- for row in rows -%}
        {%- set slots = modules.re.findall('v\\[(\\d+)\\]', row[2]) | unique | list -%}
        {%- set ns = namespace(sql=row[2]) -%}
        {%- for slot in slots -%}
            {%- set ns.sql = ns.sql | replace('v[' ~ slot ~ ']', 'terms[' ~ loop.index ~ ']') -%}
        {%- endfor -%}
        {%- do formulas.append({'code': row[0], 'sex': row[1], 'slots': slots, 'sql': ns.sql}) -%}
    {%- endfor -%}
    {%- do return(formulas) -%}
{%- endmacro %}

{#- One row per formula and term (indicator_code, sex, formula_no, term_no, slot). No formulas, no rows. -#}
{% macro formula_terms() -%}
    {%- set formulas = compiled_formulas() if execute else [] -%}
    select
        indicator_code,
        sex,
        formula_no,
        term_no,
        slot
    from unnest(
        array[{% for f in formulas %}{% set out = loop %}{% for s in f.slots %}'{{ f.code }}'{{ ', ' if not (out.last and loop.last) }}{% endfor %}{% endfor %}]::text [],
        array[{% for f in formulas %}{% set out = loop %}{% for s in f.slots %}'{{ f.sex }}'{{ ', ' if not (out.last and loop.last) }}{% endfor %}{% endfor %}]::text [],
        array[{% for f in formulas %}{% set out = loop %}{% for s in f.slots %}{{ out.index }}{{ ', ' if not (out.last and loop.last) }}{% endfor %}{% endfor %}]::integer [],
        array[{% for f in formulas %}{% set out = loop %}{% for s in f.slots %}{{ loop.index }}{{ ', ' if not (out.last and loop.last) }}{% endfor %}{% endfor %}]::integer [],
        array[{% for f in formulas %}{% set out = loop %}{% for s in f.slots %}{{ s }}{{ ', ' if not (out.last and loop.last) }}{% endfor %}{% endfor %}]::integer []
    ) as term (indicator_code, sex, formula_no, term_no, slot)
{%- endmacro %}

{#- The value of the formula `formula_no` of the array `terms`, NULL where a denominator is zero; `time_period` is in scope. -#}
{% macro formula_of_terms() -%}
    {%- set formulas = compiled_formulas() if execute else [] -%}
    case formula_no
        {%- for f in formulas %}
        when {{ loop.index }} then {{ f.sql }}
        {%- endfor %}
        when 0 then null
    end::double precision
{%- endmacro %}
