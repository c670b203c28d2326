with

terms as (

    select * from {{ ref('int_member__known') }}

),

samples as (

    select coalesce(bool_or(is_sample), false) as is_sample
    from {{ ref('stg_ops__load') }}
    where source = 'members'

),

final as (

    select
        terms.municipality_code,
        terms.term_no,
        terms.is_member,
        terms.registered_from,
        terms.registered_to,
        samples.is_sample
    from terms
    cross join samples

)

select * from final
