-- Corrections by staff: what the file of corrections (ASMS_CORRECTIONS) says, line by line. A line that goes stays here, no more
-- active. decision_no is new whenever a line comes or goes, as in quality.waiver: the next build redoes its body and year.

create table quality.correction (
    correction_id text primary key,    -- hash of what the line says
    collection_code text not null,
    municipality_code text not null,
    indicator_code text not null,
    time_period text not null,
    sex text not null check (sex in ('T', 'F', 'M')),
    action text not null check (action in ('drop', 'set', 'scale', 'flag')),
    expected_value double precision,   -- what the return must say, or the correction is not applied; null: no value
    new_value double precision,        -- set: the value; scale: the factor
    new_status text check (new_status in ('B', 'E', 'P')), -- flag: the status
    reason text not null,
    provider text not null,            -- who told so: a body, not a person
    file_name text not null,
    line_no integer not null,
    is_active boolean not null default true,
    decision_no bigint not null unique
);

grant select on quality.correction to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant insert, update on quality.correction to asms_gate;

-- A figure may change by a correction now.
set local check_function_bodies = off;
set local role asms_marts_owner;

create or replace function marts.list_revisions()
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
            older.obs_source as old_source,
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
                when
                    pairs.obs_source = 'corrected'
                    or pairs.old_source = 'corrected' and pairs.old_submission_id is not distinct from pairs.submission_id
                    then 'correction'
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
comment on column marts.fct_revision.reason_class is
'Чому: late подано пізніше, return інший звіт, rule правило, catalogue картка показника, correction виправлення працівників, inputs змінилися складники, method програма. / Why: late, return (another return), rule, catalogue (the card), correction (by staff), inputs (of a computed value), method (the code).';

reset role;
