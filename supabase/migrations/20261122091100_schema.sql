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

-- What the doctor asks beside alert_observations, of p_oauth_client (this service's client) and p_scopes (one of them is needed).
-- p_lapsing_seconds: a channel with less left should have been renewed.
--   connections  {seen, connected, lost_in_testing: as a consent screen in testing ends grants, ends_by_itself: Google named an
--                end of the grant, of_other_client, without_scope, in_the_clear: tokens of the original system}
--   keys         {id of an encryption key, in hex: rows that are sealed with it}
--   channels     {calendars, none, lapsed, lapsing} of the active calendars that Google pushes
--   refused      {kind: how many} of the last 24 hours
-- Guarantee: of 10,000 users, of the 10,000 calendars whose channels lapse first and of 10,000 without one, so that a million
-- cost no more; names nobody.
create or replace function public.examine_service(p_lapsing_seconds double precision, p_oauth_client text, p_scopes text[])
returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with at as materialized (select clock_timestamp() as now), held as materialized (
    select g.status, g.status_reason, g.refresh_token, g.refresh_token_expires_at, g.scopes, g.oauth_client
    from public.google_credentials g order by g.user_id limit 10000
  ), sealed as (
    select h.refresh_token as stored from held h where h.status <> 'disconnected' and h.refresh_token is not null
    union all
    (select s.secret from public.event_subscriptions s order by s.id limit 1000)
  ), calendars as materialized (
    (select w.expiration_time from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.retired_at is null
      and w.expiration_time > '-infinity'
    order by w.expiration_time limit 10000)
    union all
    (select null from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.retired_at is null
      and w.expiration_time is null and w.watch_error_code is distinct from 'pushNotSupportedForRequestedResource'
    limit 10000)
  )
  select jsonb_build_object(
    'connections', (
      select jsonb_build_object(
        'seen', count(*),
        'connected', count(*) filter (where h.status = 'connected'),
        'lost_in_testing', count(*) filter (where h.status = 'needs_reauth' and h.status_reason = 'testing_app_expired'),
        'ends_by_itself', count(*) filter (where h.status = 'connected' and h.refresh_token_expires_at is not null),
        'of_other_client', count(*) filter (where h.status = 'connected' and h.oauth_client <> p_oauth_client),
        'without_scope', count(*) filter (
          where h.status = 'needs_reauth' and h.status_reason = 'scope_missing'
            or h.status = 'connected' and cardinality(h.scopes) > 0 and not h.scopes && p_scopes),
        'in_the_clear', count(*) filter (
          where h.status <> 'disconnected' and h.refresh_token is not null and h.refresh_token !~ '^v[12][.]'))
      from held h),
    'keys', (
      select coalesce(jsonb_object_agg(k.id, k.held), '{}') from (
        select encode(substring(decode(translate(substr(s.stored, 4, 8), '-_', '+/'), 'base64') from 1 for 4), 'hex') as id,
          count(*) as held
        from sealed s where s.stored ~ '^v[12][.][A-Za-z0-9_-]{8}' group by 1) k),
    'channels', (
      select jsonb_build_object(
        'calendars', count(*),
        'none', count(*) filter (where c.expiration_time is null),
        'lapsed', count(*) filter (where c.expiration_time <= at.now),
        'lapsing', count(*) filter (
          where c.expiration_time > at.now and c.expiration_time < at.now + make_interval(secs => p_lapsing_seconds)))
      from calendars c cross join at),
    'refused', (
      select coalesce(jsonb_object_agg(e.kind, e.refused), '{}') from (
        select r.kind, sum(r.count) as refused from public.security_events r
        where r.hour > (select at.now from at) - interval '24 hours' group by r.kind) e))
$$;

revoke all on function public.calendar_schema_version, public.inspect_calendar_schema, public.examine_service
  from public, anon, authenticated;
grant execute on function public.calendar_schema_version, public.inspect_calendar_schema, public.examine_service
  to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.calendar_schema_version is 'The version of the newest of these files. A process whose code needs a newer one is not ready.';
comment on function public.inspect_calendar_schema is 'What is not as the migrations left it, of the tables and functions (of schema public) that are named:
  tables_missing, tables_open (no row level security), tables_not_granted (to service_role)
  functions_missing, functions_open (anon or authenticated may execute them), functions_not_granted
  unpublished: tables that front ends listen to and supabase_realtime does not tell; null: there is no such publication
Guarantee: reads the catalog alone, and names nothing that it was not asked about.';
comment on function public.examine_service is 'What the doctor asks beside alert_observations, of p_oauth_client (this service''s client) and p_scopes (one of them is needed).
p_lapsing_seconds: a channel with less left should have been renewed.
  connections  {seen, connected, lost_in_testing: as a consent screen in testing ends grants, ends_by_itself: Google named an
               end of the grant, of_other_client, without_scope, in_the_clear: tokens of the original system}
  keys         {id of an encryption key, in hex: rows that are sealed with it}
  channels     {calendars, none, lapsed, lapsing} of the active calendars that Google pushes
  refused      {kind: how many} of the last 24 hours
Guarantee: of 10,000 users, of the 10,000 calendars whose channels lapse first and of 10,000 without one, so that a million
cost no more; names nobody.';
