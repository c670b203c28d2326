-- The answer to senders: which reports were made, what senders explained, and what staff decided about findings.

-- One report: what a return (or a file that could not be read) was found to have wrong. Named by content, so equal findings of
-- one return are one report.
create table quality.feedback (
    about_id text not null,            -- submission_id; of a file that could not be read, its delivery_id
    findings_hash text not null,       -- over everything that the report says
    collection_code text,              -- these three are null for a file that could not be read
    municipality_code text,
    time_period text,
    file_name text not null,
    fatal_count integer not null,
    error_count integer not null,
    warning_count integer not null,
    info_count integer not null,
    workbook_path text not null,       -- below ASMS_HOME, as the next two
    html_path text not null,
    json_path text not null,
    is_latest boolean not null,
    made_at timestamptz not null default now(),
    primary key (about_id, findings_hash)
);

-- What a body's returns and findings looked like when they were last answered: an equal look needs no work.
create table quality.feedback_state (
    group_key text primary key,        -- collection|municipality|period, or file|delivery_id
    state_hash text not null
);

create sequence quality.decision_no;

-- What a sender wrote beside a warning. The id is a hash of what is explained and the text: sending it again changes nothing.
create table quality.explanation (
    explanation_id text primary key,
    rule_id text not null references quality.rule,
    collection_code text,
    municipality_code text not null,
    time_period text not null,
    indicator_code text,
    sex text,
    value_found text,
    finding_id text not null references quality.finding,
    text text not null,
    delivery_id text not null references raw.delivery,
    status text not null default 'offered' check (status in ('offered', 'accepted', 'refused')),
    decided_by text,
    decided_at timestamptz,
    decision_no bigint,                -- new with each decision; null while none was made
    offered_at timestamptz not null default now()
);

-- What staff decided about a fatal finding that nobody can mend in time.
create table quality.waiver (
    rule_id text not null references quality.rule,
    collection_code text,
    municipality_code text,
    time_period text,
    indicator_code text,
    sex text,
    value_found text,
    finding_id text not null references quality.finding,
    effect text not null check (effect in ('reject', 'silence', 'none')), -- 'none': the waiver was taken back
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now(),
    decision_no bigint primary key
);

-- What is not to be told as it was found, while the value stands: the last decision on each place and value.
create view quality.silence as
select
    rule_id,
    collection_code,
    municipality_code,
    time_period,
    indicator_code,
    sex,
    value_found,
    effect
from (
    select distinct on (rule_id, collection_code, municipality_code, time_period, indicator_code, sex, value_found) *
    from quality.waiver
    order by
        rule_id asc, collection_code asc, municipality_code asc, time_period asc, indicator_code asc, sex asc,
        value_found asc, decision_no desc
) as waived
where effect != 'none'
union
select
    rule_id,
    collection_code,
    municipality_code,
    time_period,
    indicator_code,
    sex,
    value_found,
    'silence' as effect
from quality.explanation
where status = 'accepted';

-- As ops.build_load and ops.release_load for loads: which decisions a build set out to publish, and which are published.
create table ops.build_decision (
    build_id bigint not null references ops.build,
    decision_no bigint not null,
    primary key (build_id, decision_no)
);
create table ops.release_decision (
    decision_no bigint primary key,
    release_id bigint not null references ops.release
);

grant select on quality.feedback, quality.feedback_state, quality.explanation, quality.waiver, quality.silence
to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update on quality.feedback, quality.feedback_state to asms_gate;
grant insert on quality.explanation to asms_loader;
grant update on quality.explanation to asms_gate;
grant insert on quality.waiver to asms_gate;
grant usage on sequence quality.decision_no to asms_gate;
grant select on ops.build_decision, ops.release_decision to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update, delete on ops.build_decision, ops.release_decision to asms_publisher;
