-- Statistics of what loads write. A build follows its loads at once, before autovacuum looks: without statistics the first gate's
-- queries join loads and rows by nested loops (20 s of CPU in place of 1 s over a national cycle). Owners alone may analyse.
create function ops.refresh_statistics() returns void
language plpgsql security definer set search_path = pg_catalog
as $$
declare
    stale record;
begin
    for stale in
        select format('%I.%I', schemaname, relname) as table_name
        from pg_stat_user_tables
        where schemaname in ('raw', 'ops', 'quality') and n_mod_since_analyze > 50 + 0.1 * n_live_tup
    loop
        execute 'analyze ' || stale.table_name;
    end loop;
end;
$$;

revoke all on function ops.refresh_statistics() from public;
grant execute on function ops.refresh_statistics() to asms_publisher;
