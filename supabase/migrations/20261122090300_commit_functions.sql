-- The commit: what a sync found becomes true in one transaction, or not at all.

-- Upserts mirror rows of one calendar. A row is written only when it differs, or when the generation must mark it seen; the
-- count is of those that differ.
create or replace function calendar_internal.apply_events(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_generation bigint, p_events jsonb, p_forgotten jsonb,
  out changed integer
)
language plpgsql security invoker set search_path = ''
as $$
begin
  with incoming as (
    select e.*, coalesce(p_generation, 0) as generation,
      mine.google_event_id is null or (
        mine.base_event_id, mine.recurring_event_id, mine.kind, mine.status, mine.starts_at, mine.ends_at,
        mine.original_start_at, mine.recurs_until, mine.google_updated_at, mine.details
      ) is distinct from (
        e.base_event_id, e.recurring_event_id, e.kind, e.status, e.starts_at, e.ends_at,
        e.original_start_at, e.recurs_until, e.google_updated_at, e.details
      ) as differs,
      mine.generation as seen
    from jsonb_to_recordset(p_events) as e (
      google_event_id text, base_event_id text, recurring_event_id text, kind text, status text,
      starts_at timestamptz, ends_at timestamptz, original_start_at timestamptz, recurs_until timestamptz,
      google_updated_at timestamptz, details jsonb)
    left join public.calendar_events mine
      on mine.calendar_id = p_calendar.id and mine.google_event_id = e.google_event_id
  ), written as (
    insert into public.calendar_events as mine (
      calendar_id, google_event_id, user_id, base_event_id, recurring_event_id, kind, status,
      starts_at, ends_at, original_start_at, recurs_until, google_updated_at, details, generation, sync_id)
    select p_calendar.id, i.google_event_id, p_calendar.user_id, i.base_event_id, i.recurring_event_id, i.kind, i.status,
      i.starts_at, i.ends_at, i.original_start_at, i.recurs_until, i.google_updated_at, i.details, i.generation,
      p_sync_id
    from incoming i
    where i.differs or i.seen < i.generation
    on conflict (calendar_id, google_event_id) do update set
      base_event_id = excluded.base_event_id, recurring_event_id = excluded.recurring_event_id,
      kind = excluded.kind, status = excluded.status, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
      original_start_at = excluded.original_start_at, recurs_until = excluded.recurs_until,
      google_updated_at = excluded.google_updated_at, details = excluded.details,
      generation = greatest(mine.generation, excluded.generation),
      sync_id = case when mine.details is distinct from excluded.details then excluded.sync_id else mine.sync_id end,
      updated_at = clock_timestamp()
  )
  select count(*) filter (where i.differs) from incoming i into changed;

  delete from public.calendar_events e
  where e.calendar_id = p_calendar.id
    and e.google_event_id in (select jsonb_array_elements_text(p_forgotten));
end
$$;

