-- The one mart that dbt does not build: what was published when, read live, so that it can say that it is stale
-- just when nothing could be published.

set role asms_marts_owner;

create view marts.dim_release as
with changes as (
    select
        release_table.release_id,
        sum(release_table.inserted_count)::bigint as inserted_count,
        sum(release_table.ended_count)::bigint as ended_count
    from ops.release_table
    group by release_table.release_id
)

select
    release.release_id,
    release.published_at,
    release.release_id = current_release.release_id as is_current,
    release.fact_count,
    release.code_version,
    release.catalogue_version,
    release.is_sample,
    release.note,
    made.reason as what_changed,
    changes.inserted_count,
    changes.ended_count,
    case
        when release.release_id = current_release.release_id
            then (
                select min(build.started_at)
                from ops.build
                where
                    build.build_id > release.build_id
                    and build.status in ('gate_closed', 'failed', 'superseded')
                    and build.build_id > coalesce((
                        select max(later.build_id)
                        from ops.build as later
                        where later.status in ('published', 'unchanged')
                    ), 0)
            )
    end as stale_since
from ops.release
cross join ops.current_release
inner join ops.build as made on release.build_id = made.build_id
left join changes on release.release_id = changes.release_id;

comment on view marts.dim_release is
'Один рядок на випуск (реліз) даних. / One row per release of the data.';
comment on column marts.dim_release.release_id is
'Номер випуску, зростає на одиницю. / Number of the release, growing by one.';
comment on column marts.dim_release.published_at is
'Коли випуск опубліковано (UTC). / When the release was published (UTC).';
comment on column marts.dim_release.is_current is
'Чи цей випуск зараз показують вітрини. / Whether the marts show this release now.';
comment on column marts.dim_release.fact_count is
'Кількість рядків fct_indicator_value у випуску. / Rows of fct_indicator_value in the release.';
comment on column marts.dim_release.code_version is
'Версія програми, що побудувала випуск. / Version of the code that built the release.';
comment on column marts.dim_release.catalogue_version is
'Версія каталогу показників. / Version of the catalogue of indicators.';
comment on column marts.dim_release.is_sample is
'Чи це навчальні дані, а не справжні. / Whether this is sample data and not real data.';
comment on column marts.dim_release.note is
'Примітка до випуску. / Note on the release.';
comment on column marts.dim_release.what_changed is
'Що спонукало випуск: нові завантаження або зміна каталогу, правил, моделей. / What led to the release: new loads, or a change of catalogue, rules or models.';
comment on column marts.dim_release.inserted_count is
'Скільки рядків вітрин додано або змінено. / How many rows of the marts came or changed.';
comment on column marts.dim_release.ended_count is
'Скільки рядків вітрин перестали бути чинними. / How many rows of the marts ceased to stand.';
comment on column marts.dim_release.stale_since is
'Відколи нові дані не вдається опублікувати; порожньо, якщо випуск свіжий. / Since when newer data could not be published; empty while the release is fresh.';

reset role;
