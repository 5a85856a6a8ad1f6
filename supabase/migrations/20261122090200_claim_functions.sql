-- The row is the queue: notifications make a calendar due, a claim takes a lease, every ending gives it back.
--
-- Leases use clock_timestamp(): now() is the transaction's start, and a claim may have waited for a lock since.

-- A notification is a hint without data: it raises a counter and makes the calendar due. One call, whatever happens.
-- Guarantee: an accepted notification is never lost, also while a sync of the calendar runs; none shortens a lease, the
-- pause between two syncs of a burst, or the backoff of a failing calendar.
-- Answers outcome: due | handshake | dead_channel | unknown_channel | refused.
create or replace function public.record_notification(
  p_channel_id text, p_resource_id text, p_resource_state text, p_message_number bigint
) returns table (outcome text, calendar_id uuid, due_in_seconds double precision)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_channel public.calendar_channels;
  v_calendar public.calendar_webhooks;
  v_outcome text;
begin
  select * into v_channel from public.calendar_channels c where c.id = p_channel_id;
  if not found then
    return query select 'unknown_channel'::text, null::uuid, null::double precision;
    return;
  end if;
  if v_channel.resource_id is distinct from p_resource_id and v_channel.resource_id is not null then
    update public.calendar_channels c set refused = c.refused + 1 where c.id = p_channel_id;
    return query select 'refused'::text, null::uuid, null::double precision;
    return;
  end if;

  -- The calendar before the channel: every function that writes both keeps this order, so that none waits in a circle.
  v_outcome := case
    when v_channel.state in ('stopped', 'failed', 'expired') then 'dead_channel'
    when p_resource_state = 'sync' then 'handshake'
    else 'due' end;
  if v_outcome = 'due' then
    update public.calendar_webhooks w set
      notifications_seen = w.notifications_seen + 1,
      notified_since = coalesce(w.notified_since, v_now),
      last_webhook_received = v_now,
      webhook_failures = 0,
      due_at = least(w.due_at, greatest(v_now, w.lease_expires_at, w.not_before)),
      due_reason = 'notified'
    where w.id = v_channel.calendar_id and w.is_active
    returning w.* into v_calendar;
    if not found then
      v_outcome := 'dead_channel';
    end if;
  end if;

  -- The handshake may come before Google's answer to watch: then it is the first to tell the resource id. It tells it
  -- of a channel whose answer was lost too, and only with it can that channel be stopped.
  update public.calendar_channels c set
    resource_id = p_resource_id,
    notifications = c.notifications + 1,
    last_notification_at = v_now,
    last_message_number = greatest(c.last_message_number, p_message_number),
    stop_after = case when v_outcome = 'dead_channel' and c.state <> 'stopped'
      then coalesce(c.stop_after, v_now) else c.stop_after end
  where c.id = p_channel_id;
  return query select v_outcome, v_channel.calendar_id,
    greatest(0, extract(epoch from v_calendar.due_at - v_now))::double precision;
end
$$;

-- Leases up to p_limit calendars, notified ones first, the longest due first. With p_calendar_ids only among these; with
-- p_even_if_not_due also those that are not due (an operator asked), but never one that is leased.
-- Guarantee: no two callers hold a lease on one calendar; a claim that is never finished lapses with its lease.
create or replace function public.claim_due_calendars(
  p_worker text, p_limit integer, p_lease_seconds integer,
  p_calendar_ids uuid[] default null, p_even_if_not_due boolean default false
) returns table (
  calendar_id uuid, user_id uuid, google_calendar_id text, fence bigint, due_reason text,
  sync_token text, sync_format integer, time_zone text,
  notifications_seen bigint, notifications_synced bigint,
  last_webhook_received timestamptz, last_synced_at timestamptz,
  consecutive_failures integer, webhook_failures integer, has_live_channel boolean,
  access_token text, access_token_expires_at timestamptz, refresh_token text,
  connected_at timestamptz, refresh_token_expires_at timestamptz
)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_limit integer := least(greatest(p_limit, 0), 200);
  v_ids uuid[];
