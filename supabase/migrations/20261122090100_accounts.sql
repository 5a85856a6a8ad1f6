-- Accounts: what users are told, their grants, how they connect, choose, leave and are erased.

-- Deleting a user ----------------------------------------------------------------------------------------------------

-- Keeps a user from being deleted until the transaction ends; one whose deletion runs is waited for. Called before any other lock
-- by whoever locks rows of theirs and then inserts: an insert asks for this lock by its foreign key, but by then the deletion may
-- hold the user and wait for the rows, in a circle.
-- Security definer: nobody but the owner of the migrations may lock rows of auth.users. It tells nothing.
create or replace function calendar_internal.hold_user(p_user_id uuid) returns void
language sql security definer set search_path = ''
as $$
  select 1 from auth.users u where u.id = p_user_id for key share
$$;
comment on function calendar_internal.hold_user is
  'Keeps a user from being deleted until the transaction ends. Comes before every other lock.';

-- The same for the user of a calendar.
create or replace function calendar_internal.hold_user_of(p_calendar_id uuid) returns void
language sql security invoker set search_path = ''
as $$
  select calendar_internal.hold_user(w.user_id) from public.calendar_webhooks w where w.id = p_calendar_id
$$;
comment on function calendar_internal.hold_user_of is
  'Keeps a calendar''s user from being deleted until the transaction ends. Comes before every other lock.';

-- The same for whoever works for many users and may wait for none. False: they are being deleted, or gone.
-- Security definer, as hold_user.
create or replace function calendar_internal.hold_free_user(p_user_id uuid) returns boolean
language plpgsql security definer set search_path = ''
as $$
begin
  perform 1 from auth.users u where u.id = p_user_id for key share skip locked;
  return found;
end
$$;
comment on function calendar_internal.hold_free_user is
  'Keeps a user from being deleted until the transaction ends, unless they are being deleted. Waits for nobody.';

-- Whether a row of a calendar, which p_xmin wrote last, may be written while it is locked, by whoever works for many users: not one
-- that this transaction has written already while its user or its calendar is being deleted, for it would ask for them by its
-- foreign keys. They are held then until the transaction ends. Waits for nobody.
create or replace function calendar_internal.may_write(p_xmin xid, p_calendar_id uuid) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_user_id uuid;
begin
  if p_xmin is distinct from pg_catalog.pg_current_xact_id_if_assigned()::xid then
    return true;
  end if;
  select w.user_id into v_user_id from public.calendar_webhooks w where w.id = p_calendar_id for key share skip locked;
  return found and calendar_internal.hold_free_user(v_user_id);
end
$$;
comment on function calendar_internal.may_write is
  'Whether a row of a calendar may be written without waiting for who deletes it or its user. Waits for nobody.';

-- A user's account as a whole: them, whatever else changes it, and their calendars, by id. Whoever begins so waits afterwards only
-- for those who themselves wait for nobody.
create or replace function calendar_internal.hold_account(p_user_id uuid) returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  perform calendar_internal.hold_user(p_user_id);
  -- Also where there is no row to lock yet.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_user_id::text, 0));
  perform 1 from public.calendar_webhooks w where w.user_id = p_user_id order by w.id for no key update;
end
$$;
comment on function calendar_internal.hold_account is
  'Locks a user, the changes of their account, and their calendars. Comes before every other lock.';

-- For the service alone.
revoke all on function
  calendar_internal.hold_user,
  calendar_internal.hold_user_of,
  calendar_internal.hold_free_user,
  calendar_internal.may_write,
  calendar_internal.hold_account
from public, anon, authenticated;
grant execute on function
  calendar_internal.hold_user,
  calendar_internal.hold_user_of,
  calendar_internal.hold_free_user,
  calendar_internal.may_write,
  calendar_internal.hold_account
to service_role;


-- What users are told ------------------------------------------------------------------------------------------------

-- What a user is told, once: which Google account was connected, that their grant is dead, that a calendar cannot be read,
-- that it works again. Front ends read it under RLS, or listen to it through Realtime.

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
  -- When its mail may be sent: its lease and its backoff.
  mail_after timestamptz not null default now(),
  mailed_at timestamptz,
  -- Whose Google account it is about, where that is not simply the one connected now: whoever connects another one, or
  -- leaves, within the minute must not keep the mail from the account's owner.
  mail_to text,
  constraint user_notifications_kind check (
    kind in ('connected', 'reconnect_needed', 'reconnected', 'calendar_lost', 'calendar_back'))
);
comment on table public.user_notifications is 'What users are told, once. Users read their own and mark them as read.';
comment on column public.user_notifications.id is 'The notification''s id.';
comment on column public.user_notifications.user_id is 'Who is told.';
comment on column public.user_notifications.kind is 'What it is about.';
comment on column public.user_notifications.reason is 'Its stable code.';
comment on column public.user_notifications.message is 'A sentence for the user.';
comment on column public.user_notifications.calendar_id is 'The calendar it is about, if one.';
comment on column public.user_notifications.created_at is 'When it was told.';
comment on column public.user_notifications.read_at is 'When its user read it.';
comment on column public.user_notifications.resolved_at is 'When it held no more.';
comment on column public.user_notifications.mail_after is 'When its mail may be sent: a lease and a backoff.';
comment on column public.user_notifications.mailed_at is 'When it was mailed.';
comment on column public.user_notifications.mail_to is
  'The address its mail goes to; null: that of the Google account that is connected then.';

-- a user's notifications, newest first
create index if not exists user_notifications_of_user on public.user_notifications (user_id, created_at desc);
create index if not exists user_notifications_of_calendar on public.user_notifications (calendar_id);
-- Told once: one open notification of a kind per user and calendar.
create unique index if not exists user_notifications_open
  on public.user_notifications (user_id, kind, coalesce(calendar_id, '00000000-0000-0000-0000-000000000000'))
  where resolved_at is null and kind in ('reconnect_needed', 'calendar_lost');

-- claim_unmailed_notifications
create index if not exists user_notifications_unmailed on public.user_notifications (mail_after)
  where mailed_at is null and (resolved_at is null or mail_to is not null);

alter table public.user_notifications enable row level security;
revoke all on table public.user_notifications from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.user_notifications to service_role;
-- Users read their own, and may mark them as read; nothing else of them is theirs to change. Kept back: how they are mailed.
grant select (id, user_id, kind, reason, message, calendar_id, created_at, read_at, resolved_at)
on table public.user_notifications to authenticated;
grant update (read_at) on table public.user_notifications to authenticated;
drop policy if exists users_read_their_notifications on public.user_notifications;
create policy users_read_their_notifications on public.user_notifications
  for select to authenticated using ((select auth.uid()) = user_id);
