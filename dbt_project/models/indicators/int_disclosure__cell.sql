{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        post_hook='grant select on {{ this }} to asms_publisher',
        indexes=[{'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex', 'collection_code'], 'unique': true}],
    )
}}

-- Beside all that is accepted these are few, and tables of a whole year are made of them. The publisher reads what a release
-- hides, and writes it down (ops.disclosed).

select
    accepted.municipality_code,
    accepted.collection_code,
    accepted.indicator_code,
    accepted.time_period,
    accepted.sex,
    accepted.obs_value
from {{ ref('int_observation__accepted') }} as accepted
inner join {{ ref('stg_catalogue__disclosure_cell') }} as cells
    on accepted.indicator_code = cells.indicator_code and accepted.sex = cells.sex
where accepted.obs_value is not null and {{ only_changed_keys('accepted', by_index=true) }}
