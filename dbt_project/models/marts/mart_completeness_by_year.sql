with

completeness as (

    select * from {{ ref('fct_completeness') }}

),

municipalities as (

    select * from {{ ref('int_municipality__described') }}

),

areas as (

    select
        municipality_code,
        oblast_code as area_code,
        'oblast' as area_level,
        oblast_name_uk as area_name_uk
    from municipalities
    union all
    select
        municipality_code,
        'UA' as area_code,
        'country' as area_level,
        'Україна' as area_name_uk
    from municipalities

),

terms as (

    select * from {{ ref('int_member__known') }}

),

registers as (

    select count(*) > 0 as has_register
    from terms

),

-- the day that a year's members and users are counted on: its due date, else its last day
returns as (

    select
        collection_code,
        time_period,
        period_start,
        municipality_code,
        due_date,
        coalesce(due_date, make_date(left(time_period, 4)::integer, 12, 31)) as reference_date,
        sum(expected_count) as expected_count,
        sum(expected_cell_count) as expected_cell_count,
        bool_or(has_return) as has_submitted,
        bool_and(can_report) as can_report,
        bool_and(is_full) as is_full,
        bool_and(is_full) and bool_and(coalesce(is_on_time, false)) as is_full_on_time,
        bool_or(is_sample) as is_sample
    from completeness
    group by collection_code, time_period, period_start, municipality_code, due_date

),

listed as (

    select
        returns.collection_code,
        returns.time_period,
        returns.municipality_code,
        bool_or(terms.is_member) as is_member,
        bool_or(terms.registered_from is not null) as is_user
    from returns
    inner join terms
        on
            returns.municipality_code = terms.municipality_code
            and (terms.registered_from is null or returns.reference_date >= terms.registered_from)
            and (terms.registered_to is null or returns.reference_date < terms.registered_to)
    group by returns.collection_code, returns.time_period, returns.municipality_code

),

bodies as (

    select
        returns.*,
        coalesce(listed.is_member, false) as is_member,
        coalesce(listed.is_user, false) as is_user
    from returns
    left join listed
        on
            returns.collection_code = listed.collection_code
            and returns.time_period = listed.time_period
            and returns.municipality_code = listed.municipality_code

),

counted as (

    select
        bodies.collection_code,
        bodies.time_period,
        bodies.period_start,
        bodies.due_date,
        bodies.reference_date,
        areas.area_code,
        areas.area_level,
        areas.area_name_uk,
        max(bodies.expected_count)::bigint as expected_count,
        max(bodies.expected_cell_count)::bigint as expected_cell_count,
        count(*) as body_count,
        count(*) filter (where bodies.has_submitted) as submitted_count,
        count(*) filter (where bodies.is_full) as full_count,
        count(*) filter (where bodies.is_full_on_time) as full_on_time_count,
        count(*) filter (where bodies.can_report) as able_count,
        count(*) filter (where bodies.can_report and bodies.has_submitted) as able_submitted_count,
        count(*) filter (where bodies.can_report and bodies.is_full) as able_full_count,
        count(*) filter (where bodies.can_report and bodies.is_full_on_time) as able_full_on_time_count,
        count(*) filter (where bodies.is_member) as member_count,
        count(*) filter (where bodies.is_member and bodies.is_full) as member_full_count,
        count(*) filter (where bodies.is_member and bodies.is_full_on_time) as member_full_on_time_count,
        count(*) filter (where bodies.is_user) as user_count,
        count(*) filter (where bodies.is_user and bodies.has_submitted) as user_active_count,
        count(*) filter (where bodies.is_user and bodies.is_full) as user_full_count,
        count(*) filter (where bodies.is_user and bodies.is_full_on_time) as user_full_on_time_count,
        bool_or(bodies.is_sample) as is_sample
    from bodies
    inner join areas on bodies.municipality_code = areas.municipality_code
    group by
        bodies.collection_code,
        bodies.time_period,
        bodies.period_start,
        bodies.due_date,
        bodies.reference_date,
        areas.area_code,
        areas.area_level,
        areas.area_name_uk

),

-- what is not known is no zero: without a deadline nothing is on time or late, without a register nobody is a member
final as (

    select
        counted.collection_code,
        counted.time_period,
        counted.period_start,
        counted.area_code,
        counted.area_level,
        counted.area_name_uk,
        counted.expected_count,
        counted.expected_cell_count,
        counted.due_date,
        counted.reference_date,
        counted.body_count,
        counted.submitted_count,
        counted.full_count,
        case when counted.due_date is not null then counted.full_on_time_count end as full_on_time_count,
        case when counted.due_date is not null then counted.full_count - counted.full_on_time_count end as full_late_count,
        case when registers.has_register then counted.member_count end as member_count,
        case when registers.has_register then counted.member_full_count end as member_full_count,
        case
            when registers.has_register and counted.due_date is not null then counted.member_full_on_time_count
        end as member_full_on_time_count,
        case
            when registers.has_register and counted.due_date is not null
                then counted.member_full_count - counted.member_full_on_time_count
        end as member_full_late_count,
        case when registers.has_register then counted.user_count end as user_count,
        case when registers.has_register then counted.user_active_count end as user_active_count,
        case when registers.has_register then counted.user_full_count end as user_full_count,
        case
            when registers.has_register and counted.due_date is not null then counted.user_full_on_time_count
        end as user_full_on_time_count,
        case
            when registers.has_register and counted.due_date is not null
                then counted.user_full_count - counted.user_full_on_time_count
        end as user_full_late_count,
        case when not registers.has_register then 'no_register' end as users_reason,
        counted.is_sample,
        counted.able_count,
        counted.able_submitted_count,
        counted.able_full_count,
        case when counted.due_date is not null then counted.able_full_on_time_count end as able_full_on_time_count
    from counted
    cross join registers

)

select * from final
