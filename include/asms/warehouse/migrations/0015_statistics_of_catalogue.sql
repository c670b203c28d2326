-- The catalogue too: its first build follows its first loading at once, and without statistics the arrays of inputs that rules
-- and formulas are computed from are joined by nested loops (10 s in place of half a second on the shipped sample).
create or replace function ops.refresh_statistics() returns void
language plpgsql security definer set search_path = pg_catalog
as $$
declare
    stale record;
begin
    for stale in
        select format('%I.%I', schemaname, relname) as table_name
        from pg_stat_user_tables
        where schemaname in ('raw', 'ops', 'quality', 'catalogue') and n_mod_since_analyze > 50 + 0.1 * n_live_tup
    loop
        execute 'analyze ' || stale.table_name;
    end loop;
end;
$$;
