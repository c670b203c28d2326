-- The catalogue: by what it was stored, its cards in full, and every version of them.

-- Hash of the files and of the code that compiled them: while it is the same there is nothing to compile. Empty where a
-- catalogue was stored that is not the installed one.
alter table catalogue.version add column source_version text not null default '';

-- What else a card says. The defaults serve the lines that are there until the catalogue is stored again.
alter table catalogue.indicator
add periodicity text not null default 'A' check (periodicity in ('A', 'Q', 'M')),
add denominator text,                  -- code of the indicator that a ratio is divided by
add direction text not null default 'none' check (direction in ('up', 'down', 'none')),  -- which way is better
add source text not null default 'submitted',  -- submitted | derived | prefilled:<register>
add classification text,               -- 'КДБ 11010000; ISO 37120 5.1'
add min_value double precision,        -- bounds that no true value leaves, in unit_measure
add max_value double precision;

-- Every version of every card, each with its own years; catalogue.indicator has one row per code: the newest card, with the first
-- year of the first.
create table catalogue.indicator_version (like catalogue.indicator including defaults including constraints);
alter table catalogue.indicator_version
add primary key (indicator_code, version),
add foreign key (indicator_code) references catalogue.indicator;
grant select on catalogue.indicator_version to asms_transformer, asms_gate, asms_publisher;
grant select, insert, update, delete on catalogue.indicator_version to asms_loader;

-- The limits of a version hold for its periods: from period_from up to, not including, period_to.
alter table catalogue.cell_limit
add period_from text not null default '',
add period_to text not null default '9999',
drop constraint cell_limit_pkey,
add primary key (indicator_code, sex, period_from);
