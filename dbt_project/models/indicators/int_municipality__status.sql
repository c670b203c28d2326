{{ config(indexes=[{'columns': ['municipality_code', 'valid_from'], 'unique': true}]) }}

with

municipalities as (

    select municipality_code from {{ ref('int_municipality__described') }}

),

told as (

    select * from {{ ref('stg_war_status__status') }}

),

-- What was told on one day: occupied goes before de-occupied (one may have ended and begun again), and that before none.
days as (

    select
        municipality_code,
        known_by_date,
        max(case status_code when 'occupied' then 3 when 'deoccupied' then 2 when 'not_occupied' then 1 end) as occupation,
        max(case status_code when 'in_war_zone' then 1 when 'not_in_war_zone' then 0 end) as war_zone
    from told
    group by municipality_code, known_by_date

),

-- each of the two stands until it is told otherwise
numbered as (

    select
        *,
        count(occupation) over (partition by municipality_code order by known_by_date) as occupation_no,
        count(war_zone) over (partition by municipality_code order by known_by_date) as war_zone_no
    from days

),

standing as (

    select
        municipality_code,
        known_by_date,
        max(occupation) over (partition by municipality_code, occupation_no) as occupation,
        max(war_zone) over (partition by municipality_code, war_zone_no) as war_zone
    from numbered

),

states as (

    select
        municipality_code,
        known_by_date as valid_from,
        case
            when occupation = 3 then 'occupied'
            when war_zone = 1 then 'frontline'
            when occupation = 2 then 'deoccupied'
            else 'none'
        end as status_code
    from standing
    union all
    -- before the first thing that is told, no source says
    select
        municipalities.municipality_code,
        '{{ var("occupation_began_on") }}'::date as valid_from,
        'unknown' as status_code
    from municipalities
    left join days
        on
            municipalities.municipality_code = days.municipality_code
            and days.known_by_date <= '{{ var("occupation_began_on") }}'::date
    where days.municipality_code is null

),

changes as (

    select
        *,
        lag(status_code) over (partition by municipality_code order by valid_from) as previous_code
    from states

),

final as (

    select
        municipality_code,
        valid_from,
        lead(valid_from) over (partition by municipality_code order by valid_from) as valid_to,
        status_code,
        status_code <> 'occupied' as can_report
    from changes
    where status_code is distinct from previous_code

)

select * from final
