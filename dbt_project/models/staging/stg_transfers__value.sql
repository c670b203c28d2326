{{
    config(
        materialized='table',
        indexes=[{'columns': ['table_code', 'time_period', 'budget_code', 'measure_code'], 'unique': true}],
    )
}}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

measures as (

    select * from {{ ref('transfer_measure') }}

),

raw_values as (

    select * from {{ source('raw', 'transfers_value') }}

),

-- a workbook that is published anew for its year replaces the one before, whatever its file is called
latest as (

    select distinct on (held.table_code, held.time_period)
        held.load_id,
        loads.is_sample
    from (
        select distinct
            load_id,
            table_code,
            time_period
        from raw_values
    ) as held
    inner join loads on held.load_id = loads.load_id
    where loads.status = 'loaded'
    order by held.table_code asc, held.time_period asc, loads.received_no desc, loads.loaded_at desc, held.load_id asc

),

cleaned as materialized (

    select
        raw_values.table_code,
        raw_values.time_period,
        raw_values.measure_code,
        raw_values.name_text,
        raw_values.sheet,
        raw_values.row_no,
        -- ten digits: until 2023 an eleventh stood at the end, and spreadsheets lose the zero at the beginning
        coalesce(left(lpad(raw_values.budget_code_text, 10, '0'), 10), 'TOTAL') as budget_code,
        {{ number_text(clean_text('raw_values.value_text')) }} as number_text,
        raw_values.load_id,
        latest.is_sample
    from raw_values
    inner join latest on raw_values.load_id = latest.load_id

),

-- a line printed twice counts once; two that contradict each other count for nothing
lines as (

    select
        table_code,
        time_period,
        budget_code,
        measure_code,
        min(name_text) as name_text,
        case when count(distinct number_text) = 1 then min(number_text) end as number_text,
        min(load_id) as load_id,
        min(sheet) as sheet,
        string_agg(row_no::text, ',' order by row_no) as row_nos,
        bool_or(is_sample) as is_sample
    from cleaned
    group by table_code, time_period, budget_code, measure_code

),

final as (

    select
        lines.table_code,
        lines.time_period,
        lines.budget_code,
        lines.name_text,
        lines.measure_code,
        measures.unit_measure,
        measures.unit_mult,
        case when {{ is_castable('lines.number_text') }} then round(lines.number_text::numeric, 6) end as obs_value,
        lines.load_id,
        lines.sheet,
        lines.row_nos,
        lines.is_sample
    from lines
    inner join measures on lines.table_code = measures.table_code and lines.measure_code = measures.measure_code

)

select * from final
