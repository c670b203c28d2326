-- The change feed can be asked for one body: by the index, and not by all that changed.
set local check_function_bodies = off;
set local role asms_marts_owner;

drop function marts.change_since(timestamptz);

create function marts.change_since(moment timestamptz, body text default null)
returns table (
    kind text,
    municipality_code text,
    indicator_code text,
    collection_code text,
    time_period text,
    sex text,
    old_value double precision,
    old_status text,
    new_value double precision,
    new_status text,
    changed_in bigint,
    changed_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    since bigint;
    present bigint;
begin
    select current_release.release_id into present from ops.current_release;
    if present is null or moment is null then
        return;
    end if;
    select max(release.release_id) into since
    from ops.release
    where release.published_at <= moment and release.release_id <= present;
    if since is not null then
        perform marts.check_release(since);
    end if;
    return query
    with

    before as (

        select mart.*
        from published.fct_indicator_value as mart
        where
            mart.release_from <= since
            and mart.release_to > since
            and mart.release_to <= present
            and (body is null or mart.municipality_code = body)

    ),

    after as (

        select mart.*
        from published.fct_indicator_value as mart
        where
            mart.release_from <= present
            and (mart.release_to is null or mart.release_to > present)
            and mart.release_from > coalesce(since, 0)
            and (body is null or mart.municipality_code = body)

    ),

    differing as (

        select
            case when before.sex is null then 'new' when after.sex is null then 'gone' else 'changed' end as kind,
            coalesce(before.municipality_code, after.municipality_code) as municipality_code,
            coalesce(before.indicator_code, after.indicator_code) as indicator_code,
            coalesce(before.collection_code, after.collection_code) as collection_code,
            coalesce(before.time_period, after.time_period) as time_period,
            coalesce(before.sex, after.sex) as sex,
            before.obs_value as old_value,
            before.obs_status as old_status,
            after.obs_value as new_value,
            after.obs_status as new_status,
            -- what went and came and went again is gone since it last went
            coalesce(after.release_from, (
                select max(mart.release_to)
                from published.fct_indicator_value as mart
                where
                    mart.municipality_code = before.municipality_code
                    and mart.collection_code = before.collection_code
                    and mart.indicator_code = before.indicator_code
                    and mart.time_period = before.time_period
                    and mart.sex = before.sex
                    and mart.release_to <= present
            )) as changed_in
        from before
        full join after
            on
                before.municipality_code = after.municipality_code
                and before.indicator_code = after.indicator_code
                and before.collection_code = after.collection_code
                and before.time_period = after.time_period
                and before.sex = after.sex
        -- another return may give the same value: that is no change of a figure
        where
            (before.sex, before.obs_value, before.obs_status, before.status_reason)
            is distinct from (after.sex, after.obs_value, after.obs_status, after.status_reason)

    )

    select differing.*, release.published_at
    from differing
    inner join ops.release on differing.changed_in = release.release_id
    order by differing.changed_in, 2, 4, 3, 5, 6;
end
$$;
comment on function marts.change_since(timestamptz, text) is
'Що змінилося від випуску, чинного на мить moment (до першого: усе нове), до поточного, за порядком випусків; зникле має kind = gone; код громади другим аргументом питає лише про неї. Помилка AS410, якщо той випуск прибрано. / What changed from the release that was the newest at the moment (before the first: everything is new) to the current one, in the order of releases; what went has kind = gone; a municipality''s code as second argument asks about that one alone. Error AS410 when that release was pruned.';

revoke all on function marts.change_since(timestamptz, text) from public;
grant execute on function marts.change_since(timestamptz, text) to asms_bi, asms_gate;

reset role;