begin
  if p_calendar_ids is not null then
    select array_agg(picked.id) into v_ids from (
      select w.id from public.calendar_webhooks w
      where w.id = any (p_calendar_ids) and w.is_active and w.paused_reason is null and w.duplicate_of is null
        and (w.due_at <= v_now or p_even_if_not_due)
        and (w.lease_expires_at is null or w.lease_expires_at <= v_now)
      order by w.due_at limit v_limit
      for update skip locked
    ) picked;
  else
    select array_agg(picked.id) into v_ids from (
      select w.id from public.calendar_webhooks w
      where w.is_active and w.paused_reason is null and w.duplicate_of is null
        and w.notifications_seen > w.notifications_synced
        and w.due_at <= v_now and (w.lease_expires_at is null or w.lease_expires_at <= v_now)
      order by w.due_at limit v_limit
      for update skip locked
    ) picked;
    select coalesce(v_ids, '{}') || coalesce(array_agg(picked.id), '{}') into v_ids from (
      select w.id from public.calendar_webhooks w
      where w.is_active and w.paused_reason is null and w.duplicate_of is null
        and w.due_at <= v_now and (w.lease_expires_at is null or w.lease_expires_at <= v_now)
        and w.id <> all (coalesce(v_ids, '{}'))
      order by w.due_at limit v_limit - coalesce(cardinality(v_ids), 0)
      for update skip locked
    ) picked;
  end if;

  return query
  with claimed as (
    update public.calendar_webhooks w set
      fence = w.fence + 1,
      claimed_at = v_now,
      claimed_by = p_worker,
      lease_expires_at = v_now + make_interval(secs => p_lease_seconds),
      due_at = v_now + make_interval(secs => p_lease_seconds),
      -- A first sync that begins anew counts anew.
      initial_sync = case when w.initial_sync = 'done' then 'done' else 'running' end,
      initial_events = case when w.initial_sync = 'done' then w.initial_events else 0 end,
      initial_meetings = case when w.initial_sync = 'done' then w.initial_meetings else 0 end
    where w.id = any (v_ids)
    returning w.*
  )
  select w.id, w.user_id, w.google_calendar_id, w.fence, w.due_reason,
    w.sync_token, w.sync_format, w.time_zone, w.notifications_seen, w.notifications_synced,
    w.last_webhook_received, w.last_synced_at, w.consecutive_failures, coalesce(w.webhook_failures, 0),
    exists (
      select 1 from public.calendar_channels c
      where c.calendar_id = w.id and c.state = 'live' and c.expires_at > v_now and c.opened_at < w.last_synced_at
    ),
    g.access_token, g.access_token_expires_at, g.refresh_token, g.status_at, g.refresh_token_expires_at
  from claimed w
  left join public.google_credentials g on g.user_id = w.user_id and g.status = 'connected'
  order by array_position(v_ids, w.id);
end
$$;

-- Keeps a lease during a long fetch. False: the lease was lost to another worker, and this one must stop.
create or replace function public.extend_lease(p_calendar_id uuid, p_fence bigint, p_lease_seconds integer)
returns boolean
language sql security invoker set search_path = ''
as $$
  with kept as (
    update public.calendar_webhooks w set
      lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds),
      due_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
    where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence
    returning 1
  )
  select exists (select 1 from kept)
$$;

-- Gives a claim back untouched (a worker that stops): the calendar is due for somebody else as soon as its backoff and
-- the pause between two syncs allow.
create or replace function public.release_calendar(p_calendar_id uuid, p_fence bigint) returns boolean
language sql security invoker set search_path = ''
as $$
  with released as (
    update public.calendar_webhooks w set
      lease_expires_at = null, due_at = greatest(clock_timestamp(), w.not_before), committed_fence = p_fence,
      initial_sync = case when w.initial_sync = 'running' then 'pending' else w.initial_sync end
    where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence
    returning 1
  )
  select exists (select 1 from released)
$$;

