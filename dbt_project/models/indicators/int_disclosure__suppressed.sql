{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[
            {
                'columns': ['subject_code', 'time_period', 'indicator_code', 'sex', 'subject_kind', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

-- A computed figure is hidden with any of its inputs, which could be reckoned from it. That of an area is computed over the
-- municipalities for which it can be: one whose hidden input is in the area's total, and not in the figure, would be their
-- difference.

with

hidden as (

    select * from {{ ref('int_disclosure__hidden') }}

),

municipalities as (

    select
        municipality_code,
        coalesce(raion_code, municipality_code) as place_code
    from {{ ref('int_municipality__described') }}

),

areas as (

    select * from {{ ref('int_area__place') }}

),

derived as (

    select * from {{ ref('int_indicator__derived') }}

),

recast_values as (

    select * from {{ ref('int_indicator__recast') }}

),

formulas as materialized (

    select distinct
        terms.indicator_code,
        terms.sex,
        indicators.collection_code,
        inputs.indicator_code as input_code,
        inputs.sex as input_sex,
        inputs.collection_code as input_collection_code,
        inputs.period_offset
    from ({{ formula_terms() }}) as terms
    inner join {{ ref('stg_catalogue__formula_input') }} as inputs on terms.slot = inputs.slot
    inner join {{ ref('stg_catalogue__indicator') }} as indicators on terms.indicator_code = indicators.indicator_code
    inner join {{ ref('stg_catalogue__disclosure_cell') }} as cells
        on inputs.indicator_code = cells.indicator_code and inputs.sex = cells.sex
    where inputs.origin = 'reported'

),

shifted as (

    select
        hidden.subject_kind,
        hidden.subject_code,
        formulas.collection_code,
        formulas.indicator_code,
        (hidden.time_period::integer - formulas.period_offset)::text as time_period,
        formulas.sex
    from hidden
    inner join formulas
        on
            hidden.indicator_code = formulas.input_code
            and hidden.sex = formulas.input_sex
            and hidden.collection_code = formulas.input_collection_code
    where hidden.time_period ~ '^[0-9]{4}$'

),

computed as (

    select * from shifted
    where {{ only_changed_keys('shifted', 'year') }}

),

left_out as (

    select distinct
        computed.subject_code,
        computed.collection_code,
        computed.indicator_code,
        computed.time_period,
        computed.sex
    from computed
    -- look-ups by key: the planner would hash all computed figures of all years for the few that are hidden
    left join lateral (
        select recast_values.obs_status
        from recast_values
        where
            computed.subject_code = recast_values.municipality_code
            and computed.time_period = recast_values.time_period
            and computed.indicator_code = recast_values.indicator_code
            and computed.sex = recast_values.sex
        order by recast_values.obs_status
        limit 1
    ) as on_current on true
    left join lateral (
        select derived.obs_status
        from derived
        where
            computed.subject_code = derived.municipality_code
            and computed.time_period = derived.time_period
            and computed.indicator_code = derived.indicator_code
            and computed.sex = derived.sex
        order by derived.obs_status
        limit 1
    ) as as_reported on true
    where
        computed.subject_kind != 'area'
        and coalesce(on_current.obs_status, as_reported.obs_status, 'none') not in ('A', 'E', 'M_Z')

),

keys as (

    select
        subject_kind,
        subject_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        reason
    from hidden
    where {{ only_changed_keys('hidden', 'year') }}
    union all
    select
        subject_kind,
        subject_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        'secondary' as reason
    from computed
    union all
    -- of a figure that is put together anew some inputs may be as reported
    select
        'recast' as subject_kind,
        subject_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        'secondary' as reason
    from computed
    where subject_kind = 'reported'
    union all
    select
        'area' as subject_kind,
        areas.area_code as subject_code,
        left_out.collection_code,
        left_out.indicator_code,
        left_out.time_period,
        left_out.sex,
        'secondary' as reason
    from left_out
    inner join municipalities on left_out.subject_code = municipalities.municipality_code
    inner join areas on municipalities.place_code = areas.place_code

),

final as (

    select
        subject_kind,
        subject_code,
        collection_code,
        indicator_code,
        time_period,
        sex,
        min(reason) as reason
    from keys
    group by subject_kind, subject_code, collection_code, indicator_code, time_period, sex

)

select * from final
