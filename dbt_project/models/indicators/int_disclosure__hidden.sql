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

select
    split_part(hidden.node, ':', 1) as subject_kind,
    split_part(hidden.node, ':', 2) as subject_code,
    tables.group_code,
    tables.collection_code,
    hidden.indicator_code,
    tables.time_period,
    hidden.sex,
    hidden.reason,
    tables.table_hash
from hidden_cell as hidden
inner join hide_table as tables on hidden.scope_no = tables.scope_no
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
