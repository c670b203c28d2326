-- Served as it stands here, over the published rows of what it reads, so a corrected cell rewrites its body's row and the row of
-- its group, and not the rows of all bodies of the group. One place is looked up in one block of the group's values.
{{ config(materialized='view') }}

with

profile as (

    select * from {{ ref('mart_profile_value') }}

),

places as (

    select * from {{ ref('mart_profile_place') }}

),

-- Equal values share the best place (1, 2, 2, 4); the place says «relative», not «good».
final as (

    select
        profile.municipality_code,
        profile.collection_code,
        profile.indicator_code,
        profile.time_period,
        profile.period_start,
        profile.sex,
        profile.unit_measure,
        profile.obs_value,
        profile.obs_status,
        profile.previous_value,
        profile.change_value,
        profile.change_percent,
        profile.peer_group_code,
        profile.peer_group_name_uk,
        profile.peer_group_name_en,
        coalesce(place.n, 0) as n,
        place.median as peer_median,
        place.n - place.lower_counts[width_bucket(profile.obs_value, place.obs_values) + 1] + 1 as peer_rank,
        100 * (
            place.lower_counts[width_bucket(profile.obs_value, place.obs_values)]::double precision / nullif(place.n - 1, 0)
        ) as peer_percentile,
        profile.is_sample,
        greatest(profile.release_from, place.release_from) as release_from
    from profile
    -- the block that holds the value; for a missing one any, and the first is always there
    left join lateral (
        select
            places.n,
            places.median,
            places.obs_values,
            places.lower_counts,
            places.release_from
        from places
        where
            places.indicator_code = profile.indicator_code
            and places.time_period = profile.time_period
            and places.peer_group_code = profile.peer_group_code
            and places.sex = profile.sex
            and places.collection_code = profile.collection_code
            and places.from_value <= coalesce(profile.obs_value, '-Infinity')
        order by places.from_value desc
        limit 1
    ) as place on true

)

select * from final
