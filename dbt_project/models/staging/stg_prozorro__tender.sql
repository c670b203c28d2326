{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='tender_id',
        on_schema_change='fail',
        indexes=[{'columns': ['tender_id'], 'unique': true}],
    )
}}

with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

raw_tenders as (

    select * from {{ source('raw', 'prozorro_tender') }}

),

versions as (

    select
        raw_tenders.*,
        loads.received_no,
        loads.is_sample,
        -- a time ahead of the feed counts as the feed's
        least(raw_tenders.date_modified::timestamptz, to_timestamp(split_part(raw_tenders.feed_offset, '.', 1)::double precision))
            as known_at
    from raw_tenders
    inner join loads on raw_tenders.load_id = loads.load_id
    {%- if is_incremental() %}
    where
        raw_tenders.tender_id in (
            select changed.tender_id
            from {{ source('raw', 'prozorro_tender') }} as changed
            inner join {{ source('ops', 'build_load') }} as build_load on changed.load_id = build_load.load_id
            inner join {{ source('ops', 'build') }} as build on build_load.build_id = build.build_id
            where build.status = 'running'
        )
    {%- endif %}

),

final as (

    select distinct on (tender_id)
        tender_id,
        tender_number,
        status as tender_status,
        procurement_method_type,
        buyer_edrpou,
        buyer_name,
        buyer_region,
        buyer_locality,
        known_at,
        load_id,
        row_no,
        is_sample
    from versions
    order by tender_id asc, known_at desc, received_no desc, row_no desc

)

select * from final
