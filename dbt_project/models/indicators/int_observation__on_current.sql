{{ config(materialized='view') }}

with

recast_cells as (

    select * from {{ ref('int_observation__recast') }}

),

accepted as (

    select * from {{ ref('int_observation__accepted') }}

),

recast_keys as (

    select * from {{ ref('int_boundary__recast') }}

),

-- a council is followed only until it joined, and a hromada that went has no territory today
standing as (

    select source_code as municipality_code
    from {{ ref('int_boundary__crosswalk') }}
    where source_valid_to is null

),

final as (

    select
        collection_code,
        municipality_code,
        time_period,
        indicator_code,
        sex,
        obs_value,
        obs_status,
        is_sample
    from recast_cells
    union all
    select
        accepted.collection_code,
        accepted.municipality_code,
        accepted.time_period,
        accepted.indicator_code,
        accepted.sex,
        accepted.obs_value,
        accepted.obs_status,
        accepted.is_sample
    from accepted
    where
        exists (
            select 1
            from standing
            where accepted.municipality_code = standing.municipality_code
        )
        and not exists (
            select 1
            from recast_keys
            where
                accepted.municipality_code = recast_keys.municipality_code
                and accepted.collection_code = recast_keys.collection_code
                and accepted.time_period = recast_keys.time_period
        )

)

select * from final
