{#-
    A build redoes the keys of ops.changed_key and no others. `redo_condition` says which rows of a relation those are; a model
    that is built key by key puts it into its WHERE, and the strategy `changed_keys` deletes by the same words. So a key that
    has become empty vanishes, which dbt's own delete+insert, deleting what the new rows name, would leave standing.

    `redo_by`, in the model's config.meta, names the extent:
      municipality  the body and year that changed
      year          every body in a year that changed (a list of non-reporters is a matter of the whole year)
      peer_group    the peer groups of the body that changed, in that year and the next (which looks back at it)
-#}
{% macro redo_condition(alias, redo_by='municipality', code_column='municipality_code') -%}
    {%- if redo_by == 'municipality' -%}
        exists (
            select 1
            from {{ ref('stg_ops__changed_key') }} as changed_key
            where
                changed_key.municipality_code = {{ alias }}.{{ code_column }}
                and changed_key.time_period = left({{ alias }}.time_period, 4)
        )
    {%- elif redo_by == 'year' -%}
        exists (
            select 1
            from {{ ref('stg_ops__changed_key') }} as changed_key
            where changed_key.time_period = left({{ alias }}.time_period, 4)
        )
    {%- elif redo_by == 'peer_group' -%}
        exists (
            select 1
            from {{ ref('int_peer_group__changed') }} as changed_group
            where
                changed_group.peer_group_code = {{ alias }}.peer_group_code
                and changed_group.time_period = left({{ alias }}.time_period, 4)
        )
    {%- else -%}
        {{ exceptions.raise_compiler_error("redo_by is '" ~ redo_by ~ "': municipality, year or peer_group is meant") }}
    {%- endif -%}
{%- endmacro %}

{#-
    The WHERE of a model that is built key by key: everything in a full build, the changed keys in any other. It is written out
    while dbt parses too (not execute), so that dbt learns what the model depends on.
-#}
{% macro only_changed_keys(alias, redo_by='municipality', code_column='municipality_code') -%}
    {%- if is_incremental() or not execute -%}
        {{ redo_condition(alias, redo_by, code_column) }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{% macro get_incremental_changed_keys_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ target }} as target
    where {{ redo_condition('target', meta.get('redo_by', 'municipality'), meta.get('code_column', 'municipality_code')) }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}

{#- Statistics of a table that was just filled: autovacuum comes too late for the models that read it a second later. -#}
{% macro analyze_table() -%}
    {%- if config.get('materialized') in ('table', 'incremental') -%} analyze {{ this }} {%- endif -%}
{%- endmacro %}
