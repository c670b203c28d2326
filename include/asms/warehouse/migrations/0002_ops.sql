-- The state of the machinery: loads, builds, releases, and what a build must redo.

-- One row per reading of one delivery into raw tables. A load is the unit of re-doing: it is there whole or not at all.
create table ops.load (
    load_id text primary key,
    source text not null,              -- submissions | katottg | population | open_budget
    delivery_id text not null,         -- raw.delivery; its bytes are in the landing store
    reader_version text not null,      -- version of the form definition or of the source's reader
    status text not null check (status in ('loaded', 'failed')),
    row_count bigint not null default 0,
    finding_count bigint not null default 0,
    message text,                      -- why it failed, for people
    is_sample boolean not null,
    loaded_at timestamptz not null default now()
);
create index on ops.load (source, delivery_id);

-- A source that could not be fetched at all leaves a row here; a later success of the same source closes it.
create table ops.source_status (
    source text primary key,
    is_ok boolean not null,
    message text,
    checked_at timestamptz not null default now(),
    last_ok_at timestamptz,
    row_count bigint not null default 0
);

create table ops.build (
    build_id bigint generated always as identity primary key,
    status text not null check (status in ('running', 'gate_closed', 'published', 'unchanged', 'failed', 'superseded')),
    run_id text,                       -- Airflow's run id, for finding the logs
    is_full boolean not null,          -- every key is redone
    reason text not null,
    inputs jsonb not null default '{}', -- fingerprints found at its start, of what ops.input_version lists
    changed_key_count bigint not null default 0,
    closed_gate text,
    release_id bigint,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);

-- The loads that a build set out to publish: fixed at its start, so that a load arriving meanwhile is not taken for published.
create table ops.build_load (
    build_id bigint not null references ops.build,
    load_id text not null references ops.load,
    primary key (build_id, load_id)
);

-- What the running build must redo. `time_period` is the year, also for monthly facts.
create table ops.changed_key (
    municipality_code text not null,
    time_period text not null,
    reason text not null,
    primary key (municipality_code, time_period)
);

-- Fingerprints of what else the published figures depend on: catalogue, rules, models, geography.
create table ops.input_version (
    input text primary key,
    version text not null
);

create table ops.dbt_node_run (
    build_id bigint not null references ops.build,
    layer text not null,
    node_id text not null,
    resource_type text not null,
    status text not null,
    failures bigint,
    seconds double precision not null,
    message text,
    primary key (build_id, node_id)
);

create table ops.release (
    release_id bigint primary key,
    build_id bigint not null references ops.build,
    published_at timestamptz not null default now(),
    fact_count bigint not null,
    code_version text not null,
    catalogue_version text not null,
    is_sample boolean not null,
    note text
);

create table ops.current_release (
    only_row boolean primary key default true check (only_row),
    release_id bigint not null references ops.release
);

create table ops.release_load (
    load_id text primary key references ops.load,
    release_id bigint not null references ops.release
);

create table ops.release_table (
    release_id bigint not null references ops.release,
    table_name text not null,
    row_count bigint not null,
    inserted_count bigint not null,
    ended_count bigint not null,
    content_hash text not null,        -- order-free hash of the business columns of every row that the release shows
    primary key (release_id, table_name)
);

grant select on all tables in schema ops to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update on ops.load, ops.source_status to asms_loader;
grant insert, update, delete on ops.dbt_node_run to asms_gate;
grant insert, update on ops.build to asms_publisher, asms_gate;
grant insert, update, delete on ops.build_load, ops.changed_key, ops.input_version, ops.release,
ops.current_release, ops.release_load, ops.release_table to asms_publisher;
grant select on ops.release, ops.current_release, ops.build, ops.release_table to asms_marts_owner;
