select
    embargo.embargo_id,
    embargo.domain_code,
    embargo.indicator_code,
    embargo.time_period
from {{ source('quality', 'embargo') }} as embargo
inner join {{ source('ops', 'build_embargo') }} as build_embargo on embargo.embargo_id = build_embargo.embargo_id
inner join {{ source('ops', 'build') }} as build on build_embargo.build_id = build.build_id
where build.status = 'running'
