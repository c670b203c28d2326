{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off'],
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- Hash joins alone, and answers are not put aside for the two that read them: ten years of the country have thirteen million.

with

parts as (

    select part.*
    from {{ ref('int_boundary__recast') }} as part
    where {{ only_changed_keys('part', 'year') }}

),

answers as not materialized (

    select * from {{ ref('int_observation__accepted') }}

),

indicators as (

    select
        indicator_code,
        split_part(aggregation, ':', 1) as aggregation,
        nullif(split_part(aggregation, ':', 2), '') as weighing_code
    from {{ ref('stg_catalogue__indicator') }}

),

weighers as (

    select distinct weighing_code from indicators

),

weighing as (

    select answers.*
    from answers
    inner join weighers on answers.indicator_code = weighers.weighing_code

),

cells as (

    select
        parts.municipality_code,
        parts.collection_code,
        parts.time_period,
        parts.source_code,
        parts.weight,
        parts.part_count,
        parts.has_unknown_share,
        parts.has_share,
        answers.indicator_code,
        answers.sex,
        indicators.aggregation,
        indicators.weighing_code,
        answers.obs_value,
        answers.obs_status,
        answers.is_sample
    from parts
    inner join answers
        on
            parts.source_code = answers.municipality_code
            and parts.collection_code = answers.collection_code
            and parts.time_period = answers.time_period
    inner join indicators on answers.indicator_code = indicators.indicator_code

),

weighed as (

    select
        cells.*,
        weighing.obs_value as weighing_value
    from cells
    left join weighing
        on
            cells.weighing_code = weighing.indicator_code
            and cells.source_code = weighing.municipality_code
            and cells.collection_code = weighing.collection_code
            and cells.time_period = weighing.time_period
            and cells.sex = weighing.sex

),

-- «There is none» (M_NA) adds nothing to a sum and weighs nothing in a mean; any other answer without a value leaves a gap.
summed as (

    select
        municipality_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        aggregation,
        part_count,
        has_unknown_share,
        has_share,
        count(*) filter (where weight > 0) as answered_count,
        count(obs_value) filter (where weight > 0) as value_count,
        count(*) filter (where weight > 0 and obs_value is not null and weighing_value is null) as unweighed_count,
        sum(obs_value * weight order by source_code) filter (where weight > 0) as value_sum,
        sum(obs_value * weighing_value * weight order by source_code) filter (where weight > 0) as weighed_sum,
        sum(weighing_value * weight order by source_code) filter (where weight > 0 and obs_value is not null) as weighing_sum,
        min(array_position(array['C', 'M_Q', 'M_NR', 'M_NC', 'M_ND'], obs_status)) filter (
            where weight > 0 and obs_value is null
        ) as gap_no,
        bool_or(is_sample) as is_sample
    from weighed
    group by
        municipality_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        aggregation,
        part_count,
        has_unknown_share,
        has_share

),

judged as (

    select
        *,
        (array['C', 'M_Q', 'M_NR', 'M_NC', 'M_ND'])[gap_no] as gap_status,
        part_count = 1 and not has_share as is_whole,
        case
            when has_unknown_share then 'unknown_share'
            when aggregation not in ('sum', 'weighted') and (part_count > 1 or has_share) then 'cannot_be_recast'
        end as break_reason
    from summed

),

reasoned as (

    select
        *,
        case
            when break_reason is not null then 'B'
            when answered_count < part_count then 'M_NR'
            when gap_status is not null then gap_status
            when value_count = 0 then 'M_NA'
            when is_whole then 'A'
            when aggregation = 'weighted' and unweighed_count > 0 then 'M_NR'
            when aggregation = 'weighted' and weighing_sum = 0 then 'M_Z'
            when has_share then 'E'
            else 'A'
        end as obs_status
    from judged

),

final as (

    select
        municipality_code,
        collection_code,
        time_period,
        indicator_code,
        sex,
        case
            when obs_status not in ('A', 'E') then null
            when aggregation = 'weighted' and not is_whole then weighed_sum / weighing_sum
            else value_sum
        end as obs_value,
        obs_status,
        case
            when break_reason is not null then break_reason
            when answered_count < part_count then 'part_not_reported'
            when obs_status = 'M_NR' and gap_status is null then 'weight_not_reported'
        end as status_reason,
        part_count,
        answered_count,
        is_sample
    from reasoned

)

select * from final
