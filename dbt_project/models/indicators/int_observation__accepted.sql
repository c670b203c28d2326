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

-- Hash joins alone: the planner takes the answers of a few bodies for one row, and goes through all of them for every cell that
-- is asked, 32 s for 14 bodies of 300.

with

returns as (

    select sent.*
    from {{ ref('stg_submissions__return') }} as sent
    where {{ only_changed_keys('sent', 'answer') }}

),

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

answers as (

    select answer.*
    from {{ ref('stg_submissions__latest_cell') }} as answer
    where {{ only_changed_keys('answer', 'answer', by_index=true) }}

),

findings as (

    select * from {{ ref('stg_quality__finding') }}

),

-- what staff say in place of the return, while it says what they expect; a rule that rejects the return's value says nothing
-- of theirs
corrections as (

    select *
    from {{ ref('int_observation__correction') }}
    where is_applied

),

registers as (

    select register.*
    from {{ ref('int_register__value') }} as register
    where {{ only_changed_keys('register', 'answer') }}

),

sexes (sex) as (

    values ('T'), ('F'), ('M')

),

-- A finding rejects the answer of the return that it was made on: one on an older return says nothing of a later answer, and
-- one on a contradiction names no return, since the answer before stands.
rejected as (

    select distinct
        findings.submission_id,
        findings.indicator_code,
        sexes.sex
    from findings
    inner join sexes on findings.sex = sexes.sex or findings.sex is null
    where
        findings.severity in ('fatal', 'error')
        and findings.submission_id is not null
        and findings.indicator_code is not null

),

joined as (

    select
        returns.collection_code,
        returns.municipality_code,
        returns.time_period,
        asked_cells.indicator_code,
        asked_cells.sex,
        case
            when corrections.correction_id is not null then corrections.corrected_value
            when rejected.submission_id is null then answers.obs_value
        end as obs_value,
        case
            when corrections.correction_id is not null then corrections.corrected_status
            when answers.obs_status is null then 'M_NR'
            when rejected.submission_id is not null then 'M_Q'
            else answers.obs_status
        end as obs_status,
        corrections.correction_id is not null as is_corrected,
        case
            when corrections.correction_id is not null then case when corrections.action = 'drop' then 'dropped' end
            when answers.obs_status is null then 'not_in_return'
            when rejected.submission_id is not null then 'rejected'
            else answers.status_reason
        end as status_reason,
        answers.submission_id,
        answers.sheet,
        answers.cell,
        answers.load_id,
        returns.is_sample,
        registers.register_value,
        registers.allowed_difference
    from returns
    inner join asked_cells
        on
            returns.collection_code = asked_cells.collection_code
            and left(returns.time_period, 4) >= asked_cells.valid_from::text
            and left(returns.time_period, 4) <= coalesce(asked_cells.valid_to::text, '9999')
    left join answers
        on
            returns.collection_code = answers.collection_code
            and returns.municipality_code = answers.municipality_code
            and returns.time_period = answers.time_period
            and asked_cells.indicator_code = answers.indicator_code
            and asked_cells.sex = answers.sex
    left join rejected
        on
            answers.submission_id = rejected.submission_id
            and answers.indicator_code = rejected.indicator_code
            and answers.sex = rejected.sex
    left join corrections
        on
            returns.collection_code = corrections.collection_code
            and returns.municipality_code = corrections.municipality_code
            and returns.time_period = corrections.time_period
            and asked_cells.indicator_code = corrections.indicator_code
            and asked_cells.sex = corrections.sex
    left join registers
        on
            returns.collection_code = registers.collection_code
            and returns.municipality_code = registers.municipality_code
            and returns.time_period = registers.time_period
            and asked_cells.indicator_code = registers.indicator_code
            and asked_cells.sex = registers.sex

),

-- Where a return says nothing the register's figure stands; what a body says stands against it. A rejected answer is not
-- replaced: the body is asked to mend it.
final as (

    select
        collection_code,
        municipality_code,
        time_period,
        indicator_code,
        sex,
        case when obs_status = 'M_NR' then register_value else obs_value end as obs_value,
        case when obs_status = 'M_NR' and register_value is not null then 'A' else obs_status end as obs_status,
        case when obs_status != 'M_NR' or register_value is null then status_reason end as status_reason,
        case
            when is_corrected then 'corrected'
            when obs_status = 'M_NR' then case when register_value is not null then 'register' end
            when obs_value is null or register_value is null then 'submitted'
            when abs(obs_value - register_value) <= allowed_difference then 'confirmed'
            else 'disputed'
        end as obs_source,
        register_value,
        submission_id,
        sheet,
        cell,
        load_id,
        is_sample
    from joined

)

select * from final
