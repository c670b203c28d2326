-- Rules, what they found, and how the gates stood.

-- The only home of rule ids. engine: 'reader' (found while reading a file), 'sql' (computed over typed cells).
create table quality.rule (
    rule_id text primary key,
    engine text not null check (engine in ('reader', 'sql', 'gx', 'dbt')),
    level text not null check (level in ('file', 'cell', 'record', 'fields', 'periods', 'source', 'peers', 'table')),
    severity text not null check (severity in ('fatal', 'error', 'warning', 'info')),
    title_uk text not null,
    title_en text not null,
    remedy_uk text not null,
    remedy_en text not null,
    owner text not null,
    expression text,                   -- as people read it
    compiled_sql text,                 -- as the database runs it; null unless engine = 'sql'
    is_active boolean not null default true
);

-- One failing cell, row or file. The id is a fingerprint of what was found where, so finding it again is no second finding.
create table quality.finding (
    finding_id text primary key,
    rule_id text not null references quality.rule,
    severity text not null check (severity in ('fatal', 'error', 'warning', 'info')),
    dataset text not null,             -- submissions | katottg | population | open_budget
    load_id text,
    delivery_id text,
    submission_id text,
    collection_code text,
    municipality_code text,
    time_period text,
    indicator_code text,
    sex text,
    file_name text,
    sheet text,
    cell text,
    value_found text,
    value_expected text,
    message_uk text not null,
    message_en text not null,
    remedy_uk text not null,
    remedy_en text not null,
    is_open boolean not null default true,
    is_sample boolean not null default false,
    found_at timestamptz not null default now(),
    closed_at timestamptz
);
create index on quality.finding (submission_id);
create index on quality.finding (municipality_code, time_period);
create index on quality.finding (delivery_id);

create table quality.gate_result (
    build_id bigint not null,
    gate text not null,                -- raw | staging | indicators | marts
    engine text not null check (engine in ('gx', 'dbt')),
    dataset text not null,             -- the table asked
    check_id text not null,            -- rule id of the expectation, or dbt's unique id
    severity text not null check (severity in ('critical', 'warning', 'info')),
    success boolean not null,
    unexpected_count bigint,
    element_count bigint,
    observed_value text,
    failing_rows_sql text,             -- a query that shows the failing rows
    message_uk text not null,
    message_en text not null,
    owner text not null,
    checked_at timestamptz not null default now(),
    primary key (build_id, gate, engine, dataset, check_id)
);

-- Mail that must go out, written in the database before it is sent. The digest says what it tells, so the same news goes once.
create table quality.alert (
    digest text not null,
    recipient text not null,
    build_id bigint,
    subject text not null,
    body_text text not null,
    body_html text not null,
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    sent_via text,                     -- 'smtp' or the path of the .eml
    primary key (digest, recipient)
);

grant select on all tables in schema quality to asms_loader, asms_transformer, asms_publisher;
grant select, insert, update, delete on all tables in schema quality to asms_gate;
grant insert, update on quality.finding to asms_loader;
grant select, insert, update, delete on quality.rule to asms_loader;
