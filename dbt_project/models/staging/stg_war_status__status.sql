{{ config(materialized='table', indexes=[{'columns': ['municipality_code', 'known_by_date', 'status_code'], 'unique': true}]) }}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

units as (

    select * from {{ ref('stg_katottg__unit') }}

),

raw_values as (

    select * from {{ source('raw', 'war_status_value') }}

),

latest_load as (

    select
        load_id,
        is_sample
    from loads
    where source = 'war_status' and status = 'loaded'
    order by received_no desc, loaded_at desc, load_id asc
    limit 1

),

told as (

    select
        btrim(raw_values.hromada_code) as municipality_code,
        raw_values.title_text,
        btrim(raw_values.value_text) as value_text,
        raw_values.load_id,
        latest_load.is_sample
    from raw_values
    inner join latest_load on raw_values.load_id = latest_load.load_id

),

-- The publisher gives months, not days: what is known is that it had come by the end of them.
dated as (

    select
        municipality_code,
        to_date(right(title_text, 10), 'DD_MM_YYYY') as known_by_date,
        case value_text when '1' then 'in_war_zone' when '0' then 'not_in_war_zone' end as status_code,
        load_id,
        is_sample
    from told
    where title_text ~ '^war_zone_(0[1-9]|[12][0-9]|3[01])_(0[1-9]|1[0-2])_20[0-9]{2}$'
    union all
    select
        municipality_code,
        '2022-09-30'::date as known_by_date,
        case value_text
            when 'occupied' then 'occupied'
            when 'deoccupied' then 'deoccupied'
            when 'not occupied' then 'not_occupied'
            when 'not occupied, in the war zone' then 'not_occupied'
        end as status_code,
        load_id,
        is_sample
    from told
    where title_text = 'status_war_sept'
    union all
    select
        municipality_code,
        case value_text
            when 'March-April' then '2022-04-30'::date
            when 'September-October' then '2022-10-31'::date
            when 'November' then '2022-11-30'::date
        end as known_by_date,
        'deoccupied' as status_code,
        load_id,
        is_sample
    from told
    where title_text = 'deoccupation_date'
    union all
    -- lists of the war zone begin in 2022; these were occupied before (law 1207-VII, since 20 February 2014)
    select
        units.unit_code as municipality_code,
        '{{ var("occupation_began_on") }}'::date as known_by_date,
        'occupied' as status_code,
        latest_load.load_id,
        latest_load.is_sample
    from units
    cross join latest_load
    inner join units as regions on units.oblast_code = regions.unit_code
    where
        units.category in ('H', 'K')
        and (regions.name_uk ~ 'Крим' or regions.name_uk = 'Севастополь')

),

final as (

    select distinct
        dated.municipality_code,
        dated.known_by_date,
        dated.status_code,
        dated.load_id,
        dated.is_sample
    from dated
    inner join units on dated.municipality_code = units.unit_code and units.category in ('H', 'K')
    where dated.known_by_date is not null and dated.status_code is not null

)

select * from final
