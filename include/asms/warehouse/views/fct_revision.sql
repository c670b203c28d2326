-- Told from the ranges of published rows. A plain view, so that a reader's condition reaches the indexes.
create view marts.fct_revision as
with recursive

ended as (

    select mart.*
    from published.fct_indicator_value as mart
    cross join ops.current_release
    where mart.release_to <= current_release.release_id

),

pairs as (

    select
        older.release_to as changed_in,
        older.municipality_code,
        older.indicator_code,
        older.collection_code,
        older.time_period,
        older.sex,
        older.is_derived,
        older.obs_value as old_value,
        older.obs_status as old_status,
        older.submission_id as old_submission_id,
        older.obs_source as old_source,
        older.status_reason as old_reason,
        newer.sex is null as is_gone,
        newer.obs_value,
        newer.obs_status,
        newer.submission_id,
        newer.obs_source,
        newer.status_reason,
        exists (
            select 1
            from published.dim_indicator as card_before
            left join published.dim_indicator as card_now
                on card_before.indicator_code = card_now.indicator_code and card_before.release_to = card_now.release_from
            where
                card_before.indicator_code = older.indicator_code
                and card_before.release_to = older.release_to
                and (card_now.indicator_code, card_now.unit_measure, card_now.formula)
                is distinct from (card_before.indicator_code, card_before.unit_measure, card_before.formula)
        ) as is_card_changed
    from ended as older
    left join published.fct_indicator_value as newer
        on
            older.municipality_code = newer.municipality_code
            and older.collection_code = newer.collection_code
            and older.indicator_code = newer.indicator_code
            and older.time_period = newer.time_period
            and older.sex = newer.sex
            and older.release_to = newer.release_from
    where
        (older.sex, older.obs_value, older.obs_status, older.status_reason)
        is distinct from (newer.sex, newer.obs_value, newer.obs_status, newer.status_reason)

),

-- bodies that the boundaries of another release say otherwise of
moved as (

    select event.municipality_code, edge.release_id as changed_in
    from published.fct_boundary_event as event
    cross join lateral (values (event.release_from), (event.release_to)) as edge (release_id)
    where edge.release_id is not null
    group by event.municipality_code, edge.release_id

),

withdrawn as (

    select
        withdrawal.collection_code,
        withdrawal.municipality_code,
        withdrawal.time_period,
        release_load.release_id as changed_in,
        max(withdrawal.reason) as reason
    from raw.submission_withdrawal as withdrawal
    inner join ops.release_load on withdrawal.load_id = release_load.load_id
    group by 1, 2, 3, 4

),

-- what a release held back that the one before it did not, and all that is computed of it
embargoed as (

    select
        release.release_id as changed_in,
        indicator.indicator_code,
        embargo.time_period
    from ops.build_embargo
    inner join ops.release on build_embargo.build_id = release.build_id
    inner join quality.embargo on build_embargo.embargo_id = embargo.embargo_id
    inner join catalogue.indicator
        on embargo.indicator_code = indicator.indicator_code or embargo.domain_code = indicator.domain_code
    left join ops.release as earlier on release.release_id = earlier.release_id + 1
    left join ops.build_embargo as held_before
        on earlier.build_id = held_before.build_id and embargo.embargo_id = held_before.embargo_id
    where held_before.embargo_id is null
    union
    select
        embargoed.changed_in,
        formula_term.indicator_code,
        (embargoed.time_period::integer - formula_input.period_offset)::text as time_period
    from embargoed
    inner join catalogue.formula_input on embargoed.indicator_code = formula_input.indicator_code
    inner join catalogue.formula_term on formula_input.slot = formula_term.slot
    where
        (embargoed.time_period::integer - formula_input.period_offset)::text >= left(formula_term.period_from, 4)
        and (embargoed.time_period::integer - formula_input.period_offset)::text < formula_term.period_to

),

