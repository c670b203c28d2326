-- Open Budget by month: an answer is a whole year, and only the months of it that are new or restated are stored again.

-- Of an expense by programme: what it was for (function), and what on (economy; the service breaks each programme down by it).
alter table raw.open_budget_row
add column functional_code text,
add column functional_name text,
add column economic_code text;

-- One row per month of an answer that was new or changed. What stands of a month is its last row here, by order of receipt; the
-- rows before it are what it was called and counted then.
create table raw.open_budget_month (
    load_id text not null references ops.load,
    budget_code text not null,         -- these four are the question, as in raw.open_budget_row
    budget_item text not null,
    classification_type text not null,
    year text not null,
    rep_period text not null,          -- as found; '' where there is none
    sha256 text not null,              -- of its rows, in any order
    row_count integer not null,        -- 0: the month is gone from the answer, which staff accepted
    total_amount numeric(20, 2),       -- cumulative amount of fund T
    primary key (load_id, rep_period)
);
create index on raw.open_budget_month (budget_code, budget_item, classification_type, year);

-- What stands from before: the last answer to each question. Its hash is not known, so the next answer is stored whole once.
insert into raw.open_budget_month
with latest as (
    select distinct on (delivery.channel, delivery.path) load.load_id
    from ops.load
    inner join raw.delivery on load.delivery_id = delivery.delivery_id
    where load.source = 'open_budget' and load.status = 'loaded'
    order by delivery.channel asc, delivery.path asc, delivery.received_no desc, load.loaded_at desc
)

select
    line.load_id,
    line.budget_code,
    line.budget_item,
    line.classification_type,
    line.year,
    coalesce(line.rep_period, '') as rep_period,
    '' as sha256,
    count(*) as row_count,
    null as total_amount
from raw.open_budget_row as line
inner join latest on line.load_id = latest.load_id
group by line.load_id, line.budget_code, line.budget_item, line.classification_type, line.year, coalesce(line.rep_period, '');

grant select on raw.open_budget_month to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.open_budget_month to asms_loader;
