-- Which of two readings of one delivery is in force is asked by loaded_at. A clock that was put back between them must not put
-- the newer reading behind the older one.

create function ops.keep_loads_in_order() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.loaded_at := greatest(new.loaded_at, (
        select max(load.loaded_at) + interval '1 microsecond'
        from ops.load
        where load.source = new.source and load.delivery_id = new.delivery_id
    ));
    return new;
end
$$;

create trigger keep_loads_in_order before insert on ops.load
for each row execute function ops.keep_loads_in_order();