classed as (

    select
        pairs.*,
        withdrawn.reason as withdrawal_reason,
        case
            when pairs.is_gone and withdrawn.changed_in is not null then 'withdrawn'
            when
                pairs.obs_source = 'corrected'
                or pairs.old_source = 'corrected' and pairs.old_submission_id is not distinct from pairs.submission_id
                then 'correction'
            when pairs.is_card_changed then 'catalogue'
            when
                pairs.is_gone
                and exists (
                    select 1
                    from embargoed
                    where
                        embargoed.changed_in = pairs.changed_in
                        and embargoed.indicator_code = pairs.indicator_code
                        and embargoed.time_period = left(pairs.time_period, 4)
                )
                then 'embargo'
            when pairs.status_reason = 'suppressed' and pairs.old_reason is distinct from 'suppressed' then 'suppressed'
            when pairs.new_status_is_rejected and not pairs.old_status_is_rejected then 'rule'
            when moved.changed_in is not null and (pairs.is_derived or pairs.is_gone) then 'boundary'
            when pairs.is_derived then 'inputs'
            when pairs.is_gone then 'method'
            when pairs.obs_source = 'register' or pairs.old_source = 'register' and pairs.submission_id is null then 'source'
            when pairs.old_value is null and pairs.obs_value is not null and pairs.old_status in ('M_NR', 'M_ND') then 'late'
            when pairs.old_submission_id is distinct from pairs.submission_id then 'return'
            when pairs.old_status_is_rejected then 'rule'
            else 'method'
        end as reason_class
    from (
        select
            pairs.*,
            pairs.obs_status is not distinct from 'M_Q' and not pairs.is_derived as new_status_is_rejected,
            pairs.old_status = 'M_Q' and not pairs.is_derived as old_status_is_rejected
        from pairs
    ) as pairs
    left join moved
        on pairs.municipality_code = moved.municipality_code and pairs.changed_in = moved.changed_in
    left join withdrawn
        on
            pairs.collection_code = withdrawn.collection_code
            and pairs.municipality_code = withdrawn.municipality_code
            and pairs.time_period = withdrawn.time_period
            and pairs.changed_in = withdrawn.changed_in

)

select
    classed.changed_in as release_id,
    release.published_at,
    classed.municipality_code,
    classed.indicator_code,
    classed.collection_code,
    classed.time_period,
    classed.sex,
    classed.old_value,
    classed.old_status,
    classed.obs_value as new_value,
    classed.obs_status as new_status,
    classed.obs_value - classed.old_value as difference,
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
    end as rule_ids,
    submission.file_name,
    case when classed.is_gone then 'gone' else 'changed' end as kind,
    case classed.reason_class
        when 'withdrawn' then classed.withdrawal_reason
        when 'correction' then correction.reason
    end as reason,
    case
        when classed.reason_class = 'correction' then correction.provider
        when classed.reason_class in ('late', 'return') then submission.municipality_text
    end as told_by
from classed
inner join ops.release on classed.changed_in = release.release_id
left join raw.submission on classed.submission_id = submission.submission_id
left join published.fct_correction as correction
    on
        classed.reason_class = 'correction'
        and classed.municipality_code = correction.municipality_code
        and classed.collection_code = correction.collection_code
        and classed.indicator_code = correction.indicator_code
        and classed.time_period = correction.time_period
        and classed.sex = correction.sex
        and correction.is_applied
        -- the line that holds since, or the one that was taken back
        and case
            when classed.obs_source = 'corrected'
                then
                    correction.release_from <= classed.changed_in
                    and (correction.release_to is null or correction.release_to > classed.changed_in)
            else correction.release_to = classed.changed_in
        end;

comment on view marts.fct_revision is
'Один рядок на значення, яке випуск замінив іншим або прибрав. / One row per figure that a release replaced by another or took away.';
comment on column marts.fct_revision.release_id is
'Випуск, що замінив або прибрав значення. / The release that replaced the figure or took it away.';
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
'Значення, що стало; порожньо, якщо зникло. / The value that replaced it; empty where it is gone.';
comment on column marts.fct_revision.new_status is
'Його статус. / Its status.';
comment on column marts.fct_revision.difference is
'Нове мінус старе; порожньо, якщо одного з них немає. / New minus old; empty when one of them is missing.';
comment on column marts.fct_revision.rule_ids is
'Правила, що відхиляють (або відхиляли) значення, якщо причина rule. / Rules that reject (or rejected) the value, where the reason is rule.';
comment on column marts.fct_revision.file_name is
'Файл звіту, що дав нове значення; порожньо для обчислених. / File of the return that gave the new value; empty for computed ones.';
comment on column marts.fct_revision.reason_class is
'Чому: late подано пізніше, return інший звіт, withdrawn звіт відкликано, embargo поставлено ембарго, suppressed приховано мале число чи те, з якого його обчислити, correction виправлення працівників, source змінив реєстр, rule правило, catalogue картка показника, boundary межі, inputs змінилися складники, method програма. / Why: late, return (another return), withdrawn, embargo (put on it), suppressed (small, or a small one could be reckoned from it), correction (by staff), source (a register restated), rule, catalogue (the card), boundary, inputs (of a computed value), method (the code).';
comment on column marts.fct_revision.kind is
'changed змінено, gone зникло. / changed or gone.';
comment on column marts.fct_revision.reason is
'Пояснення до відкликання чи виправлення. / The words for a withdrawal or a correction.';
comment on column marts.fct_revision.told_by is
'Хто повідомив: громада, як її названо у звіті, або установа за виправленням. / Who told so: the municipality as its return names it, or the body behind a correction.';

