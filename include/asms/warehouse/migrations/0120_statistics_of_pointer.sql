-- Every view of the marts joins ops.current_release. A table without statistics is taken for 2,200 rows, and one of a single
-- row is never analysed by itself, so readers' joins were planned for a thousand times what they meet (a series of 158 thousand
-- rows took 4.6 s in place of 0.2).
create function ops.refresh_pointer_statistics() returns void
language plpgsql security definer set search_path = pg_catalog
as $$
begin
    analyze ops.current_release;
end;
$$;
revoke all on function ops.refresh_pointer_statistics() from public;
grant execute on function ops.refresh_pointer_statistics() to asms_publisher;
analyze ops.current_release;
