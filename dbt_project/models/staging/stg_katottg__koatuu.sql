with

in_force as (

    {{ load_in_force('koatuu_unit') }}

),

final as (

    select
        lines.unit_code,
        -- raions made in 2020 have «Новий район» in place of a code
        case when btrim(lines.koatuu_code) ~ '^[0-9]{9,10}$' then lpad(btrim(lines.koatuu_code), 10, '0') end as koatuu_code,
        translate({{ clean_text('lines.category') }}, 'ОРКНМХСВТ', 'OPKHMXCBT') as category,
        {{ clean_text('lines.name') }} as name_uk
    from {{ source('raw', 'koatuu_unit') }} as lines
    inner join in_force on lines.load_id = in_force.load_id
    where lines.unit_code ~ '^UA[0-9]{17}$'

)

select * from final
