-- The as-of answer counts those who can report apart, as marts.mart_completeness_by_year does: by the war status of the day that
-- members and users are counted on. What a function returns cannot be altered, so it is made anew. The body is text, as in 0009.
set local check_function_bodies = off;
set local role asms_marts_owner;

drop function marts.completeness_as_of(timestamptz);
create function marts.completeness_as_of(as_of timestamptz)
returns table (
    collection_code text,
    time_period text,
    area_code text,
    area_level text,
    area_name_uk text,
    due_date date,
    reference_date date,
    body_count bigint,
    submitted_count bigint,
    full_count bigint,
    full_on_time_count bigint,
    full_late_count bigint,
    member_count bigint,
    member_full_count bigint,
    member_full_on_time_count bigint,
    member_full_late_count bigint,
    user_count bigint,
    user_active_count bigint,
    user_full_count bigint,
    user_full_on_time_count bigint,
    user_full_late_count bigint,
    users_reason text,
    able_count bigint,
    able_submitted_count bigint,
    able_full_count bigint,
    able_full_on_time_count bigint
)
language sql stable strict security definer
set search_path = pg_catalog, pg_temp
as $$
with

periods as (

    select
        mart.collection_code,
        mart.time_period,
        mart.due_date,
        mart.users_reason,
        (mart.due_date + 1)::timestamp at time zone 'Europe/Kyiv' as due_at,
        least(mart.reference_date, (as_of at time zone 'Europe/Kyiv')::date) as asked_date
    from marts.mart_completeness_by_year as mart
    where mart.area_code = 'UA'

),

bodies as (

    select
        periods.collection_code,
        periods.time_period,
        body.oblast_code,
        known.known_from is not null as has_submitted,
        coalesce(known.is_full, false) as is_full,
        coalesce(known.is_full, false) and (as_of < periods.due_at or coalesce(at_due.is_full, false)) as is_full_on_time,
        coalesce(listed.is_member, false) as is_member,
        coalesce(listed.is_user, false) as is_user,
        coalesce(status.can_report, true) as can_report
    from periods
    cross join marts.dim_municipality as body
    left join marts.fct_return_history as known
        on
            body.municipality_code = known.municipality_code
            and periods.collection_code = known.collection_code
            and periods.time_period = known.time_period
            and known.known_from <= as_of
            and (known.known_to is null or known.known_to > as_of)
    left join marts.fct_return_history as at_due
        on
            body.municipality_code = at_due.municipality_code
            and periods.collection_code = at_due.collection_code
            and periods.time_period = at_due.time_period
            and at_due.known_from < periods.due_at
            and (at_due.known_to is null or at_due.known_to >= periods.due_at)
    left join lateral (
        select
            bool_or(term.is_member) as is_member,
            bool_or(term.registered_from is not null) as is_user
        from marts.dim_user as term
        where
            term.municipality_code = body.municipality_code
            and (term.registered_from is null or term.registered_from <= periods.asked_date)
            and (term.registered_to is null or term.registered_to > periods.asked_date)
    ) as listed on true
    left join marts.dim_municipality_status as status
        on
            body.municipality_code = status.municipality_code
            and status.valid_from <= periods.asked_date
            and (status.valid_to is null or status.valid_to > periods.asked_date)

),

counted as (

    select
        bodies.collection_code,
        bodies.time_period,
        areas.area_code,
        count(*) as body_count,
        count(*) filter (where bodies.has_submitted) as submitted_count,
        count(*) filter (where bodies.is_full) as full_count,
        count(*) filter (where bodies.is_full_on_time) as full_on_time_count,
        count(*) filter (where bodies.is_member) as member_count,
        count(*) filter (where bodies.is_member and bodies.is_full) as member_full_count,
        count(*) filter (where bodies.is_member and bodies.is_full_on_time) as member_full_on_time_count,
        count(*) filter (where bodies.is_user) as user_count,
        count(*) filter (where bodies.is_user and bodies.has_submitted) as user_active_count,
        count(*) filter (where bodies.is_user and bodies.is_full) as user_full_count,
        count(*) filter (where bodies.is_user and bodies.is_full_on_time) as user_full_on_time_count,
        count(*) filter (where bodies.can_report) as able_count,
        count(*) filter (where bodies.can_report and bodies.has_submitted) as able_submitted_count,
        count(*) filter (where bodies.can_report and bodies.is_full) as able_full_count,
        count(*) filter (where bodies.can_report and bodies.is_full_on_time) as able_full_on_time_count
    from bodies
    cross join lateral (values (bodies.oblast_code), ('UA')) as areas (area_code)
    group by bodies.collection_code, bodies.time_period, areas.area_code

),

-- what is not known is no zero: without a deadline nothing is on time or late, without a register nobody is a member
told as (

    select
        counted.*,
        mart.area_level,
        mart.area_name_uk,
        periods.due_date,
        periods.asked_date,
        periods.due_date is not null as has_deadline,
        periods.users_reason is null as has_register,
        periods.users_reason
    from counted
    inner join periods
        on counted.collection_code = periods.collection_code and counted.time_period = periods.time_period
    inner join marts.mart_completeness_by_year as mart
        on
            counted.collection_code = mart.collection_code
            and counted.time_period = mart.time_period
            and counted.area_code = mart.area_code

)

select
    collection_code,
    time_period,
    area_code,
    area_level,
    area_name_uk,
    due_date,
    asked_date,
    body_count,
    submitted_count,
    full_count,
    case when has_deadline then full_on_time_count end,
    case when has_deadline then full_count - full_on_time_count end,
    case when has_register then member_count end,
    case when has_register then member_full_count end,
    case when has_register and has_deadline then member_full_on_time_count end,
    case when has_register and has_deadline then member_full_count - member_full_on_time_count end,
    case when has_register then user_count end,
    case when has_register then user_active_count end,
    case when has_register then user_full_count end,
    case when has_register and has_deadline then user_full_on_time_count end,
    case when has_register and has_deadline then user_full_count - user_full_on_time_count end,
    users_reason,
    able_count,
    able_submitted_count,
    able_full_count,
    case when has_deadline then able_full_on_time_count end
from told
order by collection_code, time_period, area_level, area_code
$$;
comment on function marts.completeness_as_of(timestamptz) is
'Скільки органів подали повну інформацію за надходженнями, відомими на вказаний момент (каталог, строки й реєстр нинішні). / How many bodies had given everything by the deliveries known at the moment given (catalogue, deadlines and register of today).';
revoke all on function marts.completeness_as_of(timestamptz) from public;
grant execute on function marts.completeness_as_of(timestamptz) to asms_bi, asms_gate;

reset role;
