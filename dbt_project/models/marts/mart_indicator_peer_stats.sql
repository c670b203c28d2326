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

facts as (

    select * from {{ ref('fct_indicator_value') }}

),

memberships as (

    select * from {{ ref('int_peer_group__membership') }}

),

grouped as (

    select
        memberships.peer_group_code,
        memberships.peer_group_kind,
        memberships.name_uk as peer_group_name_uk,
        memberships.name_en as peer_group_name_en,
        facts.collection_code,
        facts.indicator_code,
        facts.time_period,
        facts.period_start,
        facts.sex,
        facts.unit_measure,
        facts.obs_value,
        facts.is_sample
    from facts
    inner join memberships on facts.municipality_code = memberships.municipality_code

),

final as (

    select
        peer_group_code,
        peer_group_kind,
        peer_group_name_uk,
        peer_group_name_en,
        collection_code,
        indicator_code,
        time_period,
        period_start,
        sex,
        unit_measure,
        count(obs_value) as n,
        percentile_cont(0.5) within group (order by obs_value) as median,
        percentile_cont(0.25) within group (order by obs_value) as q1,
        percentile_cont(0.75) within group (order by obs_value) as q3,
        bool_or(is_sample) as is_sample
    from grouped
    where {{ only_changed_keys('grouped', 'peer_group') }}
    group by
        peer_group_code,
        peer_group_kind,
        peer_group_name_uk,
        peer_group_name_en,
        collection_code,
        indicator_code,
        time_period,
        period_start,
        sex,
        unit_measure

)

select * from final
