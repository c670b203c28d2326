with

lines as (

    select * from {{ source('raw', 'members_body') }}

),

-- the register is one file, and the one that came last is in force
in_force as (

    {{ load_in_force('members') }}

),

final as (

    select
        lines.municipality_code,
        row_number() over (
            partition by lines.municipality_code order by lines.registered_from asc nulls first
        ) as term_no,
        lines.is_member,
        lines.registered_from,
        lines.registered_to,
        lines.load_id
    from lines
    inner join in_force on lines.load_id = in_force.load_id

)

select * from final
