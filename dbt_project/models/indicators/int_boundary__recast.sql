{{
    config(
        pre_hook=['set local enable_nestloop = off'],
        indexes=[{'columns': ['municipality_code', 'time_period']}],
    )
}}

-- Hash joins wherever keys are equal: the planner takes the parts for one row, and goes through all returns for each of them.
--
-- A figure is of the territory that its code had on the last day of the period. Where that is not today's territory of one
-- municipality and of nothing else, the municipality's figure on today's map is put together of these parts.

with

returns as (

    select
        collection_code,
        municipality_code,
        time_period,
        {{ period_end('time_period') }} as last_day
    from {{ ref('stg_submissions__return') }}

),

crosswalk as (

    select * from {{ ref('int_boundary__crosswalk') }}

),

periods as (

    select distinct
        collection_code,
        time_period,
        last_day
    from returns

),

-- what became today of each territory that stood on the last day of a period
standing as (

    select
        periods.collection_code,
        periods.time_period,
        crosswalk.target_code as municipality_code,
        crosswalk.source_code,
        crosswalk.weight
    from periods
    inner join crosswalk
        on
            (crosswalk.source_valid_from is null or periods.last_day >= crosswalk.source_valid_from)
            and (crosswalk.source_valid_to is null or periods.last_day < crosswalk.source_valid_to)
            and crosswalk.target_valid_to is null
    where crosswalk.target_code <> 'unknown'

),

changed as (

    select
        collection_code,
        time_period,
        municipality_code,
        count(*) as part_count,
        bool_or(weight is null) as has_unknown_share,
        bool_or(weight < 1) as has_share
    from standing
    group by collection_code, time_period, municipality_code
    having count(*) > 1 or bool_or(weight is null or weight < 1 or source_code <> municipality_code)

),

-- Whose code was in use on the day. A code that was not is used by today's body of its own territory, so its return is on
-- today's map already, and what its predecessors returned does not count beside it.
in_use as (

    select distinct
        returns.collection_code,
        returns.municipality_code,
        returns.time_period
    from returns
    inner join crosswalk
        on
            returns.municipality_code = crosswalk.source_code
            and (crosswalk.source_valid_from is null or returns.last_day >= crosswalk.source_valid_from)
            and (crosswalk.source_valid_to is null or returns.last_day < crosswalk.source_valid_to)

),

told_later as (

    select
        returns.collection_code,
        returns.municipality_code,
        returns.time_period
    from returns
    left join in_use
        on
            returns.collection_code = in_use.collection_code
            and returns.municipality_code = in_use.municipality_code
            and returns.time_period = in_use.time_period
    where in_use.municipality_code is null

),

parts as (

    select
        standing.collection_code,
        standing.time_period,
        standing.municipality_code,
        standing.source_code,
        standing.weight
    from standing
    inner join changed
        on
            standing.collection_code = changed.collection_code
            and standing.time_period = changed.time_period
            and standing.municipality_code = changed.municipality_code
    union all
    -- a code that was of wholly another territory then: its own figures of that time are no part
    select
        changed.collection_code,
        changed.time_period,
        changed.municipality_code,
        changed.municipality_code as source_code,
        0 as weight
    from changed
    inner join in_use
        on
            changed.collection_code = in_use.collection_code
            and changed.time_period = in_use.time_period
            and changed.municipality_code = in_use.municipality_code
    left join standing
        on
            changed.collection_code = standing.collection_code
            and changed.time_period = standing.time_period
            and changed.municipality_code = standing.municipality_code
            and changed.municipality_code = standing.source_code
    where standing.source_code is null

),

answered as (

    select
        parts.*,
        in_use.municipality_code is not null as has_return,
        bool_or(in_use.municipality_code is not null) over (
            partition by parts.collection_code, parts.time_period, parts.municipality_code
        ) as has_any_return
    from parts
    left join in_use
        on
            parts.collection_code = in_use.collection_code
            and parts.time_period = in_use.time_period
            and parts.source_code = in_use.municipality_code

),

final as (

    select
        answered.municipality_code,
        answered.collection_code,
        answered.time_period,
        answered.source_code,
        answered.weight,
        answered.has_return,
        changed.part_count,
        changed.has_unknown_share,
        coalesce(changed.has_share, false) as has_share
    from answered
    inner join changed
        on
            answered.collection_code = changed.collection_code
            and answered.time_period = changed.time_period
            and answered.municipality_code = changed.municipality_code
    left join told_later
        on
            answered.collection_code = told_later.collection_code
            and answered.time_period = told_later.time_period
            and answered.municipality_code = told_later.municipality_code
    where answered.has_any_return and told_later.municipality_code is null

)

select * from final
