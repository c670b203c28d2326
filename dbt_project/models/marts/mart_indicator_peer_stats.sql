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
-- depends_on: {{ ref('stg_ops__unfinished_build') }}
-- depends_on: {{ ref('fct_indicator_value') }}

with

peer_values as (

    select * from {{ ref('mart_peer_value') }}

),

groups as (

    select distinct
        peer_group_code,
        peer_group_kind,
        name_uk,
        name_en
    from {{ ref('int_peer_group__membership') }}

),

final as (

    select
        peer_values.peer_group_code,
        groups.peer_group_kind,
        groups.name_uk as peer_group_name_uk,
        groups.name_en as peer_group_name_en,
        peer_values.collection_code,
        peer_values.indicator_code,
        peer_values.time_period,
        peer_values.period_start,
        peer_values.sex,
        peer_values.unit_measure,
        peer_values.n,
        peer_values.median,
        peer_values.q1,
        peer_values.q3,
        peer_values.is_sample
    from peer_values
    inner join groups on peer_values.peer_group_code = groups.peer_group_code
    where {{ only_changed_keys('peer_values', 'peer_group') }}

)

select * from final
