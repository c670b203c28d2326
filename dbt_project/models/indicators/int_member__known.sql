select
    terms.municipality_code,
    terms.term_no,
    terms.is_member,
    terms.registered_from,
    terms.registered_to
from {{ ref('stg_members__term') }} as terms
inner join {{ ref('int_municipality__described') }} as municipalities
    on terms.municipality_code = municipalities.municipality_code