-- Makes the meetings of whole event families equal to what was derived for them.
-- p_families: the base ids that were derived anew. p_meetings: every occurrence they have, with its placement:
--   inside   in the horizon: inserted or updated
--   before   ended before the horizon: history, only updated
--   beyond   starts after the horizon: a row it already has is withdrawn, and comes back when the horizon reaches it
-- An occurrence of these families that is not in p_meetings is gone from the calendar. Rows that ended before
-- p_covered_from are history that was not derived, and stay.
-- Guarantee: a row is written only when its content differs; the counts are rows written.
create or replace function calendar_internal.apply_meetings(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_families jsonb, p_meetings jsonb, p_withheld jsonb,
  p_covered_from timestamptz, out created integer, out updated integer, out deleted integer
)
language plpgsql security invoker set search_path = ''
as $$
begin
  with desired as (
    select * from jsonb_to_recordset(p_meetings) as m (
      google_calendar_event_id text, base_event_id text, title text, description text, meeting_url text,
      start_time timestamptz, end_time timestamptz, event_status text, status text, is_all_day boolean,
      time_zone text, provider text, room_key text, placement text)
  ), changed as (
    update public.meetings m set
      base_event_id = d.base_event_id, title = d.title, description = d.description, meeting_url = d.meeting_url,
      start_time = d.start_time, end_time = d.end_time, event_status = d.event_status,
      status = case when d.placement = 'beyond' then 'cancelled' else d.status end,
      status_reason = case when d.placement = 'beyond' then 'beyond_horizon' end,
      is_all_day = d.is_all_day, time_zone = d.time_zone, provider = d.provider, room_key = d.room_key,
      sync_id = p_sync_id, updated_at = clock_timestamp()
    from desired d, public.meetings before
    where m.calendar_id = p_calendar.id and m.google_calendar_event_id = d.google_calendar_event_id
      and before.id = m.id
      and (m.base_event_id, m.title, m.description, m.meeting_url, m.start_time, m.end_time, m.event_status, m.status,
          m.is_all_day, m.time_zone, m.provider, m.room_key)
        is distinct from
          (d.base_event_id, d.title, d.description, d.meeting_url, d.start_time, d.end_time, d.event_status,
          case when d.placement = 'beyond' then 'cancelled' else d.status end,
          d.is_all_day, d.time_zone, d.provider, d.room_key)
      -- An old row of a family that comes back to life in the past stays as it ended.
      and (d.placement <> 'before' or m.status is distinct from 'cancelled')
    returning before.status is distinct from 'cancelled' and d.placement = 'beyond' as withdrawn,
      before.status = 'cancelled' and d.placement = 'beyond' as stays_withdrawn
  ), added as (
    insert into public.meetings (
      user_id, calendar_id, google_calendar_event_id, base_event_id, title, description, meeting_url, start_time,
      end_time, event_status, status, is_all_day, time_zone, provider, room_key, sync_id)
    select p_calendar.user_id, p_calendar.id, d.google_calendar_event_id, d.base_event_id, d.title, d.description,
      d.meeting_url, d.start_time, d.end_time, d.event_status, d.status, d.is_all_day, d.time_zone, d.provider,
      d.room_key, p_sync_id
    from desired d
    where d.placement = 'inside' and not exists (
      select 1 from public.meetings m
      where m.calendar_id = p_calendar.id and m.google_calendar_event_id = d.google_calendar_event_id)
    returning 1
  )
  select
    (select count(*) from added),
    (select count(*) from changed where not withdrawn and not stays_withdrawn),
    (select count(*) from changed where withdrawn)
  into created, updated, deleted;

  with gone as (
    update public.meetings m set
      status = 'cancelled', status_reason = coalesce(p_withheld ->> m.google_calendar_event_id, 'deleted'),
      sync_id = p_sync_id, updated_at = clock_timestamp()
    where m.calendar_id = p_calendar.id and m.status is distinct from 'cancelled'
      and m.base_event_id in (select jsonb_array_elements_text(p_families))
      and (p_covered_from is null or coalesce(m.end_time, m.start_time) > p_covered_from)
      and m.google_calendar_event_id not in (
        select d ->> 'google_calendar_event_id' from jsonb_array_elements(p_meetings) d)
    returning 1
  )
  select deleted + count(*) from gone into deleted;
end
$$;

-- What a full sync's generation did not see is gone: mirror rows are dropped, live meetings inside the horizon end.
create or replace function calendar_internal.sweep_unseen(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_generation bigint, p_covered_from timestamptz,
  out deleted integer
)
language plpgsql security invoker set search_path = ''
as $$
begin
  delete from public.calendar_events e where e.calendar_id = p_calendar.id and e.generation < p_generation;
  with gone as (
    update public.meetings m set
      status = 'cancelled', status_reason = 'deleted', sync_id = p_sync_id, updated_at = clock_timestamp()
    where m.calendar_id = p_calendar.id and m.status is distinct from 'cancelled' and m.google_calendar_event_id is not null
      and coalesce(m.end_time, m.start_time) > p_covered_from
      and not exists (
        select 1 from public.calendar_events e
        where e.calendar_id = p_calendar.id and e.base_event_id = m.base_event_id)
    returning 1
  )
  select count(*) from gone into deleted;
