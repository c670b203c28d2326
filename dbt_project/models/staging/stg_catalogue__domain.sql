select
    domain_code,
    collection_code,
    name_uk,
    name_en,
    sort_order
from {{ source('catalogue', 'domain') }}
