-- Both series of every indicator: as reported, and on today's boundaries. What no boundary touched stands once in the marts and
-- is read twice, so the second series costs only what boundaries changed (docs/adr/0012).

-- The body is text, so that the publisher may make its views anew; they are not there yet when this runs. It reads published
-- marts with the reader's own rights and is no security definer: only so the planner puts it into the reader's query and finds
-- one municipality by the index.
set local check_function_bodies = off;
set local role asms_marts_owner;

create function marts.list_indicator_series()
returns table (
    boundary_mode text,
    municipality_code text,
    indicator_code text,
    collection_code text,
    time_period text,
    period_start date,
    sex text,
    obs_value double precision,
    obs_status text,
    status_reason text,
    is_recast boolean,
    is_break boolean,
    unit_measure text,
    unit_mult integer,
    is_derived boolean,
    conf_status text,
    is_sample boolean,
    release_id bigint,
    release_from bigint
)
language sql stable
as $$
select
    'as_reported'::text as boundary_mode,
    fact.municipality_code,
    fact.indicator_code,
    fact.collection_code,
    fact.time_period,
    fact.period_start,
    fact.sex,
    fact.obs_value,
    fact.obs_status,
    fact.status_reason,
    false as is_recast,
    exists (
        select 1
        from marts.mart_boundary_crosswalk as crosswalk
        where
            fact.municipality_code = crosswalk.source_code
            and crosswalk.source_version_no > 1
            and fact.period_start <= crosswalk.source_valid_from
            and crosswalk.source_valid_from < fact.period_start + case
                when fact.time_period like '%Q%' then interval '3 months'
                when length(fact.time_period) = 7 then interval '1 month'
                else interval '1 year'
            end
    ) as is_break,
    fact.unit_measure,
    fact.unit_mult,
    fact.is_derived,
    fact.conf_status,
    fact.is_sample,
    fact.release_id,
    fact.release_from
from marts.fct_indicator_value as fact
union all
select
    'on_current_boundaries'::text as boundary_mode,
    fact.municipality_code,
    fact.indicator_code,
    fact.collection_code,
    fact.time_period,
    fact.period_start,
    fact.sex,
    fact.obs_value,
    fact.obs_status,
    fact.status_reason,
    false as is_recast,
    false as is_break,
    fact.unit_measure,
    fact.unit_mult,
    fact.is_derived,
    fact.conf_status,
    fact.is_sample,
    fact.release_id,
    fact.release_from
from marts.fct_indicator_value as fact
where
    exists (
        select 1
        from marts.mart_boundary_crosswalk as crosswalk
        where fact.municipality_code = crosswalk.source_code and crosswalk.source_valid_to is null
    )
    and not exists (
        select 1
        from marts.fct_indicator_recast as recast
        where
            fact.municipality_code = recast.municipality_code
            and fact.collection_code = recast.collection_code
            and fact.indicator_code = recast.indicator_code
            and fact.time_period = recast.time_period
            and fact.sex = recast.sex
    )
union all
select
    'on_current_boundaries'::text as boundary_mode,
    recast.municipality_code,
    recast.indicator_code,
    recast.collection_code,
    recast.time_period,
    recast.period_start,
    recast.sex,
    recast.obs_value,
    recast.obs_status,
    recast.status_reason,
    true as is_recast,
    recast.is_break,
    recast.unit_measure,
    recast.unit_mult,
    recast.is_derived,
    recast.conf_status,
    recast.is_sample,
    recast.release_id,
    recast.release_from
from marts.fct_indicator_recast as recast
$$;
comment on function marts.list_indicator_series() is
'Рядки fct_indicator_series. / The rows of fct_indicator_series.';
revoke execute on function marts.list_indicator_series() from public;
grant execute on function marts.list_indicator_series() to asms_bi, asms_gate;

