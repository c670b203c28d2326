-- The catalogue as the repository's files say it, loaded with a content hash. Replaced as a whole in one transaction.

create table catalogue.version (
    only_row boolean primary key default true check (only_row),
    catalogue_version text not null,   -- hash of all catalogue files
    rule_version text not null,        -- hash of the compiled rules
    loaded_at timestamptz not null default now()
);

create table catalogue.collection (
    collection_code text primary key,
    name_uk text not null,
    name_en text not null,
    counts_for_completeness boolean not null
);

create table catalogue.domain (
    domain_code text primary key,
    collection_code text not null references catalogue.collection,
    name_uk text not null,
    name_en text not null,
    sort_order integer not null
);

create table catalogue.indicator (
    indicator_code text primary key,
    version integer not null,
    collection_code text not null references catalogue.collection,
    domain_code text not null references catalogue.domain,
    name_uk text not null,
    name_en text not null,
    definition_uk text,
    unit_measure text not null,        -- 'тис. грн'
    unit_mult integer not null,        -- power of ten in the unit: 3 for «тис.»
    decimals integer not null,
    indicator_type text not null check (indicator_type in ('stock', 'flow', 'ratio', 'mean', 'attribute')),
    is_derived boolean not null,
    is_sex_split boolean not null,
    aggregation text not null,         -- sum | recompute | weighted:<code> | distinct | none
    formula text,                      -- in the grammar of docs/reference/formulas.md; null unless derived
    conf_status text not null check (conf_status in ('free', 'suppress_small', 'restricted')),
    is_prefilled boolean not null,     -- can be taken from a register
    valid_from integer not null,       -- year
    valid_to integer                   -- last year, inclusive; null while in force
);

-- One line per derived indicator and sex it is computed for: expressions over the arrays v (values) and s (statuses).
create table catalogue.compiled_formula (
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    value_sql text not null,
    status_sql text not null,
    compute_order integer not null,
    primary key (indicator_code, sex)
);

-- What stands at which place of the arrays that formulas and rules are computed from.
create table catalogue.formula_input (
    slot integer primary key,          -- 1, 2, …
    origin text not null check (origin in ('reported', 'register')),
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    period_offset integer not null,    -- years: 0 this period, 1 the next, -1 the one before
    unique (origin, indicator_code, sex, period_offset)
);

-- One line per rule of quality.rule (engine 'sql') and sex it is asked for: check_sql is true, false, or null for "no data".
create table catalogue.compiled_rule (
    rule_id text not null,             -- quality.rule
    sex text not null check (sex in ('T', 'F', 'M')),
    target_slot integer not null references catalogue.formula_input,  -- the cell a finding points at
    check_sql text not null,
    found_sql text not null,
    expected_sql text not null,
    primary key (rule_id, sex)
);

grant select on all tables in schema catalogue to asms_transformer, asms_gate, asms_publisher, asms_marts_owner;
grant select, insert, update, delete on all tables in schema catalogue to asms_loader;
