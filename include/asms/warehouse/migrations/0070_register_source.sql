-- Where a register has the answer to a question: from data/registers.csv, one row per code that is added up.

create table catalogue.register_source (
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    register text not null,            -- population, open_budget, health_declarations, transfers
    measure text not null,             -- what is read there
    budget_item text not null,         -- as the Open Budget API spells it; '' where the register is another one
    classification_type text not null,
    code_prefix text not null,         -- every code that begins so is added up; '' where the register has no codes
    fund_type text not null,
    factor numeric not null check (factor > 0), -- the register's unit times it is the indicator's
    tolerance double precision,        -- share by which an answer may differ; NULL where another rule asks
    primary key (indicator_code, sex, code_prefix)
);

grant select on catalogue.register_source to asms_transformer, asms_gate, asms_publisher;
grant select, insert, update, delete on catalogue.register_source to asms_loader;

-- Rules against a register are asked after the indicators, like those against peers.
alter table quality.rule drop constraint rule_level_check;
alter table quality.rule add constraint rule_level_check
check (level in ('file', 'cell', 'record', 'fields', 'periods', 'source', 'register', 'peers', 'table'));
