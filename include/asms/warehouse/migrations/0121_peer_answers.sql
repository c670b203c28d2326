-- What the rules against peers were asked of last, so that a night asks the groups in which a figure moved and no others.

create table quality.peer_answer (
    rule_id text not null,             -- quality.rule, level 'peers'
    peer_group_code text not null,     -- as in indicators.int_peer_group__membership
    collection_code text not null,
    municipality_code text not null,
    time_period text not null,
    indicator_code text not null,      -- its total is compared
    obs_value double precision,
    obs_status text,
    primary key (municipality_code, time_period, rule_id, collection_code, peer_group_code)
);

create index on quality.peer_answer (rule_id, peer_group_code, time_period);

grant select, insert, update, delete on quality.peer_answer to asms_gate;
