-- Limits of single cells, the validity and consequence of rules, and how often each rule was kept.

alter table quality.rule
add valid_from integer,                -- first and last year that the rule is asked of; null for no bound
add valid_to integer,
add consequence_uk text generated always as (
    case severity
        when 'fatal' then 'значення відхилено, публікацію зупинено до виправлення'
        when 'error' then 'значення відхилено, решта звіту діє'
        when 'warning' then 'значення діє; перевірте його або поясніть'
        when 'info' then 'лише до відома'
    end
) stored,
add consequence_en text generated always as (
    case severity
        when 'fatal' then 'the value is rejected and nothing is published until it is corrected'
        when 'error' then 'the value is rejected, the rest of the return stands'
        when 'warning' then 'the value stands; check or explain it'
        when 'info' then 'told only'
    end
) stored;

alter table catalogue.compiled_rule
add rule_no integer not null unique,   -- 1, 2, …: place of the rule's verdict in the array of all verdicts
add slots integer[] not null;          -- the inputs that the check reads

-- What a value of one cell is held against, from its card and data/limits.yaml. A null is asked by no rule.
create table catalogue.cell_limit (
    indicator_code text not null references catalogue.indicator,
    sex text not null check (sex in ('T', 'F', 'M')),
    is_whole boolean not null,         -- a count: no fraction
    low double precision,
    high double precision,
    year_share double precision,       -- change from last year that needs no word, as a share of last year's value
    year_floor double precision,       -- and as a number: the larger of the two counts
    slip_factors double precision[],   -- a value this many times last year's is in another unit
    slip_share double precision,       -- how near to the factor
    primary key (indicator_code, sex)
);

-- How the rules stood in a build: over the cells, or bodies and years, that the build asked.
create table quality.rule_verdict_count (
    build_id bigint not null,
    rule_id text not null references quality.rule,
    verdict text not null check (verdict in ('pass', 'fail', 'no_data', 'not_due', 'not_applicable')),
    target_count bigint not null,
    primary key (build_id, rule_id, verdict)
);

grant select on catalogue.cell_limit to asms_transformer, asms_gate, asms_publisher;
grant select, insert, update, delete on catalogue.cell_limit to asms_loader;
grant select on quality.rule_verdict_count to asms_transformer, asms_publisher;
grant select, insert, delete on quality.rule_verdict_count to asms_gate;
