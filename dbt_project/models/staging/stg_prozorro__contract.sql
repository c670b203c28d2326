with

tenders as (

    select * from {{ ref('stg_prozorro__tender') }}

),

raw_contracts as (

    select * from {{ source('raw', 'prozorro_contract') }}

),

final as (

    select
        raw_contracts.contract_id,
        raw_contracts.contract_number,
        tenders.tender_id,
        tenders.buyer_edrpou,
        raw_contracts.status as contract_status,
        coalesce(raw_contracts.status, '') != 'cancelled' and tenders.tender_status not in ('cancelled', 'unsuccessful')
            as is_in_force,
        case
            when raw_contracts.date_signed ~ '^[0-9]{4}-[01][0-9]-[0-3][0-9]' then left(raw_contracts.date_signed, 10)::date
        end as signed_date,
        {{ amount('raw_contracts.amount') }} as amount,
        raw_contracts.currency as currency_code,
        raw_contracts.supplier_edrpou,
        raw_contracts.supplier_name,
        raw_contracts.load_id,
        tenders.is_sample
    from raw_contracts
    inner join tenders on raw_contracts.load_id = tenders.load_id and raw_contracts.row_no = tenders.row_no

)

select * from final
