with

loads as (

    select * from {{ ref('stg_ops__load') }}

),

codes as (

    select * from {{ source('raw', 'budget_classification_code') }}

),

-- a file is a list of its own: a list of another date stands beside it, a file sent again takes its place
latest as (

    select distinct on (path)
        load_id,
        path
    from loads
    where source = 'budget_classification' and status = 'loaded'
    order by path asc, received_no desc, loaded_at desc, load_id asc

),

final as (

    select
        latest.path as list_name,
        codes.row_no,
        codes.budget_item,
        codes.classification_type,
        codes.code as classification_code,
        {{ clean_text('codes.name') }} as name_uk,
        nullif(btrim(codes.parent_code), '') as parent_code,
        left(codes.begin_date, 10)::date as begin_date,
        left(codes.end_date, 10)::date as end_date,
        min(left(codes.begin_date, 10)::date) over (partition by latest.path) as list_begin_date
    from codes
    inner join latest on codes.load_id = latest.load_id

)

select * from final