end
$$;

-- Whole families of the mirror, by their base ids and by the ids of members (a bare tombstone may not tell its family), and
-- the earliest start among their meetings: what a delta is merged into. One jsonb, for
-- PostgREST cuts row sets at 1000.
create or replace function public.read_families(
  p_calendar_id uuid, p_base_event_ids text[], p_event_ids text[] default '{}'
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with families as (
    select unnest(p_base_event_ids) as base_event_id
    union
    select e.base_event_id from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.google_event_id = any (p_event_ids)
  )
  select jsonb_build_object(
    'events', coalesce((
      select jsonb_agg(jsonb_build_object('details', e.details))
      from public.calendar_events e
      where e.calendar_id = p_calendar_id and e.base_event_id in (select base_event_id from families)), '[]'),
    'earliest', (
      select min(m.start_time) from public.meetings m
      where m.calendar_id = p_calendar_id and m.base_event_id in (select base_event_id from families)))
$$;

-- A part of a full sync that is too large for one payload: complete families, under the fence as generation. Idempotent.
-- It only writes what is true of the calendar already; what is gone, and the token, wait for commit_sync.
create or replace function public.stage_sync(
  p_calendar_id uuid, p_fence bigint, p_sync_id uuid, p_part jsonb, p_lease_seconds integer
) returns table (accepted boolean, created integer, updated integer, deleted integer, events integer)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_calendar public.calendar_webhooks;
  v_applied record;
  v_events integer;
  v_is_repeated boolean;
begin
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for update;
  if not found or v_calendar.fence <> p_fence or v_calendar.committed_fence >= p_fence then
    return query select false, 0, 0, 0, 0;
    return;
  end if;
  -- A part that is staged twice (its answer was lost) is counted once in the progress of a first sync.
  v_is_repeated := exists (
    select 1 from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.google_event_id = p_part #>> '{events,0,google_event_id}'
      and e.generation >= p_fence);
  v_events := calendar_internal.apply_events(
    v_calendar, p_sync_id, p_fence, p_part -> 'events', p_part -> 'forgotten');
  select * into v_applied from calendar_internal.apply_meetings(
    v_calendar, p_sync_id, p_part -> 'families', p_part -> 'meetings', p_part -> 'withheld',
    (p_part ->> 'covered_from')::timestamptz);
  update public.calendar_webhooks w set
    lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds),
    due_at = clock_timestamp() + make_interval(secs => p_lease_seconds),
    initial_events = case when w.initial_sync = 'done' or v_is_repeated then w.initial_events
      else w.initial_events + jsonb_array_length(p_part -> 'events') end,
    initial_meetings = case when w.initial_sync = 'done' or v_is_repeated then w.initial_meetings
      else w.initial_meetings + (
        select count(*) from jsonb_array_elements(p_part -> 'meetings') m where m ->> 'placement' = 'inside') end
  where w.id = p_calendar_id;
  return query select true, v_applied.created, v_applied.updated, v_applied.deleted, v_events;
end
$$;

