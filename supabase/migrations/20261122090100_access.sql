-- Access: who may touch which table. Hosted projects grant nothing by default any more, not even to service_role, and
-- older ones granted everything to everybody: both end here.
--
-- service_role  everything the functions do (they run as their caller)
-- authenticated reads its own calendars, meetings and sync logs
-- anon          nothing
-- Tokens, channels and the mirror are for the service alone.

do $$
declare
  relation text;
  old record;
begin
  foreach relation in array array[
    'google_credentials', 'calendar_webhooks', 'calendar_channels', 'calendar_events', 'meetings', 'calendar_sync_logs']
  loop
    execute format('alter table public.%I enable row level security', relation);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', relation);
    execute format('grant select, insert, update, delete on table public.%I to service_role', relation);
    -- A policy of the original system could let a user write what only the calendar may say.
    for old in
      select policyname from pg_catalog.pg_policies where schemaname = 'public' and tablename = relation
    loop
      execute format('drop policy %I on public.%I', old.policyname, relation);
    end loop;
  end loop;
end
$$;

-- An original table may number its rows from a sequence, which had grants of its own.
do $$
declare
  owned record;
begin
  for owned in
    select d.objid::regclass as sequence
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjid in (
      'public.google_credentials'::regclass, 'public.calendar_webhooks'::regclass, 'public.meetings'::regclass,
      'public.calendar_sync_logs'::regclass)
  loop
    execute format('revoke all on sequence %s from public, anon, authenticated, service_role', owned.sequence);
    execute format('grant usage on sequence %s to service_role', owned.sequence);
  end loop;
end
$$;

grant select on table public.calendar_webhooks, public.meetings, public.calendar_sync_logs to authenticated;

create policy users_read_their_calendars on public.calendar_webhooks
  for select to authenticated using ((select auth.uid()) = user_id);
create policy users_read_their_meetings on public.meetings
  for select to authenticated using ((select auth.uid()) = user_id);
create policy users_read_their_sync_logs on public.calendar_sync_logs
  for select to authenticated using ((select auth.uid()) = user_id);

-- Helpers of the sync functions live where PostgREST does not look.
create schema if not exists calendar_internal;
revoke all on schema calendar_internal from public, anon, authenticated;
grant usage on schema calendar_internal to service_role;
