{{ config(materialized='view') }}

with

koatuu as (

    select * from {{ ref('stg_katottg__koatuu') }}

),

budgets as (

    select * from {{ ref('budget_code') }}

),

payers as (

    select * from {{ ref('stg_treasury__day') }}

),

final as (

    select
        unit_code as area_code,
        'koatuu' as code_system,
        koatuu_code as code,
        null::date as valid_from,
        null::date as valid_to
    from koatuu
    where koatuu_code is not null
    union all
    select
        area_code,
        'budget' as code_system,
        budget_code as code,
        make_date(valid_from, 1, 1) as valid_from,
        make_date(valid_to + 1, 1, 1) as valid_to
    from budgets
    union all
    -- the list of payers tells no days
    select distinct
        municipality_code as area_code,
        'edrpou' as code_system,
        payer_edrpou as code,
        null::date as valid_from,
        null::date as valid_to
    from payers

)

select * from final
