{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='set local enable_mergejoin = off',
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- What is made by peer groups asks what this model held before (find_changed_cells), so this one comes after.
-- depends_on: {{ ref('stg_ops__changed_key') }}
-- depends_on: {{ ref('mart_indicator_peer_stats') }}
-- depends_on: {{ ref('mart_profile_place') }}

with

facts as (

    select * from {{ ref('fct_indicator_value') }}

),

-- said twice, since what is read twice is read as a whole
before as (

    select * from {{ ref('fct_indicator_value') }}

),

memberships as (

    select *
    from {{ ref('int_peer_group__membership') }}
    where peer_group_kind = '{{ var("profile_peer_group_kind") }}'

),

-- all facts: what is redone of peer groups is told from them, and a municipality of no known size has a profile too
placed as (

    select
        facts.*,
        memberships.peer_group_code,
        memberships.name_uk as peer_group_name_uk,
        memberships.name_en as peer_group_name_en
    from facts
    left join memberships
        on
            facts.municipality_code = memberships.municipality_code
            and left(facts.time_period, 4) between memberships.first_year and memberships.last_year

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
        placed.is_sample,
        -- the publisher writes it; mart_municipality_profile passes it on
        null::bigint as release_from
    from placed
    left join before
        on
            placed.municipality_code = before.municipality_code
            and placed.collection_code = before.collection_code
            and placed.indicator_code = before.indicator_code
            and placed.sex = before.sex
            and before.time_period
            = (left(placed.time_period, 4)::integer - 1)::text || right(placed.time_period, length(placed.time_period) - 4)
    where {{ only_changed_keys('placed', 'municipality_and_next_year', by_index=true) }}

)

select * from final
