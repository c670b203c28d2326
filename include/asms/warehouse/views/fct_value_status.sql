-- Told of releases and deadlines, not stored: a value becomes final by a release after the deadline, without a row being written.
create view marts.fct_value_status as
select
    mart.municipality_code,
    mart.indicator_code,
    mart.collection_code,
    mart.time_period,
    mart.sex,
    mart.obs_value,
    mart.obs_status,
    case
        when mart.obs_status = 'M_Q' then 'submitted'
        when mart.obs_value is null then null
        when
            mart.obs_status = 'R'
            or exists (
                select 1
                from published.fct_indicator_value as older
                inner join ops.release as replacing on older.release_to = replacing.release_id
                where
                    older.municipality_code = mart.municipality_code
                    and older.collection_code = mart.collection_code
                    and older.indicator_code = mart.indicator_code
                    and older.time_period = mart.time_period
                    and older.sex = mart.sex
                    and older.release_to <= mart.release_from
                    and older.obs_value is not null
                    and older.obs_value != mart.obs_value
                    and (due.due_at is null or replacing.published_at >= due.due_at)
            )
            then 'revised'
        when mart.obs_status in ('E', 'P') or shown.published_at < due.due_at then 'preliminary'
        when due.due_at is not null then 'final'
        else 'validated'
    end as value_status,
    current_release.release_id,
    mart.release_from
from published.fct_indicator_value as mart
cross join ops.current_release
inner join ops.release as shown on current_release.release_id = shown.release_id
left join (
    select
        deadline.collection_code,
        deadline.time_period,
        (deadline.due_date + 1)::timestamp at time zone 'Europe/Kyiv' as due_at
    from catalogue.deadline
) as due
    on mart.collection_code = due.collection_code and mart.time_period = due.time_period
where
    mart.release_from <= current_release.release_id
    and (mart.release_to is null or mart.release_to > current_release.release_id);

comment on view marts.fct_value_status is
'Один рядок на значення поточного випуску: на якому воно щаблі. / One row per value of the current release: how far it has come.';
comment on column marts.fct_value_status.municipality_code is 'Код громади (або Києва чи Севастополя) за КАТОТТГ. / КАТОТТГ code of the hromada (or of Kyiv or Sevastopol).';
comment on column marts.fct_value_status.indicator_code is 'Код показника за каталогом. / Code of the indicator in the catalogue.';
comment on column marts.fct_value_status.collection_code is 'Код збору даних (анкети). / Code of the collection (questionnaire).';
comment on column marts.fct_value_status.time_period is 'Звітний період у записі SDMX. / Reference period as SDMX writes it.';
comment on column marts.fct_value_status.sex is 'Стать: T разом, F жінки, M чоловіки. / Sex: T total, F women, M men.';
comment on column marts.fct_value_status.obs_value is 'Значення. / The value.';
comment on column marts.fct_value_status.obs_status is 'Його статус за SDMX. / Its status as SDMX has it.';
comment on column marts.fct_value_status.value_status is
'submitted подано, але правило відхиляє; validated перевірено, строку подання немає; preliminary попереднє: випуск до кінця строку, або оцінка; final остаточне; revised переглянуте: після строку показували інше число, або виправлено. Порожньо, якщо значення немає. / submitted: a rule rejects it; validated: checked, no deadline is known; preliminary: the release is before the deadline''s end, or it is an estimate; final; revised: another figure was shown after the deadline, or staff corrected it. Empty where there is no value.';
comment on column marts.fct_value_status.release_id is 'Поточний випуск даних. / The current release of the data.';
comment on column marts.fct_value_status.release_from is 'Випуск, з якого значення чинне. / The release since which the value stands.';
