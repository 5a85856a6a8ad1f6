-- Watching: the push channels.

-- Push channels ------------------------------------------------------------------------------------------------------

-- Push channels: opened before they are needed, made current in one step, stopped with their own resource id.
--
--   opening -> live -> superseded -> stopped      the usual life; a renewal overlaps by design
--   opening -> failed                             Google refused, or its answer was lost: then the orphan is stopped when
--                                                 it first speaks, for only its own notification tells its resource id
--   live -> expired                               nobody renewed it in time; polling goes on
-- A calendar's watch never touches its polling.

-- Leases up to p_limit calendars whose channel lapses within p_lead_seconds, or that have none. watch_retry_at is the
-- lease and, after a failure, the backoff.
create or replace function public.claim_expiring_watches(
  p_limit integer, p_lead_seconds double precision, p_lease_seconds integer, p_calendar_ids uuid[] default null
) returns table (
  calendar_id uuid, user_id uuid, google_calendar_id text, watch_failures integer,
  access_token text, access_token_expires_at timestamptz, refresh_token text,
  connected_at timestamptz, refresh_token_expires_at timestamptz
)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  -- Materialized: inside a nested loop the limit would be counted anew for every row.
  with picked as materialized (
    select c.id from public.calendar_webhooks c
    where c.is_active and c.paused_reason is null and c.duplicate_of is null
      and (p_calendar_ids is null or c.id = any (p_calendar_ids))
      and (c.expiration_time is null or c.expiration_time < v_now + make_interval(secs => p_lead_seconds)
        or not exists (select 1 from public.calendar_channels ch where ch.calendar_id = c.id and ch.state = 'live'))
      and (c.watch_retry_at is null or c.watch_retry_at <= v_now)
    order by c.expiration_time nulls first
    limit least(greatest(p_limit, 0), 200)
    for update skip locked
  ), claimed as (
    update public.calendar_webhooks w set watch_retry_at = v_now + make_interval(secs => p_lease_seconds)
    from picked where w.id = picked.id
    returning w.*
  )
  select w.id, w.user_id, w.google_calendar_id, w.watch_failures,
    g.access_token, g.access_token_expires_at, g.refresh_token, g.status_at, g.refresh_token_expires_at
  from claimed w
  left join public.google_credentials g on g.user_id = w.user_id and g.status = 'connected';
end
$$;

-- How many watches claim_expiring_watches would find (counted to 1000): what a renewal leaves behind.
create or replace function public.watches_due(p_lead_seconds double precision) returns bigint
language sql security invoker set search_path = ''
as $$
  select count(*) from (
    select 1 from public.calendar_webhooks c
    where c.is_active and c.paused_reason is null and c.duplicate_of is null
      and (c.expiration_time is null or c.expiration_time < clock_timestamp() + make_interval(secs => p_lead_seconds)
        or not exists (select 1 from public.calendar_channels ch where ch.calendar_id = c.id and ch.state = 'live'))
      and (c.watch_retry_at is null or c.watch_retry_at <= clock_timestamp())
    limit 1000) due
$$;

-- Stores a channel before Google is asked for it, so that no notification can come from one we do not know.
create or replace function public.begin_channel(p_channel_id text, p_calendar_id uuid, p_address text)
returns void
language sql security invoker set search_path = ''
as $$
  insert into public.calendar_channels (id, calendar_id, user_id, address)
  select p_channel_id, w.id, w.user_id, p_address from public.calendar_webhooks w where w.id = p_calendar_id
  on conflict (id) do nothing
$$;

