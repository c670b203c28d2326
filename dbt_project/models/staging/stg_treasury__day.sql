with

days as (

    select * from {{ source('raw', 'treasury_day') }}

),

loads as (

    select * from {{ ref('stg_ops__load') }}

),

final as (

    select
        days.payer_edrpou,
        days.municipality_code,
        days.trans_date,
        days.revision_no,
        days.row_count,
        days.load_id,
        loads.is_sample,
        -- looked up day by day, so that asking for a few days does not sort all
        not exists (
            select 1
            from {{ source('raw', 'treasury_day') }} as later
            inner join {{ ref('stg_ops__load') }} as later_load on later.load_id = later_load.load_id
            where
                later.payer_edrpou = days.payer_edrpou
                and later.trans_date = days.trans_date
                and later.revision_no > days.revision_no
        ) as is_in_force
    from days
    inner join loads on days.load_id = loads.load_id

)

select * from final
