-- Cells that some release changed are few: they are found by the index of rows that ended, and only theirs are laid in a row.
-- `coalesce` keeps the planner from the index on release_from, of which it would read all. Sums are of numbers that are exact:
-- those of doubles follow the order in which rows lie.
create view marts.mart_revision_statistics as
with

ended as (

    select distinct
        mart.municipality_code,
        mart.collection_code,
        mart.indicator_code,
        mart.time_period,
        mart.sex
    from published.fct_indicator_value as mart
    cross join ops.current_release
    where mart.release_to is not null and mart.release_to <= current_release.release_id

),

vintages as (

    select
        mart.municipality_code,
        mart.collection_code,
        mart.indicator_code,
        mart.time_period,
        mart.sex,
        mart.obs_value,
        mart.release_from,
        mart.release_to is null or mart.release_to > current_release.release_id as is_latest,
        lag(mart.obs_value) over in_time as value_before
    from ended
    inner join published.fct_indicator_value as mart
        on
            ended.municipality_code = mart.municipality_code
            and ended.collection_code = mart.collection_code
            and ended.indicator_code = mart.indicator_code
            and ended.time_period = mart.time_period
            and ended.sex = mart.sex
    cross join ops.current_release
    where mart.obs_value is not null and coalesce(mart.release_from, 0) <= current_release.release_id
    window
        in_time as (
            partition by mart.municipality_code, mart.collection_code, mart.indicator_code, mart.time_period, mart.sex
            order by mart.release_from
        )

),

cells as (

    select
        collection_code,
        indicator_code,
        time_period,
        bool_or(is_latest) as is_shown,
        max(obs_value) filter (where is_latest) - (array_agg(obs_value order by release_from))[1] as revision,
        count(*) filter (where obs_value != value_before) as revision_count,
        max(release_from) filter (where obs_value != value_before) as last_release_id
    from vintages
    group by municipality_code, collection_code, indicator_code, time_period, sex

),

revised as (

    select
        collection_code,
        indicator_code,
        time_period,
        count(*) filter (where is_shown and revision_count > 0) as revised_count,
        count(*) filter (where not is_shown) as gone_count,
        coalesce(sum(revision_count), 0)::bigint as revision_count,
        count(*) filter (where revision > 0) as upward_count,
        sum(revision::numeric)::double precision as revision_sum,
        sum(abs(revision)::numeric)::double precision as absolute_sum,
        max(last_release_id) as last_release_id
    from cells
    group by collection_code, indicator_code, time_period

),

shown as (

    select
        mart.collection_code,
        mart.indicator_code,
        mart.time_period,
        count(*) as value_count,
        sum(abs(mart.obs_value)::numeric)::double precision as level_sum
    from published.fct_indicator_value as mart
    cross join ops.current_release
    where
        mart.obs_value is not null
        and coalesce(mart.release_from, 0) <= current_release.release_id
        and (mart.release_to is null or mart.release_to > current_release.release_id)
    group by mart.collection_code, mart.indicator_code, mart.time_period

)

select
    indicator_code,
    collection_code,
    time_period,
    coalesce(shown.value_count, 0) as value_count,
    coalesce(revised.revised_count, 0) as revised_count,
    coalesce(revised.revised_count, 0)::double precision / nullif(shown.value_count, 0) as revised_share,
    coalesce(revised.revision_count, 0) as revision_count,
    coalesce(revised.upward_count, 0) as upward_count,
    coalesce(revised.revision_sum, 0) / nullif(shown.value_count, 0) as mean_revision,
    coalesce(revised.absolute_sum, 0) / nullif(shown.value_count, 0) as mean_absolute_revision,
    coalesce(revised.absolute_sum, 0) / nullif(shown.level_sum, 0) as relative_mean_absolute_revision,
    coalesce(revised.gone_count, 0) as gone_count,
    revised.last_release_id,
    current_release.release_id
from shown
full join revised using (indicator_code, collection_code, time_period)
cross join ops.current_release;

comment on view marts.mart_revision_statistics is
'Один рядок на показник, збір і період: наскільки нинішні значення відійшли від першої публікації. / One row per indicator, collection and period: how far the present values are from their first publication.';
comment on column marts.mart_revision_statistics.indicator_code is 'Код показника за каталогом. / Code of the indicator in the catalogue.';
comment on column marts.mart_revision_statistics.collection_code is 'Код збору даних (анкети). / Code of the collection (questionnaire).';
comment on column marts.mart_revision_statistics.time_period is 'Звітний період у записі SDMX. / Reference period as SDMX writes it.';
comment on column marts.mart_revision_statistics.value_count is 'Скільки значень показує випуск: громади й статі разом. / How many values the release shows: municipalities and sexes together.';
comment on column marts.mart_revision_statistics.revised_count is 'Скільки з них колись були іншими. / How many of them were another figure once.';
comment on column marts.mart_revision_statistics.revised_share is 'Частка переглянутих значень. / Share of values that were revised.';
comment on column marts.mart_revision_statistics.revision_count is 'Скільки разів число замінено іншим. / How many times a figure was replaced by another.';
comment on column marts.mart_revision_statistics.upward_count is 'Скільки значень нині більші, ніж уперше. / How many values are larger now than at first.';
comment on column marts.mart_revision_statistics.mean_revision is 'Середній перегляд (MR): нинішнє мінус перше, по всіх значеннях. / Mean revision (MR): present minus first, over all values.';
comment on column marts.mart_revision_statistics.mean_absolute_revision is 'Середній абсолютний перегляд (MAR). / Mean absolute revision (MAR).';
comment on column marts.mart_revision_statistics.relative_mean_absolute_revision is 'Відносний середній абсолютний перегляд (RMAR): сума абсолютних переглядів до суми модулів нинішніх значень. / Relative mean absolute revision (RMAR): the sum of absolute revisions over that of the present values.';
comment on column marts.mart_revision_statistics.gone_count is 'Скільки значень показували раніше, а тепер ні. / How many values were shown once and are not any more.';
comment on column marts.mart_revision_statistics.last_release_id is 'Випуск, що востаннє замінив число. / The release that last replaced a figure.';
comment on column marts.mart_revision_statistics.release_id is 'Поточний випуск даних. / The current release of the data.';
