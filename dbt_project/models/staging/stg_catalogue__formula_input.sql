with

inputs as (

    select * from {{ source('catalogue', 'formula_input') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

final as (

    select
        inputs.slot,
        inputs.origin,
        inputs.indicator_code,
        indicators.collection_code,
        inputs.sex,
        inputs.period_offset
    from inputs
    inner join indicators on inputs.indicator_code = indicators.indicator_code

)

select * from final
