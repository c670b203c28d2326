{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {'columns': ['submission_id']},
            {'columns': ['municipality_code', 'time_period']},
        ],
    )
}}

with

submissions as (

    select distinct on (delivery.submission_id) delivery.*
    from {{ ref('stg_submissions__delivery') }} as delivery
    where {{ only_changed_keys('delivery') }}
    -- sent as a trial and in earnest, it is in earnest
    order by delivery.submission_id asc, delivery.is_test asc, delivery.received_no desc

),

repeated as (

    select
        raw_cell.submission_id,
        raw_cell.indicator_code,
        raw_cell.sex
    from {{ source('raw', 'submission_cell') }} as raw_cell
    inner join submissions on raw_cell.submission_id = submissions.submission_id
    group by raw_cell.submission_id, raw_cell.indicator_code, raw_cell.sex
    having count(*) > 1

),

-- `offset 0` keeps the planner from copying an expression to every place that reads its column: it is computed once a row.
cells as (

    select
        raw_cell.submission_id,
        raw_cell.sheet,
        raw_cell.cell,
        raw_cell.indicator_code,
        raw_cell.sex,
        raw_cell.value_text,
        raw_cell.value_type,
        repeated.submission_id is not null as is_repeated,
        case
            when raw_cell.value_type = 'number' then raw_cell.value_text
            when raw_cell.value_type = 'text' then {{ clean_text('raw_cell.value_text') }}
        end as cleaned_text,
        lower(regexp_replace({{ clean_text('raw_cell.reason_text') }}, ' ?\((M_[A-Z]{2}|C)\)$', '')) as reason_key
    from {{ source('raw', 'submission_cell') }} as raw_cell
    inner join submissions on raw_cell.submission_id = submissions.submission_id
    left join repeated
        on
            raw_cell.submission_id = repeated.submission_id
            and raw_cell.indicator_code = repeated.indicator_code
            and raw_cell.sex = repeated.sex
    offset 0  -- noqa: AM09

),

