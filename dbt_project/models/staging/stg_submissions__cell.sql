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

submissions as (

    select distinct on (delivery.submission_id) delivery.*
    from {{ ref('stg_submissions__delivery') }} as delivery
    where {{ only_changed_keys('delivery') }}
    -- sent as a trial and in earnest, it is in earnest
    order by delivery.submission_id asc, delivery.is_test asc, delivery.received_no desc

),

cells as (

    select
        raw_cell.*,
        {{ clean_text('raw_cell.value_text') }} as cleaned_text,
        lower(regexp_replace({{ clean_text('raw_cell.reason_text') }}, ' ?\((M_[A-Z]{2}|C)\)$', '')) as reason_key
    from {{ source('raw', 'submission_cell') }} as raw_cell

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
        cells.cleaned_text,
        cells.reason_key,
        reasons.obs_status as given_status,
        reasons.status_reason as given_reason,
        indicators.indicator_type,
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
        case when cells.value_type = 'text' then {{ number_and_unit('cells.cleaned_text') }} end as parts
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

),

-- the line's own unit beside the number says nothing new; another one is never guessed at
measured as (

    select
        *,
        {{ fold_unit('parts[2]') }} = {{ fold_unit('unit_measure') }} as is_unit_stated
    from asked

),

numbered as (

    select
        *,
        case
            when is_unit_stated then {{ number_text('parts[1]') }}
            when value_type in ('number', 'text') then {{ number_text('cleaned_text') }}
        end as number_text
    from measured

),

typed as (

    select
        *,
        case when {{ is_castable('number_text') }} then number_text::numeric end as exact_value
    from numbered

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
            when number_text is null and parts is not null then 'CELL_UNIT_TYPED_IN'
            when number_text is null then 'CELL_NOT_A_NUMBER'
            when exact_value is null or (exact_value != 0 and abs(exact_value) not between 1e-15 and 1e15)
                then 'CELL_OUT_OF_RANGE'
        end as typing_rule_id
    from typed

),

valued as (

    select
        *,
        case when missing_status is null and typing_rule_id is null then exact_value::double precision end as read_value
    from judged

),

said as (

    select
        *,
        -- a blank says nothing that another line of the same code could contradict
        case
            when coalesce(missing_reason, '') != 'blank' then coalesce(read_value::text, typing_rule_id, missing_reason)
        end as answer
    from valued

),

compared as (

    select
        *,
        answer is not null and min(answer) over same_code != max(answer) over same_code as is_contradicted
    from said
    window same_code as (partition by submission_id, indicator_code, sex)

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
            when read_value < 0 and indicator_type in ('stock', 'flow') then 'CELL_NEGATIVE'
            when is_unit_stated and read_value is not null then 'CELL_UNIT_STATED'
        end as broken_rule_id,
        load_id,
        batch_no,
        received_no,
        is_sample,
        is_test
    from compared

)

select * from final
