-- Names of budget codes are most of an answer's bytes and a few hundred in all: each is stored once, under its hash. What the
-- question was stands with the months of a load (raw.open_budget_month) and not in each of its rows.
create table raw.open_budget_name (
    name_key text primary key,         -- the first 16 digits of its sha256
    name text not null                 -- as found
);

create function raw.key_of_name(name text) returns text language sql immutable strict parallel safe
return left(encode(sha256(convert_to(name, 'UTF8')), 'hex'), 16);

alter table raw.open_budget_row rename to open_budget_named_row;
alter index raw.open_budget_row_pkey rename to open_budget_named_row_pkey;

create table raw.open_budget_row (
    load_id text not null,
    row_no integer not null,
    rep_period text,
    fund_typ text,
    cod_budget text,                   -- as answered; as asked it stands with the month
    classification_code text,
    classification_name_key text,
    zat_amt text,
    plans_amt text,
    fakt_amt text,
    functional_code text,
    functional_name_key text,
    economic_code text
);

insert into raw.open_budget_row
select
    load_id,
    row_no,
    rep_period,
    fund_typ,
    cod_budget,
    classification_code,
    raw.key_of_name(classification_name) as classification_name_key,
    zat_amt,
    plans_amt,
    fakt_amt,
    functional_code,
    raw.key_of_name(functional_name) as functional_name_key,
    economic_code
from raw.open_budget_named_row;

alter table raw.open_budget_row add primary key (load_id, row_no);

insert into raw.open_budget_name
select
    raw.key_of_name(name) as name_key,
    name
from (
    select classification_name as name from raw.open_budget_named_row
    where classification_name is not null
    union
    select functional_name from raw.open_budget_named_row
    where functional_name is not null
) as named;

-- Whether every amount of the answer is written as the database reads it, as the reader found: then it is cast unseen.
alter table raw.open_budget_month add column has_plain_amounts boolean not null default false;

-- A month is known by the hash of its rows as COPY takes them, and they are written otherwise now.
create function raw.copy_text(value text) returns text language sql immutable parallel safe
return coalesce(
    replace(
        replace(replace(replace(value, E'\\', E'\\\\'), E'\t', E'\\t'), E'\n', E'\\n'), E'\r', E'\\r'
    ),
    E'\\N'
);

update raw.open_budget_month set sha256 = hashed.sha256
from (
    select
        load_id,
        coalesce(rep_period, '') as rep_period,
        encode(sha256(convert_to(string_agg(line, E'\n' order by line collate "C" asc), 'UTF8')), 'hex') as sha256
    from (
        select
            load_id,
            rep_period,
            concat_ws(
                E'\t', raw.copy_text(rep_period), raw.copy_text(fund_typ), raw.copy_text(cod_budget),
                raw.copy_text(classification_code), raw.copy_text(classification_name_key), raw.copy_text(zat_amt),
                raw.copy_text(plans_amt), raw.copy_text(fakt_amt), raw.copy_text(functional_code),
                raw.copy_text(functional_name_key), raw.copy_text(economic_code)
            ) as line
        from raw.open_budget_row
    ) as lines
    group by load_id, coalesce(rep_period, '')
) as hashed
where
    open_budget_month.load_id = hashed.load_id
    and open_budget_month.rep_period = hashed.rep_period
    and open_budget_month.sha256 != '';

create or replace view raw.register_row as
select
    'population' as register,
    'present_population' as measure,
    population_unit.load_id,
    population_unit.sheet,
    population_unit.row_no,
    population_unit.name_text as item,
    population_unit.value_text
from raw.population_unit
union all
select
    'population' as register,
    'present_population' as measure,
    figure.load_id,
    null as sheet,
    figure.row_no,
    concat_ws(' ', figure.indicator_code, figure.region_code, figure.time_period) as item,
    figure.value_text
from raw.population_sdmx_value as figure
union all
select
    'open_budget' as register,
    told.measure,
    line.load_id,
    null as sheet,
    line.row_no,
    concat_ws(' ', line.classification_code, nullif(line.economic_code, ''), line.fund_typ, open_budget_name.name) as item,
    told.value_text
from raw.open_budget_row as line
left join raw.open_budget_name on line.classification_name_key = open_budget_name.name_key
cross join
    lateral (
        values ('actual', line.fakt_amt), ('plan', coalesce(line.plans_amt, line.zat_amt))
    ) as told (measure, value_text)
union all
select
    'health_declarations' as register,
    told.measure,
    line.load_id,
    null as sheet,
    line.row_no,
    line.hromada_name as item,
    told.value_text
from raw.health_declarations_row as line
cross join
    lateral (
        values ('declarations', line.total), ('declarations_female', line.female), ('declarations_male', line.male)
    ) as told (measure, value_text)
union all
select
    'transfers' as register,
    'PUPILS' as measure,
    line.load_id,
    line.sheet,
    line.row_no,
    concat(line.measure_code, ' ', line.name_text) as item,
    line.value_text
from raw.transfers_value as line
where
    line.measure_code in (
        'PUPILS_1_4', 'PUPILS_5_9', 'PUPILS_10_12', 'SPECIAL_PUPILS_1_4', 'SPECIAL_PUPILS_5_9', 'SPECIAL_PUPILS_10_12'
    );

drop function raw.key_of_name;
drop function raw.copy_text;
drop table raw.open_budget_named_row;

grant select on raw.open_budget_row, raw.open_budget_name to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.open_budget_row, raw.open_budget_name to asms_loader;
