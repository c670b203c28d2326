with

stays as (

    select
        *,
        min(known_by) over (partition by municipality_code) as first_known_by,
        count(*) over (partition by municipality_code, known_by) as council_count
    from {{ ref('int_boundary__stay') }}

),

staff_events as (

    select * from {{ ref('stg_boundaries__event') }}

),

units as (

    select
        *,
        lag(name_uk) over (partition by unit_code order by valid_from) as previous_name_uk,
        lag(category) over (partition by unit_code order by valid_from) as previous_category,
        lag(valid_to) over (partition by unit_code order by valid_from) as previous_valid_to,
        lead(valid_from) over (partition by unit_code order by valid_from) as next_valid_from
    from {{ ref('int_unit__history') }}

),

born as (

    select * from units
    where changed_after is not null and previous_valid_to is distinct from valid_from

),

gone as (

    select * from units
    where valid_to is not null and next_valid_from is distinct from valid_to

),

-- a code that goes while another comes with the same name, category and place is the same unit
recoded as (

    select
        gone.unit_code as old_code,
        born.*
    from gone
    inner join born
        on
            gone.valid_to = born.valid_from
            and gone.name_uk = born.name_uk
            and gone.category = born.category
            and gone.parent_code = born.parent_code

),

council_events as (

    select
        case
            when known_by > first_known_by then 'joined'
            when council_count = 1 then 'created'
            else 'merged'
        end as event_kind,
        council_code as predecessor_code,
        municipality_code as successor_code,
        municipality_code,
        known_by,
        known_after,
        1.0::double precision as weight,
        true as is_boundary_change,
        null::text as old_value,
        null::text as new_value,
        null::text as act,
        source
    from stays

),

-- a hromada that a council left: which share of it that was, nobody has said
transfers as (

    select
        'part_transferred' as event_kind,
        stays.previous_code as predecessor_code,
        parts.successor_code,
        parts.successor_code as municipality_code,
        stays.known_by,
        min(stays.known_after) as known_after,
        null::double precision as weight,
        true as is_boundary_change,
        null::text as old_value,
        null::text as new_value,
        null::text as act,
        'council_history' as source
    from stays
    cross join lateral (values (stays.municipality_code), (stays.previous_code)) as parts (successor_code)
    where stays.previous_code is not null
    group by stays.previous_code, parts.successor_code, stays.known_by

),

reforms as (

    select
        event_kind,
        predecessor_code,
        successor_code,
        successor_code as municipality_code,
        known_by,
        null::date as known_after,
        weight,
        true as is_boundary_change,
        null::text as old_value,
        null::text as new_value,
        act,
        'staff' as source
    from staff_events

),

changes as (

    select
        'renamed' as event_kind,
        unit_code as predecessor_code,
        unit_code as successor_code,
        coalesce(municipality_code, unit_code) as municipality_code,
        valid_from as known_by,
        changed_after as known_after,
        previous_name_uk as old_value,
        name_uk as new_value
    from units
    where previous_valid_to = valid_from and previous_name_uk <> name_uk
    union all
    select
        'recategorised' as event_kind,
        unit_code as predecessor_code,
        unit_code as successor_code,
        coalesce(municipality_code, unit_code) as municipality_code,
        valid_from as known_by,
        changed_after as known_after,
        previous_category as old_value,
        category as new_value
    from units
    where previous_valid_to = valid_from and previous_category <> category
    union all
    select
        'recoded' as event_kind,
        old_code as predecessor_code,
        unit_code as successor_code,
        coalesce(municipality_code, unit_code) as municipality_code,
        valid_from as known_by,
        changed_after as known_after,
        old_code as old_value,
        unit_code as new_value
    from recoded
    union all
    select
        'created' as event_kind,
        born.unit_code as predecessor_code,
        born.unit_code as successor_code,
        coalesce(born.municipality_code, born.unit_code) as municipality_code,
        born.valid_from as known_by,
        born.changed_after as known_after,
        null as old_value,
        born.name_uk as new_value
    from born
    left join recoded on born.unit_code = recoded.unit_code and born.valid_from = recoded.valid_from
    where recoded.unit_code is null
    union all
    select
        'abolished' as event_kind,
        gone.unit_code as predecessor_code,
        gone.unit_code as successor_code,
        coalesce(gone.municipality_code, gone.unit_code) as municipality_code,
        gone.valid_to as known_by,
        null as known_after,
        gone.name_uk as old_value,
        null as new_value
    from gone
    left join recoded on gone.unit_code = recoded.old_code and gone.valid_to = recoded.valid_from
    where recoded.unit_code is null

),

namings as (

    select
        event_kind,
        predecessor_code,
        successor_code,
        municipality_code,
        known_by,
        known_after,
        1.0::double precision as weight,
        false as is_boundary_change,
        old_value,
        new_value,
        null::text as act,
        'codifier' as source
    from changes

),

events as (

    select * from council_events
    union all
    select * from transfers
    union all
    select * from reforms
    union all
    select * from namings

),

final as (

    select
        md5(concat_ws('|', event_kind, predecessor_code, successor_code, known_by)) as event_id,
        event_kind,
        predecessor_code,
        successor_code,
        municipality_code,
        known_by,
        known_after,
        weight,
        is_boundary_change,
        weight is null as is_break,
        old_value,
        new_value,
        act,
        source
    from events

)

select * from final
