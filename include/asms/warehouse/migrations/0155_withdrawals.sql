-- Withdrawals of returns: tombstones. Nothing is deleted: a withdrawal is a delivery of its own, whose document lies in the
-- landing store, and what arrived before it is no longer said. A return that arrives later counts again.

create table raw.submission_withdrawal (
    delivery_id text primary key references raw.delivery,
    load_id text not null references ops.load,
    collection_code text not null,
    municipality_code text not null,
    time_period text not null,
    reason text not null,              -- public, in marts.fct_return_history
    withdrawn_by text not null         -- who booked it: shown to staff only
);
create index on raw.submission_withdrawal (municipality_code, time_period);

grant select on raw.submission_withdrawal to asms_transformer, asms_gate, asms_publisher;
grant select, insert on raw.submission_withdrawal to asms_loader;

grant select (load_id, collection_code, municipality_code, time_period, reason) on raw.submission_withdrawal to asms_marts_owner;

set local check_function_bodies = off;
set local role asms_marts_owner;

create or replace function marts.indicator_value_as_of(moment timestamptz, body text default null)
returns table (
    municipality_code text,
    indicator_code text,
    collection_code text,
    time_period text,
    sex text,
    obs_value double precision,
    obs_status text,
    unit_measure text,
    submission_id text,
    known_from timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    present bigint;
    unsettled timestamptz;
begin
    if moment > statement_timestamp() then
        raise exception '% has not come yet', moment using errcode = 'AS425';
    end if;
    select current_release.release_id into present from ops.current_release;
    select min(delivery.received_at) into unsettled
    from raw.delivery
    where
        delivery.source = 'submissions'
        and not delivery.is_test
        and delivery.received_at <= moment
        and not exists (
            select 1
            from ops.load
            inner join ops.release_load on load.load_id = release_load.load_id
            where load.delivery_id = delivery.delivery_id and release_load.release_id <= present
        );
    if unsettled is not null then
        raise exception 'not all that had been received by % is published: the first of it came at %', moment, unsettled
        using errcode = 'AS425', hint = 'ask for a moment before that, or again after the next release';
    end if;
    return query
    with

    replaced as (

        select mart.*
        from published.fct_observation_history as mart
        where
            mart.release_from <= present
            and (mart.release_to is null or mart.release_to > present)
            and (body is null or mart.municipality_code = body)

    ),

    since as (

        select
            replaced.municipality_code,
            replaced.collection_code,
            replaced.indicator_code,
            replaced.time_period,
            replaced.sex,
            max(replaced.known_to) as known_to
        from replaced
        group by 1, 2, 3, 4, 5

    ),

    in_force as (

        select
            mart.*,
            -- what came again after a withdrawal is known since it came, and a clock that was put back changes no order
            greatest(since.known_to, delivery.received_at) as known_from,
            correction.reported_value,
            correction.reported_status
        from published.fct_indicator_value as mart
        inner join ops.load on mart.load_id = load.load_id
        inner join raw.delivery on load.delivery_id = delivery.delivery_id
        left join since
            on
                mart.municipality_code = since.municipality_code
                and mart.collection_code = since.collection_code
                and mart.indicator_code = since.indicator_code
                and mart.time_period = since.time_period
                and mart.sex = since.sex
        left join published.fct_correction as correction
            on
                mart.obs_source = 'corrected'
                and mart.municipality_code = correction.municipality_code
                and mart.collection_code = correction.collection_code
                and mart.indicator_code = correction.indicator_code
                and mart.time_period = correction.time_period
                and mart.sex = correction.sex
                and correction.release_from <= present
                and (correction.release_to is null or correction.release_to > present)
        where
            mart.release_from <= present
            and (mart.release_to is null or mart.release_to > present)
            and (body is null or mart.municipality_code = body)
            and mart.submission_id is not null

    )

    select
        replaced.municipality_code, replaced.indicator_code, replaced.collection_code, replaced.time_period, replaced.sex,
        replaced.obs_value, replaced.obs_status, replaced.unit_measure, replaced.submission_id, replaced.known_from
    from replaced
    where replaced.known_from <= moment and moment < replaced.known_to
    union all
    select
        in_force.municipality_code, in_force.indicator_code, in_force.collection_code, in_force.time_period, in_force.sex,
        -- a register's figure is nobody's report, and a correction is not what was reported
        case in_force.obs_source
            when 'register' then null
            when 'corrected' then in_force.reported_value
            else in_force.obs_value
        end,
        case in_force.obs_source
            when 'register' then 'M_NR'
            when 'corrected' then in_force.reported_status
            else in_force.obs_status
        end,
        in_force.unit_measure, in_force.submission_id, in_force.known_from
    from in_force
    where in_force.known_from <= moment
    order by 1, 3, 2, 4, 5;
end
$$;
reset role;
