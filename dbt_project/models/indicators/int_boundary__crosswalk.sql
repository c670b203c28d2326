{{ config(indexes=[{'columns': ['source_code']}]) }}

{#-
    Every unit stands in versions: its territory between two events. What became of a version is the product of weights along
    the ways from it to a later version, summed over the ways. So the crosswalk between any two dates is a choice of rows: the
    versions that stood on the one and on the other. One unknown weight on the way makes the whole unknown.
-#}
with recursive

events as (

    select * from {{ ref('int_boundary__event') }}
    where is_boundary_change

),

units as (

    select distinct unit_code as code
    from {{ ref('int_unit__history') }}
    where category in ('H', 'K')

),

stays as (

    select * from {{ ref('int_boundary__stay') }}

),

councils as (

    select * from {{ ref('stg_boundaries__council') }}

),

-- Councils are not cut up: each is followed by itself, below.
edges as (

    select
        events.predecessor_code,
        events.successor_code,
        events.known_by,
        events.weight,
        -- a hromada that councils left is cut up, those of its councils that stayed are not
        events.source <> 'council_history' as moves_councils
    from events
    left join stays
        on
            events.predecessor_code = stays.council_code
            and events.successor_code = stays.municipality_code
            and events.known_by = stays.known_by
    where stays.council_code is null

),

mentions as (

    select
        predecessor_code as code,
        known_by,
        true as is_predecessor,
        moves_councils,
        false as is_successor,
        false as is_new
    from edges
    union all
    select
        successor_code as code,
        known_by,
        false as is_predecessor,
        false as moves_councils,
        true as is_successor,
        event_kind in ('created', 'merged', 'split', 'recoded') as is_new
    from events

),

points as (

    select
        code,
        known_by,
        bool_or(is_predecessor) as is_predecessor,
        bool_or(moves_councils) as moves_councils,
        not bool_or(is_predecessor) or bool_or(is_successor) as is_alive_after,
        bool_and(is_successor and is_new) as is_born,
        row_number() over (partition by code order by known_by) as point_no,
        lead(known_by) over (partition by code order by known_by) as next_known_by
    from mentions
    group by code, known_by

),

first_points as (

    select * from points
    where point_no = 1

),

codes as (

    select code from units
    union
    select code from points

),

versions as (

    -- before its first event, unless that made it
    select
        codes.code,
        1 as version_no,
        null::date as valid_from,
        first_points.known_by as valid_to
    from codes
    left join first_points on codes.code = first_points.code
    where first_points.code is null or not first_points.is_born
    union all
    select
        code,
        point_no::integer + 1 as version_no,
        known_by as valid_from,
        next_known_by as valid_to
    from points
    where is_alive_after

),

-- of the territory as a whole, and of a council in it
travellers as (

    select traveller from (values ('whole'), ('council')) as kind (traveller)

),

links as (

    select
        travellers.traveller,
        old.code as old_code,
        old.version_no as old_no,
        new.code as new_code,
        new.version_no as new_no,
        edges.weight
    from edges
    inner join travellers on travellers.traveller = 'whole' or edges.moves_councils
    inner join versions as old on edges.predecessor_code = old.code and edges.known_by = old.valid_to
    inner join versions as new on edges.successor_code = new.code and edges.known_by = new.valid_from
    union all
    -- what an event only added to is itself afterwards
    select
        travellers.traveller,
        old.code as old_code,
        old.version_no as old_no,
        new.code as new_code,
        new.version_no as new_no,
        1.0::double precision as weight
    from versions as old
    inner join versions as new on old.code = new.code and old.valid_to = new.valid_from
    inner join points on old.code = points.code and old.valid_to = points.known_by
    inner join travellers
        on
            (travellers.traveller = 'whole' and not points.is_predecessor)
            or (travellers.traveller = 'council' and not points.moves_councils)

),

ways as (

    select
        travellers.traveller,
        versions.code as source_code,
        versions.version_no as source_no,
        versions.code as target_code,
        versions.version_no as target_no,
        1.0::double precision as weight
    from versions
    cross join travellers
    union all
    select
        ways.traveller,
        ways.source_code,
        ways.source_no,
        links.new_code as target_code,
        links.new_no as target_no,
        ways.weight * links.weight as weight
    from ways
    inner join links
        on ways.traveller = links.traveller and ways.target_code = links.old_code and ways.target_no = links.old_no

),

passages as (

    select
        ways.traveller,
        ways.source_code,
        ways.source_no,
        source.valid_from as source_valid_from,
        source.valid_to as source_valid_to,
        ways.target_code,
        ways.target_no,
        target.valid_from as target_valid_from,
        target.valid_to as target_valid_to,
        case when bool_and(ways.weight is not null) then sum(ways.weight) end as weight
    from ways
    inner join versions as source on ways.source_code = source.code and ways.source_no = source.version_no
    inner join versions as target on ways.target_code = target.code and ways.target_no = target.version_no
    group by
        ways.traveller, ways.source_code, ways.source_no, source.valid_from, source.valid_to,
        ways.target_code, ways.target_no, target.valid_from, target.valid_to

),

known_councils as (

    select
        council_code,
        min(known_by) as valid_to
    from stays
    group by council_code

),

lost_councils as (

    select councils.council_code
    from councils
    left join known_councils on councils.council_code = known_councils.council_code
    where known_councils.council_code is null

),

council_passages as (

    select
        known_councils.council_code as source_code,
        1 as source_no,
        null::date as source_valid_from,
        known_councils.valid_to as source_valid_to,
        known_councils.council_code as target_code,
        1 as target_no,
        null::date as target_valid_from,
        known_councils.valid_to as target_valid_to,
        1.0::double precision as weight
    from known_councils
    union all
    -- while it stayed in a hromada, it went where the hromada went
    select
        known_councils.council_code as source_code,
        1 as source_no,
        null::date as source_valid_from,
        known_councils.valid_to as source_valid_to,
        passages.target_code,
        passages.target_no,
        greatest(passages.target_valid_from, stays.known_by) as target_valid_from,
        least(passages.target_valid_to, stays.known_until) as target_valid_to,
        passages.weight
    from known_councils
    inner join stays on known_councils.council_code = stays.council_code
    inner join passages
        on
            passages.traveller = 'council'
            and stays.municipality_code = passages.source_code
            and stays.known_by = passages.source_valid_from
    where stays.known_until is null or passages.target_valid_from < stays.known_until
    union all
    select
        council_code as source_code,
        1 as source_no,
        null::date as source_valid_from,
        '{{ var("codifier_begins") }}'::date as source_valid_to,
        council_code as target_code,
        1 as target_no,
        null::date as target_valid_from,
        '{{ var("codifier_begins") }}'::date as target_valid_to,
        1.0::double precision as weight
    from lost_councils
    union all
    -- where it went, no source says
    select
        council_code as source_code,
        1 as source_no,
        null::date as source_valid_from,
        '{{ var("codifier_begins") }}'::date as source_valid_to,
        'unknown' as target_code,
        1 as target_no,
        '{{ var("codifier_begins") }}'::date as target_valid_from,
        null::date as target_valid_to,
        null::double precision as weight
    from lost_councils

),

final as (

    select
        source_code,
        source_no as source_version_no,
        source_valid_from,
        source_valid_to,
        target_code,
        target_no as target_version_no,
        target_valid_from,
        target_valid_to,
        weight,
        weight is null as is_break
    from (
        select
            source_code,
            source_no,
            source_valid_from,
            source_valid_to,
            target_code,
            target_no,
            target_valid_from,
            target_valid_to,
            weight
        from passages
        where traveller = 'whole'
        union all
        select * from council_passages
    ) as passage

)

select * from final
