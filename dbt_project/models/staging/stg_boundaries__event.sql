with

in_force as (

    {{ load_in_force('boundary_event') }}

),

final as (

    select
        lines.event_code,
        lines.event_kind,
        lines.known_by,
        lines.act,
        lines.predecessor_code,
        lines.successor_code,
        -- all of it goes to the only successor, said or not
        case
            when count(*) over (partition by lines.event_code, lines.predecessor_code) = 1 then 1.0::double precision
            else lines.weight
        end as weight
    from {{ source('raw', 'boundary_event') }} as lines
    inner join in_force on lines.load_id = in_force.load_id

)

select * from final
