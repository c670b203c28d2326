-- Public spending: transactions and reports of the Treasury (spending.gov.ua), tenders and contracts of ProZorro. These tables
-- outgrow the others: they are parted by year, their dates have block-range indexes, and what stands is looked up by day.

-- How far an incremental source has read each of its feeds. A row comes with the load that brought it, in one transaction: a run
-- that was killed goes on from the last. A watermark says what the service said (a day, an offset), never a time of ours.
create table ops.source_watermark (
    load_id text not null references ops.load,
    source text not null,
    feed text not null,
    watermark text not null,
    watermark_no bigint generated always as identity primary key
);
create index on ops.source_watermark (source, feed, watermark_no desc);

create table raw.treasury_transaction (
    load_id text not null references ops.load,
    row_no integer not null,           -- in the order of days and ids, from 1
    trans_date date not null,          -- the only typed column: the year that the row lies in
    transaction_id text not null,
    doc_date text,
    doc_number text,
    amount text,                       -- UAH, as answered
    currency text,
    payer_edrpou text,
    payer_name text,
    recipt_edrpou text,                -- the service's spelling
    recipt_name text,
    payment_details text,
    region_id text,
    payment_type text,
    kekv text,
    kpk text,
    contract_id text,
    contract_number text,
    budget_code text,
    primary key (load_id, row_no, trans_date)
) partition by range (trans_date);
create index on raw.treasury_transaction using brin (trans_date);

-- One row per payer and day of an answer that was new or said something else than before. What stands of a day is its highest
-- revision; a revision of no rows retracts the day.
create table raw.treasury_day (
    load_id text not null references ops.load,
    payer_edrpou text not null,
    municipality_code text not null,   -- whose payer it is, by the list of payers
    trans_date date not null,
    revision_no integer not null,
    sha256 text not null,              -- of its rows, in any order
    row_count integer not null,
    total_amount numeric(20, 2),
    primary key (payer_edrpou, trans_date, revision_no)
);
create index on raw.treasury_day (load_id);

-- Reports that a payer published. One that was cancelled stays, with the day.
create table raw.treasury_report (
    load_id text not null references ops.load,
    row_no integer not null,
    payer_edrpou text not null,
    municipality_code text not null,
    report_id text,
    report_name text,
    period text,
    amount text,
    date_publish text,
    date_cancel text,
    primary key (load_id, row_no)
);

create table raw.prozorro_tender (
    load_id text not null references ops.load,
    row_no integer not null,
    feed_date date not null,           -- the day of the page's end in the feed, by the service's clock
    feed_offset text not null,         -- that end, as the service gives it: seconds and a number
    tender_id text not null,
    tender_number text,
    date_modified text,
    date_created text,
    status text,
    procurement_method_type text,
    buyer_edrpou text,
    buyer_name text,
    buyer_region text,
    buyer_locality text,
    primary key (load_id, row_no, feed_date)
) partition by range (feed_date);
create index on raw.prozorro_tender using brin (feed_date);
create index on raw.prozorro_tender (tender_id);

create table raw.prozorro_contract (
    load_id text not null references ops.load,
    row_no integer not null,           -- of its tender
    contract_no integer not null,      -- within the tender
    feed_date date not null,
    tender_id text not null,
    contract_id text,
    contract_number text,
    status text,
    date_signed text,
    amount text,
    currency text,
    supplier_edrpou text,
    supplier_name text,
    primary key (load_id, row_no, contract_no, feed_date)
) partition by range (feed_date);
create index on raw.prozorro_contract using brin (feed_date);

-- Makes the partition of a year, if it is not there yet. It is made apart and then attached: that waits for no reader.
create function raw.add_year(parent text, year integer) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
    child constant text := format('%s_%s', parent, year);
    first_day constant date := make_date(year, 1, 1);
begin
    if parent not in ('treasury_transaction', 'prozorro_tender', 'prozorro_contract') or year not between 2000 and 2100 then
        raise exception 'raw.add_year: no table of years: % %', parent, year;
    end if;
    perform pg_advisory_xact_lock(hashtext('raw.add_year'));
    if to_regclass(format('raw.%I', child)) is null then
        execute format('create table raw.%I (like raw.%I including defaults)', child, parent);
        execute format(
            'alter table raw.%I attach partition raw.%I for values from (%L) to (%L)',
            parent, child, first_day, make_date(year + 1, 1, 1)
        );
    end if;
end
$$;
revoke all on function raw.add_year from public;
grant execute on function raw.add_year to asms_loader;

grant select on ops.source_watermark to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert on ops.source_watermark to asms_loader;
grant select on raw.treasury_transaction, raw.treasury_day, raw.treasury_report, raw.prozorro_tender, raw.prozorro_contract
to asms_transformer, asms_gate, asms_publisher;
grant select, insert
on raw.treasury_transaction, raw.treasury_day, raw.treasury_report, raw.prozorro_tender, raw.prozorro_contract to asms_loader;