-- Ends a claim without a sync, for a reason: 'skipped' (the plan found no need) or 'failed'. Writes the log row. A failure
-- counts, sets the backoff that no notification shortens, and may pause the calendar. p_lost_message: Google refuses this
-- calendar; what its user is told then.
-- Guarantee: nothing of the calendar's events, meetings or token changes; a repeated call changes nothing.
create or replace function public.end_claim(
  p_calendar_id uuid, p_fence bigint, p_status text, p_sync_type text, p_reason text, p_next_seconds double precision,
  p_error_code text default null, p_error_message text default null, p_pause_reason text default null,
  p_google_calls integer default 0, p_duration_ms integer default null, p_lost_message text default null
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_next timestamptz := clock_timestamp() + make_interval(secs => p_next_seconds);
  v_calendar public.calendar_webhooks;
begin
  update public.calendar_webhooks w set
    committed_fence = p_fence,
    lease_expires_at = null,
    due_at = case when p_status = 'skipped' and w.notifications_seen > w.notifications_synced
      then greatest(v_now, w.not_before) else v_next end,
    due_reason = p_reason,
    not_before = case when p_status = 'failed' then v_next else w.not_before end,
    consecutive_failures = case when p_status = 'failed' then w.consecutive_failures + 1 else w.consecutive_failures end,
    last_error_code = case when p_status = 'failed' then p_error_code else w.last_error_code end,
    last_error_at = case when p_status = 'failed' then v_now else w.last_error_at end,
    access_lost_at = case when p_lost_message is not null then coalesce(w.access_lost_at, v_now) else w.access_lost_at end,
    initial_sync = case when w.initial_sync <> 'running' then w.initial_sync
      when p_status = 'failed' then 'failed' else 'pending' end,
    paused_reason = coalesce(p_pause_reason, w.paused_reason),
    paused_at = case when p_pause_reason is not null then v_now else w.paused_at end,
    updated_at = v_now
  where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence
  returning w.* into v_calendar;
  if not found then
    return false;
  end if;
  -- Told at the second refusal: the first may be a passing fault of Google's.
  if p_lost_message is not null and v_calendar.consecutive_failures >= 2 then
    perform calendar_internal.tell_user(
      v_calendar.user_id, 'calendar_lost', p_error_code, p_lost_message, v_calendar.id);
  end if;
  insert into public.calendar_sync_logs (
    user_id, calendar_id, fence, sync_type, status, reason, error_code, error_message, google_calls, duration_ms,
    notifications)
  values (
    v_calendar.user_id, p_calendar_id, p_fence, p_sync_type, p_status, p_reason, p_error_code, p_error_message,
    p_google_calls, p_duration_ms, v_calendar.notifications_seen - v_calendar.notifications_synced);
  return true;
end
$$;

-- What a sweep leaves behind: calendars still due (counted to 1000), and calendars a notification within
-- p_stale_hours vouches for, so that they need no poll.
create or replace function public.sweep_state(p_stale_hours double precision)
returns table (remaining bigint, vouched_for bigint)
language sql security invoker set search_path = ''
as $$
  select
    (select count(*) from (
      select 1 from public.calendar_webhooks w
      where w.is_active and w.paused_reason is null and w.duplicate_of is null
        and w.due_at <= clock_timestamp() and (w.lease_expires_at is null or w.lease_expires_at <= clock_timestamp())
      limit 1000) due),
    (select count(*) from (
      select 1 from public.calendar_webhooks w
      where w.is_active and w.paused_reason is null and w.duplicate_of is null
        and w.last_webhook_received > clock_timestamp() - make_interval(secs => p_stale_hours * 3600)
        and w.due_at > clock_timestamp()
      limit 100000) vouched)
$$;

-- The calendars of one user that a poll is about.
create or replace function public.calendars_of_user(p_user_id uuid)
returns table (calendar_id uuid, google_calendar_id text, paused_reason text)
language sql security invoker set search_path = ''
as $$
  select w.id, w.google_calendar_id, w.paused_reason
  from public.calendar_webhooks w
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
  order by w.google_calendar_id
  limit 500
$$;

-- For the service alone.
revoke all on function
  public.record_notification,
  public.claim_due_calendars,
  public.extend_lease,
  public.release_calendar,
  public.end_claim,
  public.sweep_state,
  public.calendars_of_user
from public, anon, authenticated;
grant execute on function
  public.record_notification,
  public.claim_due_calendars,
  public.extend_lease,
  public.release_calendar,
  public.end_claim,
  public.sweep_state,
  public.calendars_of_user
to service_role;
