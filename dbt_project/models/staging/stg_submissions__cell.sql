{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {'columns': ['submission_id', 'sheet', 'cell'], 'unique': true},
            {'columns': ['municipality_code', 'time_period']},
        ],
    )
}}

with

deliveries as (

    select distinct on (delivery.submission_id)
        delivery.*,
        -- trials answer nothing; a withdrawal is an arrival
        count(*) filter (where delivery.is_test is not true) over (
            partition by delivery.collection_code, delivery.municipality_code, delivery.time_period
        ) > 1 as is_contested
    from {{ ref('stg_submissions__delivery') }} as delivery
    where {{ only_changed_keys('delivery', 'return') }}
    -- sent as a trial and in earnest, it is in earnest
    order by delivery.submission_id asc, delivery.is_test asc, delivery.received_no desc

),

-- Return by return: what is grouped is one return, and stays in the processor's cache.
repeated as materialized (

    select
        deliveries.submission_id,
        twice.indicator_code,
        twice.sex
    from deliveries
    cross join lateral (
        select
            raw_cell.indicator_code,
            raw_cell.sex
        from {{ source('raw', 'submission_cell') }} as raw_cell
        where raw_cell.submission_id = deliveries.submission_id
        group by raw_cell.indicator_code, raw_cell.sex
        having count(*) > 1
        offset 0  -- noqa: AM09
    ) as twice

),

submissions as (

    select
        *,
        left(time_period, 4) as form_year,
        submission_id in (select repeated.submission_id from repeated) as is_repeating
    from deliveries
    -- so written, a body's cells stand together, and the index by body finds them in order: half of its making is sorting
    order by municipality_code asc, time_period asc

),

reasons as (

    select * from {{ ref('missing_reason') }}

),

-- materialized, so that they are hashed once and not looked up in an index for every cell
indicators as materialized (

    select
        indicator_code,
        collection_code,
        unit_measure,
        is_sex_split,
        valid_from::text as valid_from,
        coalesce(valid_to::text, '9999') as valid_to
    from {{ ref('stg_catalogue__indicator') }}
    where not is_derived

),

valued as (
    {{ typed_cells(source('raw', 'submission_cell')) }}
),

-- the few cells whose code stands twice are typed again, because what all cells say need not be put aside then
repeated_values as (
    {{ typed_cells(source('raw', 'submission_cell'), only_repeated=true) }}
),

-- A code that stands twice in a return may say two things. A blank says nothing that another line could contradict.
contradicted as materialized (

    select
        submission_id,
        indicator_code,
        sex
    from repeated_values
    where coalesce(missing_reason, '') != 'blank'
    group by submission_id, indicator_code, sex
    having count(distinct coalesce(read_value::text, typing_rule_id, missing_reason)) > 1

),

decided as (

    select
        *,
        is_repeated
        and coalesce(missing_reason, '') != 'blank'
        and (submission_id, indicator_code, sex) in (
            select
                contradicted.submission_id,
                contradicted.indicator_code,
                contradicted.sex
            from contradicted
        ) as is_contradicted
    from valued

),

final as (

    select
        submission_id,
        sheet,
        cell,
        collection_code,
        municipality_code,
        time_period,
        indicator_code,
        sex,
        value_text,
        value_type,
        case when not is_contradicted then read_value end as obs_value,
        case
            when typing_rule_id is not null or is_contradicted then 'M_Q'
            else coalesce(missing_status, 'A')
        end as obs_status,
        case
            when typing_rule_id is not null or is_contradicted then 'rejected'
            else missing_reason
        end as status_reason,
        case
            when typing_rule_id is not null then typing_rule_id
            when is_contradicted then 'CELL_DUPLICATE_CODE'
            when is_unit_stated and read_value is not null then 'CELL_UNIT_STATED'
            -- a line has one reason, beside all of its cells
            when has_odd_reason and missing_reason is not null and sex = 'T' then 'CELL_REASON_UNKNOWN'
        end as broken_rule_id,
        is_repeated,
        -- nearly every body sends one return with every code once, and withdraws nothing: what it says stands
        is_contested is not true and not is_repeated and is_test is not true as is_plain,
        load_id,
        batch_no,
        received_no,
        is_sample,
        is_test
    from decided

)

select * from final
