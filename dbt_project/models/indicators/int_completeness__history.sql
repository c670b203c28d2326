{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook='set local enable_nestloop = off',
        indexes=[
            {
                'columns': ['municipality_code', 'time_period', 'domain_code', 'collection_code', 'known_from'],
                'unique': true,
            },
        ],
    )
}}

with

deliveries as (

    select arrival.*
    from {{ ref('stg_submissions__delivery') }} as arrival
    where {{ only_changed_keys('arrival') }}

),

collections as (

    select * from {{ ref('stg_catalogue__collection') }}

),

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

cells as (

    select cell.*
    from {{ ref('stg_submissions__cell') }} as cell
    where {{ only_changed_keys('cell', by_index=true) }}

),

rejections as (

    select * from {{ ref('stg_quality__rejection') }}

),

accepted as (

    select answer.*
    from {{ ref('int_observation__accepted') }} as answer
    where {{ only_changed_keys('answer', by_index=true) }}

),

-- Joins of CTEs go by one column: of three, the planner takes them for one row each. Of one changed return it does so all the
-- same, and would loop over the cells of the form for each of its answers.
arrivals as (

    select
        deliveries.*,
        concat_ws('|', deliveries.collection_code, deliveries.municipality_code, deliveries.time_period) as return_key
    from deliveries
    inner join collections on deliveries.collection_code = collections.collection_code
    where collections.counts_for_completeness

),

-- the files of one scan are one arrival
batches as (

    select
        return_key,
        batch_no,
        {{ arrived_at('return_key') }} as received_at,
        bool_or(is_withdrawal) as is_withdrawn,
        max(withdrawal_reason) as withdrawal_reason,
        bool_or(bool_or(is_sample)) over (partition by return_key) as is_sample,
        max(collection_code) as collection_code,
        max(municipality_code) as municipality_code,
        max(time_period) as time_period,
        lead(batch_no) over (partition by return_key order by batch_no) is null as is_last
    from arrivals
    group by return_key, batch_no

),

-- what stands after the last arrival; nothing where it withdrew the return
standing as (

    select
        accepted.collection_code,
        accepted.municipality_code,
        accepted.time_period,
        concat_ws('|', accepted.collection_code, accepted.municipality_code, accepted.time_period) as return_key,
        asked_cells.domain_code,
        count(*) as expected_cell_count,
        count(*) filter (where {{ is_answered_by_body('accepted') }}) as answered_cell_count
    from accepted
    inner join asked_cells
        on accepted.indicator_code = asked_cells.indicator_code and accepted.sex = asked_cells.sex
    group by accepted.collection_code, accepted.municipality_code, accepted.time_period, asked_cells.domain_code
    union all
    select
        batches.collection_code,
        batches.municipality_code,
        batches.time_period,
        batches.return_key,
        asked_cells.domain_code,
        count(*) as expected_cell_count,
        0 as answered_cell_count
    from batches
    inner join asked_cells
        on
            batches.collection_code = asked_cells.collection_code
            and left(batches.time_period, 4) >= asked_cells.valid_from::text
            and left(batches.time_period, 4) <= coalesce(asked_cells.valid_to::text, '9999')
    where batches.is_last and batches.is_withdrawn
    group by
        batches.collection_code,
        batches.municipality_code,
        batches.time_period,
        batches.return_key,
        asked_cells.domain_code

),

-- Few bodies send more than once. Only for them is it asked what stood before, by the words of stg_submissions__sorted_cell.
sent_again as (

    select
        arrivals.submission_id,
        arrivals.batch_no
    from arrivals
    inner join batches on arrivals.return_key = batches.return_key
    where not batches.is_last
    group by arrivals.submission_id, arrivals.batch_no

),

said as (

    select distinct on (cells.submission_id, cells.indicator_code, cells.sex)
        cells.*,
        concat_ws(
            '|',
            cells.obs_value,
            cells.obs_status,
            cells.status_reason,
            cells.broken_rule_id,
            case when cells.obs_status = 'M_Q' then cells.value_text end
        ) as answer,
        coalesce(cells.status_reason, '') = 'blank' as is_blank
    from cells
    where cells.submission_id in (select sent_again.submission_id from sent_again)
    order by
        cells.submission_id, cells.indicator_code, cells.sex, coalesce(cells.status_reason, '') = 'blank',
        cells.sheet, cells.cell

),

said_in_batches as (

    select
        said.collection_code,
        said.municipality_code,
        said.time_period,
        asked_cells.domain_code,
        said.indicator_code,
        said.sex,
        sent_again.batch_no,
        min(said.answer) filter (where not said.is_blank) as answer,
        coalesce(bool_and({{ is_answered('said') }}) filter (where not said.is_blank), false) as is_answered,
        coalesce(bool_or(rejections.is_open), false) as is_rejected,
        count(rejections.submission_id) > 0 as was_rejected
    from said
    inner join sent_again on said.submission_id = sent_again.submission_id
    inner join asked_cells
        on
            concat(said.collection_code, '|', said.indicator_code, '|', said.sex)
            = concat(asked_cells.collection_code, '|', asked_cells.indicator_code, '|', asked_cells.sex)
            and left(said.time_period, 4) >= asked_cells.valid_from::text
            and left(said.time_period, 4) <= coalesce(asked_cells.valid_to::text, '9999')
    left join rejections
        on
            said.submission_id = rejections.submission_id
            and said.indicator_code = rejections.indicator_code
            and coalesce(rejections.sex, said.sex) = said.sex
    group by
        said.collection_code,
        said.municipality_code,
        said.time_period,
        asked_cells.domain_code,
        said.indicator_code,
        said.sex,
        sent_again.batch_no
    -- a batch that contradicts itself leaves the answer before it
    having
        coalesce(
            min(said.answer) filter (where not said.is_blank) = max(said.answer) filter (where not said.is_blank), true
        )

),

