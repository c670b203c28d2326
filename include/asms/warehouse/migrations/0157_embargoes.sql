-- Embargoes: what the file ASMS_EMBARGOES says, line by line. A line that goes stays here, no more active.

create table quality.embargo (
    embargo_id text primary key,       -- hash of what the line says
    domain_code text,                  -- all indicators of a domain, or
    indicator_code text,               -- one of them
    time_period text not null,         -- a year, with its quarters and months
    embargo_until timestamptz not null,
    reason text not null,
    provider text not null,            -- who asked for it: a body, not a person
    is_active boolean not null default true,
    check (num_nonnulls(domain_code, indicator_code) = 1)
);

-- The lines that held when the build began: asked once, so that its marts and its release keep to one moment.
create table ops.build_embargo (
    build_id bigint not null references ops.build,
    embargo_id text not null references quality.embargo,
    primary key (build_id, embargo_id)
);

grant select on quality.embargo, ops.build_embargo to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update on quality.embargo to asms_gate;
grant insert on ops.build_embargo to asms_publisher;

-- whether a figure went because it came under embargo
grant select (embargo_id, domain_code, indicator_code, time_period) on quality.embargo to asms_marts_owner;
grant select on ops.build_embargo to asms_marts_owner;
grant select (indicator_code, domain_code) on catalogue.indicator to asms_marts_owner;
