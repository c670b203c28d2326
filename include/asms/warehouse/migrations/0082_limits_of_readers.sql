-- Bounds for BI, so that one forgotten query or dashboard holds nobody up. Set once: what an administrator sets later stands.
alter role asms_bi connection limit 80;
alter role asms_bi set statement_timeout = '5min';
alter role asms_bi set lock_timeout = '10s';
alter role asms_bi set idle_in_transaction_session_timeout = '10min';

-- Addresses of people are in the outbox alone, and the role that sends is the one that needs them.
revoke all on quality.alert from asms_loader, asms_transformer, asms_publisher;
