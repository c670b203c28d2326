-- Where each cell of each return stands, for those who tell where a figure comes from: asms explain, and marts.explain_value
-- (the publisher makes it). Not for BI: restricted cells are among them.

create index on raw.submission_delivery (submission_id);

create view raw.cell_source as
select
    submission.submission_id,
    cell.indicator_code,
    cell.sex,
    cell.sheet,
    cell.cell,
    cell.value_text,
    cell.value_type = 'empty' as is_blank,
    cell.reason_text,
    cell.remark_text,
    submission.file_name,
    submission.sha256,
    submission.municipality_text as sender,
    concat(submission.form_code, ' ', submission.form_version) as form,
    submission.load_id,
    (
        select min(delivery.received_at)
        from raw.submission_delivery
        inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
        where submission_delivery.submission_id = submission.submission_id
    ) as received_at
from raw.submission
inner join raw.submission_cell as cell on submission.submission_id = cell.submission_id;

grant select on raw.cell_source to asms_gate, asms_marts_owner;

-- Which inputs each formula reads, in the periods from period_from up to, not including, period_to.
create table catalogue.formula_term (
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    period_from text not null,
    period_to text not null,
    slot integer not null references catalogue.formula_input,
    primary key (indicator_code, sex, period_from, slot)
);
grant usage on schema catalogue to asms_marts_owner;
grant select on catalogue.formula_term to asms_transformer, asms_gate, asms_publisher, asms_marts_owner;
grant select, insert, update, delete on catalogue.formula_term to asms_loader;
