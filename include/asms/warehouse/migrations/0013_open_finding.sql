-- Open findings that count. What was sent as a trial only is told to its sender, and to nobody else.

create view quality.open_finding as
with sent as (
    select
        submission_delivery.submission_id,
        bool_and(delivery.is_test) as is_test
    from raw.submission_delivery
    inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
    group by submission_delivery.submission_id
)

select finding.*
from quality.finding
left join sent on finding.submission_id = sent.submission_id
left join raw.delivery on finding.delivery_id = delivery.delivery_id
where
    finding.is_open
    and sent.is_test is not true
    and delivery.is_test is not true;

grant select on quality.open_finding to asms_loader, asms_transformer, asms_publisher, asms_gate;
