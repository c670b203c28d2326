-- Schemas, their owners and what each role may do in them. Roles themselves are made by
-- asms.warehouse.roles before the first migration, because a password is not a thing for a file.

create schema if not exists ops;
create schema if not exists raw;
create schema if not exists catalogue;
create schema if not exists quality;
create schema if not exists staging authorization asms_transformer;
create schema if not exists indicators authorization asms_transformer;
create schema if not exists build authorization asms_transformer;
create schema if not exists published authorization asms_published_owner;
create schema if not exists marts authorization asms_marts_owner;
revoke all on schema public from public;
grant usage on schema public to asms_loader, asms_transformer, asms_gate, asms_publisher, asms_published_owner, asms_marts_owner;

grant usage on schema ops, raw, catalogue, quality to asms_loader, asms_transformer, asms_gate, asms_publisher;
grant usage on schema staging, indicators, build to asms_gate, asms_publisher;
grant usage on schema published, marts to asms_gate;
grant usage on schema ops, published to asms_marts_owner;
grant usage on schema marts to asms_bi;

-- dbt drops and recreates its tables, so grants on tables would be gone by morning: they are default privileges.
alter default privileges for role asms_transformer in schema staging grant select on tables to asms_gate, asms_publisher;
alter default privileges for role asms_transformer in schema indicators grant select on tables to asms_gate;
alter default privileges for role asms_transformer in schema build grant select on tables to asms_gate, asms_publisher;
alter default privileges for role asms_published_owner in schema published grant select on tables to asms_marts_owner, asms_gate;
alter default privileges for role asms_marts_owner in schema marts grant select on tables to asms_bi, asms_gate;

-- Ukrainian alphabetical order without ICU: code points put ґ є і ї after я, and the wheel has no ICU.
create function public.uk_sort_key(value text) returns text
language sql immutable strict parallel safe
return translate(
    lower(value),
    'абвгґдеєжзиіїйклмнопрстуфхцчшщьюя’''ʼ',
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`a'
);
comment on function public.uk_sort_key(text) is
'Ключ сортування за українською абеткою / sort key in the order of the Ukrainian alphabet';
grant execute on function public.uk_sort_key(text) to public;
