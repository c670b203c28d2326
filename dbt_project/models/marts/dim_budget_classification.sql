select
    budget_item,
    classification_type,
    classification_code,
    valid_from,
    valid_to,
    name_uk,
    parent_code,
    section_code,
    basis,
    is_current
from {{ ref('int_budget__named_code') }}
