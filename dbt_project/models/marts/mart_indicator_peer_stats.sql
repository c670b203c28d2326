{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='{{ find_changed_cells() }}',
        indexes=[
            {
                'columns': ['peer_group_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- depends_on: {{ ref('stg_ops__changed_key') }}

with

{{ facts_in_groups([
    'municipality_code', 'collection_code', 'indicator_code', 'time_period', 'period_start', 'sex', 'unit_measure', 'obs_value',
    'is_sample',
]) }},

groups as (

    select distinct
        peer_group_code,
        peer_group_kind,
        name_uk,
        name_en
    from memberships

),

-- by the key alone: names beside it would be sorted along for every body
stats as (

    select
        peer_group_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        min(period_start) as period_start,
        min(unit_measure) as unit_measure,
        count(obs_value) as n,
        percentile_cont(0.5) within group (order by obs_value) as median,
        percentile_cont(0.25) within group (order by obs_value) as q1,
        percentile_cont(0.75) within group (order by obs_value) as q3,
        bool_or(is_sample) as is_sample
    from grouped
    where {% if is_incremental() or not execute %}{{ redo_group('grouped') }}{% else %}true{% endif %}
    group by peer_group_code, collection_code, indicator_code, time_period, sex

),

final as (

    select
        stats.peer_group_code,
        groups.peer_group_kind,
        groups.name_uk as peer_group_name_uk,
        groups.name_en as peer_group_name_en,
        stats.collection_code,
        stats.indicator_code,
        stats.time_period,
        stats.period_start,
        stats.sex,
        stats.unit_measure,
        stats.n,
        stats.median,
        stats.q1,
        stats.q3,
        stats.is_sample
    from stats
    inner join groups on stats.peer_group_code = groups.peer_group_code

)

select * from final
