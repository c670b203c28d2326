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

-- Hash joins alone: ten years of the country have thirteen million answers. What is put together is named by numbers, in the
-- order of its names: two million rows are put in that order, and the index finds them in it.

with

parts as (

    select
        part.*,
        dense_rank() over (order by part.municipality_code, part.time_period, part.collection_code) as key_no,
        dense_rank() over (order by part.source_code) as source_no
    from {{ ref('int_boundary__recast') }} as part
    where {{ only_changed_keys('part', 'year') }}

),

keys as (

    select distinct
        key_no,
        municipality_code,
        collection_code,
        time_period,
        part_count,
        has_unknown_share,
        has_share
    from parts

),

numbered as (

    select
        indicator_code,
        row_number() over (order by indicator_code) as indicator_no,
        split_part(aggregation, ':', 1) as aggregation,
        nullif(split_part(aggregation, ':', 2), '') as weighing_code
    from {{ ref('stg_catalogue__indicator') }}

),

indicators as (

    select
        numbered.*,
        weighing.indicator_no as weighing_no
    from numbered
    left join numbered as weighing on numbered.weighing_code = weighing.indicator_code

),

cells as materialized (

    select
        parts.key_no,
        parts.source_no,
        parts.weight,
        indicators.indicator_no,
        indicators.weighing_no,
        answers.sex,
        answers.obs_value,
        answers.obs_status,
        answers.is_sample
    from parts
    inner join {{ ref('int_observation__accepted') }} as answers
        on
            parts.source_code = answers.municipality_code
            and parts.collection_code = answers.collection_code
            and parts.time_period = answers.time_period
    inner join indicators on answers.indicator_code = indicators.indicator_code

),

weighing as (

    select
        key_no,
        source_no,
        indicator_no,
        sex,
        obs_value
    from cells
    where indicator_no in (select indicators.weighing_no from indicators)

),

weighed as (

    select
        cells.*,
        weighing.obs_value as weighing_value
    from cells
    left join weighing
        on
            cells.key_no = weighing.key_no
            and cells.source_no = weighing.source_no
            and cells.weighing_no = weighing.indicator_no
            and cells.sex = weighing.sex

),

-- «There is none» (M_NA) adds nothing to a sum and weighs nothing in a mean; any other answer without a value leaves a gap.
-- CASE and not FILTER in what is summed in order: with it every group would be put in order by itself, three times.
summed as (

    select
        key_no,
        indicator_no,
        sex,
        count(*) filter (where weight > 0) as answered_count,
        count(obs_value) filter (where weight > 0) as value_count,
        count(*) filter (where weight > 0 and obs_value is not null and weighing_value is null) as unweighed_count,
        sum(case when weight > 0 then obs_value * weight end order by source_no) as value_sum,
        sum(case when weight > 0 then obs_value * weighing_value * weight end order by source_no) as weighed_sum,
        sum(case when weight > 0 and obs_value is not null then weighing_value * weight end order by source_no) as weighing_sum,
        min(array_position(array['C', 'M_Q', 'M_NR', 'M_NC', 'M_ND'], obs_status)) filter (
            where weight > 0 and obs_value is null
        ) as gap_no,
        bool_or(is_sample) as is_sample
    from weighed
    group by key_no, indicator_no, sex

),

named as (

    select
        summed.*,
        keys.municipality_code,
        keys.collection_code,
        keys.time_period,
        keys.part_count,
        keys.has_unknown_share,
        keys.has_share,
        indicators.indicator_code,
        indicators.aggregation
    from summed
    inner join keys on summed.key_no = keys.key_no
    inner join indicators on summed.indicator_no = indicators.indicator_no

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
    from named

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
