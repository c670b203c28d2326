-- What is known of each release beside its rows: its manifest, its errata, whether it was pruned; and candidates that are held.

-- 'held': built, audited and waiting for a person; the next build supersedes it.
alter table ops.build drop constraint build_status_check;
alter table ops.build add constraint build_status_check check (
    status in ('running', 'held', 'gate_closed', 'published', 'unchanged', 'failed', 'superseded')
);

-- The rows of a pruned release are gone; that it was, and its hashes, are not.
alter table ops.release add is_pruned boolean not null default false;

create table ops.release_manifest (
    release_id bigint primary key references ops.release,
    manifest jsonb not null,           -- tables with hashes and row counts, catalogue, code, sources: no clock, no counter
    manifest_hash text not null        -- sha256 of the manifest's text
);

-- What was found wrong in a release after it had gone out. Only added to.
create table ops.release_erratum (
    release_id bigint not null references ops.release,
    erratum_no integer not null,
    text text not null,
    noted_by text not null,
    noted_at timestamptz not null default now(),
    primary key (release_id, erratum_no)
);

grant select on ops.release_manifest, ops.release_erratum
to asms_loader, asms_transformer, asms_gate, asms_publisher, asms_marts_owner;
grant insert on ops.release_manifest, ops.release_erratum to asms_publisher;

set local role asms_marts_owner;

create or replace view marts.dim_release as
with changes as (
    select
        release_table.release_id,
        sum(release_table.inserted_count)::bigint as inserted_count,
        sum(release_table.ended_count)::bigint as ended_count
    from ops.release_table
    group by release_table.release_id
),

errata as (
    select
        release_erratum.release_id,
        string_agg(release_erratum.text, E'\n' order by release_erratum.erratum_no) as errata
    from ops.release_erratum
    group by release_erratum.release_id
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
    end as stale_since,
    release.is_pruned,
    release_manifest.manifest_hash,
    errata.errata
from ops.release
cross join ops.current_release
inner join ops.build as made on release.build_id = made.build_id
left join changes on release.release_id = changes.release_id
left join ops.release_manifest on release.release_id = release_manifest.release_id
left join errata on release.release_id = errata.release_id;

comment on column marts.dim_release.is_pruned is
'Чи рядки цього випуску прибрано за правилом зберігання. / Whether the rows of this release were pruned by the retention rule.';
comment on column marts.dim_release.manifest_hash is
'Хеш маніфесту: однакові сирі дані й програма дають однаковий. / Hash of the manifest: equal raw data and code give an equal one.';
comment on column marts.dim_release.errata is
'Що у випуску виявлено хибним після публікації. / What was found wrong in the release after it had gone out.';

reset role;
