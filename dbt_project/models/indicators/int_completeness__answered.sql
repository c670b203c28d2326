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

-- Hash joins alone: the planner takes the answers for a few rows, and sorts those of the country by five texts.

with

asked_cells as (

    select * from {{ ref('stg_catalogue__cell') }}

),

accepted as (

    select answer.*
    from {{ ref('int_observation__accepted') }} as answer
    where {{ only_changed_keys('answer', by_index=true) }}

),

-- an indicator is answered when each cell it asks for has a value or a reason; «not reported» and «rejected» are neither
indicators_answered as (

    select
        accepted.collection_code,
        accepted.municipality_code,
        accepted.time_period,
        asked_cells.domain_code,
        accepted.indicator_code,
        bool_and({{ is_answered_by_body('accepted') }}) as is_answered,
        count(*) filter (where {{ is_answered_by_body('accepted') }}) as answered_cell_count
    from accepted
    inner join asked_cells
        on accepted.indicator_code = asked_cells.indicator_code and accepted.sex = asked_cells.sex
    group by
        accepted.collection_code,
        accepted.municipality_code,
        accepted.time_period,
        asked_cells.domain_code,
        accepted.indicator_code

),

final as (

    select
        collection_code,
        municipality_code,
        time_period,
        domain_code,
        count(*) filter (where is_answered) as answered_count,
        sum(answered_cell_count)::bigint as answered_cell_count
    from indicators_answered
    group by collection_code, municipality_code, time_period, domain_code

)

select * from final
