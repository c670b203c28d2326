{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        pre_hook=['{{ read_cells_to_hide() }}', '{{ hide_cells() }}'],
        indexes=[
            {
                'columns': ['time_period', 'indicator_code', 'subject_code', 'sex', 'subject_kind', 'collection_code'],
                'unique': true,
            },
        ],
    )
}}

-- A figure of a body is hidden for what other bodies reported, but never one that a release has told: so the rows of a body that
-- did not change stay as they are, though a year is gone through as a whole.
-- depends_on: {{ ref('stg_ops__changed_key') }}
-- depends_on: {{ ref('stg_catalogue__indicator') }}
-- depends_on: {{ ref('int_disclosure__cell') }}
-- depends_on: {{ ref('int_observation__recast') }}
-- depends_on: {{ ref('int_boundary__recast') }}
-- depends_on: {{ ref('int_boundary__crosswalk') }}
-- depends_on: {{ ref('int_municipality__described') }}
-- depends_on: {{ ref('stg_catalogue__disclosure_cell') }}
-- depends_on: {{ ref('stg_catalogue__disclosure_term') }}
-- depends_on: {{ ref('stg_ops__disclosed') }}

with

hidden as (

    select
        split_part(hidden_cell.node, ':', 1) as subject_kind,
        split_part(hidden_cell.node, ':', 2) as subject_code,
        hide_table.group_code,
        hide_table.collection_code,
        hidden_cell.indicator_code,
        hide_table.time_period,
        hidden_cell.sex,
        hidden_cell.reason,
        hide_table.table_hash
    from hidden_cell
    inner join hide_table on hidden_cell.scope_no = hide_table.scope_no

)

select * from hidden
{% if is_incremental() %}
union all
select held.*
from {{ this }} as held
inner join hide_kept as kept
    on
        held.group_code = kept.group_code
        and held.collection_code = kept.collection_code
        and held.time_period = kept.time_period
        and held.table_hash = kept.table_hash
{% endif %}
