{{ config(materialized='view') }}

with

changed as (

    select * from {{ ref('stg_ops__changed_key') }}

),

memberships as (

    select * from {{ ref('int_peer_group__membership') }}

),

-- a profile looks back a year, so it changes with the year before it too
years as (

    select
        municipality_code,
        time_period
    from changed
    union
    select
        municipality_code,
        (time_period::integer + 1)::text as time_period
    from changed

),

final as (

    select distinct
        memberships.peer_group_code,
        years.time_period
    from years
    inner join memberships on years.municipality_code = memberships.municipality_code

)

select * from final
