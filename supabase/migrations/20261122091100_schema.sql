-- Schema: what the service asks of a database to know that it is the right one, and set up as it must be.
--
-- The last file, always: its version is the newest. The history of migrations cannot tell: it is its owner's, and a company
-- that has this project's files in its own repository has them under other versions.

-- The version of the newest of these files. A process whose code needs a newer one is not ready.
create or replace function public.calendar_schema_version() returns bigint
language sql immutable security invoker set search_path = ''
as $$
  select 20261122091100
$$;

-- What is not as the migrations left it, of the tables and functions (of schema public) that are named:
--   tables_missing, tables_open (no row level security), tables_not_granted (to service_role)
--   functions_missing, functions_open (anon or authenticated may execute them), functions_not_granted
--   unpublished: tables that front ends listen to and supabase_realtime does not tell; null: there is no such publication
-- Guarantee: reads the catalog alone, and names nothing that it was not asked about.
create or replace function public.inspect_calendar_schema(p_tables text[], p_functions text[]) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with named as (
    select t.name, c.oid, c.relrowsecurity from unnest(p_tables) t(name)
    left join pg_catalog.pg_class c
      on c.relname = t.name and c.relnamespace = 'public'::pg_catalog.regnamespace and c.relkind in ('r', 'p')
  ), routines as (
    select f.name, p.oid from unnest(p_functions) f(name)
    left join pg_catalog.pg_proc p on p.proname = f.name and p.pronamespace = 'public'::pg_catalog.regnamespace
  )
  select jsonb_build_object(
    'tables_missing', (select coalesce(jsonb_agg(n.name order by n.name), '[]') from named n where n.oid is null),
    'tables_open', (select coalesce(jsonb_agg(n.name order by n.name), '[]') from named n where not n.relrowsecurity),
    'tables_not_granted', (
      select coalesce(jsonb_agg(n.name order by n.name), '[]') from named n
      where n.oid is not null and not pg_catalog.has_table_privilege('service_role', n.oid, 'select')),
    'functions_missing', (select coalesce(jsonb_agg(r.name order by r.name), '[]') from routines r where r.oid is null),
    'functions_open', (
      select coalesce(jsonb_agg(distinct r.name), '[]') from routines r
      where pg_catalog.has_function_privilege('anon', r.oid, 'execute')
        or pg_catalog.has_function_privilege('authenticated', r.oid, 'execute')),
    'functions_not_granted', (
      select coalesce(jsonb_agg(distinct r.name), '[]') from routines r
      where r.oid is not null and not pg_catalog.has_function_privilege('service_role', r.oid, 'execute')),
    'unpublished', (
      select case when p.puballtables then '[]' else (
        select coalesce(jsonb_agg(u.name order by u.name), '[]')
        from unnest(array['calendar_webhooks', 'meetings', 'user_notifications']) u(name)
        where not exists (
          select 1 from pg_catalog.pg_publication_rel r join pg_catalog.pg_class c on c.oid = r.prrelid
          where r.prpubid = p.oid and c.relname = u.name and c.relnamespace = 'public'::pg_catalog.regnamespace)) end
      from pg_catalog.pg_publication p where p.pubname = 'supabase_realtime'))
$$;

revoke all on function public.calendar_schema_version, public.inspect_calendar_schema from public, anon, authenticated;
grant execute on function public.calendar_schema_version, public.inspect_calendar_schema to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.calendar_schema_version is 'The version of the newest of these files. A process whose code needs a newer one is not ready.';
comment on function public.inspect_calendar_schema is 'What is not as the migrations left it, of the tables and functions (of schema public) that are named:
  tables_missing, tables_open (no row level security), tables_not_granted (to service_role)
  functions_missing, functions_open (anon or authenticated may execute them), functions_not_granted
  unpublished: tables that front ends listen to and supabase_realtime does not tell; null: there is no such publication
Guarantee: reads the catalog alone, and names nothing that it was not asked about.';
