select * from {{ ref('int_area__code') }}
