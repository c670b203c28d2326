{{ config(materialized='view') }}

with

changed as (

    select * from {{ ref('stg_ops__changed_key') }}

),

memberships as (

    select * from {{ ref('int_peer_group__membership') }}

),

final as (

    select distinct
        memberships.peer_group_code,
        changed.time_period
    from changed
    inner join memberships
        on
            changed.municipality_code = memberships.municipality_code
            and changed.time_period between memberships.first_year and memberships.last_year

)

select * from final
