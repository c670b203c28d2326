-- What values are held against among similar bodies: from the cards and data/peers.yaml.

create table catalogue.peer_limit (
    rule_id text primary key,          -- quality.rule, level 'peers'
    indicator_code text not null references catalogue.indicator, -- the total of which is compared
    target_code text not null references catalogue.indicator,    -- the reported cell that a finding points at
    target_sex text not null check (target_sex in ('T', 'F', 'M')),
    peer_group_kind text not null,     -- as in indicators.int_peer_group__membership
    least_count integer not null,      -- with fewer values in the group there is nothing to compare with
    least_spread double precision not null, -- share of the median below which the spread is not taken
    z_limit double precision not null  -- a value further than so many spreads from the median is told
);

grant select on catalogue.peer_limit to asms_transformer, asms_gate, asms_publisher;
grant select, insert, update, delete on catalogue.peer_limit to asms_loader;
