{#-
    On a Citus cluster, spreads a table that was just made over the workers: by the column that `distribute_by` in the model's
    config.meta names, or as a copy on each when that is `reference`. Elsewhere it does nothing. Names of Citus are only looked
    up where the extension is, since PL/pgSQL resolves a statement when it runs it.
-#}
{% macro distribute_table() -%}
    {%- set key = (config.get('meta') or {}).get('distribute_by') -%}
    {%- if key and config.get('materialized') in ('table', 'incremental') -%}
        do $$
        begin
            if exists (select 1 from pg_extension where extname = 'citus') then
                if not exists (select 1 from pg_dist_partition where logicalrelid = '{{ this }}'::regclass) then
                    {% if key == 'reference' -%}
                        perform create_reference_table('{{ this }}');
                    {%- else -%}
                        perform create_distributed_table('{{ this }}', '{{ key }}');
                    {%- endif %}
                end if;
            end if;
        end
        $$
    {%- endif -%}
{%- endmacro %}
