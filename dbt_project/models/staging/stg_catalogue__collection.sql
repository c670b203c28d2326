select
    collection_code,
    name_uk,
    name_en,
    counts_for_completeness
from {{ source('catalogue', 'collection') }}
