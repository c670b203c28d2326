{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['set local enable_nestloop = off', 'set local enable_mergejoin = off', 'set local enable_sort = off'],
        indexes=[
            {'columns': ['municipality_code', 'time_period', 'domain_code', 'collection_code'], 'unique': true},
        ],
    )
}}

-- Hash joins alone: the planner takes the answers of a year for a few rows, joins them by collection and year, and goes
-- through all of them for every body and domain, 69 s of CPU for 300 bodies. Nor would it hash what it takes for few rows: it
-- sorts the answers of the country by five texts.

with

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

collections as (

    select * from {{ ref('stg_catalogue__collection') }}

),

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

returns as (

    select sent.*
    from {{ ref('stg_submissions__return') }} as sent
    inner join collections on sent.collection_code = collections.collection_code
    where collections.counts_for_completeness and {{ only_changed_keys('sent', 'year') }}

),

answered as (

    select body.*
    from {{ ref('int_completeness__answered') }} as body
    where {{ only_changed_keys('body', 'year') }}

),

history as (

    select span.*
    from {{ ref('int_completeness__history') }} as span
    where span.is_full and {{ only_changed_keys('span', 'year') }}

),

deadlines as (

    select
        *,
        {{ end_of_day('due_date') }} as due_at
    from {{ ref('stg_catalogue__deadline') }}

),

statuses as (

    select * from {{ ref('int_municipality__status') }}

),

periods as (

    select
        collection_code,
        time_period,
        bool_or(is_sample) as is_sample
    from returns
    group by collection_code, time_period

),

expected as (

    select
        periods.collection_code,
        periods.time_period,
        periods.is_sample,
        asked_cells.domain_code,
        count(distinct asked_cells.indicator_code) as expected_count,
        count(*) as expected_cell_count
    from periods
    inner join asked_cells
        on
            periods.collection_code = asked_cells.collection_code
            and left(periods.time_period, 4) >= asked_cells.valid_from::text
            and left(periods.time_period, 4) <= coalesce(asked_cells.valid_to::text, '9999')
    group by periods.collection_code, periods.time_period, periods.is_sample, asked_cells.domain_code

),

final as (

    select
        municipalities.municipality_code,
        expected.collection_code,
        expected.time_period,
        {{ period_start('expected.time_period') }} as period_start,
        expected.domain_code,
        expected.expected_count,
        coalesce(answered.answered_count, 0) as answered_count,
        coalesce(answered.answered_count, 0)::double precision / expected.expected_count as answered_share,
        coalesce(answered.answered_count, 0) = expected.expected_count as is_full,
        returns.municipality_code is not null as has_return,
        expected.is_sample,
        expected.expected_cell_count,
        coalesce(answered.answered_cell_count, 0) as answered_cell_count,
        standing.known_from as full_since,
        deadlines.due_date,
        case
            when standing.known_from is not null and deadlines.due_at is not null then at_due.known_from is not null
        end as is_on_time,
        coalesce(statuses.can_report, true) as can_report
    from expected
    cross join municipalities
    left join answered
        on
            expected.collection_code = answered.collection_code
            and municipalities.municipality_code = answered.municipality_code
            and expected.time_period = answered.time_period
            and expected.domain_code = answered.domain_code
    left join returns
        on
            expected.collection_code = returns.collection_code
            and municipalities.municipality_code = returns.municipality_code
            and expected.time_period = returns.time_period
    left join deadlines
        on expected.collection_code = deadlines.collection_code and expected.time_period = deadlines.time_period
    left join statuses
        on
            municipalities.municipality_code = statuses.municipality_code
            and coalesce(deadlines.due_date, make_date(left(expected.time_period, 4)::integer, 12, 31)) >= statuses.valid_from
            and coalesce(
                coalesce(deadlines.due_date, make_date(left(expected.time_period, 4)::integer, 12, 31)) < statuses.valid_to, true
            )
    left join history as standing
        on
            expected.collection_code = standing.collection_code
            and municipalities.municipality_code = standing.municipality_code
            and expected.time_period = standing.time_period
            and expected.domain_code = standing.domain_code
            and standing.known_to is null
    left join history as at_due
        on
            expected.collection_code = at_due.collection_code
            and municipalities.municipality_code = at_due.municipality_code
            and expected.time_period = at_due.time_period
            and expected.domain_code = at_due.domain_code
            and deadlines.due_at > at_due.known_from
            and (at_due.known_to is null or deadlines.due_at <= at_due.known_to)

)

select * from final