-- Google opened the channel: it becomes the calendar's current one, all earlier ones are superseded and stoppable. If
-- there was no other live channel, changes may have gone unannounced: the calendar becomes due. A channel of a calendar that is
-- watched no more never becomes live.
-- Answers the channels to stop. A repeated call changes nothing.
create or replace function public.activate_channel(p_channel_id text, p_resource_id text, p_expires_at timestamptz)
returns table (channel_id text, resource_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_calendar_id uuid;
  v_is_watched boolean;
  v_gap boolean;
begin
  -- The calendar row is locked first, as every function does that locks both.
  select c.calendar_id into v_calendar_id from public.calendar_channels c where c.id = p_channel_id;
  select w.is_active is true into v_is_watched from public.calendar_webhooks w where w.id = v_calendar_id for update;
  if not v_is_watched then
    -- Its user left while Google opened it: it never becomes current, and is itself to be stopped.
    update public.calendar_channels c set
      state = 'superseded', resource_id = p_resource_id, expires_at = p_expires_at, stop_after = v_now, updated_at = v_now
    where c.id = p_channel_id and c.state in ('opening', 'failed');
    return query
    select c.id, c.resource_id from public.calendar_channels c where c.id = p_channel_id and c.state = 'superseded';
    return;
  end if;
  update public.calendar_channels c set
    state = 'live', resource_id = p_resource_id, expires_at = p_expires_at, opened_at = v_now, error_code = null,
    -- It may have been given up too early, and be marked to be stopped.
    stop_after = null, updated_at = v_now
  where c.id = p_channel_id and c.state in ('opening', 'failed');
  if not found then
    return;
  end if;
  v_gap := not exists (
    select 1 from public.calendar_channels c
    where c.calendar_id = v_calendar_id and c.id <> p_channel_id and c.state = 'live' and c.expires_at > v_now);
  update public.calendar_channels c set
    state = case when c.expires_at <= v_now then 'expired' else 'superseded' end,
    stop_after = case when c.expires_at <= v_now then null else v_now end,
    updated_at = v_now
  where c.calendar_id = v_calendar_id and c.id <> p_channel_id and c.state = 'live';
  update public.calendar_webhooks w set
    webhook_id = p_channel_id, resource_id = p_resource_id, expiration_time = p_expires_at,
    watch_retry_at = null, watch_failures = 0, watch_error_code = null,
    -- A sync that runs now may have listed before the channel was open: one more is owed after it.
    notifications_seen = case when v_gap and w.lease_expires_at > v_now then w.notifications_seen + 1
      else w.notifications_seen end,
    due_at = case when v_gap and w.lease_expires_at is null then least(w.due_at, greatest(v_now, w.not_before))
      else w.due_at end,
    due_reason = case when v_gap and w.lease_expires_at is null then 'watch_opened' else w.due_reason end,
    updated_at = v_now
  where w.id = v_calendar_id;
  return query
  select c.id, c.resource_id from public.calendar_channels c
  where c.calendar_id = v_calendar_id and c.state = 'superseded' and c.resource_id is not null;
end
$$;

-- The watch was not opened, or nobody knows whether it was. Everything else stays as it is; a calendar never synced
-- becomes due, for it has waited for its watch. A repeated call changes nothing, nor one that comes after the channel was
-- activated or given up.
create or replace function public.fail_channel(p_channel_id text, p_error_code text, p_retry_seconds double precision)
returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_calendar_id uuid;
begin
  select c.calendar_id into v_calendar_id from public.calendar_channels c where c.id = p_channel_id;
  -- The calendar row is locked first, as every function does that locks both.
  perform 1 from public.calendar_webhooks w where w.id = v_calendar_id for update;
  update public.calendar_channels c set
    state = 'failed', error_code = p_error_code, updated_at = v_now,
    stop_after = case when c.resource_id is not null then v_now else c.stop_after end
  where c.id = p_channel_id and c.state = 'opening';
  if not found then
    return;
  end if;
  update public.calendar_webhooks w set
    watch_failures = w.watch_failures + 1, watch_error_code = p_error_code,
    watch_retry_at = v_now + make_interval(secs => p_retry_seconds),
    due_at = case when w.last_synced_at is null and w.lease_expires_at is null
      then least(w.due_at, greatest(v_now, w.not_before)) else w.due_at end,
    updated_at = v_now
  where w.id = v_calendar_id;
end
$$;

-- Leases channels that should be dead and can be stopped. A channel whose opening was never finished (its process died)
-- counts as failed after p_abandoned_seconds; one that has lapsed by itself need not be stopped any more.
-- Guarantee: a channel that speaks for a watched calendar is never among them.
create or replace function public.claim_dead_channels(
  p_limit integer, p_lease_seconds integer, p_abandoned_seconds integer, p_channel_ids text[] default null
) returns table (
  channel_id text, resource_id text, user_id uuid,
  access_token text, access_token_expires_at timestamptz, refresh_token text
)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  update public.calendar_channels c set
    state = 'failed', error_code = 'abandoned', updated_at = v_now,
    stop_after = case when c.resource_id is not null then v_now end
  where c.id in (
    select a.id from public.calendar_channels a
    where a.state = 'opening' and a.created_at < v_now - make_interval(secs => p_abandoned_seconds)
    for update skip locked);
  -- Also of users whose grant is lost, whose channels nobody can stop. No channel outlives 30 days at Google.
  with lapsed as materialized (
    select l.id from public.calendar_channels l
    where l.stop_after <= v_now and l.resource_id is not null
      and coalesce(l.expires_at, greatest(l.created_at, l.last_notification_at) + interval '30 days') <= v_now
    order by l.stop_after limit 200
    for update skip locked
  )
  update public.calendar_channels c set state = 'expired', stop_after = null, updated_at = v_now
  from lapsed where c.id = lapsed.id;
  return query
  -- Materialized: inside a nested loop the limit would be counted anew for every row.
  with picked as materialized (
    select d.id from public.calendar_channels d
    join public.calendar_webhooks w on w.id = d.calendar_id
    -- Lateral, for "exists" inside "or" would be answered by reading all live channels.
    left join lateral (
      select true as is_there from public.calendar_channels l
      where l.calendar_id = d.calendar_id and l.state = 'live' limit 1
    ) live on true
    where d.stop_after <= v_now and d.resource_id is not null
      and (p_channel_ids is null or d.id = any (p_channel_ids))
      -- An old channel is stopped only once another one speaks for its calendar, or the calendar is watched no more.
      and (d.state in ('failed', 'expired') or (d.state = 'superseded' and live.is_there) or w.is_active is not true)
    order by d.stop_after
    limit least(greatest(p_limit, 0), 200)
    for update of d skip locked
  ), claimed as (
    update public.calendar_channels c set
      stop_after = v_now + make_interval(secs => p_lease_seconds), stop_attempts = c.stop_attempts + 1
    from picked where c.id = picked.id
    returning c.*
  )
  select c.id, c.resource_id, c.user_id, g.access_token, g.access_token_expires_at, g.refresh_token
  from claimed c
  left join public.google_credentials g on g.user_id = c.user_id and g.status = 'connected';
end
$$;

-- The end of a channel: stopped by us, unknown to Google, or (p_retry_seconds given) still to be stopped later.
create or replace function public.end_channel(p_channel_id text, p_retry_seconds double precision default null)
returns void
language sql security invoker set search_path = ''
as $$
  update public.calendar_channels c set
    state = case when p_retry_seconds is null then 'stopped' else c.state end,
    stop_after = case when p_retry_seconds is null then null
      else clock_timestamp() + make_interval(secs => p_retry_seconds) end,
    updated_at = clock_timestamp()
  where c.id = p_channel_id
$$;

-- For the service alone.
revoke all on function
  public.claim_expiring_watches,
  public.watches_due,
  public.begin_channel,
  public.activate_channel,
  public.fail_channel,
  public.claim_dead_channels,
  public.end_channel
from public, anon, authenticated;
grant execute on function
  public.claim_expiring_watches,
  public.watches_due,
  public.begin_channel,
  public.activate_channel,
  public.fail_channel,
  public.claim_dead_channels,
  public.end_channel
to service_role;
