{#-
    What the returns of a body say about each cell, batch by batch: CTEs deliveries, cells, answers, delivered and batches (one row
    per cell and batch that answers it) of returns that may say two things. Cells that are `is_plain` are of a body's only return,
    say one thing, and are in none of them.
-#}
{% macro answers_in_batches(redo_by='municipality') %}
deliveries as (

    -- trials answer nothing; a withdrawal is an arrival
    select *
    from {{ ref('stg_submissions__delivery') }}
    where is_test is not true

),

-- what cells say that are plain stands, and needs no sorting out
cells as (

    select *
    from {{ ref('stg_submissions__cell') }} as cell
    where cell.is_test is not true and cell.is_plain is not true and {{ only_changed_keys('cell', redo_by, by_index=true) }}

),

-- a code that stands twice in a return with one answer is one answer; a blank beside a value is none
answers as (

    select distinct on (submission_id, indicator_code, sex)
        *,
        concat_ws(
            '|', obs_value, obs_status, status_reason, broken_rule_id, case when obs_status = 'M_Q' then value_text end
        ) as answer,
        coalesce(status_reason, '') = 'blank' as is_blank
    from cells
    order by submission_id, indicator_code, sex, coalesce(status_reason, '') = 'blank', sheet, cell

),

-- Arrivals of one batch have no order among them. A blank contradicts nothing: two departments may each send their own part.
delivered as (

    select
        answers.collection_code,
        answers.municipality_code,
        answers.time_period,
        answers.indicator_code,
        answers.sex,
        answers.value_text,
        answers.value_type,
        answers.obs_value,
        answers.obs_status,
        answers.status_reason,
        answers.broken_rule_id,
        answers.submission_id,
        answers.sheet,
        answers.cell,
        answers.answer,
        answers.is_sample,
        deliveries.load_id,
        deliveries.batch_no,
        coalesce(
            min(answers.answer) filter (where not answers.is_blank) over batch
            != max(answers.answer) filter (where not answers.is_blank) over batch,
            false
        ) as is_contradicted,
        row_number() over (batch order by answers.is_blank, answers.submission_id, deliveries.load_id) as place
    from answers
    inner join deliveries on answers.submission_id = deliveries.submission_id
    window
        batch as (
            partition by
                answers.collection_code,
                answers.municipality_code,
                answers.time_period,
                answers.indicator_code,
                answers.sex,
                deliveries.batch_no
        )

),

-- few or none: however the planner joins them, it costs nothing
withdrawals as materialized (

    select *
    from deliveries
    where is_withdrawal

),

-- What was withdrawn is answered by nothing from that batch on.
withdrawn as (

    select distinct on ({{ cell_key('delivered') }}, withdrawals.batch_no)
        delivered.collection_code,
        delivered.municipality_code,
        delivered.time_period,
        delivered.indicator_code,
        delivered.sex,
        delivered.submission_id,
        delivered.sheet,
        delivered.cell,
        delivered.is_sample,
        withdrawals.load_id,
        withdrawals.batch_no
    from delivered
    inner join withdrawals
        on
            delivered.collection_code = withdrawals.collection_code
            and delivered.municipality_code = withdrawals.municipality_code
            and delivered.time_period = withdrawals.time_period
            and delivered.batch_no < withdrawals.batch_no
    order by {{ cell_key('delivered') }}, withdrawals.batch_no, delivered.batch_no desc, delivered.place

),

batches as (

    select
        *,
        first_value(is_contradicted) over (partition by {{ cell_key() }} order by batch_no desc) as is_conflict,
        lag(answer) over (partition by {{ cell_key() }}, is_contradicted order by batch_no) as answer_before
    from (
        select
            *,
            false as is_withdrawal
        from delivered
        where place = 1
        union all
        select
            collection_code,
            municipality_code,
            time_period,
            indicator_code,
            sex,
            null as value_text,
            null as value_type,
            null as obs_value,
            'M_NR' as obs_status,
            'withdrawn' as status_reason,
            null as broken_rule_id,
            submission_id,
            sheet,
            cell,
            'withdrawn' as answer,
            is_sample,
            load_id,
            batch_no,
            false as is_contradicted,
            1 as place,
            true as is_withdrawal
        from withdrawn
    ) as told

),
{% endmacro %}
