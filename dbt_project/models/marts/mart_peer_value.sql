{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['{{ find_changed_cells() }}', '{{ make_mended_values() }}'],
        indexes=[
            {
                'columns': ['peer_group_code', 'time_period', 'indicator_code', 'sex', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- Where a body changed its own entries are mended and nobody else's figures are read: each group of the country has a body that
-- corrects. An entry is taken out and put in as it is now, so a build that was stopped does the same again.
-- depends_on: {{ ref('stg_ops__changed_key') }}
-- depends_on: {{ ref('stg_ops__unfinished_build') }}

with

-- worked out once, and not for each cell
memberships as materialized (

    select
        {{ body_no('membership.municipality_code') }} as body_no,
        membership.peer_group_code,
        membership.first_year,
        membership.last_year
    from {{ ref('int_peer_group__membership') }} as membership
    {% if is_incremental() %}
    where membership.municipality_code in (select changed.municipality_code from changed_entry as changed)
    {% endif %}

),

entries as (

    {% if is_incremental() %}
    select
        changed.collection_code,
        changed.indicator_code,
        changed.time_period,
        changed.sex,
        {{ body_no('changed.municipality_code') }} as body_no,
        fact.municipality_code is not null as is_there,
        fact.period_start,
        fact.unit_measure,
        fact.obs_value,
        fact.is_sample
    from changed_entry as changed
    left join {{ ref('fct_indicator_value') }} as fact
        on
            changed.municipality_code = fact.municipality_code
            and changed.time_period = fact.time_period
            and changed.indicator_code = fact.indicator_code
            and changed.sex = fact.sex
            and changed.collection_code = fact.collection_code
    {% else %}
    select
        collection_code,
        indicator_code,
        time_period,
        sex,
        {{ body_no('municipality_code') }} as body_no,
        period_start,
        unit_measure,
        obs_value,
        is_sample
    from {{ ref('fct_indicator_value') }}
    {% endif %}

),

-- cell by cell: one sort of all bodies in all of their groups would go through the disk
cells as (

    select
        collection_code,
        indicator_code,
        time_period,
        sex,
        min(period_start) as period_start,
        min(unit_measure) as unit_measure,
        bool_or(is_sample) as is_sample,
        array_agg(body_no) as body_nos,
        {% if is_incremental() %} array_agg(is_there) as are_there, {% endif %}
        array_agg(obs_value) as obs_values
    from entries
    group by collection_code, indicator_code, time_period, sex

),

{% if is_incremental() %}

changes as (

    select
        cells.*,
        placed.peer_group_code,
        placed.changed_nos,
        placed.new_nos,
        placed.new_values
    from cells
    cross join lateral {{ changes_by_group() }} as placed

),

-- what a cell is measured in, and whether all is a sample, changes with a full build alone
groups as (

    select
        changes.peer_group_code,
        changes.collection_code,
        changes.indicator_code,
        changes.time_period,
        changes.sex,
        coalesce(changes.period_start, held.period_start) as period_start,
        coalesce(changes.unit_measure, held.unit_measure) as unit_measure,
        coalesce(changes.is_sample, held.is_sample) as is_sample,
        mended.n,
        mended.body_nos,
        mended.obs_values
    from changes
    left join {{ this }} as held
        on
            changes.peer_group_code = held.peer_group_code
            and changes.time_period = held.time_period
            and changes.indicator_code = held.indicator_code
            and changes.sex = held.sex
            and changes.collection_code = held.collection_code
    cross join
        lateral pg_temp.mended_values(
            held.body_nos, held.obs_values, changes.changed_nos, changes.new_nos, changes.new_values
        ) as mended (n, body_nos, obs_values)
    where mended.body_nos != '{}'

),

{% else %}

groups as (

    select
        cells.collection_code,
        cells.indicator_code,
        cells.time_period,
        cells.sex,
        cells.period_start,
        cells.unit_measure,
        cells.is_sample,
        placed.peer_group_code,
        placed.n,
        placed.body_nos,
        placed.obs_values
    from cells
    cross join lateral {{ values_by_group() }} as placed

),

{% endif %}

final as (

    select
        peer_group_code,
        collection_code,
        indicator_code,
        time_period,
        period_start,
        sex,
        unit_measure,
        n,
        {{ quantile_of_sorted('obs_values', 'n', 0.5) }} as median,
        {{ quantile_of_sorted('obs_values', 'n', 0.25) }} as q1,
        {{ quantile_of_sorted('obs_values', 'n', 0.75) }} as q3,
        is_sample,
        body_nos,
        obs_values
    from groups

)

select * from final
