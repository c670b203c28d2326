{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['{{ find_changed_cells() }}', 'set local enable_mergejoin = off'],
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
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

    select *
    from {{ ref('int_peer_group__membership') }}
    where peer_group_kind = '{{ var("profile_peer_group_kind") }}'

),

peer_stats as (

    select * from {{ ref('mart_indicator_peer_stats') }}

),

placed as (

    select
        facts.*,
        memberships.peer_group_code,
        memberships.name_uk as peer_group_name_uk,
        memberships.name_en as peer_group_name_en
    from facts
    inner join memberships on facts.municipality_code = memberships.municipality_code

),

-- Equal values share the best place (1, 2, 2, 4); the place says «relative», not «good».
ranked as (

    select
        placed.municipality_code,
        placed.collection_code,
        placed.indicator_code,
        placed.time_period,
        placed.sex,
        rank() over (
            partition by
                placed.peer_group_code, placed.collection_code, placed.indicator_code, placed.time_period, placed.sex
            order by placed.obs_value desc
        ) as peer_rank,
        100 * percent_rank() over (
            partition by
                placed.peer_group_code, placed.collection_code, placed.indicator_code, placed.time_period, placed.sex
            order by placed.obs_value
        ) as peer_percentile
    from placed
    where placed.obs_value is not null and {{ only_changed_keys('placed', 'peer_group') }}

),

final as (

    select
        placed.municipality_code,
        placed.collection_code,
        placed.indicator_code,
        placed.time_period,
        placed.period_start,
        placed.sex,
        placed.unit_measure,
        placed.obs_value,
        placed.obs_status,
        before.obs_value as previous_value,
        placed.obs_value - before.obs_value as change_value,
        -- a figure next to nothing as a base would give a percentage beyond what the type can hold
        case when abs(before.obs_value) >= 1e-9 then 100 * (placed.obs_value - before.obs_value) / abs(before.obs_value) end
            as change_percent,
        placed.peer_group_code,
        placed.peer_group_name_uk,
        placed.peer_group_name_en,
        coalesce(peer_stats.n, 0) as n,
        peer_stats.median as peer_median,
        ranked.peer_rank,
        case when peer_stats.n > 1 then ranked.peer_percentile end as peer_percentile,
        placed.is_sample
    from placed
    left join facts as before
        on
            placed.municipality_code = before.municipality_code
            and placed.collection_code = before.collection_code
            and placed.indicator_code = before.indicator_code
            and placed.sex = before.sex
            and before.time_period
            = (left(placed.time_period, 4)::integer - 1)::text || right(placed.time_period, length(placed.time_period) - 4)
    left join peer_stats
        on
            placed.peer_group_code = peer_stats.peer_group_code
            and placed.collection_code = peer_stats.collection_code
            and placed.indicator_code = peer_stats.indicator_code
            and placed.time_period = peer_stats.time_period
            and placed.sex = peer_stats.sex
    left join ranked
        on
            placed.municipality_code = ranked.municipality_code
            and placed.collection_code = ranked.collection_code
            and placed.indicator_code = ranked.indicator_code
            and placed.time_period = ranked.time_period
            and placed.sex = ranked.sex
    where {{ only_changed_keys('placed', 'peer_group') }}

)

select * from final
