-- What a user is told, once: that his grant is dead, that a calendar cannot be read, that it works again. Front ends read it under
-- RLS, or listen to it through Realtime.

create table if not exists public.user_notifications (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  kind text not null,
  reason text not null,
  message text not null,
  calendar_id uuid references public.calendar_webhooks (id) on delete cascade,
  created_at timestamptz not null default now(),
  read_at timestamptz,
  resolved_at timestamptz,
  constraint user_notifications_kind check (kind in ('reconnect_needed', 'reconnected', 'calendar_lost', 'calendar_back'))
);

-- a user's notifications, newest first
create index if not exists user_notifications_of_user on public.user_notifications (user_id, created_at desc);
create index if not exists user_notifications_of_calendar on public.user_notifications (calendar_id);
-- Told once: one open notification of a kind per user and calendar.
create unique index if not exists user_notifications_open
  on public.user_notifications (user_id, kind, coalesce(calendar_id, '00000000-0000-0000-0000-000000000000'))
  where resolved_at is null and kind in ('reconnect_needed', 'calendar_lost');

alter table public.user_notifications enable row level security;
revoke all on table public.user_notifications from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.user_notifications to service_role;
-- A user reads his own, and may mark them as read; nothing else of them is his to change.
grant select, update (read_at) on table public.user_notifications to authenticated;
drop policy if exists users_read_their_notifications on public.user_notifications;
create policy users_read_their_notifications on public.user_notifications
  for select to authenticated using ((select auth.uid()) = user_id);
drop policy if exists users_mark_their_notifications on public.user_notifications;
create policy users_mark_their_notifications on public.user_notifications
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

do $$
begin
  if exists (select 1 from pg_catalog.pg_publication where pubname = 'supabase_realtime' and not puballtables)
    and not exists (
      select 1 from pg_catalog.pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'user_notifications')
  then
    alter publication supabase_realtime add table public.user_notifications;
  end if;
exception when insufficient_privilege then
  raise notice 'supabase_realtime belongs to another role: add user_notifications to it in the dashboard';
end
$$;

-- Tells a user; what he was told already and is still so is not told again.
create or replace function calendar_internal.tell_user(
  p_user_id uuid, p_kind text, p_reason text, p_message text, p_calendar_id uuid default null
) returns void
language sql security invoker set search_path = ''
as $$
  insert into public.user_notifications (user_id, kind, reason, message, calendar_id)
  values (p_user_id, p_kind, p_reason, p_message, p_calendar_id)
  on conflict do nothing
$$;

-- Ends what a user was told of a kind. True if he had been told.
create or replace function calendar_internal.resolve_told(p_user_id uuid, p_kind text, p_calendar_id uuid default null)
returns boolean
language sql security invoker set search_path = ''
as $$
  with resolved as (
    update public.user_notifications n set resolved_at = clock_timestamp()
    where n.user_id = p_user_id and n.kind = p_kind and n.resolved_at is null
      and n.calendar_id is not distinct from p_calendar_id
    returning 1
  )
  select exists (select 1 from resolved)
$$;

-- For the service alone.
revoke all on function
  calendar_internal.tell_user,
  calendar_internal.resolve_told
from public, anon, authenticated;
grant execute on function
  calendar_internal.tell_user,
  calendar_internal.resolve_told
to service_role;
