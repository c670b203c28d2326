{#- Whether the model that the running test is about has a unique index of just these columns. -#}
{% macro has_unique_index(columns) -%}
    {%- set tested = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- for index in (tested.config.indexes or [] if tested else []) -%}
        {%- if index.unique and index.columns | sort == columns | sort -%}
            {%- do return(true) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- do return(false) -%}
{%- endmacro %}
