{#-
    The tables that hide_cells() works on. In a build of changes those of the years that changed, and of them only those that are
    not as they were when the model was last made (`table_hash`): a corrected cell concerns one group of cards and not all.
-#}
{% macro read_cells_to_hide() -%}
    {%- set is_partial = is_incremental() or not execute -%}
    create temporary table hide_source on commit drop as
    with

    asked as (

        select
            cells.*,
            indicators.aggregation = 'sum' as has_areas
        from {{ ref('stg_catalogue__disclosure_cell') }} as cells
        inner join {{ ref('stg_catalogue__indicator') }} as indicators on cells.indicator_code = indicators.indicator_code

    ),

    places as (

        select
            municipality_code,
            'area:' || coalesce(raion_code, oblast_code) as parent
        from {{ ref('int_municipality__described') }}

    ),

    standing as (

        select distinct source_code as municipality_code
        from {{ ref('int_boundary__crosswalk') }}
        where source_valid_to is null

    ),

    recast_keys as (

        select distinct
            municipality_code,
            collection_code,
            time_period
        from {{ ref('int_boundary__recast') }}

    ),

    reported as (

        select cell.*
        from {{ ref('int_disclosure__cell') }} as cell
        where {{ only_changed_keys('cell', 'year') }}

    ),

    before as (

        select distinct
            subject_code,
            collection_code,
            indicator_code,
            time_period,
            sex
        from {{ ref('stg_ops__disclosed') }} as disclosed
        where disclosed.is_hidden and disclosed.subject_kind = 'reported' and {{ only_changed_keys('disclosed', 'year') }}

    ),

    -- what was hidden and is gone stands with nothing, since its going shows in the totals
    stood as (

        select
            municipality_code,
            collection_code,
            indicator_code,
            time_period,
            sex,
            obs_value
        from reported
        union all
        select
            before.subject_code as municipality_code,
            before.collection_code,
            before.indicator_code,
            before.time_period,
            before.sex,
            0 as obs_value
        from before
        left join reported
            on
                before.subject_code = reported.municipality_code
                and before.collection_code = reported.collection_code
                and before.indicator_code = reported.indicator_code
                and before.time_period = reported.time_period
                and before.sex = reported.sex
        where reported.municipality_code is null

    ),

    noded as (

        select
            'reported' as kind,
            stood.municipality_code,
            stood.collection_code,
            stood.indicator_code,
            stood.time_period,
            stood.sex,
            stood.obs_value,
            standing.municipality_code is not null and recast_keys.municipality_code is null as is_on_map
        from stood
        left join standing on stood.municipality_code = standing.municipality_code
        left join recast_keys
            on
                stood.municipality_code = recast_keys.municipality_code
                and stood.collection_code = recast_keys.collection_code
                and stood.time_period = recast_keys.time_period
        union all
        select
            'recast' as kind,
            whole.municipality_code,
            whole.collection_code,
            whole.indicator_code,
            whole.time_period,
            whole.sex,
            whole.obs_value,
            true as is_on_map
        from {{ ref('int_observation__recast') }} as whole
        where whole.obs_value is not null and {{ only_changed_keys('whole', 'year') }}

    )

    select
        asked.group_code,
        noded.collection_code,
        noded.time_period,
        noded.kind || ':' || noded.municipality_code as node,
        case when noded.is_on_map and asked.has_areas then places.parent end as parent,
        noded.kind,
        noded.indicator_code,
        noded.sex,
        asked.tier,
        asked.least_count,
        asked.largest_share,
        asked.least_contributors,
        noded.obs_value::numeric as amount
    from noded
    inner join asked on noded.indicator_code = asked.indicator_code and noded.sex = asked.sex
    left join places on noded.municipality_code = places.municipality_code;

    create temporary table hide_table on commit drop as
    select
        row_number() over (order by group_code, collection_code, time_period) as scope_no,
        *
    from (
        select
            group_code,
            collection_code,
            time_period,
            sum(hash_record_extended(row(node, parent, indicator_code, sex, amount), 7))::text as table_hash
        from hide_source
        group by group_code, collection_code, time_period
    ) as tables;

    create temporary table hide_kept on commit drop as
    select
        group_code,
        collection_code,
        time_period,
        table_hash
    from hide_table
    where
        {% if is_partial -%}
            (group_code, collection_code, time_period, table_hash) in (
                select group_code, collection_code, time_period, table_hash from {{ this }}
            )
        {%- else -%}
            false
        {%- endif %};

    delete from hide_table
    where (group_code, collection_code, time_period) in (select group_code, collection_code, time_period from hide_kept);
    analyze hide_source;
    analyze hide_table;

    create temporary table hide_leaf on commit drop as
    select
        tables.scope_no,
        source.node,
        source.parent,
        source.kind,
        source.indicator_code,
        source.sex,
        source.tier,
        source.least_count,
        source.largest_share,
        source.least_contributors,
        source.amount
    from hide_source as source
    inner join hide_table as tables
        on
            source.group_code = tables.group_code
            and source.collection_code = tables.collection_code
            and source.time_period = tables.time_period;

    create temporary table hide_area on commit drop as
    select distinct
        'area:' || raion_code as node,
        'area:' || oblast_code as parent,
        1 as level_no
    from {{ ref('int_municipality__described') }}
    where raion_code is not null
    union all
    select distinct
        'area:' || oblast_code as node,
        'area:UA' as parent,
        2 as level_no
    from {{ ref('int_municipality__described') }}
    union all
    select
        'area:UA' as node,
        null as parent,
        3 as level_no;

    create temporary table hide_term on commit drop as
    select
        tables.scope_no,
        term.equation_code,
        term.indicator_code,
        term.sex,
        term.sign
    from hide_table as tables
    inner join {{ ref('stg_catalogue__disclosure_term') }} as term on tables.group_code = term.group_code;

    create temporary table hide_before on commit drop as
    select
        tables.scope_no,
        before.subject_kind || ':' || before.subject_code as node,
        before.indicator_code,
        before.sex,
        before.obs_value,
        before.is_hidden
    from hide_table as tables
    inner join {{ ref('stg_catalogue__disclosure_cell') }} as cells on tables.group_code = cells.group_code
    inner join {{ ref('stg_ops__disclosed') }} as before
        on
            tables.time_period = before.time_period
            and cells.indicator_code = before.indicator_code
            and cells.sex = before.sex
            and tables.collection_code = before.collection_code;

    create temporary table hide_part on commit drop as
    select distinct
        tables.scope_no,
        'recast:' || part.municipality_code as node,
        'reported:' || part.source_code as part_node
    from hide_table as tables
    inner join {{ ref('int_boundary__recast') }} as part
        on tables.collection_code = part.collection_code and tables.time_period = part.time_period
    where part.weight is distinct from 0;
    analyze hide_leaf;
    analyze hide_before
{%- endmacro %}
