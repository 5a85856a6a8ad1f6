-- Choosing and leaving: calendars come and go at the user's wish, a connection ends, and all that is his can be given out or erased.

-- A first sync that was committed before its progress was kept.
update public.calendar_webhooks w set initial_sync = 'done'
where w.initial_sync = 'pending' and w.last_synced_at is not null and w.sync_token is not null;

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
  perform 1 from public.calendar_webhooks w where w.id = any (p_calendar_ids) order by w.id for update;
  v_now := clock_timestamp();
  update public.calendar_webhooks w set
    is_active = false, fence = w.fence + 1, committed_fence = w.fence + 1, lease_expires_at = null,
    sync_token = null, sync_format = null, horizon_until = null, last_synced_at = null, audited_at = null,
    notifications_synced = w.notifications_seen, notified_since = null, not_before = null,
    consecutive_failures = 0, last_error_code = null, access_lost_at = null, paused_reason = null, paused_at = null,
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
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
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
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
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

-- Ends a user's connection: from here on nothing is claimed, synced, watched or refreshed for him. Answers what is still to be
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
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
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
      scopes = null, google_account = null, updated_at = clock_timestamp()
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
  perform pg_advisory_xact_lock(hashtextextended(p_user_id::text, 0));
  delete from public.google_credentials where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('google_credentials', v_count);
  delete from public.oauth_flows where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('oauth_flows', v_count);
  delete from public.user_notifications where user_id = p_user_id;
  get diagnostics v_count = row_count;
  v_counts := v_counts || jsonb_build_object('user_notifications', v_count);
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
  delete from public.calendar_webhooks where user_id = p_user_id;
  get diagnostics v_count = row_count;
  return v_counts || jsonb_build_object('calendar_webhooks', v_count);
end
$$;

-- A user's rows of one table, in pages: {rows, last}. p_after: the last key of the page before ('' for the first). Tokens and
-- what else only the service may know are left out.
create or replace function public.export_user(p_user_id uuid, p_table text, p_after text, p_limit integer) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with mine as (
    select g.user_id::text as key, to_jsonb(g) - 'access_token' - 'refresh_token' as row
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
    select f.nonce_hash, to_jsonb(f) - 'nonce_hash' - 'verifier' - 'taken_by'
    from public.oauth_flows f where p_table = 'oauth_flows' and f.user_id = p_user_id
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
