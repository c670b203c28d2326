-- Past releases, revisions and changes, told from the ranges of the published rows. The bodies are text, so that the publisher
-- may make and widen its tables; they are not there yet when this runs. A release that cannot be read has an error of its own:
-- SQLSTATE AS404 there is none, AS410 it was pruned.

-- why a value changed is told by the return that gave it and the rules that reject it
grant usage on schema raw, quality to asms_marts_owner;
grant select (submission_id, file_name) on raw.submission to asms_marts_owner;
grant select (submission_id, indicator_code, sex, rule_id, severity) on quality.finding to asms_marts_owner;

set local check_function_bodies = off;
set local role asms_marts_owner;

create function marts.check_release(asked bigint) returns void
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    found boolean;
begin
    select release.is_pruned into found from ops.release where release.release_id = asked;
    if found is null then
        raise exception 'there is no release %', asked
        using errcode = 'AS404', hint = 'select release_id from marts.dim_release';
    elsif found then
        raise exception 'release % was pruned', asked
        using errcode = 'AS410', hint = 'its manifest stands (asms release show), its rows are gone by the retention rule';
    end if;
end
$$;
comment on function marts.check_release(bigint) is
'Помилка AS404, якщо випуску немає, AS410, якщо його прибрано. / Error AS404 when there is no such release, AS410 when it was pruned.';

create function marts.release_value(release_id bigint)
returns table (
    municipality_code text,
    indicator_code text,
    collection_code text,
    time_period text,
    sex text,
    obs_value double precision,
    obs_status text,
    status_reason text,
    unit_measure text,
    is_derived boolean,
    submission_id text,
    release_from bigint
)
language plpgsql stable strict security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform marts.check_release(release_value.release_id);
    return query
    select
        mart.municipality_code, mart.indicator_code, mart.collection_code, mart.time_period, mart.sex, mart.obs_value,
        mart.obs_status, mart.status_reason, mart.unit_measure, mart.is_derived, mart.submission_id, mart.release_from
    from published.fct_indicator_value as mart
    where
        mart.release_from <= release_value.release_id
        and (mart.release_to is null or mart.release_to > release_value.release_id)
    order by mart.municipality_code, mart.collection_code, mart.indicator_code, mart.time_period, mart.sex;
end
$$;
comment on function marts.release_value(bigint) is
'Значення показників, як їх показував випуск; той самий виклик дає ті самі рядки. / Indicator values as the release showed them; the same call gives the same rows.';

create function marts.release_change(since_release bigint)
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
    new_status text
)
language plpgsql stable strict security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    present bigint;
begin
    perform marts.check_release(since_release);
    select current_release.release_id into present from ops.current_release;
    return query
    with

    before as (

        select mart.*
        from published.fct_indicator_value as mart
        where
            mart.release_from <= since_release
            and (mart.release_to is null or mart.release_to > since_release)
            and (mart.release_from > present or mart.release_to <= present)

    ),

    after as (

        select mart.*
        from published.fct_indicator_value as mart
        where
            mart.release_from <= present
            and (mart.release_to is null or mart.release_to > present)
            and (mart.release_from > since_release or mart.release_to <= since_release)

    )

    select
        case when before.sex is null then 'new' when after.sex is null then 'gone' else 'changed' end,
        coalesce(before.municipality_code, after.municipality_code),
        coalesce(before.indicator_code, after.indicator_code),
        coalesce(before.collection_code, after.collection_code),
        coalesce(before.time_period, after.time_period),
        coalesce(before.sex, after.sex),
        before.obs_value,
        before.obs_status,
        after.obs_value,
        after.obs_status
    from before
    full join after
        on
            before.municipality_code = after.municipality_code
            and before.collection_code = after.collection_code
            and before.indicator_code = after.indicator_code
            and before.time_period = after.time_period
            and before.sex = after.sex
    -- another return may give the same value: that is no change of a figure
    where
        (before.sex, before.obs_value, before.obs_status, before.status_reason)
        is distinct from (after.sex, after.obs_value, after.obs_status, after.status_reason)
    order by 2, 4, 3, 5, 6;
end
$$;
comment on function marts.release_change(bigint) is
'Що змінилося від названого випуску до поточного: нове, змінене, зникле (kind = gone). / What changed from the release named to the current one: new, changed, gone.';

