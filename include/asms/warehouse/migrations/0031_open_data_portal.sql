-- What a publisher calls the bytes of an answer (an id with its hash or time): the same again need not be downloaded.
create table ops.source_tag (
    channel text not null,
    path text not null,
    tag text not null,
    reader_version text not null,      -- a newer reader wants the bytes again
    row_count bigint not null,         -- of the load that they made
    primary key (channel, path)
);

grant select on ops.source_tag to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update on ops.source_tag to asms_loader;

-- Declarations with family doctors by hromada, by sex and age, as published on the portal of open data.
create table raw.health_declarations_row (
    load_id text not null references ops.load,
    row_no integer not null,           -- line of the file; the header is 1
    as_of_text text not null,          -- when the publisher says the file was changed
    hromada_code text,
    hromada_name text,
    total text,
    female text,
    male text,
    urban text,
    rural text,
    youth text,
    working_age_total text,
    male_18_60 text,
    primary key (load_id, row_no)
);

-- War status of hromadas: one row per hromada and column that tells one; the day stands in the column's title.
create table raw.war_status_value (
    load_id text not null references ops.load,
    row_no integer not null,
    hromada_code text,
    hromada_name text,
    title_text text not null,
    value_text text,
    primary key (load_id, row_no, title_text)
);

grant select on raw.health_declarations_row, raw.war_status_value to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.health_declarations_row, raw.war_status_value to asms_loader;
