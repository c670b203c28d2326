select
    indicator_code,
    sex,
    register as register_code,
    measure,
    budget_item,
    classification_type,
    code_prefix,
    fund_type,
    factor,
    tolerance
from {{ source('catalogue', 'register_source') }}
