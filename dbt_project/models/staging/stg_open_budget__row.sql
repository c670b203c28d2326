{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['area_code', 'time_period']}],
    )
}}

with

budget_codes as (

    select * from {{ ref('budget_code') }}

),

-- not materialized: it is read for plain rows and for programmes, each time by the loads that are asked for
raw_rows as not materialized (

    select * from {{ source('raw', 'open_budget_row') }}

),

-- A period is read once a month and not once a row; what is none has a finding of the reader, and is a null here and no condition
-- on texts, which the planner would take for one that hardly a month meets.
asked as (

    select
        stored.load_id,
        stored.rep_period,
        stored.budget_code,
        stored.budget_item,
        coalesce(nullif(stored.classification_type, ''), 'NONE') as classification_type,
        case
            when
                btrim(stored.rep_period) ~ '^(0[1-9]|1[0-2])\.[0-9]{4}$'
                and right(btrim(stored.rep_period), 4) = stored.year
                then stored.year || '-' || left(btrim(stored.rep_period), 2)
        end as time_period,
        stored.replaced_by,
        stored.has_plain_amounts,
        stored.is_sample,
        budget_codes.area_code,
        budget_codes.area_level,
        budget_codes.valid_from
    from {{ ref('stg_open_budget__month') }} as stored
    inner join budget_codes on stored.budget_code = budget_codes.budget_code

),

months as (

    select
        asked.*,
        {{ period_start('asked.time_period') }} as period_start,
        asked.classification_type = 'PROGRAM' as is_programme,
        dense_rank() over (order by asked.load_id) as load_no
    from asked
    where asked.time_period is not null and {{ only_changed_keys('asked', code_column='area_code') }}

),

-- A load is looked up once, and its months then, by a number: joined by load and month at once, the planner looks all rows of a
-- load up for each of its months.
loads as (

    select
        load_id,
        min(load_no) as load_no,
        bool_or(is_programme) as is_programme
    from months
    group by load_id

),

-- Programmes are typed apart, since they are read twice: in one table both would be written to disk and read again.
{% for kind in ('plain', 'programme') %}
-- offset 0: conditions on typed text, pushed down to the scan, would be taken for ones that hardly a row meets
{{ kind }}_typed as (

    select
        months.budget_code,
        months.area_code,
        months.area_level,
        months.valid_from,
        months.time_period,
        months.period_start,
        months.budget_item,
        months.classification_type,
        btrim(raw_rows.classification_code) as classification_code,
        raw_rows.classification_name_key,
        btrim(raw_rows.functional_code) as functional_code,
        raw_rows.functional_name_key,
        btrim(raw_rows.economic_code) as economic_code,
        btrim(raw_rows.fund_typ) as fund_type,
        {{ amount('raw_rows.fakt_amt', is_plain='months.has_plain_amounts') }} as amount_cumulative,
        {{ amount('raw_rows.plans_amt', is_plain='months.has_plain_amounts') }} as plan_amount,
        {{ amount('raw_rows.zat_amt', is_plain='months.has_plain_amounts') }} as approved_amount,
        case when right(months.time_period, 3) = '-12' then raw_rows.row_no end as row_no,
        months.load_id,
        months.replaced_by,
        months.is_sample
    from raw_rows
    inner join loads on raw_rows.load_id = loads.load_id
    inner join months on loads.load_no = months.load_no and raw_rows.rep_period = months.rep_period
    where {{ 'not ' if kind == 'plain' }}loads.is_programme
    offset 0  -- noqa: AM09

),

{{ kind }}_usable as (

    select *
    from {{ kind }}_typed
    where
        fund_type in ('C', 'S', 'T')
        and classification_code != ''
        and amount_cumulative is not null

),
{% endfor %}
programme_rows as (

    select
        *,
        coalesce(economic_code, '') in ('', '0', '0000') as is_whole,
        bool_or(coalesce(economic_code, '') in ('', '0', '0000')) over programme as has_whole,
        lead(economic_code) over (programme order by economic_code asc) as next_economic_code
    from programme_usable
    window
        programme as (partition by load_id, time_period, budget_code, classification_code, functional_code, fund_type)

),

-- The service may break a programme down by economy, a code beside the codes below it (2100 beside 2111). The row without a code
-- is the whole; where there is none, the codes with none below them are. In order, a code is followed by those below it.
programmes as (

    select
        *,
        lpad(classification_code, 4, '0') as programme_code,
        coalesce(lpad(nullif(functional_code, ''), 4, '0'), '0000') as function_code
    from programme_rows
    where
        is_whole
        or (not has_whole and coalesce(next_economic_code not like rtrim(economic_code, '0') || '%', true))

),

final as (

    select
        budget_code,
        area_code,
        area_level,
        valid_from,
        time_period,
        period_start,
        budget_item,
        classification_type,
        classification_code,
        classification_name_key,
        fund_type,
        amount_cumulative,
        plan_amount,
        approved_amount,
        row_no::text as row_nos,
        load_id,
        replaced_by,
        is_sample
    from plain_usable
    union all
    select
        budget_code,
        area_code,
        area_level,
        valid_from,
        time_period,
        period_start,
        budget_item,
        classification_type,
        programme_code as classification_code,
        max(classification_name_key) as classification_name_key,
        fund_type,
        sum(amount_cumulative)::numeric(18, 2) as amount_cumulative,
        sum(plan_amount)::numeric(18, 2) as plan_amount,
        sum(approved_amount)::numeric(18, 2) as approved_amount,
        string_agg(row_no::text, ',' order by row_no) as row_nos,
        load_id,
        replaced_by,
        is_sample
    from programmes
    group by
        budget_code, area_code, area_level, valid_from, time_period, period_start, budget_item, classification_type,
        programme_code, fund_type, load_id, replaced_by, is_sample
    union all
    select
        budget_code,
        area_code,
        area_level,
        valid_from,
        time_period,
        period_start,
        budget_item,
        'FUNCTIONAL' as classification_type,
        function_code as classification_code,
        max(functional_name_key) as classification_name_key,
        fund_type,
        sum(amount_cumulative)::numeric(18, 2) as amount_cumulative,
        sum(plan_amount)::numeric(18, 2) as plan_amount,
        sum(approved_amount)::numeric(18, 2) as approved_amount,
        string_agg(row_no::text, ',' order by row_no) as row_nos,
        load_id,
        replaced_by,
        is_sample
    from programmes
    group by
        budget_code, area_code, area_level, valid_from, time_period, period_start, budget_item, function_code, fund_type,
        load_id, replaced_by, is_sample

)

select * from final
