with

versions as (

    select * from {{ ref('stg_catalogue__indicator_version') }}

),

domains as (

    select * from {{ ref('stg_catalogue__domain') }}

),

final as (

    select
        versions.indicator_code,
        versions.version,
        versions.collection_code,
        versions.domain_code,
        domains.name_uk as domain_name_uk,
        domains.name_en as domain_name_en,
        versions.name_uk,
        versions.name_en,
        versions.definition_uk,
        versions.unit_measure,
        versions.unit_mult,
        versions.decimals,
        versions.indicator_type,
        versions.is_derived,
        versions.is_sex_split,
        versions.aggregation,
        versions.formula,
        versions.conf_status,
        versions.is_prefilled,
        versions.valid_from,
        versions.valid_to,
        versions.periodicity,
        versions.denominator,
        versions.direction,
        versions.source,
        versions.classification,
        versions.min_value,
        versions.max_value
    from versions
    inner join domains on versions.domain_code = domains.domain_code

)

select * from final
