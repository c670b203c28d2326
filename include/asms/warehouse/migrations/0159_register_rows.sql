-- Rows of open data as those see them who tell where a figure comes from: asms explain, and marts.explain_value (the publisher
-- makes it anew). Which rows make a register's figure is decided by the models alone: fct_register_value names them.

create view raw.register_row as
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
    concat_ws(' ', line.classification_code, nullif(line.economic_code, ''), line.fund_typ, line.classification_name) as item,
    told.value_text
from raw.open_budget_row as line
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

grant select on raw.register_row to asms_gate, asms_marts_owner;
grant select on catalogue.register_source to asms_gate, asms_marts_owner;
grant select (delivery_id, channel, path, sha256, received_at) on raw.delivery to asms_marts_owner;

drop view if exists marts.explain_value;
