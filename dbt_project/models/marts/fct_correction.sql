with

corrections as (

    select * from {{ ref('int_observation__correction') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

cells as (

    select * from {{ ref('stg_catalogue__disclosure_cell') }}

),

{{ suppressed_groups('corrections', ['reported_value', 'expected_value', 'corrected_value']) }},

final as (

    select
        corrections.collection_code,
        corrections.municipality_code,
        corrections.indicator_code,
        corrections.time_period,
        corrections.sex,
        corrections.action,
        {{ unless_hidden('corrections.expected_value') }} as expected_value,
        corrections.reason,
        corrections.provider,
        corrections.is_applied,
        {{ unless_hidden('corrections.reported_value') }} as reported_value,
        case
            when suppressed.reason is not null and corrections.reported_value is not null then 'C'
            else corrections.reported_status
        end as reported_status,
        {{ unless_hidden('corrections.corrected_value') }} as corrected_value,
        case
            when suppressed.reason is not null and corrections.corrected_value is not null then 'C'
            else corrections.corrected_status
        end as corrected_status
    from corrections
    inner join indicators on corrections.indicator_code = indicators.indicator_code
    left join cells on corrections.indicator_code = cells.indicator_code and corrections.sex = cells.sex
    left join suppressed
        on
            corrections.municipality_code = suppressed.municipality_code
            and corrections.collection_code = suppressed.collection_code
            and corrections.time_period = suppressed.time_period
            and cells.group_code = suppressed.group_code
    left join {{ ref('int_embargo__held') }} as held
        on corrections.indicator_code = held.indicator_code and left(corrections.time_period, 4) = held.time_period
    where held.indicator_code is null and indicators.conf_status != 'restricted'

)

select * from final
