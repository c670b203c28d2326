-- For comparisons: official exchange rates of the National Bank, and indicators of the World Bank.
create table raw.currency_rate (
    load_id text not null references ops.load,
    row_no integer not null,
    currency_code text,                -- 'cc' of the answer, ISO 4217
    rate_date text,                    -- as answered, DD.MM.YYYY
    rate text,                         -- hryvnias per `units`
    units text,
    primary key (load_id, row_no)
);

create table raw.world_bank_value (
    load_id text not null references ops.load,
    row_no integer not null,
    indicator_code text,
    indicator_name text,
    country_code text,                 -- ISO 3166, three letters
    time_period text,
    value_text text,                   -- null: the bank has no figure
    obs_status text,
    primary key (load_id, row_no)
);

grant select on raw.currency_rate, raw.world_bank_value to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.currency_rate, raw.world_bank_value to asms_loader;
