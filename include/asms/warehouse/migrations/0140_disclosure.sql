-- Disclosure control: which cells are hidden when they are small, by which equations they could be reckoned, and what releases
-- have told or hidden of them.

-- Cells of a group that are in one equation are hidden together: tier T is the total, S all that it is made of.
create table catalogue.disclosure_cell (
    group_code text not null references catalogue.indicator,
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    tier text not null check (tier in ('T', 'S')),
    least_count integer not null,      -- a count from 1 up to, not including, this is small
    largest_share double precision,    -- of one municipality in the total of an area
    least_contributors integer,        -- municipalities that give something to the total of an area
    primary key (indicator_code, sex)
);

-- The terms of an equation add up to zero.
create table catalogue.disclosure_term (
    group_code text not null references catalogue.indicator,
    equation_code text not null,
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    sign integer not null check (sign in (1, -1)),
    primary key (equation_code, indicator_code, sex)
);

grant select on catalogue.disclosure_cell, catalogue.disclosure_term to asms_transformer, asms_gate, asms_publisher;
grant select, insert, update, delete on catalogue.disclosure_cell, catalogue.disclosure_term to asms_loader;

-- What releases have told or hidden of these cells; NULL where there was no figure. Only added to: what was told stays told, and
-- what was hidden stays hidden, or two releases side by side would give it away. Pruning releases leaves it alone.
create table ops.disclosed (
    subject_kind text not null check (subject_kind in ('reported', 'area')),
    subject_code text not null,
    collection_code text not null,
    indicator_code text not null,
    time_period text not null,
    sex text not null check (sex in ('T', 'F', 'M')),
    obs_value double precision,
    is_hidden boolean not null,
    release_id bigint not null references ops.release, -- the first that did
    unique nulls not distinct (
        time_period, indicator_code, subject_code, sex, subject_kind, collection_code, obs_value, is_hidden
    )
);

grant select on ops.disclosed to asms_transformer, asms_gate, asms_publisher;
grant insert on ops.disclosed to asms_publisher;

-- Made anew by the publisher: what a sender wrote is shown only beside a figure that is published.
drop view if exists marts.explain_value;
