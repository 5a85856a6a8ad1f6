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
    is_active = true, watch_retry_at = null, updated_at = clock_timestamp(),
    due_at = case when w.is_active then least(w.due_at, excluded.due_at) else excluded.due_at end
$$;

-- Connects a user (again): stores the grant, takes the named calendars into watching, ends every pause that the lost
-- grant caused. The calendars wait p_watch_seconds for their watch to be opened before anyone lists them: a change
-- between a listing and a later watch would be announced by nobody.
create or replace function public.connect_calendars(
  p_user_id uuid, p_google_calendar_ids text[], p_refresh_token text, p_access_token text,
  p_access_token_expires_at timestamptz, p_scopes text[], p_watch_seconds integer,
  p_refresh_token_expires_at timestamptz default null, p_google_account text default null
) returns table (calendar_id uuid, google_calendar_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  -- Connecting and losing a connection are one after the other, also where there is no row to lock yet: a loss that ran
  -- alongside would not see the new grant and would pause what it has just resumed.
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  -- Another Google account: its primary calendar is another one under the same name. All begin anew.
  if exists (
    select 1 from public.google_credentials g where g.user_id = p_user_id and g.google_account <> p_google_account
  ) then
    perform calendar_internal.leave_calendars(
      array(select w.id from public.calendar_webhooks w where w.user_id = p_user_id and w.duplicate_of is null),
      'keep', 'account_changed');
  end if;
  insert into public.google_credentials as g (
    user_id, google_account, refresh_token, refresh_token_expires_at, access_token, access_token_expires_at, scopes, status,
    status_reason, status_at)
  values (
    p_user_id, p_google_account, p_refresh_token, p_refresh_token_expires_at, p_access_token, p_access_token_expires_at, p_scopes,
    'connected', null, v_now)
  on conflict (user_id) do update set
    google_account = coalesce(excluded.google_account, g.google_account), refresh_token = excluded.refresh_token, refresh_token_expires_at = excluded.refresh_token_expires_at,
    access_token = excluded.access_token,
    access_token_expires_at = excluded.access_token_expires_at, scopes = excluded.scopes,
    status = 'connected', status_reason = null, status_at = v_now, updated_at = v_now;

  if calendar_internal.resolve_told(p_user_id, 'reconnect_needed') then
    perform calendar_internal.tell_user(
      p_user_id, 'reconnected', 'reconnected', 'Your calendar is connected again. What changed meanwhile is being caught up.');
  end if;

  -- With a new grant all of the user's calendars go on, also those that are not named now.
  update public.calendar_webhooks w set
    paused_reason = null, paused_at = null, due_at = least(w.due_at, v_now), not_before = null, watch_retry_at = null,
    due_reason = 'reconnected', consecutive_failures = 0, updated_at = v_now
  where w.user_id = p_user_id and w.paused_reason is not null;

  perform calendar_internal.take_calendars(p_user_id, p_google_calendar_ids, p_watch_seconds);

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

-- Keeps a fresh access token for all processes, and a refresh token that Google rotated. They are kept only if the refresh
-- token still is the one that was used: a reconnection in between wins.
create or replace function public.save_tokens(
  p_user_id uuid, p_used_refresh_token text, p_access_token text, p_access_token_expires_at timestamptz,
  p_refresh_token text default null
) returns boolean
language sql security invoker set search_path = ''
as $$
  with saved as (
    update public.google_credentials g set
      access_token = p_access_token, access_token_expires_at = p_access_token_expires_at,
      refresh_token = coalesce(p_refresh_token, g.refresh_token), refresh_lease_until = null,
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

-- The grant is dead: syncing, polling and renewing stop for this user until he reconnects. True only the first time; then
-- he is told, by p_message. A reconnection since p_used_refresh_token was read wins: then nothing changes.
create or replace function public.lose_connection(
  p_user_id uuid, p_reason text, p_used_refresh_token text, p_message text default null
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_first boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  update public.google_credentials g set
    status = 'needs_reauth', status_reason = p_reason, status_at = v_now, access_token = null,
    access_token_expires_at = null, refresh_lease_until = null, updated_at = v_now
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

-- For the service alone.
revoke all on function
  calendar_internal.take_calendars,
  public.connect_calendars,
  public.begin_refresh,
  public.release_refresh,
  public.save_tokens,
  public.read_tokens,
  public.replace_ciphertext,
  public.lose_connection
from public, anon, authenticated;
grant execute on function
  calendar_internal.take_calendars,
  public.connect_calendars,
  public.begin_refresh,
  public.release_refresh,
  public.save_tokens,
  public.read_tokens,
  public.replace_ciphertext,
  public.lose_connection
to service_role;
