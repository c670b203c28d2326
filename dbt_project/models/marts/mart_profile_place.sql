{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='{{ find_changed_cells() }}',
        indexes=[
            {
                'columns': ['indicator_code', 'time_period', 'peer_group_code', 'sex', 'collection_code', 'from_value'],
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

memberships as (

    select * from {{ ref('int_peer_group__membership') }}

),

grouped as (

    select *
    from peer_values
    where
        peer_group_code in (
            select memberships.peer_group_code
            from memberships
            where memberships.peer_group_kind = '{{ var("profile_peer_group_kind") }}'
        )
        and {{ only_changed_keys('peer_values', 'peer_group') }}

),

final as (

    select
        grouped.indicator_code,
        grouped.time_period,
        grouped.peer_group_code,
        grouped.sex,
        grouped.collection_code,
        blocks.from_value,
        grouped.n,
        grouped.median,
        blocks.obs_values,
        blocks.lower_counts,
        null::bigint as release_from
    from grouped
    cross join lateral {{ blocks_of_values('grouped.obs_values') }} as blocks  -- noqa: ST05

)

select * from final
