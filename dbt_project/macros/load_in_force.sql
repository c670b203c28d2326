{#- Id of the load in force of a source that is one table: the one that came last. -#}
{% macro load_in_force(source) -%}
    select load_id
    from {{ ref('stg_ops__load') }}
    where source = '{{ source }}' and status = 'loaded'
    order by received_no desc, loaded_at desc, load_id asc
    limit 1
{%- endmacro %}