create view marts.fct_indicator_series as
select
    boundary_mode,
    municipality_code,
    indicator_code,
    collection_code,
    time_period,
    period_start,
    sex,
    obs_value,
    obs_status,
    status_reason,
    is_recast,
    is_break,
    unit_measure,
    unit_mult,
    is_derived,
    conf_status,
    is_sample,
    release_id,
    release_from
from marts.list_indicator_series();

comment on view marts.fct_indicator_series is
'Один рядок на режим меж, збір, громаду, показник, період і стать: ряди, як подано, і на нинішніх межах; обирайте один режим. / One row per boundary mode, collection, municipality, indicator, period and sex: the series as reported, and on today''s boundaries; choose one mode.';
comment on column marts.fct_indicator_series.boundary_mode is
'as_reported: межі й коди, які були тоді; on_current_boundaries: нинішні межі. / as_reported: the boundaries and codes of then; on_current_boundaries: those of today.';
comment on column marts.fct_indicator_series.municipality_code is
'Код громади за КАТОТТГ; as_reported також код ради (КОАТУУ) чи громади, якої вже немає. / КАТОТТГ code of the hromada; as_reported also the code of a council (КОАТУУ) or of a hromada that is no more.';
comment on column marts.fct_indicator_series.indicator_code is
'Код показника за каталогом. / Code of the indicator in the catalogue.';
comment on column marts.fct_indicator_series.collection_code is
'Код збору даних (анкети): ASMS, TC2018. / Code of the collection (questionnaire): ASMS, TC2018.';
comment on column marts.fct_indicator_series.time_period is
'Звітний період у записі SDMX: 2024, 2024-Q1, 2024-03. / Reference period as SDMX writes it: 2024, 2024-Q1, 2024-03.';
comment on column marts.fct_indicator_series.period_start is
'Перший день звітного періоду. / First day of the reference period.';
comment on column marts.fct_indicator_series.sex is
'Стать: T усього, F жінки, M чоловіки. / Sex: T total, F women, M men.';
comment on column marts.fct_indicator_series.obs_value is
'Значення в одиницях показника; порожнє, якщо значення немає (причина в obs_status). / Value in the unit of the indicator; empty when there is none (obs_status says why).';
comment on column marts.fct_indicator_series.obs_status is
'Стан спостереження; B: ряд на нинішніх межах переривається, E: оцінено за частками. / Status of the observation; B: the series on today''s boundaries breaks, E: estimated by shares.';
comment on column marts.fct_indicator_series.status_reason is
'Чому значення немає, докладніше за obs_status. / Why there is no value, in more detail than obs_status.';
comment on column marts.fct_indicator_series.is_recast is
'Чи значення складено з частин на нинішніх межах, а не взято, як подано. / Whether the value was put together of parts on today''s boundaries and not taken as reported.';
comment on column marts.fct_indicator_series.is_break is
'Чи ряд тут переривається: as_reported, коли в цьому періоді змінилася територія; on_current_boundaries, коли перерахувати не можна. / Whether the series breaks here: as_reported when the territory changed in this period; on_current_boundaries when it cannot be recast.';
comment on column marts.fct_indicator_series.unit_measure is
'Одиниця виміру. / Unit of measure.';
comment on column marts.fct_indicator_series.unit_mult is
'Степінь десяти одиниці. / Power of ten of the unit.';
comment on column marts.fct_indicator_series.is_derived is
'Чи значення обчислено, а не подано. / Whether the value is computed and not reported.';
comment on column marts.fct_indicator_series.conf_status is
'Режим доступу: free вільний, suppress_small малі числа приховують. / Disclosure: free, suppress_small (small counts are hidden).';
comment on column marts.fct_indicator_series.is_sample is
'Чи це навчальні дані, а не справжні. / Whether this is sample data and not real data.';
comment on column marts.fct_indicator_series.release_id is
'Поточний випуск даних. / The current release of the data.';
comment on column marts.fct_indicator_series.release_from is
'Випуск, з якого цей рядок чинний. / The release since which this row stands.';

reset role;
