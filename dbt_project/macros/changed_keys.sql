{#-
    A build redoes the keys of ops.changed_key and no others. `redo_condition` says which rows of a relation those are; a model
    that is built key by key puts it into its WHERE, and the strategy `changed_keys` deletes by the same words. So a key that
    has become empty vanishes, which dbt's own delete+insert, deleting what the new rows name, would leave standing.

    `redo_by`, in the model's config.meta, names the extent:
      municipality  the body and year that changed
      return        the same, where more of it changed than what years beside it say
      answer        the same, where more of it changed than what formulas read of the year after
      municipality_and_next_year
                    the body and year that changed, and the year after, which looks back at it
      year          every body in a year that changed (a list of non-reporters is a matter of the whole year)
      area          the raion of the body that changed, and every oblast and the country, in that year
      peer_group    in the peer groups of the body that changed, the cells that it changed; such a model has the pre-hook
                    find_changed_cells()
      budget_name   the body and year that changed, and those that hold a code which is called otherwise by now; such a model
                    has the pre-hook find_renamed_budgets()
-#}
{% macro redo_condition(alias, redo_by='municipality', code_column='municipality_code') -%}
    {%- if redo_by in ('municipality', 'return', 'answer') -%}
        exists (
            select 1
            from {{ ref('stg_ops__changed_key') }} as changed_key
            where
                changed_key.municipality_code = {{ alias }}.{{ code_column }}
                and changed_key.time_period = left({{ alias }}.time_period, 4)
                {%- if redo_by != 'municipality' %}
                and changed_key.is_{{ redo_by }}_changed
                {%- endif %}
        )
    {%- elif redo_by == 'municipality_and_next_year' -%}
        exists (
            select 1
            from {{ ref('stg_ops__changed_key') }} as changed_key
            where
                changed_key.municipality_code = {{ alias }}.{{ code_column }}
                and left({{ alias }}.time_period, 4)::integer - changed_key.time_period::integer in (0, 1)
        )
    {%- elif redo_by == 'year' -%}
        exists (
            select 1
            from {{ ref('stg_ops__changed_key') }} as changed_key
            where changed_key.time_period = left({{ alias }}.time_period, 4)
        )
    {%- elif redo_by == 'area' -%}
        exists (
            select 1
            from {{ ref('int_area__changed') }} as changed_area
            where
                changed_area.area_code = {{ alias }}.{{ code_column }}
                and changed_area.time_period = left({{ alias }}.time_period, 4)
        )
    {%- elif redo_by == 'peer_group' -%}
        exists (
            select 1
            from changed_cell
            where
                changed_cell.peer_group_code = {{ alias }}.peer_group_code
                and changed_cell.indicator_code = {{ alias }}.indicator_code
                and changed_cell.sex = {{ alias }}.sex
                and changed_cell.time_period = {{ alias }}.time_period
        )
    {%- elif redo_by == 'budget_name' -%}
        exists (
            select 1
            from redone_budget
            where
                redone_budget.municipality_code = {{ alias }}.{{ code_column }}
                and redone_budget.time_period = {{ alias }}.time_period
        )
    {%- else -%}
        {{ exceptions.raise_compiler_error("redo_by is '" ~ redo_by ~ "': municipality, return, answer, municipality_and_next_year, year, area, peer_group or budget_name is meant") }}
    {%- endif -%}
{%- endmacro %}

{#-
    Before a model that is built by peer groups: the temporary tables changed_entry, the cells in which a body says otherwise than
    its profile holds, and changed_cell, the groups, indicators, sexes and periods of them. Profiles are made after all of those
    models, so what they hold is what was worked in; there are none before the first full build. After a build that was stopped
    that need not be so, and all of a body's cells are taken for changed.
-#}
{% macro find_changed_cells() -%}
    {%- set profiles = adapter.get_relation(this.database, this.schema, 'mart_profile_value') if execute and is_incremental() -%}
    {%- if execute and is_incremental() %}
        create temporary table changed_entry on commit drop as
        with

        fact as (

            select *
            from {{ ref('fct_indicator_value') }} as fact
            where {{ of_changed_bodies('fact.municipality_code') }} and {{ redo_condition('fact') }}

        ),

        held as (

            {%- if profiles %}
            select *
            from {{ profiles }} as held
            where {{ of_changed_bodies('held.municipality_code') }} and {{ redo_condition('held') }}
            {%- else %}
            select * from {{ ref('fct_indicator_value') }} where false
            {%- endif %}

        )

        select
            coalesce(fact.municipality_code, held.municipality_code) as municipality_code,
            coalesce(fact.collection_code, held.collection_code) as collection_code,
            coalesce(fact.indicator_code, held.indicator_code) as indicator_code,
            coalesce(fact.sex, held.sex) as sex,
            coalesce(fact.time_period, held.time_period) as time_period
        from fact
        full join held
            on
                fact.municipality_code = held.municipality_code
                and fact.collection_code = held.collection_code
                and fact.indicator_code = held.indicator_code
                and fact.time_period = held.time_period
                and fact.sex = held.sex
        where
            (fact.municipality_code, fact.obs_value, fact.unit_measure, fact.is_sample)
            is distinct from (held.municipality_code, held.obs_value, held.unit_measure, held.is_sample)
            or exists (select 1 from {{ ref('stg_ops__unfinished_build') }} as unfinished);

        create temporary table changed_cell on commit drop as
        select distinct
            membership.peer_group_code,
            changed.indicator_code,
            changed.sex,
            changed.time_period
        from changed_entry as changed
        inner join {{ ref('int_peer_group__membership') }} as membership
            on changed.municipality_code = membership.municipality_code;
        analyze changed_entry;
        analyze changed_cell
    {%- endif -%}
{%- endmacro %}

{#-
    Before mart_budget_tree: the temporary table redone_budget, the bodies and years that changed or hold a code that is called
    otherwise by now. A name comes from a list or from whichever budget reported it first, so it changes for all budgets at once.
-#}
{% macro find_renamed_budgets() -%}
    {%- if execute and is_incremental() %}
        create temporary table redone_budget on commit drop as
        with

        called as (

            select distinct
                budget_item,
                classification_type,
                classification_code,
                last_period,
                name_uk
            from {{ this }}

        ),

        named as (

            select distinct on (called.budget_item, called.classification_type, called.classification_code, called.last_period)
                called.budget_item,
                called.classification_type,
                called.classification_code,
                called.last_period,
                names.name_uk
            from called
            left join {{ ref('dim_budget_classification') }} as names
                on
                    called.budget_item = names.budget_item
                    and called.classification_type = names.classification_type
                    and called.classification_code = names.classification_code
            order by
                called.budget_item,
                called.classification_type,
                called.classification_code,
                called.last_period,
                {{ period_start('called.last_period') }} >= names.valid_from
                and (names.valid_to is null or {{ period_start('called.last_period') }} < names.valid_to) desc,
                names.valid_from

        ),

        renamed as (

            select called.*
            from called
            inner join named
                on
                    called.budget_item = named.budget_item
                    and called.classification_type = named.classification_type
                    and called.classification_code = named.classification_code
                    and called.last_period = named.last_period
            where called.name_uk is distinct from named.name_uk

        )

        select
            municipality_code,
            time_period
        from {{ ref('stg_ops__changed_key') }}
        union
        select
            held.municipality_code,
            held.time_period
        from {{ this }} as held
        inner join renamed
            on
                held.budget_item = renamed.budget_item
                and held.classification_type = renamed.classification_type
                and held.classification_code = renamed.classification_code
                and held.last_period = renamed.last_period
    {%- endif -%}
{%- endmacro %}

{#-
    The WHERE of a model that is built key by key: everything in a full build, the changed keys in any other. It is written out
    while dbt parses too (not execute), so that dbt learns what the model depends on. `by_index`: of a large relation, whose index
    begins with the body.
-#}
{% macro only_changed_keys(alias, redo_by='municipality', code_column='municipality_code', by_index=false) -%}
    {%- if is_incremental() or not execute -%}
        {% if by_index -%} {{ of_changed_bodies(alias ~ '.' ~ code_column) }} and {% endif -%}
        {{ redo_condition(alias, redo_by, code_column) }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{#-
    What a build of changes adds is named by a temporary view and not put aside in a table first: the strategy below puts aside what
    it compares, and would write every row once more. A model that reads its own table has to read it before that, and keeps the
    table.
-#}
{% macro postgres__get_create_table_as_sql(temporary, relation, sql) -%}
    {%- if temporary and config.get('incremental_strategy') == 'changed_keys' and this.render() not in sql -%}
        create temporary view {{ relation }} as
        {%- if (config.get('contract') or {}).enforced %}
        {{- get_assert_columns_equivalent(sql) }}
        {%- endif %}
        {{ sql }}
    {%- else -%}
        {{ return(create_table_as(temporary, relation, sql)) }}
    {%- endif -%}
{%- endmacro %}

{#-
    What is redone is for the most part as it was: a body that sends again corrects a few of its answers. Rows that stand as they
    are made are left alone, since to write a row, and all indexes of it, costs more than to compare it. They are compared by 64
    bits, with a seed: without one NULL and zero have the same. A table without a unique index may have a row twice, and is
    written anew. Where there is nothing to compare with, as in the first returns of a year, rows are written at once: put
    aside first, they would cost as much again.
-#}
{% macro get_incremental_changed_keys_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set meta = config.get('meta') or {} -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set row_bits = 'hash_record_extended(row(' ~ columns ~ '), 7)' -%}
    {%- set redo_by = meta.get('redo_by', 'municipality') -%}
    {%- set code_column = meta.get('code_column', 'municipality_code') -%}
    {%- set is_redone -%}
        {% if is_by_body(redo_by) -%} {{ of_changed_bodies('target.' ~ code_column) }} and {% endif -%}
        {{ redo_condition('target', redo_by, code_column) }}
    {%- endset -%}
    {%- if redo_by != 'peer_group' and config.get('indexes', []) | selectattr('unique', 'defined') | list -%}
        {%- set holding -%}
            create temporary table held_row on commit drop as
            select
                target.ctid as row_place,
                {{ row_bits }} as row_bits
            from {{ target }} as target
            where {{ is_redone }}
        {%- endset -%}
        {%- do run_query(holding) -%}
        {%- if not run_query('select 1 from held_row limit 1').rows | length -%}
        insert into {{ target }} ({{ columns }})
        select {{ columns }}
        from {{ arg_dict['temp_relation'] }};
        {%- else -%}
        create temporary table made_row on commit drop as
        select
            made.*,
            {{ row_bits }} as row_bits
        from {{ arg_dict['temp_relation'] }} as made;

        -- neither has statistics, and the planner would search one for each row of the other
        set local enable_nestloop = off;
        set local enable_mergejoin = off;

        delete from {{ target }} as target
        where
            target.ctid = any(
                array(
                    select held_row.row_place
                    from held_row
                    left join made_row on held_row.row_bits = made_row.row_bits
                    where made_row.row_bits is null
                )
            );

        insert into {{ target }} ({{ columns }})
        select {{ columns }}
        from made_row
        left join held_row on made_row.row_bits = held_row.row_bits
        where held_row.row_bits is null;
        {%- endif %}
    {%- else -%}
        delete from {{ target }} as target
        where {{ is_redone }};

        insert into {{ target }} ({{ columns }})
        select {{ columns }}
        from {{ arg_dict['temp_relation'] }};
    {%- endif %}

    do $$
    begin
        -- left to the end of the session, it would keep what it reads from being replaced
        if exists (select 1 from pg_views where viewname = '{{ arg_dict['temp_relation'].identifier }}') then
            drop view {{ arg_dict['temp_relation'] }};
        end if;
    end
    $$
{% endmacro %}

{#- Whether the rows of a body are redone for its own changes, and not for those of others. -#}
{% macro is_by_body(redo_by) -%}
    {%- do return(redo_by in ('municipality', 'return', 'answer', 'municipality_and_next_year')) -%}
{%- endmacro %}

{#- Beside a condition on body and year, which no index holds: whose rows an index can find. -#}
{% macro of_changed_bodies(code_column) -%}
    {{ code_column }} = any(array(select distinct municipality_code from staging.stg_ops__changed_key))
{%- endmacro %}

{#- The same of the bodies in the raions whose sums are redone (`area`). -#}
{% macro of_changed_places(code_column) -%}
    {{ code_column }} = any(
        array(
            select place.municipality_code
            from {{ ref('int_municipality__described') }} as place
            where
                coalesce(place.raion_code, place.municipality_code) in (
                    select changed_area.area_code from {{ ref('int_area__changed') }} as changed_area
                )
        )
    )
{%- endmacro %}

{#-
    What a test of a model asks about, in place of dbt's own macro of this name: the keys that the running build redoes where the
    model is built key by key, all rows otherwise. The rows of other keys were asked when they were made. A full build has no keys.
    A test depends on its own model and on nothing else, so the keys are named here without ref().
-#}
{% macro get_where_subquery(relation) -%}
    {%- set tested = graph.nodes.get(model.attached_node) if execute else none -%}
    {%- set conditions = [config.get('where')] if config.get('where') else [] -%}
    {%- if tested and tested.config.incremental_strategy == 'changed_keys' and has_changed_keys() -%}
        {%- set meta = tested.config.meta or {} -%}
        {%- set code_column = meta.get('code_column', 'municipality_code') -%}
        {%- set redo_by = meta.get('redo_by', 'municipality') -%}
        {%- set asked = (code_column ~ ', ') if code_column in tested.columns and is_by_body(redo_by) else '' -%}
        {%- do conditions.append(of_changed_bodies(code_column)) if asked -%}
        {%- do conditions.append(
            '(' ~ asked ~ 'left(time_period, 4)) in (select ' ~ ('municipality_code, ' if asked else '')
            ~ 'time_period from staging.stg_ops__changed_key'
            ~ (' where is_' ~ redo_by ~ '_changed' if redo_by in ('return', 'answer') else '') ~ ')'
        ) -%}
    {%- endif -%}
    {%- if conditions -%}
        {%- do return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as asked') -%}
    {%- endif -%}
    {%- do return(relation) -%}
{%- endmacro %}

{% macro has_changed_keys(at_least=1) -%}
    {%- do return(run_query('select 1 from staging.stg_ops__changed_key limit ' ~ at_least).rows | length == at_least) -%}
{%- endmacro %}

{#-
    Statistics of a table that was just filled: autovacuum comes too late for the models that read it a second later. A few changed
    keys leave the statistics true; a whole year of the country does not. `statistics_of`, in the model's config.meta, names the
    columns that others filter, join and group by, where the rest are long texts and amounts.
-#}
{% macro analyze_table() -%}
    {%- set columns = (config.get('meta') or {}).get('statistics_of') -%}
    {%- if config.get('materialized') == 'table' or (config.get('materialized') == 'incremental' and (not is_incremental() or has_changed_keys(300))) -%}
        analyze {{ this }}{{ ' (' ~ columns | join(', ') ~ ')' if columns }}
    {%- endif -%}
{%- endmacro %}
