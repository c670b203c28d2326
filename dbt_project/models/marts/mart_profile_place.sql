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

with

{{ facts_in_groups(
    ['municipality_code', 'collection_code', 'indicator_code', 'time_period', 'sex', 'obs_value'],
    where='fact.obs_value is not null',
    kind=var('profile_peer_group_kind'),
) }},

peer_stats as (

    select * from {{ ref('mart_indicator_peer_stats') }}

),

-- the different values of a group and how many have each
counted as (

    select
        peer_group_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        obs_value,
        count(*) as equal_count
    from grouped
    where {% if is_incremental() or not execute %}{{ redo_group('grouped') }}{% else %}true{% endif %}
    group by peer_group_code, collection_code, indicator_code, time_period, sex, obs_value

),

placed as (

    select
        *,
        sum(equal_count) over own_group as not_more_count,
        (row_number() over own_group - 1) / {{ var("profile_place_values") }} as block_no
    from counted
    window
        own_group as (
            partition by peer_group_code, collection_code, indicator_code, time_period, sex
            order by obs_value
        )

),

blocks as (

    select
        peer_group_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        case when block_no = 0 then '-Infinity' else min(obs_value) end as from_value,
        array_agg(obs_value order by obs_value) as obs_values,
        min(not_more_count - equal_count)::integer
        || array_agg(not_more_count::integer order by obs_value) as lower_counts
    from placed
    group by peer_group_code, collection_code, indicator_code, time_period, sex, block_no

),

final as (

    select
        blocks.indicator_code,
        blocks.time_period,
        blocks.peer_group_code,
        blocks.sex,
        blocks.collection_code,
        blocks.from_value,
        peer_stats.n,
        peer_stats.median,
        blocks.obs_values,
        blocks.lower_counts,
        null::bigint as release_from
    from blocks
    inner join peer_stats
        on
            blocks.peer_group_code = peer_stats.peer_group_code
            and blocks.collection_code = peer_stats.collection_code
            and blocks.indicator_code = peer_stats.indicator_code
            and blocks.time_period = peer_stats.time_period
            and blocks.sex = peer_stats.sex

)

select * from final
