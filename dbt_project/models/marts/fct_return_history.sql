select
    history.municipality_code,
    history.collection_code,
    history.time_period,
    history.known_from,
    history.known_to,
    history.expected_cell_count,
    history.answered_cell_count,
    history.is_full,
    history.is_withdrawn,
    history.withdrawal_reason,
    history.is_sample
from {{ ref('int_completeness__history') }} as history
inner join {{ ref('int_municipality__described') }} as municipalities
    on history.municipality_code = municipalities.municipality_code
where history.domain_code = 'ALL'
