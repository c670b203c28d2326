with

in_force as (

    {{ load_in_force('council') }}

),

final as (

    select
        -- a spreadsheet dropped the leading zero
        lpad(lines.council_code, 10, '0') as council_code,
        {{ clean_text('lines.name') }} as name_uk,
        {{ clean_text('lines.centre_name') }} as centre_name_uk,
        {{ clean_text('lines.oblast_name') }} as oblast_name_uk,
        {{ clean_text('lines.note') }} as note
    from {{ source('raw', 'council') }} as lines
    inner join in_force on lines.load_id = in_force.load_id

)

select * from final