-- The one commit of a sync: mirror, meetings, token, counters, next due time and log row, together.
-- p_sync: sync_id, sync_type, reason, is_full, sync_token, sync_format, time_zone, notifications_read, horizon_until,
--   next_poll_seconds, next_reason, coalesce_seconds, missed_push, reopen_watch, events_processed, google_calls, duration_ms,
--   staged {created, updated, deleted, events}, audited (meetings compared; for an audit only), and the part itself:
--   calendar_back_message, events, forgotten, families, meetings, withheld, covered_from.
-- Guarantees: refused when the fence moved on (another worker has the calendar); a second call of the same fence changes
-- nothing and gives the first one's answer; a notification that came since the claim leaves the calendar due.
create or replace function public.commit_sync(p_calendar_id uuid, p_fence bigint, p_sync jsonb)
returns table (
  committed boolean, created integer, updated integer, deleted integer, due_in_seconds double precision, notified boolean
)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_calendar public.calendar_webhooks;
  v_sync_id uuid := (p_sync ->> 'sync_id')::uuid;
  v_applied record;
  v_events integer;
  v_differing integer;
  v_swept integer := 0;
  v_created integer;
  v_updated integer;
  v_deleted integer;
  v_notified boolean;
  v_served bigint;
begin
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for update;
  v_now := clock_timestamp();
  if v_calendar.id is null or v_calendar.fence <> p_fence or v_calendar.committed_fence >= p_fence then
    -- Its first call may have come through though its answer was lost, and another worker may have claimed since.
    return query
    select true, l.meetings_created, l.meetings_updated, l.meetings_deleted,
      greatest(0, extract(epoch from v_calendar.due_at - v_now))::double precision,
      v_calendar.notifications_seen > v_calendar.notifications_synced
    from public.calendar_sync_logs l
    where l.calendar_id = p_calendar_id and l.fence = p_fence and l.sync_id = v_sync_id and l.status = 'completed';
    if not found then
      return query select false, 0, 0, 0, 0::double precision, false;
    end if;
    return;
  end if;

  v_events := calendar_internal.apply_events(
    v_calendar, v_sync_id, case when (p_sync ->> 'is_full')::boolean then p_fence end,
    p_sync -> 'events', p_sync -> 'forgotten');
  select * into v_applied from calendar_internal.apply_meetings(
    v_calendar, v_sync_id, p_sync -> 'families', p_sync -> 'meetings', p_sync -> 'withheld',
    (p_sync ->> 'covered_from')::timestamptz);
  if (p_sync ->> 'is_full')::boolean then
    v_swept := calendar_internal.sweep_unseen(
      v_calendar, v_sync_id, p_fence, (p_sync ->> 'covered_from')::timestamptz);
  end if;
  v_created := v_applied.created + coalesce((p_sync #>> '{staged,created}')::integer, 0);
  v_updated := v_applied.updated + coalesce((p_sync #>> '{staged,updated}')::integer, 0);
  v_deleted := v_applied.deleted + v_swept + coalesce((p_sync #>> '{staged,deleted}')::integer, 0);
  v_events := v_events + coalesce((p_sync #>> '{staged,events}')::integer, 0);
  -- An audit lists what was just synced: whatever its commit has to write was wrong before.
  v_differing := case when p_sync ? 'audited' then v_created + v_updated + v_deleted end;
  v_notified := v_calendar.notifications_seen > (p_sync ->> 'notifications_read')::bigint;
  v_served := greatest(0, (p_sync ->> 'notifications_read')::bigint - v_calendar.notifications_synced);

  insert into public.calendar_sync_logs (
    user_id, calendar_id, sync_id, fence, sync_type, status, reason, is_full, events_processed,
    meetings_created, meetings_updated, meetings_deleted, events_changed, audited, differing, repaired,
    google_calls, notifications, latency_ms, duration_ms)
  values (
    v_calendar.user_id, p_calendar_id, v_sync_id, p_fence, p_sync ->> 'sync_type', 'completed', p_sync ->> 'reason',
    (p_sync ->> 'is_full')::boolean, (p_sync ->> 'events_processed')::integer,
    v_created, v_updated, v_deleted, v_events, (p_sync ->> 'audited')::integer, v_differing, v_differing,
    (p_sync ->> 'google_calls')::integer,
    v_served,
    -- A calendar that was paused waits for months; an integer holds 24 days of milliseconds.
    case when v_served > 0
      then least(extract(epoch from v_now - v_calendar.notified_since) * 1000, 2147483647)::integer end,
    (p_sync ->> 'duration_ms')::integer);

  if v_calendar.access_lost_at is not null
    and calendar_internal.resolve_told(v_calendar.user_id, 'calendar_lost', p_calendar_id)
  then
    perform calendar_internal.tell_user(
      v_calendar.user_id, 'calendar_back', 'readable_again', p_sync ->> 'calendar_back_message', p_calendar_id);
  end if;

  update public.calendar_webhooks w set
    committed_fence = p_fence,
    lease_expires_at = null,
    sync_token = p_sync ->> 'sync_token',
    sync_format = (p_sync ->> 'sync_format')::integer,
    time_zone = p_sync ->> 'time_zone',
    -- A delta by a process whose horizon ends earlier (its clock is behind) leaves out what lies after it: then the
    -- horizon falls back, and its next roll enters that.
    horizon_until = case when (p_sync ->> 'is_full')::boolean
      then (p_sync ->> 'horizon_until')::timestamptz
      else least(w.horizon_until, (p_sync ->> 'horizon_until')::timestamptz) end,
    notifications_synced = greatest(w.notifications_synced, (p_sync ->> 'notifications_read')::bigint),
    notified_since = case when v_notified then case when v_served > 0 then v_now else w.notified_since end end,
    last_synced_at = v_now,
    audited_at = case when p_sync ? 'audited' then v_now else w.audited_at end,
    last_poll_at = case when p_sync ->> 'sync_type' = 'webhook' then w.last_poll_at else v_now end,
    last_change_at = case when (p_sync ->> 'events_processed')::integer > 0 then v_now else w.last_change_at end,
    webhook_failures = case when (p_sync ->> 'missed_push')::boolean
      then coalesce(w.webhook_failures, 0) + 1 else coalesce(w.webhook_failures, 0) end,
    -- A channel that no longer speaks is taken for lapsed: the next renewal opens another.
    expiration_time = case when (p_sync ->> 'reopen_watch')::boolean then v_now else w.expiration_time end,
    watch_retry_at = case when (p_sync ->> 'reopen_watch')::boolean then null else w.watch_retry_at end,
    consecutive_failures = 0,
    last_error_code = null,
    access_lost_at = null,
    initial_sync = 'done',
    initial_events = case when w.initial_sync = 'done' then w.initial_events else (
      select count(*) from public.calendar_events e where e.calendar_id = p_calendar_id) end,
    initial_meetings = case when w.initial_sync = 'done' then w.initial_meetings else (
      select count(*) from public.meetings m where m.calendar_id = p_calendar_id and m.status <> 'cancelled') end,
    poll_interval_seconds = (p_sync ->> 'next_poll_seconds')::double precision,
    not_before = w.claimed_at + make_interval(secs => (p_sync ->> 'coalesce_seconds')::double precision),
    due_at = case
      when v_notified
      then greatest(v_now, w.claimed_at + make_interval(secs => (p_sync ->> 'coalesce_seconds')::double precision))
      else v_now + make_interval(secs => (p_sync ->> 'next_poll_seconds')::double precision) end,
    due_reason = case when v_notified then 'notified' else p_sync ->> 'next_reason' end,
    updated_at = v_now
  where w.id = p_calendar_id
  returning w.* into v_calendar;
  return query select true, v_created, v_updated, v_deleted,
    greatest(0, extract(epoch from v_calendar.due_at - v_now))::double precision, v_notified;
end
$$;

-- For the service alone.
revoke all on function
  calendar_internal.apply_events,
  calendar_internal.apply_meetings,
  calendar_internal.sweep_unseen,
  public.read_families,
  public.stage_sync,
  public.commit_sync
from public, anon, authenticated;
grant execute on function
  calendar_internal.apply_events,
  calendar_internal.apply_meetings,
  calendar_internal.sweep_unseen,
  public.read_families,
  public.stage_sync,
  public.commit_sync
to service_role;
