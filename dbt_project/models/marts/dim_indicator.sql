with

versions as (

    select * from {{ ref('dim_indicator_history') }}

),

final as (

    select distinct on (indicator_code)
        indicator_code,
        version,
        collection_code,
        domain_code,
        domain_name_uk,
        domain_name_en,
        name_uk,
        name_en,
        definition_uk,
        unit_measure,
        unit_mult,
        decimals,
        indicator_type,
        is_derived,
        is_sex_split,
        aggregation,
        formula,
        conf_status,
        is_prefilled,
        min(valid_from) over (partition by indicator_code) as valid_from,
        valid_to,
        periodicity,
        denominator,
        direction,
        source,
        classification,
        min_value,
        max_value
    from versions
    order by indicator_code asc, version desc

)

select * from final
