-- What came in, as it came in. Append-only: nobody may update or delete here.

-- One row per arrival of bytes on a channel. Keyed on channel, path and the count of arrivals on that path: sending A, B, A
-- makes three rows, re-scanning the same drop makes none.
create table raw.delivery (
    delivery_id text primary key,
    source text not null,
    channel text not null,             -- e.g. 'sample', 'drop:<url>', 'api:<base url>'
    path text not null,                -- file path below the drop, or the request
    path_seq integer not null,         -- 1, 2, … arrivals on this path
    sha256 text not null,              -- name of the bytes in the landing store
    size_bytes bigint not null,
    batch_no bigint not null,          -- arrivals seen in one scan share it: among them order means nothing
    received_no bigint generated always as identity,
    received_at timestamptz not null default now(),
    is_sample boolean not null,
    unique (channel, path, path_seq)
);

-- A return as read: a function of the bytes, the form definition and the body it names.
create table raw.submission (
    submission_id text primary key,
    load_id text not null references ops.load,   -- the load that read it first
    sha256 text not null,
    file_name text not null,
    form_code text not null,
    form_version text not null,
    collection_code text not null,
    municipality_code text not null,
    municipality_text text not null,   -- how the return names the body
    time_period text not null,
    cell_count integer not null
);

-- Which arrivals carry which return: equal bytes that arrive again are read once and count again.
create table raw.submission_delivery (
    delivery_id text not null references raw.delivery,
    submission_id text not null references raw.submission,
    load_id text not null references ops.load,
    primary key (delivery_id, submission_id)
);

create table raw.submission_cell (
    submission_id text not null references raw.submission,
    sheet text not null,
    cell text not null,                -- address, 'D17'
    indicator_code text not null,      -- after folding look-alike letters and blanks; not yet looked up
    code_text text not null,           -- as found
    sex text not null check (sex in ('T', 'F', 'M')),
    value_text text,                   -- as found; null when the cell is truly empty
    value_type text not null check (
        value_type in ('number', 'text', 'boolean', 'date', 'error', 'formula_without_value', 'empty')
    ),
    reason_text text,                  -- what the sender put in the missing-reason column
    remark_text text,
    primary key (submission_id, sheet, cell)
);

create table raw.katottg_unit (
    load_id text not null references ops.load,
    row_no integer not null,
    level1_code text,
    level2_code text,
    level3_code text,
    level4_code text,
    level5_code text,
    category text,
    name text,
    primary key (load_id, row_no)
);

-- Present population as the statistics service prints it: one line of the table of hromadas.
create table raw.population_unit (
    load_id text not null references ops.load,
    sheet text not null,
    row_no integer not null,
    oblast_text text,                  -- the heading this line stands under
    raion_text text,
    name_text text not null,
    value_text text,
    name_en_text text,
    time_period text not null,         -- year of 1 January
    primary key (load_id, sheet, row_no)
);

-- One row of an answer of localBudgetData, as text.
create table raw.open_budget_row (
    load_id text not null references ops.load,
    row_no integer not null,
    budget_code text not null,         -- as asked; cod_budget is as answered
    budget_item text not null,
    classification_type text not null, -- '' where the item has none (INCOMES)
    year text not null,
    rep_period text,
    fund_typ text,
    cod_budget text,
    classification_code text,
    classification_name text,
    zat_amt text,
    plans_amt text,
    fakt_amt text,
    primary key (load_id, row_no)
);

grant select on all tables in schema raw to asms_transformer, asms_gate, asms_publisher;
grant select, insert on all tables in schema raw to asms_loader;
