-- Lists of budget codes (КДБ, ТПКВКМБ, КЕКВ, КФКВ) as published. One row per code of one list.
create table raw.budget_classification_code (
    load_id text not null references ops.load,
    row_no integer not null,           -- place in the list, from 1
    budget_item text not null,         -- where the code is used, as Open Budget spells it
    classification_type text not null, -- 'NONE' where the item has no classification
    code text,
    name text,
    parent_code text,
    level text,
    begin_date text,                   -- since when; null in a list without dates
    end_date text,                     -- last day
    functional_code text,
    document text,                     -- the act that the list names
    primary key (load_id, row_no)
);

grant select on raw.budget_classification_code to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.budget_classification_code to asms_loader;
