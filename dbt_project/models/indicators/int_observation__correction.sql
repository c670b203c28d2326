with

corrections as (

    select * from {{ ref('stg_quality__correction') }}

),

judged as (

    select
        corrections.*,
        answers.obs_value as reported_value,
        coalesce(answers.obs_status, 'M_NR') as reported_status,
        -- what the return says confidentially is nobody's to correct; asms.quality.corrections opens findings by the same words
        case
            when returns.municipality_code is null or answers.obs_status = 'C' then false
            when corrections.expected_value is null then answers.obs_value is null
            else coalesce(answers.obs_value = corrections.expected_value, false)
        end as is_applied
    from corrections
    left join {{ ref('stg_submissions__return') }} as returns
        on
            corrections.collection_code = returns.collection_code
            and corrections.municipality_code = returns.municipality_code
            and corrections.time_period = returns.time_period
    left join {{ ref('stg_submissions__latest_cell') }} as answers
        on
            corrections.collection_code = answers.collection_code
            and corrections.municipality_code = answers.municipality_code
            and corrections.time_period = answers.time_period
            and corrections.indicator_code = answers.indicator_code
            and corrections.sex = answers.sex

),

final as (

    select
        correction_id,
        collection_code,
        municipality_code,
        indicator_code,
        time_period,
        sex,
        action,
        expected_value,
        reason,
        provider,
        is_applied,
        reported_value,
        reported_status,
        case
            when not is_applied then null
            when action = 'set' then new_value
            when action = 'scale' then expected_value * new_value
            when action = 'flag' then expected_value
        end as corrected_value,
        case
            when not is_applied then null
            when action = 'drop' then 'M_Q'
            when action = 'flag' then new_status
            else 'R'
        end as corrected_status
    from judged

)

select * from final
