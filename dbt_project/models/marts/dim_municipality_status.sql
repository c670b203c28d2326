with

statuses as (

    select * from {{ ref('int_municipality__status') }}

),

final as (

    select
        municipality_code,
        valid_from,
        valid_to,
        valid_to is null as is_current,
        status_code,
        can_report
    from statuses

)

select * from final
