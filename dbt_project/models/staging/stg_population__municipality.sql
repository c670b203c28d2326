{{ config(materialized='table', indexes=[{'columns': ['municipality_code', 'time_period'], 'unique': true}]) }}

select
    municipality_code,
    time_period,
    population
from {{ ref('stg_population__line') }}
where municipality_code is not null and population is not null
