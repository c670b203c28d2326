-- What a build that was stopped left behind may stand in some tables and not in others until the next one has ended.
with

builds as (

    select * from {{ source('ops', 'build') }}

),

final as (

    select
        builds.build_id,
        builds.status
    from builds
    left join builds as later on builds.build_id < later.build_id and later.status in ('published', 'unchanged')
    where builds.status not in ('published', 'unchanged', 'running') and later.build_id is null

)

select * from final