-- few or none: however the planner joins them, it costs nothing
withdrawals as materialized (

    select
        return_key,
        batch_no
    from batches
    where is_withdrawn

),

withdrawn_in_batches as (

    select distinct
        said_in_batches.collection_code,
        said_in_batches.municipality_code,
        said_in_batches.time_period,
        said_in_batches.domain_code,
        said_in_batches.indicator_code,
        said_in_batches.sex,
        withdrawals.batch_no
    from said_in_batches
    inner join withdrawals
        on
            concat_ws('|', said_in_batches.collection_code, said_in_batches.municipality_code, said_in_batches.time_period)
            = withdrawals.return_key

),

-- an answer repeated is the same answer: what was found on its first return is found on all
compared as (

    select
        *,
        lag(answer) over cell_in_time as answer_before,
        lag(batch_no) over cell_in_time as batch_before
    from (
        select * from said_in_batches
        union all
        select
            *,
            'withdrawn' as answer,
            false as is_answered,
            false as is_rejected,
            false as was_rejected
        from withdrawn_in_batches
    ) as told
    window cell_in_time as (partition by {{ cell_key() }} order by batch_no)

),

numbered as (

    select
        *,
        count(*) filter (where batch_before is null or answer is distinct from answer_before) over (
            partition by {{ cell_key() }} order by batch_no
        ) as answer_no,
        count(*) filter (where batch_before is null or answer is distinct from answer_before) over (
            partition by {{ cell_key() }}
        ) as answer_count
    from compared

),

-- a finding that was closed because a newer answer came still tells of the older one; on the newest only open ones count
judged as (

    select
        *,
        is_answered
        and not bool_or(case when answer_no = answer_count then is_rejected else was_rejected end) over (
            partition by {{ cell_key() }}, answer_no
        ) as is_good
    from numbered

),

turns as (

    select
        collection_code,
        municipality_code,
        time_period,
        domain_code,
        batch_no,
        is_good::integer - lag(is_good::integer, 1, 0) over (partition by {{ cell_key() }} order by batch_no) as turn
    from judged

),

-- every domain after every arrival, and what the arrival turned in it
steps as (

    select
        standing.collection_code,
        standing.municipality_code,
        standing.time_period,
        standing.domain_code,
        batches.batch_no,
        batches.received_at,
        batches.is_last,
        batches.is_withdrawn,
        batches.withdrawal_reason,
        batches.is_sample,
        standing.expected_cell_count,
        standing.answered_cell_count,
        0 as turn
    from batches
    inner join standing on batches.return_key = standing.return_key
    union all
    select
        collection_code,
        municipality_code,
        time_period,
        domain_code,
        batch_no,
        null as received_at,
        null as is_last,
        null as is_withdrawn,
        null as withdrawal_reason,
        null as is_sample,
        null as expected_cell_count,
        null as answered_cell_count,
        turn
    from turns

),

by_domain as (

    select
        collection_code,
        municipality_code,
        time_period,
        domain_code,
        batch_no,
        max(received_at) as received_at,
        coalesce(bool_or(is_withdrawn), false) as is_withdrawn,
        max(withdrawal_reason) as withdrawal_reason,
        bool_or(is_sample) as is_sample,
        max(expected_cell_count) as expected_cell_count,
        case
            when bool_or(is_last) then max(answered_cell_count)
            else
                sum(sum(turn)) over (
                    partition by collection_code, municipality_code, time_period, domain_code order by batch_no
                )::bigint
        end as answered_cell_count
    from steps
    group by collection_code, municipality_code, time_period, domain_code, batch_no

),

levels as (

    select * from by_domain
    union all
    select
        collection_code,
        municipality_code,
        time_period,
        'ALL' as domain_code,
        batch_no,
        received_at,
        is_withdrawn,
        withdrawal_reason,
        is_sample,
        sum(expected_cell_count)::bigint as expected_cell_count,
        sum(answered_cell_count)::bigint as answered_cell_count
    from by_domain
    group by collection_code, municipality_code, time_period, batch_no, received_at, is_withdrawn, withdrawal_reason, is_sample

),

stepped as (

    select
        *,
        lag(answered_cell_count) over in_time as count_before,
        lag(is_withdrawn) over in_time as was_withdrawn
    from levels
    window in_time as (partition by collection_code, municipality_code, time_period, domain_code order by batch_no)

),

spans as (

    select
        *,
        lead(received_at) over in_time as known_to,
        coalesce(lead(is_withdrawn) over in_time, false) as is_withdrawn_then,
        lead(withdrawal_reason) over in_time as reason_then
    from stepped
    where count_before is null or count_before != answered_cell_count or was_withdrawn != is_withdrawn
    window in_time as (partition by collection_code, municipality_code, time_period, domain_code order by batch_no)

),

final as (

    select
        collection_code,
        municipality_code,
        time_period,
        domain_code,
        received_at as known_from,
        known_to,
        expected_cell_count,
        answered_cell_count,
        answered_cell_count = expected_cell_count as is_full,
        is_withdrawn_then as is_withdrawn,
        reason_then as withdrawal_reason,
        is_sample
    from spans
    -- of a return that is withdrawn nothing is known until it is sent again
    where not is_withdrawn and (known_to is null or known_to > received_at)

)

select * from final