create function marts.list_revisions()
returns table (
    release_id bigint,
    published_at timestamptz,
    municipality_code text,
    indicator_code text,
    collection_code text,
    time_period text,
    sex text,
    old_value double precision,
    old_status text,
    new_value double precision,
    new_status text,
    difference double precision,
    reason_class text,
    rule_ids text,
    file_name text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    if to_regclass('published.fct_indicator_value') is null or to_regclass('published.dim_indicator') is null then
        return;
    end if;
    return query
    with

    pairs as (

        select
            newer.*,
            older.obs_value as old_value,
            older.obs_status as old_status,
            older.submission_id as old_submission_id,
            exists (
                select 1
                from published.dim_indicator as card_now
                inner join published.dim_indicator as card_before
                    on card_now.indicator_code = card_before.indicator_code and card_now.release_from = card_before.release_to
                where
                    card_now.indicator_code = newer.indicator_code
                    and card_now.release_from = newer.release_from
                    and (card_now.unit_measure, card_now.formula) is distinct from (card_before.unit_measure, card_before.formula)
            ) as is_card_changed
        from published.fct_indicator_value as older
        cross join ops.current_release
        inner join published.fct_indicator_value as newer
            on
                older.municipality_code = newer.municipality_code
                and older.collection_code = newer.collection_code
                and older.indicator_code = newer.indicator_code
                and older.time_period = newer.time_period
                and older.sex = newer.sex
                and older.release_to = newer.release_from
        where
            older.release_to is not null
            and newer.release_from <= current_release.release_id
            and (older.obs_value, older.obs_status, older.status_reason)
            is distinct from (newer.obs_value, newer.obs_status, newer.status_reason)

    ),

    classed as (

        select
            pairs.*,
            case
                when pairs.is_card_changed then 'catalogue'
                when pairs.new_status_is_rejected and not pairs.old_status_is_rejected then 'rule'
                when pairs.is_derived then 'inputs'
                when pairs.old_value is null and pairs.obs_value is not null and pairs.old_status in ('M_NR', 'M_ND') then 'late'
                when pairs.old_submission_id is distinct from pairs.submission_id then 'return'
                when pairs.old_status_is_rejected then 'rule'
                else 'method'
            end as reason_class
        from (
            select
                pairs.*,
                pairs.obs_status = 'M_Q' and not pairs.is_derived as new_status_is_rejected,
                pairs.old_status = 'M_Q' and not pairs.is_derived as old_status_is_rejected
            from pairs
        ) as pairs

    )

    select
        classed.release_from,
        release.published_at,
        classed.municipality_code,
        classed.indicator_code,
        classed.collection_code,
        classed.time_period,
        classed.sex,
        classed.old_value,
        classed.old_status,
        classed.obs_value,
        classed.obs_status,
        classed.obs_value - classed.old_value,
        classed.reason_class,
        case
            when classed.reason_class = 'rule' then (
                select string_agg(distinct finding.rule_id, ', ')
                from quality.finding
                where
                    finding.submission_id = case
                        when classed.new_status_is_rejected then classed.submission_id else classed.old_submission_id
                    end
                    and finding.indicator_code = classed.indicator_code
                    and coalesce(finding.sex, classed.sex) = classed.sex
                    and finding.severity in ('fatal', 'error')
            )
        end,
        submission.file_name
    from classed
    inner join ops.release on classed.release_from = release.release_id
    left join raw.submission on classed.submission_id = submission.submission_id;
end
$$;
comment on function marts.list_revisions() is 'Рядки fct_revision. / The rows of fct_revision.';

create view marts.fct_revision as
select * from marts.list_revisions();

comment on view marts.fct_revision is
'Один рядок на значення, яке випуск замінив іншим. / One row per figure that a release replaced by another.';
comment on column marts.fct_revision.release_id is
'Випуск, що замінив значення. / The release that replaced the figure.';
comment on column marts.fct_revision.published_at is
'Коли його опубліковано (UTC). / When it was published (UTC).';
comment on column marts.fct_revision.municipality_code is
'Код громади (або Києва чи Севастополя) за КАТОТТГ. / КАТОТТГ code of the hromada (or of Kyiv or Sevastopol).';
comment on column marts.fct_revision.indicator_code is
'Код показника за каталогом. / Code of the indicator in the catalogue.';
comment on column marts.fct_revision.collection_code is
'Код збору даних (анкети). / Code of the collection (questionnaire).';
comment on column marts.fct_revision.time_period is
'Звітний період у записі SDMX. / Reference period as SDMX writes it.';
comment on column marts.fct_revision.sex is
'Стать: T разом, F жінки, M чоловіки. / Sex: T total, F women, M men.';
comment on column marts.fct_revision.old_value is
'Значення, що було; порожньо, якщо не було. / The value that stood; empty when there was none.';
comment on column marts.fct_revision.old_status is
'Його статус. / Its status.';
comment on column marts.fct_revision.new_value is
'Значення, що стало. / The value that replaced it.';
comment on column marts.fct_revision.new_status is
'Його статус. / Its status.';
comment on column marts.fct_revision.difference is
'Нове мінус старе; порожньо, якщо одного з них немає. / New minus old; empty when one of them is missing.';
comment on column marts.fct_revision.reason_class is
'Чому: late подано пізніше, return інший звіт, rule правило, catalogue картка показника, inputs змінилися складники, method програма. / Why: late, return (another return), rule, catalogue (the card), inputs (of a computed value), method (the code).';
comment on column marts.fct_revision.rule_ids is
'Правила, що відхиляють (або відхиляли) значення, якщо причина rule. / Rules that reject (or rejected) the value, where the reason is rule.';
comment on column marts.fct_revision.file_name is
'Файл звіту, що дав нове значення; порожньо для обчислених. / File of the return that gave the new value; empty for computed ones.';

revoke all on function
marts.check_release(bigint), marts.release_value(bigint), marts.release_change(bigint), marts.list_revisions()
from public;
grant execute on function
marts.check_release(bigint), marts.release_value(bigint), marts.release_change(bigint), marts.list_revisions()
to asms_bi, asms_gate;

reset role;
