with

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

domains as (

    select * from {{ ref('stg_catalogue__domain') }}

),

final as (

    select
        indicators.indicator_code,
        indicators.version,
        indicators.collection_code,
        indicators.domain_code,
        domains.name_uk as domain_name_uk,
        domains.name_en as domain_name_en,
        indicators.name_uk,
        indicators.name_en,
        indicators.definition_uk,
        indicators.unit_measure,
        indicators.unit_mult,
        indicators.decimals,
        indicators.indicator_type,
        indicators.is_derived,
        indicators.is_sex_split,
        indicators.aggregation,
        indicators.formula,
        indicators.conf_status,
        indicators.is_prefilled,
        indicators.valid_from,
        indicators.valid_to,
        indicators.periodicity,
        indicators.denominator,
        indicators.direction,
        indicators.source,
        indicators.classification,
        indicators.min_value,
        indicators.max_value
    from indicators
    inner join domains on indicators.domain_code = domains.domain_code

)

select * from final
