with

memberships as (

    select * from {{ ref('int_peer_group__membership') }}

),

final as (

    select
        municipality_code,
        peer_group_kind,
        last_year,
        first_year,
        peer_group_code,
        name_uk as peer_group_name_uk,
        name_en as peer_group_name_en,
        valid_from,
        valid_to,
        valid_to is null as is_current
    from memberships

)

select * from final
