with

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

sexes (sex) as (

    values ('T'), ('F'), ('M')

),

final as (

    select
        indicators.indicator_code,
        sexes.sex,
        indicators.collection_code,
        indicators.domain_code,
        indicators.indicator_type,
        indicators.valid_from,
        indicators.valid_to
    from indicators
    inner join sexes on indicators.is_sex_split or sexes.sex = 'T'
    where not indicators.is_derived

)

select * from final
