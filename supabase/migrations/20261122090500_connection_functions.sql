-- Connections: a user's grant and the calendars it opens. Tokens arrive and leave as ciphertext.

-- Connects a user (again): stores the grant, takes the named calendars into watching, ends every pause that the lost
-- grant caused. The calendars wait p_watch_seconds for their watch to be opened before anyone lists them: a change
-- between a listing and a later watch would be announced by nobody.
create or replace function public.connect_calendars(
  p_user_id uuid, p_google_calendar_ids text[], p_refresh_token text, p_access_token text,
  p_access_token_expires_at timestamptz, p_scopes text[], p_watch_seconds integer
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
  insert into public.google_credentials as g (
    user_id, refresh_token, access_token, access_token_expires_at, scopes, status, status_reason, status_at)
  values (
    p_user_id, p_refresh_token, p_access_token, p_access_token_expires_at, p_scopes, 'connected', null, v_now)
  on conflict (user_id) do update set
    refresh_token = excluded.refresh_token, access_token = excluded.access_token,
    access_token_expires_at = excluded.access_token_expires_at, scopes = excluded.scopes,
    status = 'connected', status_reason = null, status_at = v_now, updated_at = v_now;

  -- With a new grant all of the user's calendars go on, also those that are not named now.
  update public.calendar_webhooks w set
    paused_reason = null, paused_at = null, due_at = least(w.due_at, v_now), not_before = null, watch_retry_at = null,
    due_reason = 'reconnected', consecutive_failures = 0, updated_at = v_now
  where w.user_id = p_user_id and w.paused_reason is not null;

  insert into public.calendar_webhooks as w (user_id, google_calendar_id, is_active, due_at, due_reason)
  select p_user_id, wanted.id, true, v_now + make_interval(secs => p_watch_seconds), 'connected'
  from (select distinct unnest(p_google_calendar_ids) as id) wanted
  on conflict (user_id, google_calendar_id) where duplicate_of is null do update set
    is_active = true, watch_retry_at = null, updated_at = v_now,
    due_at = case when w.is_active then least(w.due_at, v_now + make_interval(secs => p_watch_seconds))
      else v_now + make_interval(secs => p_watch_seconds) end;

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

-- Keeps a fresh access token for all processes, and a refresh token that Google rotated. The refresh token is replaced only
-- if it still is the one that was used: a reconnection in between wins.
create or replace function public.save_tokens(
  p_user_id uuid, p_used_refresh_token text, p_access_token text, p_access_token_expires_at timestamptz,
  p_refresh_token text default null
) returns boolean
language sql security invoker set search_path = ''
as $$
  with saved as (
    update public.google_credentials g set
      access_token = p_access_token, access_token_expires_at = p_access_token_expires_at,
      refresh_token = coalesce(p_refresh_token, g.refresh_token), updated_at = clock_timestamp()
    where g.user_id = p_user_id and g.refresh_token = p_used_refresh_token
    returning 1
  )
  select exists (select 1 from saved)
$$;

-- The grant is dead: syncing, polling and renewing stop for this user until he reconnects. True only the first time, so
-- that he is told once. A reconnection since p_used_refresh_token was read wins: then nothing changes.
create or replace function public.lose_connection(p_user_id uuid, p_reason text, p_used_refresh_token text)
returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_first boolean;
begin
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  update public.google_credentials g set
    status = 'needs_reauth', status_reason = p_reason, status_at = v_now, access_token = null,
    access_token_expires_at = null, updated_at = v_now
  where g.user_id = p_user_id and g.status = 'connected' and g.refresh_token is not distinct from p_used_refresh_token;
  v_first := found;
  if v_first or not exists (
    select 1 from public.google_credentials g where g.user_id = p_user_id and g.status = 'connected'
  ) then
    update public.calendar_webhooks w set paused_reason = 'needs_reauth', paused_at = v_now, updated_at = v_now
    where w.user_id = p_user_id and w.paused_reason is null;
  end if;
  return v_first;
end
$$;

-- For the service alone.
revoke all on function
  public.connect_calendars,
  public.save_tokens,
  public.lose_connection
from public, anon, authenticated;
grant execute on function
  public.connect_calendars,
  public.save_tokens,
  public.lose_connection
to service_role;
