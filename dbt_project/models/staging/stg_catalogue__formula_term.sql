select distinct
    term.indicator_code,
    input.indicator_code as input_code,
    input.period_offset,
    term.period_from,
    term.period_to
from {{ source('catalogue', 'formula_term') }} as term
inner join {{ source('catalogue', 'formula_input') }} as input on term.slot = input.slot
