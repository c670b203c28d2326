{{
    config(
        materialized='incremental',
        incremental_strategy='changed_keys',
        on_schema_change='fail',
        indexes=[{'columns': ['municipality_code', 'time_period', 'indicator_code', 'sex'], 'unique': true}],
    )
}}

-- depends_on: {{ ref('stg_catalogue__compiled_formula') }}

with

accepted as (

    select * from {{ ref('int_observation__accepted') }}

),

indicators as (

    select * from {{ ref('stg_catalogue__indicator') }}

),

returns as (

    select sent.*
    from {{ ref('stg_submissions__return') }} as sent
    where sent.time_period ~ '^[0-9]{4}$' and {{ only_changed_keys('sent') }}

),

keys as (

    select distinct
        municipality_code,
        time_period
    from returns

),

inputs as (
    {{ input_arrays('accepted', 'keys') }}
),

computed as (
    {{ formula_rows('inputs') }}
),

final as (

    select
        returns.collection_code,
        computed.municipality_code,
        computed.time_period,
        computed.indicator_code,
        computed.sex,
        case when computed.obs_value between -1e300 and 1e300 then computed.obs_value end as obs_value,
        -- NaN and infinity are no figures, and NaN counts as larger than all of them
        case
            when computed.obs_value is not null and not computed.obs_value between -1e300 and 1e300 then 'M_Q'
            else computed.obs_status
        end as obs_status,
        returns.is_sample
    from computed
    inner join indicators on computed.indicator_code = indicators.indicator_code
    inner join returns
        on
            computed.municipality_code = returns.municipality_code
            and computed.time_period = returns.time_period
            and indicators.collection_code = returns.collection_code

)

select * from final