drop policy if exists users_mark_their_notifications on public.user_notifications;
create policy users_mark_their_notifications on public.user_notifications
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
comment on policy users_read_their_notifications on public.user_notifications is 'Users see what they themselves were told.';
comment on policy users_mark_their_notifications on public.user_notifications is
  'Users mark what they were told as read; the grant is for that column alone.';

-- Tells a user; what they were told already and is still so is not told again.
create or replace function calendar_internal.tell_user(
  p_user_id uuid, p_kind text, p_reason text, p_message text, p_calendar_id uuid default null, p_mail_to text default null
) returns void
language sql security invoker set search_path = ''
as $$
  insert into public.user_notifications (user_id, kind, reason, message, calendar_id, mail_to)
  values (p_user_id, p_kind, p_reason, p_message, p_calendar_id, p_mail_to)
  on conflict do nothing
$$;

-- Ends what a user was told of a kind. True if they had been told.
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


-- Mail ---------------------------------------------------------------------------------------------------------------

-- Mail to users: what they must not miss, sent to the address of the Google account that it is about.

-- Leases up to p_limit notifications that a user must not miss and that were not mailed, if they still hold, or name whom
-- they are for: an account's owner learns that it was connected also once it is no more. What is older
-- than p_oldest_seconds is not mailed any more: mail that was switched on today is not about last month.
create or replace function public.claim_unmailed_notifications(
  p_limit integer, p_lease_seconds integer, p_oldest_seconds integer
) returns table (notification_id uuid, address text, kind text, message text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  with unmailed as materialized (
    select n.id from public.user_notifications n
    where n.mailed_at is null and (n.resolved_at is null or n.mail_to is not null) and n.mail_after <= v_now
      and n.kind in ('connected', 'reconnect_needed', 'calendar_lost')
      and n.created_at > v_now - make_interval(secs => p_oldest_seconds)
    order by n.mail_after
    limit least(greatest(p_limit, 0), 100)
    for update skip locked
  ), claimed as (
    update public.user_notifications n set mail_after = v_now + make_interval(secs => p_lease_seconds)
    from unmailed where unmailed.id = n.id
    returning n.id, n.user_id, n.kind, n.message, n.mail_to
  )
  select c.id, coalesce(c.mail_to, g.google_account), c.kind, c.message
  from claimed c
  left join public.google_credentials g on g.user_id = c.user_id
  where coalesce(c.mail_to, g.google_account) is not null;
end
$$;

-- It was sent. A mail whose process died before this is sent once more: better twice than never.
create or replace function public.mark_mailed(p_notification_id uuid) returns void
language sql security invoker set search_path = ''
as $$
  update public.user_notifications n set mailed_at = clock_timestamp() where n.id = p_notification_id
$$;

-- For the service alone.
revoke all on function
  public.claim_unmailed_notifications,
  public.mark_mailed
from public, anon, authenticated;
grant execute on function
  public.claim_unmailed_notifications,
  public.mark_mailed
to service_role;


-- Connections --------------------------------------------------------------------------------------------------------

-- Connections: a user's grant and the calendars it opens. Tokens arrive and leave as ciphertext.

-- Takes calendars into watching, as a step of connecting or of choosing: new ones, and those that were watched no more. They wait
-- p_watch_seconds for their watch.
create or replace function calendar_internal.take_calendars(
  p_user_id uuid, p_google_calendar_ids text[], p_watch_seconds integer
) returns void
language sql security invoker set search_path = ''
as $$
  insert into public.calendar_webhooks as w (user_id, google_calendar_id, is_active, due_at, due_reason)
  select p_user_id, wanted.id, true, clock_timestamp() + make_interval(secs => p_watch_seconds), 'connected'
  from (select distinct unnest(p_google_calendar_ids) as id) wanted
  on conflict (user_id, google_calendar_id) where duplicate_of is null do update set
    is_active = true, watch_retry_at = null, retired_at = null, updated_at = clock_timestamp(),
    due_at = case when w.is_active then least(w.due_at, excluded.due_at) else excluded.due_at end
$$;

-- A user's connection works (again): the plea to reconnect is settled, and everything that the lost or suspected grant held
-- up goes on, caught up at once.
create or replace function calendar_internal.resume_connection(p_user_id uuid, p_was_suspected boolean) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if calendar_internal.resolve_told(p_user_id, 'reconnect_needed') then
    perform calendar_internal.tell_user(
      p_user_id, 'reconnected', 'reconnected', 'Your calendar is connected again. What changed meanwhile is being caught up.');
  end if;
  update public.calendar_webhooks w set
    paused_reason = null, paused_at = null, retired_at = null, due_at = least(w.due_at, v_now), not_before = null, watch_retry_at = null,
    due_reason = 'reconnected', consecutive_failures = 0, updated_at = v_now
  where w.user_id = p_user_id
    and (w.paused_reason is not null or (p_was_suspected and w.consecutive_failures > 0 and w.lease_expires_at is null));
end
$$;
comment on function calendar_internal.resume_connection is
  'Ends every pause that a lost grant caused, and settles the plea to reconnect.';

-- Nobody could say whose account a new grant is of: every calendar of the user is watched anew, for the new channel's resource
-- tells whether it is the calendar it was, and `primary`, which may be another one now, is listed anew. A sync of it that runs with
-- the grant before commits nothing.
create or replace function calendar_internal.doubt_calendars(p_user_id uuid) returns void
language sql security invoker set search_path = ''
as $$
  update public.calendar_webhooks w set
    expiration_time = clock_timestamp(), watch_retry_at = null,
    sync_token = case when w.google_calendar_id = 'primary' then null else w.sync_token end,
    fence = w.fence + (w.google_calendar_id = 'primary')::integer,
    committed_fence = case when w.google_calendar_id = 'primary' then w.fence + 1 else w.committed_fence end,
    lease_expires_at = case when w.google_calendar_id = 'primary' then null else w.lease_expires_at end,
    due_at = case when w.google_calendar_id = 'primary' then clock_timestamp() else w.due_at end,
    due_reason = case when w.google_calendar_id = 'primary' then 'connected' else w.due_reason end,
    updated_at = clock_timestamp()
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
$$;
comment on function calendar_internal.doubt_calendars is
  'Has a user''s calendars watched anew, and the primary one listed anew: it may be that of another account.';

-- Connects a user (again): stores the grant, takes the named calendars into watching, ends every pause that the lost
-- grant caused. The calendars wait p_watch_seconds for their watch to be opened before anyone lists them: a change
-- between a listing and a later watch would be announced by nobody. p_notice: what the user is told, if this Google account
-- is not connected to them already.
create or replace function public.connect_calendars(
  p_user_id uuid, p_google_calendar_ids text[], p_refresh_token text, p_access_token text,
  p_access_token_expires_at timestamptz, p_scopes text[], p_watch_seconds integer,
  p_refresh_token_expires_at timestamptz default null, p_google_account text default null,
  p_oauth_client text default null, p_notice text default null
) returns table (calendar_id uuid, google_calendar_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_was_suspected boolean;
begin
  -- Connecting and losing a connection are one after the other, also where there is no row to lock yet: a loss that ran
  -- alongside would not see the new grant and would pause what it has just resumed.
  perform calendar_internal.hold_account(p_user_id);
  -- Another Google account: its primary calendar is another one under the same name. All begin anew.
  if exists (
    select 1 from public.google_credentials g
    where g.user_id = p_user_id and coalesce(g.google_account, g.former_account) <> p_google_account
  ) then
    perform calendar_internal.leave_calendars(
      array(select w.id from public.calendar_webhooks w where w.user_id = p_user_id and w.duplicate_of is null),
      'keep', 'account_changed');
  end if;
  select g.suspected_at is not null into v_was_suspected from public.google_credentials g where g.user_id = p_user_id;
  if p_notice is not null and not exists (
    select 1 from public.google_credentials g
    where g.user_id = p_user_id and g.status <> 'disconnected'
      and coalesce(g.google_account, g.former_account) is not distinct from p_google_account
  ) then
    perform calendar_internal.tell_user(p_user_id, 'connected', 'connected', p_notice, p_mail_to => p_google_account);
  end if;
  insert into public.google_credentials as g (
    user_id, google_account, refresh_token, refresh_token_expires_at, access_token, access_token_expires_at, scopes, status,
    status_reason, status_at, oauth_client)
  values (
    p_user_id, p_google_account, p_refresh_token, p_refresh_token_expires_at, p_access_token, p_access_token_expires_at, p_scopes,
    'connected', null, v_now, p_oauth_client)
  on conflict (user_id) do update set
    google_account = excluded.google_account,
    former_account = case when excluded.google_account is null then coalesce(g.google_account, g.former_account) end,
    refresh_token = excluded.refresh_token, refresh_token_expires_at = excluded.refresh_token_expires_at,
    access_token = excluded.access_token,
    access_token_expires_at = excluded.access_token_expires_at, scopes = excluded.scopes,
    status = 'connected', status_reason = null, status_at = v_now, updated_at = v_now,
    suspected_at = null, oauth_client = excluded.oauth_client;

  -- With a new grant all of the user's calendars go on, also those that are not named now.
  perform calendar_internal.resume_connection(p_user_id, coalesce(v_was_suspected, false));

  if p_google_account is null then
    perform calendar_internal.doubt_calendars(p_user_id);
  end if;
  perform calendar_internal.take_calendars(p_user_id, p_google_calendar_ids, p_watch_seconds);
  -- A connection proves its channels: one may have died unheard, or be another account's.
  update public.calendar_webhooks w set expiration_time = v_now
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
    and w.google_calendar_id = any (p_google_calendar_ids);

  -- Meetings of the original system belong to the primary calendar.
  update public.meetings m set calendar_id = w.id
  from public.calendar_webhooks w
  where w.user_id = p_user_id and w.google_calendar_id = 'primary' and w.duplicate_of is null
    and m.user_id = p_user_id and m.calendar_id is null and m.google_calendar_event_id is not null
    and not exists (
      select 1 from public.meetings n
      where n.user_id = m.user_id and n.google_calendar_event_id = m.google_calendar_event_id
        and (n.calendar_id = w.id
          or (n.calendar_id is null and (n.created_at, n.id::text) > (m.created_at, m.id::text))));

  return query
  select w.id, w.google_calendar_id from public.calendar_webhooks w
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
    and w.google_calendar_id = any (p_google_calendar_ids)
  order by w.google_calendar_id;
end
$$;

-- Leave to refresh, for one worker at a time. may_refresh false with an access token: another worker has brought a new one
-- since p_seen_access_token; without one: another worker is at it, ask again soon. A worker that dies holds others up for
-- p_lease_seconds only.
create or replace function public.begin_refresh(
  p_user_id uuid, p_used_refresh_token text, p_seen_access_token text, p_lease_seconds integer
) returns table (may_refresh boolean, access_token text, access_token_expires_at timestamptz, refresh_token text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_row public.google_credentials;
begin
  select * into v_row from public.google_credentials g where g.user_id = p_user_id for update;
  if not found or v_row.refresh_token is null then
    return query select true, null::text, null::timestamptz, null::text;
    return;
  end if;
  if v_row.access_token is distinct from p_seen_access_token and v_row.access_token_expires_at > v_now then
    return query select false, v_row.access_token, v_row.access_token_expires_at, v_row.refresh_token;
    return;
  end if;
  if v_row.refresh_lease_until > v_now then
    return query select false, null::text, null::timestamptz, null::text;
    return;
  end if;
  update public.google_credentials g set refresh_lease_until = v_now + make_interval(secs => p_lease_seconds)
  where g.user_id = p_user_id;
  return query select true, null::text, null::timestamptz, v_row.refresh_token;
end
$$;

-- Gives the leave to refresh back: the token endpoint did not answer, and the next one may try.
create or replace function public.release_refresh(p_user_id uuid) returns void
language sql security invoker set search_path = ''
as $$
  update public.google_credentials g set refresh_lease_until = null where g.user_id = p_user_id
$$;

-- Keeps a fresh access token for all processes, a refresh token that Google rotated, and the OAuth client they were given to.
-- They are kept only if the refresh token still is the one that was used: a reconnection in between wins. Whatever was
-- suspected of the grant is over.
create or replace function public.save_tokens(
  p_user_id uuid, p_used_refresh_token text, p_access_token text, p_access_token_expires_at timestamptz,
  p_refresh_token text default null, p_oauth_client text default null
) returns boolean
language sql security invoker set search_path = ''
as $$
  with saved as (
    update public.google_credentials g set
      access_token = p_access_token, access_token_expires_at = p_access_token_expires_at,
      refresh_token = coalesce(p_refresh_token, g.refresh_token), refresh_lease_until = null,
      suspected_at = null, oauth_client = coalesce(p_oauth_client, g.oauth_client),
      updated_at = clock_timestamp()
    where g.user_id = p_user_id and g.refresh_token = p_used_refresh_token
    returning 1
  )
  select exists (select 1 from saved)
$$;

-- Tokens of up to p_limit users after p_after, for sealing them anew under another key.
create or replace function public.read_tokens(p_after uuid, p_limit integer)
returns table (user_id uuid, access_token text, refresh_token text)
language sql stable security invoker set search_path = ''
as $$
  select g.user_id, g.access_token, g.refresh_token from public.google_credentials g
  where g.user_id > p_after and (g.access_token is not null or g.refresh_token is not null)
  order by g.user_id
  limit least(greatest(p_limit, 0), 500)
$$;

-- Replaces ciphertexts by ciphertexts of the same tokens, unless somebody replaced the tokens meanwhile.
create or replace function public.replace_ciphertext(
  p_user_id uuid, p_old_access_token text, p_access_token text, p_old_refresh_token text, p_refresh_token text
) returns boolean
language sql security invoker set search_path = ''
as $$
  with replaced as (
    update public.google_credentials g set access_token = p_access_token, refresh_token = p_refresh_token
    where g.user_id = p_user_id and g.access_token is not distinct from p_old_access_token
      and g.refresh_token is not distinct from p_old_refresh_token
    returning 1
  )
  select exists (select 1 from replaced)
$$;

-- That no plaintext of the original system is left. Only ever added to: whoever can write google_credentials could else plant
-- a token of another Google account there, without any key, and have that account's calendar shown as somebody's.
create table if not exists public.plaintext_tokens_ended (
  ended_by text primary key,
  ended_at timestamptz not null default now()
);
comment on table public.plaintext_tokens_ended is
  'Whether stored tokens without a mark of encryption are refused: they are, once there is a row.';
comment on column public.plaintext_tokens_ended.ended_by is 'What found none left: the migration, or rotate_keys.';
comment on column public.plaintext_tokens_ended.ended_at is 'When.';
alter table public.plaintext_tokens_ended enable row level security;
revoke all on table public.plaintext_tokens_ended from public, anon, authenticated, service_role;
grant select, insert on table public.plaintext_tokens_ended to service_role;

-- Stores that no plaintext is left, if none is. Answers whether plaintexts are refused from now on.
-- Guarantee: it is never undone.
create or replace function public.end_plaintext_tokens(p_by text)
returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  insert into public.plaintext_tokens_ended (ended_by)
  select p_by
  where not exists (
    select 1 from public.google_credentials g
    where g.access_token !~ '^v[0-9]+[.]' or g.refresh_token !~ '^v[0-9]+[.]')
  on conflict (ended_by) do nothing;
  return exists (select 1 from public.plaintext_tokens_ended);
end
$$;
comment on function public.end_plaintext_tokens is
  'Has stored tokens without a mark of encryption refused from now on, if there are none.';

-- Whether a stored token without a mark of encryption is taken for one of the original system's.
create or replace function public.accepts_plaintext_tokens()
returns boolean
language sql stable security invoker set search_path = ''
as $$
  select not exists (select 1 from public.plaintext_tokens_ended)
$$;
comment on function public.accepts_plaintext_tokens is
  'Whether stored tokens without a mark of encryption are accepted: until none is left of the original system.';

-- A database without the original system's tokens never accepts any.
select public.end_plaintext_tokens('migration');

-- Google refused a refresh token. Once may be a passing fault of its, so the first refusal is only noted, for all processes.
-- Answers what it means: suspected (ask again after p_confirm_seconds) | confirmed (it has been refused before, so long ago:
-- lose_connection) | superseded (the user has reconnected since p_used_refresh_token was read) | other_client (the token
-- worked with another OAuth client than p_oauth_client: a matter of the operator's).
-- Guarantee: however many calendars and processes hear one refusal at once, it stays one.
create or replace function public.suspect_connection(
  p_user_id uuid, p_used_refresh_token text, p_oauth_client text, p_confirm_seconds double precision
) returns table (standing text)
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz;
  v_row public.google_credentials;
begin
  select * into v_row from public.google_credentials g where g.user_id = p_user_id for update;
  v_now := clock_timestamp();
  if not found or v_row.status <> 'connected' then
    return query select 'confirmed'::text;
    return;
  end if;
  if v_row.refresh_token is distinct from p_used_refresh_token then
    return query select 'superseded'::text;
    return;
  end if;
  if v_row.oauth_client <> p_oauth_client then
    return query select 'other_client'::text;
    return;
  end if;
  if v_row.suspected_at <= v_now - make_interval(secs => p_confirm_seconds) then
    return query select 'confirmed'::text;
    return;
  end if;
  update public.google_credentials g set suspected_at = coalesce(g.suspected_at, v_now) where g.user_id = p_user_id;
  return query select 'suspected'::text;
end
$$;
comment on function public.suspect_connection is
  'Notes that Google refused a refresh token, and says whether it is the second time.';

-- The grant is dead: syncing, polling and renewing stop for this user until they reconnect. True only the first time; then
-- they are told, by p_message. A reconnection since p_used_refresh_token was read wins: then nothing changes.
create or replace function public.lose_connection(
  p_user_id uuid, p_reason text, p_used_refresh_token text, p_message text default null
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_first boolean;
begin
  perform calendar_internal.hold_account(p_user_id);
  update public.google_credentials g set
    status = 'needs_reauth', status_reason = p_reason, status_at = v_now, access_token = null,
    access_token_expires_at = null, refresh_lease_until = null, suspected_at = null, updated_at = v_now
  where g.user_id = p_user_id and g.status = 'connected' and g.refresh_token is not distinct from p_used_refresh_token;
  v_first := found;
  if v_first or not exists (
    select 1 from public.google_credentials g where g.user_id = p_user_id and g.status = 'connected'
  ) then
    update public.calendar_webhooks w set paused_reason = 'needs_reauth', paused_at = v_now, updated_at = v_now
    where w.user_id = p_user_id and w.paused_reason is null;
  end if;
  if v_first then
    perform calendar_internal.tell_user(
      p_user_id, 'reconnect_needed', p_reason, coalesce(p_message, 'Connect your calendar again to go on.'));
  end if;
  return v_first;
end
$$;

-- lost_connections
create index if not exists google_credentials_lost on public.google_credentials (user_id)
  where status = 'needs_reauth' and refresh_token is not null;
-- A user's access token is written every hour: in its page.
alter table public.google_credentials set (fillfactor = 90);

-- Up to p_limit users after p_after whose connection was lost though their refresh token is still there: it may work, if the
-- loss was a mistake.
create or replace function public.lost_connections(p_after uuid, p_limit integer)
returns table (user_id uuid, refresh_token text)
language sql stable security invoker set search_path = ''
as $$
  select g.user_id, g.refresh_token from public.google_credentials g
  where g.user_id > p_after and g.status = 'needs_reauth' and g.refresh_token is not null
  order by g.user_id
  limit least(greatest(p_limit, 0), 500)
$$;
comment on function public.lost_connections is 'Users who were asked to reconnect and whose refresh token is still stored.';

-- A lost connection works after all: Google has just given p_access_token for its refresh token. False if it is not lost any
-- more, or if the user has reconnected meanwhile.
create or replace function public.regain_connection(
  p_user_id uuid, p_used_refresh_token text, p_access_token text, p_access_token_expires_at timestamptz,
  p_refresh_token text, p_oauth_client text
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  perform calendar_internal.hold_account(p_user_id);
  update public.google_credentials g set
    status = 'connected', status_reason = null, status_at = clock_timestamp(), updated_at = clock_timestamp(),
    suspected_at = null, oauth_client = p_oauth_client, access_token = p_access_token,
    access_token_expires_at = p_access_token_expires_at, refresh_token = coalesce(p_refresh_token, g.refresh_token)
  where g.user_id = p_user_id and g.status = 'needs_reauth' and g.refresh_token = p_used_refresh_token;
  if not found then
    return false;
  end if;
  perform calendar_internal.resume_connection(p_user_id, false);
  return true;
end
$$;
comment on function public.regain_connection is 'Connects a user again whose connection was lost by mistake.';

-- For the service alone.
revoke all on function
  calendar_internal.take_calendars,
  calendar_internal.doubt_calendars,
  calendar_internal.resume_connection,
  public.connect_calendars,
  public.begin_refresh,
  public.release_refresh,
  public.save_tokens,
  public.read_tokens,
  public.replace_ciphertext,
  public.end_plaintext_tokens,
  public.accepts_plaintext_tokens,
  public.suspect_connection,
  public.lose_connection,
  public.lost_connections,
  public.regain_connection
from public, anon, authenticated;
grant execute on function
  calendar_internal.take_calendars,
  calendar_internal.doubt_calendars,
  calendar_internal.resume_connection,
  public.connect_calendars,
  public.begin_refresh,
  public.release_refresh,
  public.save_tokens,
  public.read_tokens,
  public.replace_ciphertext,
  public.end_plaintext_tokens,
  public.accepts_plaintext_tokens,
  public.suspect_connection,
  public.lose_connection,
  public.lost_connections,
  public.regain_connection
to service_role;


-- Connecting through Google's consent page ---------------------------------------------------------------------------

-- Connecting through Google's consent page: what must be remembered between leaving for it and coming back.

-- One row per flow. The nonce and the handle are stored as hashes, the PKCE verifier and Google's code as ciphertext bound to
-- the user and the nonce: who reads the table can neither forge a return or a completion nor redeem a code.
create table if not exists public.oauth_flows (
  nonce_hash text primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  verifier text not null,
  expires_at timestamptz not null,
  -- The return that took the flow. A repeated call of the same return gets it again, any other is a replay.
  taken_by uuid,
  -- What came back, parked until its user completes it.
  handle_hash text unique,
  code text,
  -- As taken_by, for the completion.
  completed_by uuid,
  created_at timestamptz not null default now()
);
comment on table public.oauth_flows is
  'One row per way through Google''s consent page. Who reads the table can neither forge a return nor redeem a code. For the service alone.';
comment on column public.oauth_flows.nonce_hash is 'SHA-256 of the state''s nonce.';
comment on column public.oauth_flows.user_id is 'Who began it.';
comment on column public.oauth_flows.verifier is 'The PKCE verifier, as ciphertext bound to user and nonce.';
comment on column public.oauth_flows.expires_at is 'When it ends unused.';
comment on column public.oauth_flows.taken_by is 'The return that took it.';
comment on column public.oauth_flows.handle_hash is 'SHA-256 of the handle that the browser was sent back to the app with.';
comment on column public.oauth_flows.code is
  'Google''s code, as ciphertext bound to user and nonce; null when they declined, or another user tried to complete it.';
comment on column public.oauth_flows.completed_by is 'The call that completed it, or was refused for another user.';
comment on column public.oauth_flows.created_at is 'When it was begun.';

-- begin_oauth_flow: what has expired; a user's pending flows
create index if not exists oauth_flows_by_expiry on public.oauth_flows (expires_at);
create index if not exists oauth_flows_of_user on public.oauth_flows (user_id, created_at);

alter table public.oauth_flows enable row level security;
revoke all on table public.oauth_flows from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.oauth_flows to service_role;

-- Remembers a flow for p_seconds. Expired flows go at this occasion, and all but the newest 19 of this user: nobody comes back
-- from more consent pages than that. A repeated call changes nothing.
create or replace function public.begin_oauth_flow(
  p_nonce_hash text, p_user_id uuid, p_verifier text, p_seconds integer
) returns void
language plpgsql security invoker set search_path = ''
as $$
begin
  perform calendar_internal.hold_user(p_user_id);
  delete from public.oauth_flows f where f.nonce_hash in (
    select o.nonce_hash from public.oauth_flows o where o.expires_at <= clock_timestamp()
    order by o.expires_at limit 200 for update skip locked);
  delete from public.oauth_flows f where f.nonce_hash in (
    select o.nonce_hash from public.oauth_flows o where o.user_id = p_user_id and o.nonce_hash <> p_nonce_hash
    order by o.created_at desc offset 19 for update skip locked);
  insert into public.oauth_flows (nonce_hash, user_id, verifier, expires_at)
  values (p_nonce_hash, p_user_id, p_verifier, clock_timestamp() + make_interval(secs => p_seconds))
  on conflict (nonce_hash) do nothing;
end
$$;

-- A browser comes back with a flow: 'ok' to one return only; else 'expired', or 'used' (also when nobody knows it). Nothing
-- is connected by it: the code is parked for p_seconds, under the handle. Without a code (they declined) the flow is over.
-- Guarantee: of any number of returns at once one gets 'ok'; it gets it again when it asks again.
create or replace function public.park_oauth_flow(
  p_nonce_hash text, p_user_id uuid, p_return uuid, p_handle_hash text, p_code text, p_seconds integer
) returns table (outcome text)
language plpgsql security invoker set search_path = ''
as $$
begin
  update public.oauth_flows f set
    taken_by = p_return, handle_hash = p_handle_hash, code = p_code,
    expires_at = clock_timestamp() + make_interval(secs => p_seconds)
  where f.nonce_hash = p_nonce_hash and f.user_id = p_user_id and f.expires_at > clock_timestamp()
    and (f.taken_by is null or f.taken_by = p_return);
  if found then
    return query select 'ok'::text;
    return;
  end if;
  return query select case when exists (
    select 1 from public.oauth_flows f
    where f.nonce_hash = p_nonce_hash and f.user_id = p_user_id and f.taken_by is null
  ) then 'expired' else 'used' end;
end
$$;

-- A signed-in user completes a flow: 'ok' with what is needed to redeem its code, to one call only; else 'expired', 'used'
-- (also when nobody knows the handle), or 'other_user'.
-- Guarantee: of any number of calls at once one gets 'ok'; it gets it again when it asks again. A flow that anybody but its
-- own user tried to complete is completed by nobody: whoever consented was not who began it, and the handle is still in
-- their browser, where they may be talked into passing it on.
create or replace function public.complete_oauth_flow(p_handle_hash text, p_user_id uuid, p_call uuid)
returns table (outcome text, nonce_hash text, verifier text, code text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_flow public.oauth_flows;
begin
  select * into v_flow from public.oauth_flows f where f.handle_hash = p_handle_hash for update;
  if v_flow.user_id <> p_user_id then
    update public.oauth_flows f set code = null, completed_by = p_call where f.handle_hash = p_handle_hash;
    return query select 'other_user'::text, null::text, null::text, null::text;
  elsif v_flow.code is null or v_flow.completed_by <> p_call then
    return query select 'used'::text, null::text, null::text, null::text;
  elsif v_flow.expires_at <= clock_timestamp() then
    return query select 'expired'::text, null::text, null::text, null::text;
  else
    update public.oauth_flows f set completed_by = p_call where f.handle_hash = p_handle_hash;
    return query select 'ok'::text, v_flow.nonce_hash, v_flow.verifier, v_flow.code;
  end if;
end
$$;

-- A user's connection and all their calendars with their watches and first syncs, as one object (PostgREST cuts row sets).
-- Tokens leave as ciphertext, for the service alone.
create or replace function public.read_connection(p_user_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'connection', (
      select jsonb_build_object(
        'status', g.status, 'google_account', g.google_account, 'access_token', g.access_token, 'access_token_expires_at', g.access_token_expires_at,
        'refresh_token', g.refresh_token, 'connected_at', g.status_at,
        'refresh_token_expires_at', g.refresh_token_expires_at)
      from public.google_credentials g where g.user_id = p_user_id),
    'calendars', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'calendar_id', w.id, 'google_calendar_id', w.google_calendar_id, 'is_active', w.is_active is true,
        'is_live', live.is_there is true and w.is_active is true,
        'unwatched_reason', coalesce(w.paused_reason, w.watch_error_code),
        'initial_sync', w.initial_sync, 'initial_events', w.initial_events, 'initial_meetings', w.initial_meetings)
        order by w.google_calendar_id), '[]')
      from public.calendar_webhooks w
      left join lateral (
        select true as is_there from public.calendar_channels c
        where c.calendar_id = w.id and c.state = 'live' and c.expires_at > clock_timestamp() limit 1
      ) live on true
      where w.user_id = p_user_id and w.duplicate_of is null))
$$;

-- For the service alone.
revoke all on function
  public.begin_oauth_flow,
  public.park_oauth_flow,
  public.complete_oauth_flow,
  public.read_connection
from public, anon, authenticated;
grant execute on function
  public.begin_oauth_flow,
  public.park_oauth_flow,
  public.complete_oauth_flow,
  public.read_connection
to service_role;


-- Choosing and leaving -----------------------------------------------------------------------------------------------

-- Choosing and leaving: calendars come and go at the user's wish, a connection ends, and all that is theirs can be given out or erased.

-- unfinished_disconnects
create index if not exists google_credentials_leaving on public.google_credentials (status_at)
  where status = 'disconnected' and (refresh_token is not null or access_token is not null);

-- Stops watching calendars, as one step of the transaction that decided it. Their mirror goes, their sync state begins anew, their
-- channels are to be stopped. p_meetings: 'delete' their rows, or 'keep' them: then what is not over yet is cancelled for
-- p_reason, because nobody keeps it true any more.
-- Guarantee: a sync, a roll or a watch that runs meanwhile commits nothing: the fence moved on.
create or replace function calendar_internal.leave_calendars(p_calendar_ids uuid[], p_meetings text, p_reason text)
returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz;
begin
  -- All rows first, in one order, so that two who leave do not wait in a circle.
  perform 1 from public.calendar_webhooks w where w.id = any (p_calendar_ids) order by w.id for no key update;
  v_now := clock_timestamp();
  update public.calendar_webhooks w set
    is_active = false, fence = w.fence + 1, committed_fence = w.fence + 1, lease_expires_at = null,
    sync_token = null, settings_generation = null, horizon_until = null, next_entry_at = null, last_synced_at = null,
    audited_at = null, series_cut = 0,
    notifications_synced = w.notifications_seen, notified_since = null, not_before = null,
    consecutive_failures = 0, last_error_code = null, access_lost_at = null, paused_reason = null, paused_at = null, retired_at = null,
    webhook_id = null, resource_id = null, expiration_time = null,
    watch_retry_at = null, watch_failures = 0, watch_error_code = null, webhook_failures = 0,
    initial_sync = 'pending', initial_events = 0, initial_meetings = 0, updated_at = v_now
  where w.id = any (p_calendar_ids) and w.is_active;
  update public.calendar_channels c set
    state = case when c.expires_at <= v_now then 'expired' else 'superseded' end,
    stop_after = case when c.expires_at <= v_now then null else v_now end,
    updated_at = v_now
  where c.calendar_id = any (p_calendar_ids) and c.state = 'live';
  delete from public.calendar_events e where e.calendar_id = any (p_calendar_ids);
  delete from public.calendar_staged_items s where s.calendar_id = any (p_calendar_ids);
  delete from public.calendar_set_aside s where s.calendar_id = any (p_calendar_ids);
  if p_meetings = 'delete' then
    delete from public.meetings m where m.calendar_id = any (p_calendar_ids);
  else
    update public.meetings m set status = 'cancelled', status_reason = p_reason, updated_at = v_now
    where m.calendar_id = any (p_calendar_ids) and m.status is distinct from 'cancelled'
      and coalesce(m.end_time, m.start_time) > v_now;
  end if;
  update public.user_notifications n set resolved_at = v_now
  where n.calendar_id = any (p_calendar_ids) and n.resolved_at is null;
end
$$;

-- More calendars of a connected user. Nothing (and no row) for one who is not connected.
create or replace function public.add_calendars(p_user_id uuid, p_google_calendar_ids text[], p_watch_seconds integer)
returns table (calendar_id uuid, google_calendar_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  perform calendar_internal.hold_account(p_user_id);
  if not exists (
    select 1 from public.google_credentials g where g.user_id = p_user_id and g.status = 'connected'
  ) then
    return;
  end if;
  perform calendar_internal.take_calendars(p_user_id, p_google_calendar_ids, p_watch_seconds);
  return query
  select w.id, w.google_calendar_id from public.calendar_webhooks w
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
    and w.google_calendar_id = any (p_google_calendar_ids)
  order by w.google_calendar_id;
end
$$;

-- Calendars the user wants watched no more: their names, and the channels that are to be stopped. A repeated call answers the
-- same and changes nothing.
create or replace function public.remove_calendars(p_user_id uuid, p_google_calendar_ids text[], p_meetings text)
returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_ids uuid[];
begin
  perform calendar_internal.hold_account(p_user_id);
  select coalesce(array_agg(w.id), '{}') into v_ids from public.calendar_webhooks w
  where w.user_id = p_user_id and w.duplicate_of is null and w.google_calendar_id = any (p_google_calendar_ids);
  perform calendar_internal.leave_calendars(v_ids, p_meetings, 'calendar_removed');
  return jsonb_build_object(
    'calendars', (
      select coalesce(jsonb_agg(w.google_calendar_id order by w.google_calendar_id), '[]')
      from public.calendar_webhooks w where w.id = any (v_ids)),
    'channels', (
      select coalesce(jsonb_agg(c.id), '[]') from public.calendar_channels c
      where c.calendar_id = any (v_ids) and c.stop_after is not null and c.resource_id is not null));
end
$$;

-- Ends a user's connection: from here on nothing is claimed, synced, watched or refreshed for them. Answers what is still to be
-- done at Google: the tokens to revoke, and the channels to stop with them. The tokens stay until finish_disconnect, so that a
-- process that dies in between loses nothing: a repeated call gives them again, and unfinished_disconnects finds them.
create or replace function public.begin_disconnect(p_user_id uuid, p_meetings text) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
  v_active integer;
begin
  -- One after the other with connecting and losing a connection.
  perform calendar_internal.hold_account(p_user_id);
  update public.google_credentials g set
    status = 'disconnected', status_reason = 'asked', status_at = v_now, refresh_lease_until = null, updated_at = v_now
  where g.user_id = p_user_id and g.status <> 'disconnected';
  select coalesce(array_agg(w.id), '{}'), count(*) filter (where w.is_active) into v_ids, v_active
  from public.calendar_webhooks w where w.user_id = p_user_id;
  perform calendar_internal.leave_calendars(v_ids, p_meetings, 'disconnected');
  -- Rows of the original system that belong to no calendar.
  if p_meetings = 'delete' then
    delete from public.meetings m where m.user_id = p_user_id;
  else
    update public.meetings m set status = 'cancelled', status_reason = 'disconnected', updated_at = v_now
    where m.user_id = p_user_id and m.status is distinct from 'cancelled' and coalesce(m.end_time, m.start_time) > v_now;
  end if;
  delete from public.oauth_flows f where f.user_id = p_user_id;
  update public.user_notifications n set resolved_at = v_now where n.user_id = p_user_id and n.resolved_at is null;
  return jsonb_build_object(
    'calendars', v_active,
    'tokens', (
      select jsonb_build_object(
        'access_token', g.access_token, 'access_token_expires_at', g.access_token_expires_at,
        'refresh_token', g.refresh_token)
      from public.google_credentials g where g.user_id = p_user_id),
    'channels', (
      select coalesce(jsonb_agg(jsonb_build_object('channel_id', c.id, 'resource_id', c.resource_id)), '[]')
      from public.calendar_channels c
      where c.user_id = p_user_id and c.stop_after is not null and c.resource_id is not null));
end
$$;

-- What had to be done at Google was tried: the tokens go. Not if the user has connected again meanwhile.
create or replace function public.finish_disconnect(p_user_id uuid) returns boolean
language sql security invoker set search_path = ''
as $$
  with finished as (
    update public.google_credentials g set
      access_token = null, access_token_expires_at = null, refresh_token = null, refresh_token_expires_at = null,
      scopes = null, google_account = null, former_account = null, updated_at = clock_timestamp()
    where g.user_id = p_user_id and g.status = 'disconnected'
    returning 1
  )
  select exists (select 1 from finished)
$$;

-- Users whose disconnecting was begun p_after_seconds ago or longer, and never finished: its process died.
create or replace function public.unfinished_disconnects(p_after_seconds integer, p_limit integer)
returns table (user_id uuid)
language sql stable security invoker set search_path = ''
as $$
  select g.user_id from public.google_credentials g
  where g.status = 'disconnected' and (g.refresh_token is not null or g.access_token is not null)
    and g.status_at <= clock_timestamp() - make_interval(secs => p_after_seconds)
  order by g.status_at
  limit least(greatest(p_limit, 0), 200)
$$;

-- Deletes every row of a user but the one in auth.users, which is Supabase Auth's. Answers how many of each table. What hangs on
-- a calendar goes with it.
create or replace function public.erase_user(p_user_id uuid) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_counts jsonb := '{}';
  v_count bigint;
begin
  perform calendar_internal.hold_account(p_user_id);
  delete from public.google_credentials where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('google_credentials', v_count);
  delete from public.oauth_flows where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('oauth_flows', v_count);
  delete from public.user_notifications where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('user_notifications', v_count);
  -- Bots of theirs are removed at their provider by what their wishes leave behind.
  delete from public.bot_preferences where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('bot_preferences', v_count);
  delete from public.bot_tenants where user_id = p_user_id;
  delete from public.meetings where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('meetings', v_count);
  delete from public.calendar_sync_logs where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('calendar_sync_logs', v_count);
  delete from public.calendar_channels where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('calendar_channels', v_count);
  delete from public.calendar_events where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('calendar_events', v_count);
  -- All of them in one order, and what is laid out of them: those of the calendars go with these, and the others after them.
  perform 1 from public.change_events e where e.user_id = p_user_id order by e.id for update;
  perform 1 from public.event_deliveries d where d.event_id = any (array(
    select e.id from public.change_events e where e.user_id = p_user_id)) order by d.event_id for update;
  delete from public.calendar_webhooks where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('calendar_webhooks', v_count);
  -- Those of their calendars went with these.
  delete from public.change_events where user_id = p_user_id;
  get diagnostics v_count = row_count;
  return v_counts || jsonb_build_object('change_events', v_count);
end
$$;

-- A user's rows of one table, in pages: {rows, last}. p_after: the last key of the page before ('' for the first). Tokens and
-- what else only the service may know are left out.
create or replace function public.export_user(p_user_id uuid, p_table text, p_after text, p_limit integer) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
-- Not in SQL: a table of a later subject is among them.
begin
  return (
  with mine as (
    select g.user_id::text as key, to_jsonb(g) - 'access_token' - 'refresh_token' - 'oauth_client' as row
    from public.google_credentials g where p_table = 'google_credentials' and g.user_id = p_user_id
    union all
    select w.id::text, to_jsonb(w) - 'sync_token'
    from public.calendar_webhooks w where p_table = 'calendar_webhooks' and w.user_id = p_user_id
    union all
    select c.id, to_jsonb(c)
    from public.calendar_channels c where p_table = 'calendar_channels' and c.user_id = p_user_id
    union all
    select e.calendar_id::text || ' ' || e.google_event_id, to_jsonb(e)
    from public.calendar_events e where p_table = 'calendar_events' and e.user_id = p_user_id
    union all
    select m.id::text, to_jsonb(m)
    from public.meetings m where p_table = 'meetings' and m.user_id = p_user_id
    union all
    select l.id::text, to_jsonb(l)
    from public.calendar_sync_logs l where p_table = 'calendar_sync_logs' and l.user_id = p_user_id
    union all
    select n.id::text, to_jsonb(n)
    from public.user_notifications n where p_table = 'user_notifications' and n.user_id = p_user_id
    union all
    select b.user_id::text, to_jsonb(b)
    from public.bot_preferences b where p_table = 'bot_preferences' and b.user_id = p_user_id
    union all
    select f.nonce_hash, to_jsonb(f) - 'nonce_hash' - 'verifier' - 'taken_by' - 'handle_hash' - 'code' - 'completed_by'
    from public.oauth_flows f where p_table = 'oauth_flows' and f.user_id = p_user_id
    union all
    select lpad(v.id::text, 20, '0'), to_jsonb(v)
    from public.change_events v where p_table = 'change_events' and v.user_id = p_user_id
  ), page as (
    select mine.key, mine.row from mine
    where mine.key collate "C" > p_after
    order by mine.key collate "C"
    limit least(greatest(p_limit, 0), 1000)
  )
  select jsonb_build_object(
    'rows', coalesce(jsonb_agg(page.row order by page.key collate "C"), '[]'),
    'last', max(page.key collate "C"))
  from page
  );
end
$$;

-- For the service alone.
revoke all on function
  calendar_internal.leave_calendars,
  public.add_calendars,
  public.remove_calendars,
  public.begin_disconnect,
  public.finish_disconnect,
  public.unfinished_disconnects,
  public.erase_user,
  public.export_user
from public, anon, authenticated;
grant execute on function
  calendar_internal.leave_calendars,
  public.add_calendars,
  public.remove_calendars,
  public.begin_disconnect,
  public.finish_disconnect,
  public.unfinished_disconnects,
  public.erase_user,
  public.export_user
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.tell_user is 'Tells a user; what they were told already and is still so is not told again.';
comment on function calendar_internal.resolve_told is 'Ends what a user was told of a kind. True if they had been told.';
comment on function public.claim_unmailed_notifications is 'Leases up to p_limit notifications that a user must not miss and that were not mailed, if they still hold, or name whom
they are for: an account''s owner learns that it was connected also once it is no more. What is older
than p_oldest_seconds is not mailed any more: mail that was switched on today is not about last month.';
comment on function public.mark_mailed is 'It was sent. A mail whose process died before this is sent once more: better twice than never.';
comment on function calendar_internal.take_calendars is 'Takes calendars into watching, as a step of connecting or of choosing: new ones, and those that were watched no more. They wait
p_watch_seconds for their watch.';
comment on function public.connect_calendars is 'Connects a user (again): stores the grant, takes the named calendars into watching, ends every pause that the lost
grant caused. The calendars wait p_watch_seconds for their watch to be opened before anyone lists them: a change
between a listing and a later watch would be announced by nobody. p_notice: what the user is told, if this Google account
is not connected to them already.';
comment on function public.begin_refresh is 'Leave to refresh, for one worker at a time. may_refresh false with an access token: another worker has brought a new one
since p_seen_access_token; without one: another worker is at it, ask again soon. A worker that dies holds others up for
p_lease_seconds only.';
comment on function public.release_refresh is 'Gives the leave to refresh back: the token endpoint did not answer, and the next one may try.';
comment on function public.save_tokens is 'Keeps a fresh access token for all processes, a refresh token that Google rotated, and the OAuth client they were given to.
They are kept only if the refresh token still is the one that was used: a reconnection in between wins. Whatever was
suspected of the grant is over.';
comment on function public.read_tokens is 'Tokens of up to p_limit users after p_after, for sealing them anew under another key.';
comment on function public.replace_ciphertext is 'Replaces ciphertexts by ciphertexts of the same tokens, unless somebody replaced the tokens meanwhile.';
comment on function public.lose_connection is 'The grant is dead: syncing, polling and renewing stop for this user until they reconnect. True only the first time; then
they are told, by p_message. A reconnection since p_used_refresh_token was read wins: then nothing changes.';
comment on function public.begin_oauth_flow is 'Remembers a flow for p_seconds. Expired flows go at this occasion, and all but the newest 19 of this user: nobody comes back
from more consent pages than that. A repeated call changes nothing.';
comment on function public.park_oauth_flow is 'A browser comes back with a flow: ''ok'' to one return only; else ''expired'', or ''used'' (also when nobody knows it). Nothing
is connected by it: the code is parked for p_seconds, under the handle. Without a code (they declined) the flow is over.
Guarantee: of any number of returns at once one gets ''ok''; it gets it again when it asks again.';
comment on function public.complete_oauth_flow is 'A signed-in user completes a flow: ''ok'' with what is needed to redeem its code, to one call only; else ''expired'', ''used''
(also when nobody knows the handle), or ''other_user''.
Guarantee: of any number of calls at once one gets ''ok''; it gets it again when it asks again. A flow that anybody but its
own user tried to complete is completed by nobody: whoever consented was not who began it, and the handle is still in
their browser, where they may be talked into passing it on.';
comment on function public.read_connection is 'A user''s connection and all their calendars with their watches and first syncs, as one object (PostgREST cuts row sets).
Tokens leave as ciphertext, for the service alone.';
comment on function calendar_internal.leave_calendars is 'Stops watching calendars, as one step of the transaction that decided it. Their mirror goes, their sync state begins anew, their
channels are to be stopped. p_meetings: ''delete'' their rows, or ''keep'' them: then what is not over yet is cancelled for
p_reason, because nobody keeps it true any more.
Guarantee: a sync, a roll or a watch that runs meanwhile commits nothing: the fence moved on.';
comment on function public.add_calendars is 'More calendars of a connected user. Nothing (and no row) for one who is not connected.';
comment on function public.remove_calendars is 'Calendars the user wants watched no more: their names, and the channels that are to be stopped. A repeated call answers the
same and changes nothing.';
comment on function public.begin_disconnect is 'Ends a user''s connection: from here on nothing is claimed, synced, watched or refreshed for them. Answers what is still to be
done at Google: the tokens to revoke, and the channels to stop with them. The tokens stay until finish_disconnect, so that a
process that dies in between loses nothing: a repeated call gives them again, and unfinished_disconnects finds them.';
comment on function public.finish_disconnect is 'What had to be done at Google was tried: the tokens go. Not if the user has connected again meanwhile.';
comment on function public.unfinished_disconnects is 'Users whose disconnecting was begun p_after_seconds ago or longer, and never finished: its process died.';
comment on function public.erase_user is 'Deletes every row of a user but the one in auth.users, which is Supabase Auth''s. Answers how many of each table. What hangs on
a calendar goes with it.';
comment on function public.export_user is 'A user''s rows of one table, in pages: {rows, last}. p_after: the last key of the page before ('''' for the first). Tokens and
what else only the service may know are left out.';