reasons as (

    select * from {{ ref('missing_reason') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

asked as (

    select
        submissions.submission_id,
        submissions.collection_code,
        submissions.municipality_code,
        submissions.time_period,
        submissions.load_id,
        submissions.batch_no,
        submissions.received_no,
        submissions.is_sample,
        submissions.is_test,
        cells.sheet,
        cells.cell,
        cells.indicator_code,
        cells.sex,
        cells.value_text,
        cells.value_type,
        cells.is_repeated,
        cells.cleaned_text,
        cells.reason_key,
        reasons.obs_status as given_status,
        reasons.status_reason as given_reason,
        indicators.unit_measure,
        indicators.indicator_code is not null as is_known,
        cells.sex = 'T' or coalesce(indicators.is_sex_split, true) as is_sex_asked,
        case
            when cells.value_type = 'empty' then 'blank'
            when cells.value_type != 'text' then null
            when coalesce(cells.cleaned_text, '') = '' then 'blank'
            when cells.cleaned_text ~ '^[-–—‒―]+$' then 'nil'
            when cells.cleaned_text ~ '^(…|[.]{2,})$' then 'no_data'
            when cells.cleaned_text ~ '^[хxХX]$' then 'not_meaningful'
        end as marker,
        coalesce(cells.value_type = 'text' and {{ has_unit('cells.cleaned_text') }}, false) as has_unit
    from submissions
    inner join cells on submissions.submission_id = cells.submission_id
    left join reasons on cells.reason_key = reasons.reason_text
    left join indicators
        on
            cells.indicator_code = indicators.indicator_code
            and submissions.collection_code = indicators.collection_code
            and not indicators.is_derived
            and left(submissions.time_period, 4) >= indicators.valid_from::text
            and left(submissions.time_period, 4) <= coalesce(indicators.valid_to::text, '9999')
    offset 0  -- noqa: AM09

),

-- the line's own unit beside the number says nothing new; another one is never guessed at
measured as (

    select
        *,
        coalesce(
            has_unit and {{ fold_unit(unit_part('cleaned_text')) }} = {{ fold_unit('unit_measure') }}, false
        ) as is_unit_stated
    from asked

),

numbered as (

    select
        *,
        case
            when is_unit_stated then {{ number_text(number_part('cleaned_text')) }}
            else {{ number_text('cleaned_text') }}
        end as number_text
    from measured
    offset 0  -- noqa: AM09

),

typed as (

    select
        *,
        -- zero is added, because -0 plus 0 is 0
        case when {{ is_castable('number_text') }} then number_text::double precision + 0 end as exact_value
    from numbered
    offset 0  -- noqa: AM09

),

judged as (

    select
        *,
        case
            -- an explicit «конфіденційно» stands whatever is written beside it: a figure given in error must not get out
            when given_status = 'C' then 'C'
            when marker is not null and given_status is not null then given_status
            when marker = 'blank' then 'M_NR'
            when marker = 'no_data' then 'M_NC'
            when marker is not null then 'M_NA'
        end as missing_status,
        case
            when given_status = 'C' then given_reason
            when marker is not null then coalesce(given_reason, marker)
        end as missing_reason,
        case
            when not is_known then case when marker != 'blank' or marker is null or sex = 'T' then 'CELL_UNKNOWN_CODE' end
            when marker = 'blank' or given_status = 'C' then null
            when not is_sex_asked then 'CELL_SEX_NOT_ASKED'
            when marker is not null then null
            when value_type = 'error' then 'CELL_ERROR_VALUE'
            when value_type = 'date' then 'CELL_DATE'
            when value_type = 'boolean' then 'CELL_BOOLEAN'
            when value_type = 'formula_without_value' then 'CELL_FORMULA_NO_VALUE'
            when number_text is null and has_unit then 'CELL_UNIT_TYPED_IN'
            when number_text is null then 'CELL_NOT_A_NUMBER'
            when exact_value is null or (exact_value != 0 and abs(exact_value) not between 1e-15 and 1e15)
                then 'CELL_OUT_OF_RANGE'
        end as typing_rule_id
    from typed
    offset 0  -- noqa: AM09

),

valued as (

    select
        *,
        case when missing_status is null and typing_rule_id is null then exact_value end as read_value
    from judged

),

-- A code that stands twice in a return may say two things. A blank says nothing that another line could contradict.
contradicted as (

    select
        valued.submission_id,
        valued.indicator_code,
        valued.sex
    from valued
    where valued.is_repeated and coalesce(valued.missing_reason, '') != 'blank'
    group by valued.submission_id, valued.indicator_code, valued.sex
    having count(distinct coalesce(valued.read_value::text, valued.typing_rule_id, valued.missing_reason)) > 1

),

final as (

    select
        valued.submission_id,
        valued.sheet,
        valued.cell,
        valued.collection_code,
        valued.municipality_code,
        valued.time_period,
        valued.indicator_code,
        valued.sex,
        valued.value_text,
        valued.value_type,
        case when contradicted.submission_id is null then valued.read_value end as obs_value,
        case
            when valued.typing_rule_id is not null or contradicted.submission_id is not null then 'M_Q'
            else coalesce(valued.missing_status, 'A')
        end as obs_status,
        case
            when valued.typing_rule_id is not null or contradicted.submission_id is not null then 'rejected'
            else valued.missing_reason
        end as status_reason,
        case
            when valued.typing_rule_id is not null then valued.typing_rule_id
            when contradicted.submission_id is not null then 'CELL_DUPLICATE_CODE'
            when valued.is_unit_stated and valued.read_value is not null then 'CELL_UNIT_STATED'
        end as broken_rule_id,
        valued.is_repeated,
        valued.load_id,
        valued.batch_no,
        valued.received_no,
        valued.is_sample,
        valued.is_test
    from valued
    left join contradicted
        on
            valued.submission_id = contradicted.submission_id
            and valued.indicator_code = contradicted.indicator_code
            and valued.sex = contradicted.sex
            and coalesce(valued.missing_reason, '') != 'blank'

)

select * from final
