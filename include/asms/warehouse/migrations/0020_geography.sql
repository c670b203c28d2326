-- Editions of the codifier, its table of older codes, and what is known of how boundaries changed.

-- One row per load of a codifier workbook. The file's name tells the edition (kodifikator_2024-06.xlsx), because the text
-- inside does not: the heading of the edition of 2025 names the decree of January 2024. An edition of a month or year holds
-- on an unknown day of it, so both ends are kept.
create view raw.katottg_edition as
with loads as (
    select
        load.load_id,
        load.loaded_at,
        delivery.received_no,
        substring(delivery.path from '([0-9]{4}(?:-[0-9]{2}){0,2})\.xlsx$') as edition
    from ops.load
    inner join raw.delivery on load.delivery_id = delivery.delivery_id
    where load.source = 'katottg' and load.status = 'loaded'
),

dated as (
    select
        loads.*,
        (loads.edition || substr('-01-01', length(loads.edition) - 3))::date as edition_from
    from loads
    where loads.edition is not null
)

select
    dated.load_id,
    dated.edition,
    dated.edition_from,
    (
        dated.edition_from
        + case length(dated.edition) when 4 then interval '1 year' when 7 then interval '1 month' else interval '1 day' end
        - interval '1 day'
    )::date as edition_to,
    dense_rank() over (order by dated.edition_from desc, dated.edition desc) as edition_rank, -- 1: the newest edition
    row_number() over (
        partition by dated.edition order by dated.received_no desc, dated.loaded_at desc, dated.load_id asc
    ) as arrival_rank                                                       -- 1: the file in force for it
from dated;

-- The table of КАТОТТГ and the older КОАТУУ codes, as found.
create table raw.koatuu_unit (
    load_id text not null references ops.load,
    row_no integer not null,
    unit_code text,
    koatuu_code text,
    category text,
    name text,
    primary key (load_id, row_no)
);

-- Councils (КОАТУУ code) and the hromada each ended in.
create table raw.council (
    load_id text not null references ops.load,
    row_no integer not null,
    council_code text not null,
    name text,
    hromada_code text,
    hromada_name text,
    centre_name text,
    oblast_name text,
    note text,
    primary key (load_id, row_no)
);

-- Which hromada a council belonged to on the day of a snapshot.
create table raw.council_membership (
    load_id text not null references ops.load,
    row_no integer not null,
    known_by date not null,
    council_code text not null,
    hromada_code text not null,
    primary key (load_id, row_no)
);

-- Reforms that staff enter: one row per predecessor and successor of an event.
create table raw.boundary_event (
    load_id text not null references ops.load,
    row_no integer not null,
    event_code text not null,
    event_kind text not null check (event_kind in ('created', 'merged', 'joined', 'split', 'part_transferred', 'recoded')),
    known_by date not null,
    act text,
    predecessor_code text not null,
    successor_code text not null,
    weight double precision,           -- share of the predecessor that goes here; empty: not known
    primary key (load_id, row_no),
    unique (load_id, event_code, predecessor_code, successor_code)
);

grant select on raw.katottg_edition, raw.koatuu_unit, raw.council, raw.council_membership, raw.boundary_event
to asms_transformer, asms_gate, asms_publisher, asms_loader;
grant insert on raw.koatuu_unit, raw.council, raw.council_membership, raw.boundary_event to asms_loader;
