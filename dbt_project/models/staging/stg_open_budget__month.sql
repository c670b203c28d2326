with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

months as (

    select * from {{ source('raw', 'open_budget_month') }}

),

final as (

    select
        months.load_id,
        months.budget_code,
        months.budget_item,
        months.classification_type,
        months.year,
        months.rep_period,
        months.row_count,
        months.has_plain_amounts,
        row_number() over revisions as revision_no,
        lead(months.load_id) over revisions as replaced_by,
        loads.is_sample
    from months
    inner join loads on months.load_id = loads.load_id and loads.status = 'loaded'
    window
        revisions as (
            partition by
                months.budget_code, months.budget_item, months.classification_type, months.year, months.rep_period
            order by loads.received_no asc, loads.loaded_at asc, loads.load_id asc
        )

)

select * from final
