select * from {{ ref('int_boundary__crosswalk') }}
