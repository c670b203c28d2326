-- Education subvention (Ministry of Education) and horizontal equalisation (Ministry of Finance), as their workbooks print them:
-- one row per budget and column, text as found. Lines of totals are kept; staging tells them from budgets.
create table raw.transfers_value (
    load_id text not null references ops.load,
    table_code text not null,          -- education_subvention | equalisation
    time_period text not null,         -- the year that the workbook is about
    sheet text not null,
    row_no integer not null,
    measure_code text not null,        -- of the seed transfer_measure, by the column's title
    territory_text text,
    kind_text text,
    budget_code_text text,             -- spreadsheets lose its leading zero
    name_text text,
    value_text text,                   -- null when the cell is empty
    primary key (load_id, sheet, row_no, measure_code)
);

grant select on raw.transfers_value to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.transfers_value to asms_loader;
