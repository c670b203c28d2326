-- a view: what a night costs here is nothing, and what stands of a day is looked up when it is asked for
with

days as (

    select * from {{ ref('stg_treasury__day') }}

),

raw_transactions as (

    select * from {{ source('raw', 'treasury_transaction') }}

),

final as (

    select
        raw_transactions.transaction_id,
        days.municipality_code,
        days.payer_edrpou,
        raw_transactions.payer_name,
        days.trans_date,
        {{ amount('raw_transactions.amount') }} as amount,
        raw_transactions.currency as currency_code,
        raw_transactions.recipt_edrpou as recipient_edrpou,
        raw_transactions.recipt_name as recipient_name,
        raw_transactions.payment_details,
        raw_transactions.kekv as economic_code,
        raw_transactions.kpk as programme_code,
        raw_transactions.contract_number,
        raw_transactions.budget_code,
        raw_transactions.load_id,
        days.is_sample
    from raw_transactions
    inner join days
        on
            raw_transactions.load_id = days.load_id
            and raw_transactions.trans_date = days.trans_date
            and raw_transactions.payer_edrpou = days.payer_edrpou
    where days.is_in_force

)

select * from final
