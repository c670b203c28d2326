{{ config(indexes=[{'columns': ['municipality_code', 'peer_group_kind'], 'unique': true}]) }}

with

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

groups as (

    select * from {{ ref('peer_group') }}

),

kinds as (

    select
        municipality_code,
        'country' as peer_group_kind,
        'UA' as peer_group_code,
        'Україна' as own_name_uk
    from municipalities
    union all
    select
        municipality_code,
        'oblast' as peer_group_kind,
        'oblast:' || oblast_code as peer_group_code,
        oblast_name_uk as own_name_uk
    from municipalities
    union all
    select
        municipality_code,
        'type' as peer_group_kind,
        'type:' || hromada_type as peer_group_code,
        hromada_type as own_name_uk
    from municipalities
    union all
    select
        municipality_code,
        'size' as peer_group_kind,
        'size:' || size_class as peer_group_code,
        size_class as own_name_uk
    from municipalities

),

final as (

    select
        kinds.municipality_code,
        kinds.peer_group_kind,
        kinds.peer_group_code,
        coalesce(groups.name_uk, kinds.own_name_uk) as name_uk,
        coalesce(groups.name_en, {{ romanise('kinds.own_name_uk') }}) as name_en
    from kinds
    left join groups on kinds.peer_group_code = groups.peer_group_code

)

select * from final
