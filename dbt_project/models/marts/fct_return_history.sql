select
    history.municipality_code,
    history.collection_code,
    history.time_period,
    history.known_from,
    history.known_to,
    history.expected_cell_count,
    history.answered_cell_count,
    history.is_full,
    returns.is_sample
from {{ ref('int_completeness__history') }} as history
inner join {{ ref('int_municipality__described') }} as municipalities
    on history.municipality_code = municipalities.municipality_code
inner join {{ ref('stg_submissions__return') }} as returns
    on
        history.collection_code = returns.collection_code
        and history.municipality_code = returns.municipality_code
        and history.time_period = returns.time_period
where history.domain_code = 'ALL'
