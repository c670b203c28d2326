{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex'], 'unique': true}],
    )
}}

with

register_sources as (

    select * from {{ ref('stg_catalogue__register_source') }}

),

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

population as (

    select register.*
    from {{ ref('stg_population__municipality') }} as register
    where {{ only_changed_keys('register') }}

),

-- a year is known when its December is
budget_lines as (

    select budget.*
    from {{ ref('int_budget__monthly') }} as budget
    where
        budget.area_level = 'municipality'
        and right(budget.time_period, 3) = '-12'
        and {{ only_changed_keys('budget') }}

),

declarations as (

    select register.*
    from {{ ref('stg_health_declarations__municipality') }} as register
    where right(register.time_period, 3) = '-12' and {{ only_changed_keys('register') }}

),

transfers as (

    select * from {{ ref('stg_transfers__value') }}

),

transfer_budgets as (

    select * from {{ ref('stg_transfers__budget') }}

),

-- the subvention of a year is reckoned on the pupils of the school year that began in the year before
pupils as (

    select
        transfer_budgets.area_code as municipality_code,
        (transfers.time_period::integer - 1)::text as time_period,
        sum(transfers.obs_value) as pupil_count,
        min(transfers.load_id) as load_id,
        min(transfers.sheet) as sheet,
        string_agg(distinct transfers.row_nos, ',') as row_nos
    from transfers
    inner join transfer_budgets
        on
            transfers.table_code = transfer_budgets.table_code
            and transfers.time_period = transfer_budgets.time_period
            and transfers.budget_code = transfer_budgets.budget_code
    where
        transfers.table_code = 'education_subvention'
        and transfers.measure_code in (
            'PUPILS_1_4', 'PUPILS_5_9', 'PUPILS_10_12', 'SPECIAL_PUPILS_1_4', 'SPECIAL_PUPILS_5_9', 'SPECIAL_PUPILS_10_12'
        )
        and transfer_budgets.budget_level in ('hromada', 'city')
        and transfer_budgets.area_code is not null
    group by transfer_budgets.area_code, transfers.time_period

),

known as (

    select
        'present_population' as measure,
        municipality_code,
        time_period,
        population::numeric as amount,
        load_id,
        sheet,
        row_no::text as row_nos
    from population
    union all
    select
        measured.measure,
        declarations.municipality_code,
        left(declarations.time_period, 4) as time_period,
        measured.amount::numeric as amount,
        declarations.load_id,
        null as sheet,
        declarations.row_no::text as row_nos
    from declarations
    cross join
        lateral (
            values
            ('declarations', declarations.declaration_count),
            ('declarations_female', declarations.female_count),
            ('declarations_male', declarations.male_count)
        ) as measured (measure, amount)
    union all
    select
        'PUPILS' as measure,
        pupils.municipality_code,
        pupils.time_period,
        pupils.pupil_count as amount,
        pupils.load_id,
        pupils.sheet,
        pupils.row_nos
    from pupils
    where {{ only_changed_keys('pupils') }}

),

answers as (

    select
        register_sources.indicator_code,
        register_sources.sex,
        register_sources.register_code,
        register_sources.factor,
        register_sources.tolerance,
        known.municipality_code,
        known.time_period,
        known.amount,
        known.load_id,
        known.sheet,
        known.row_nos
    from known
    inner join register_sources on known.measure = register_sources.measure
    union all
    select
        register_sources.indicator_code,
        register_sources.sex,
        register_sources.register_code,
        register_sources.factor,
        register_sources.tolerance,
        budget_lines.municipality_code,
        left(budget_lines.time_period, 4) as time_period,
        sum(
            case
                when register_sources.measure = 'plan'
                    then coalesce(nullif(budget_lines.plan_amount, 0), budget_lines.approved_amount)
                else budget_lines.amount_cumulative
            end
        ) as amount,
        min(budget_lines.load_id) as load_id,
        null as sheet,
        string_agg(distinct budget_lines.row_nos, ',') as row_nos
    from budget_lines
    inner join register_sources
        on
            budget_lines.budget_item = register_sources.budget_item
            and budget_lines.classification_type = register_sources.classification_type
            and budget_lines.fund_type = register_sources.fund_type
            and left(budget_lines.classification_code, length(register_sources.code_prefix)) = register_sources.code_prefix
    where register_sources.register_code = 'open_budget'
    group by
        register_sources.indicator_code,
        register_sources.sex,
        register_sources.register_code,
        register_sources.factor,
        register_sources.tolerance,
        budget_lines.municipality_code,
        left(budget_lines.time_period, 4)

),

final as (

    select
        asked_cells.collection_code,
        answers.municipality_code,
        answers.time_period,
        answers.indicator_code,
        answers.sex,
        answers.register_code,
        round(answers.amount * answers.factor, 6)::double precision as register_value,
        {{ allowed_difference('answers.amount * answers.factor', 'answers.tolerance', 'indicators.decimals') }}
            as allowed_difference,
        answers.tolerance is not null as is_compared,
        answers.load_id,
        answers.sheet,
        answers.row_nos
    from answers
    inner join asked_cells
        on
            answers.indicator_code = asked_cells.indicator_code
            and answers.sex = asked_cells.sex
            and answers.time_period >= asked_cells.valid_from::text
            and answers.time_period <= coalesce(asked_cells.valid_to::text, '9999')
    inner join indicators on answers.indicator_code = indicators.indicator_code
    where answers.amount is not null

)

select * from final
