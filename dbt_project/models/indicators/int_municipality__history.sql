with

units as (

    select * from {{ ref('int_unit__history') }}

),

-- the codifier lists the centre of a hromada first
centres as (

    select
        municipality_code,
        unit_code,
        name_uk,
        category,
        valid_from,
        valid_to,
        changed_after
    from (
        select
            *,
            min(unit_code) over (partition by municipality_code) as first_code
        from units
        where category in ('M', 'T', 'X', 'C')
    ) as settlements
    where unit_code = first_code

),

koatuu as (

    select * from {{ ref('stg_katottg__koatuu') }}

),

founded as (

    select
        municipality_code,
        min(known_by) as known_by
    from {{ ref('int_boundary__stay') }}
    where source = 'council_history'
    group by municipality_code

),

centre_codes as (

    select distinct
        municipality_code,
        unit_code
    from centres

),

municipalities as (

    select
        units.*,
        case when units.category = 'K' then units.unit_code else centre_codes.unit_code end as centre_code
    from units
    left join centre_codes on units.unit_code = centre_codes.municipality_code
    where units.category in ('H', 'K')

),

-- a municipality is described anew when its own state changes, or its centre's, raion's or oblast's
parts as (

    select
        unit_code,
        valid_from,
        valid_to,
        unit_code as part_code
    from municipalities
    union all
    select
        unit_code,
        valid_from,
        valid_to,
        centre_code as part_code
    from municipalities
    union all
    select
        unit_code,
        valid_from,
        valid_to,
        raion_code as part_code
    from municipalities
    union all
    select
        unit_code,
        valid_from,
        valid_to,
        oblast_code as part_code
    from municipalities

),

moments as (

    select
        parts.unit_code,
        parts.valid_from as state_from,
        others.valid_from as moment
    from parts
    inner join units as others
        on
            parts.part_code = others.unit_code
            and parts.valid_from <= others.valid_from
            and (parts.valid_to is null or parts.valid_to > others.valid_from)
    group by parts.unit_code, parts.valid_from, others.valid_from

),

spans as (

    select
        municipalities.*,
        moments.moment,
        coalesce(
            lead(moments.moment) over (
                partition by moments.unit_code, moments.state_from
                order by moments.moment
            ),
            municipalities.valid_to
        ) as moment_to,
        row_number() over (partition by moments.unit_code order by moments.moment) as span_no
    from moments
    inner join municipalities
        on moments.unit_code = municipalities.unit_code and moments.state_from = municipalities.valid_from

),

final as (

    select
        spans.unit_code as municipality_code,
        case when spans.span_no = 1 then least(spans.moment, founded.known_by) else spans.moment end as valid_from,
        spans.moment_to as valid_to,
        case
            when spans.span_no > 1 then 'edition'
            when founded.known_by < spans.moment then 'council_history'
            else spans.valid_from_basis
        end as valid_from_basis,
        greatest(spans.changed_after, centres.changed_after, raions.changed_after) as changed_after,
        spans.name_uk,
        spans.category,
        coalesce(centres.name_uk, case when spans.category = 'K' then spans.name_uk end) as centre_name_uk,
        centres.category as centre_category,
        spans.raion_code,
        raions.name_uk as raion_name_uk,
        spans.oblast_code,
        oblasts.name_uk as oblast_name_uk,
        koatuu.koatuu_code
    from spans
    left join founded on spans.unit_code = founded.municipality_code
    left join koatuu on spans.unit_code = koatuu.unit_code
    left join centres
        on
            spans.unit_code = centres.municipality_code
            and spans.moment >= centres.valid_from
            and (centres.valid_to is null or spans.moment < centres.valid_to)
    left join units as raions
        on
            spans.raion_code = raions.unit_code
            and spans.moment >= raions.valid_from
            and (raions.valid_to is null or spans.moment < raions.valid_to)
    left join units as oblasts
        on
            spans.oblast_code = oblasts.unit_code
            and spans.moment >= oblasts.valid_from
            and (oblasts.valid_to is null or spans.moment < oblasts.valid_to)

)

select * from final
