-- The horizon moves forward every day; what enters it comes from the mirror, without a call to Google.

alter table public.meetings add column if not exists entered_horizon_at timestamptz;
comment on column public.meetings.entered_horizon_at is 'When the rolling horizon, not a change in the calendar, brought this row in.';
comment on column public.meetings.description is 'As Google has it, which may be HTML written by anybody: show it as text.';

-- claim_rolling_calendars, advance_quiet_horizons
create index if not exists calendar_webhooks_horizon on public.calendar_webhooks (horizon_until)
  where is_active and paused_reason is null and duplicate_of is null;

-- Whether any item of a calendar's mirror may come to stand between two instants, the first included: a series that has not
-- ended, or a single or an exception in between. Something without length may begin and end exactly at the first.
create or replace function calendar_internal.may_enter(p_calendar_id uuid, p_from timestamptz, p_until timestamptz)
returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (
    select 1 from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.status <> 'cancelled'
      and case when e.kind = 'series'
        then e.recurs_until is null or e.recurs_until >= p_from
        else e.ends_at >= p_from and e.starts_at < p_until end)
$$;

-- Moves the horizon of up to p_limit calendars that nothing enters, without a lease: there is nothing to write but the horizon
-- itself. Answers how many.
-- Guarantee: what a sync commits meanwhile is seen: the mirror is read again once the rows are locked.
create or replace function public.advance_quiet_horizons(p_until timestamptz, p_lag_seconds double precision, p_limit integer)
returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_quiet uuid[];
  v_moved integer;
begin
  select array_agg(behind.id) into v_quiet from (
    select w.id from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null
      and w.horizon_until < p_until - make_interval(secs => p_lag_seconds)
      and (w.lease_expires_at is null or w.lease_expires_at <= clock_timestamp())
      and not calendar_internal.may_enter(w.id, w.horizon_until, p_until)
    order by w.horizon_until
    limit least(greatest(p_limit, 0), 1000)
    for update skip locked
  ) behind;
  update public.calendar_webhooks w set horizon_until = p_until
  where w.id = any (v_quiet) and not calendar_internal.may_enter(w.id, w.horizon_until, p_until);
  get diagnostics v_moved = row_count;
  return v_moved;
end
$$;

-- Leases up to p_limit calendars whose horizon lags, the furthest behind first. The lease is the one of a sync, so no sync
-- of the calendar runs meanwhile; due_at stays, so a roller that dies delays nothing but itself.
create or replace function public.claim_rolling_calendars(
  p_worker text, p_until timestamptz, p_lag_seconds double precision, p_limit integer, p_lease_seconds integer
) returns table (calendar_id uuid, fence bigint, horizon_until timestamptz, time_zone text)
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
      and c.horizon_until < p_until - make_interval(secs => p_lag_seconds)
      and (c.lease_expires_at is null or c.lease_expires_at <= v_now)
    order by c.horizon_until
    limit least(greatest(p_limit, 0), 200)
    for update skip locked
  )
  update public.calendar_webhooks w set
    fence = w.fence + 1, claimed_at = v_now, claimed_by = p_worker,
    lease_expires_at = v_now + make_interval(secs => p_lease_seconds)
  from picked where w.id = picked.id
  returning w.id, w.fence, w.horizon_until, coalesce(w.time_zone, 'UTC');
end
$$;

-- The families that may have an occurrence between two instants, as Google's trimmed JSON. At most p_limit families, in order;
-- the caller asks again after the last base id it got.
create or replace function public.read_entering(
  p_calendar_id uuid, p_from timestamptz, p_until timestamptz, p_after text, p_limit integer
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with families as (
    select distinct e.base_event_id from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.status <> 'cancelled' and e.base_event_id > p_after
      and case when e.kind = 'series'
        then e.recurs_until is null or e.recurs_until >= p_from
        else e.ends_at >= p_from and e.starts_at < p_until end
    order by e.base_event_id
    limit p_limit
  )
  select jsonb_build_object(
    'families', (select count(*) from families),
    'last', (select max(base_event_id) from families),
    'events', coalesce(jsonb_agg(e.details), '[]'))
  from public.calendar_events e
  where e.calendar_id = p_calendar_id and e.base_event_id in (select base_event_id from families)
$$;

-- Writes what entered, part by part; the last part moves the horizon and ends the claim. A repeated call changes nothing. An
-- empty last part with the horizon as it is gives the claim back.
-- Answers whether a notification came meanwhile: then the calendar is due at once.
create or replace function public.commit_roll(
  p_calendar_id uuid, p_fence bigint, p_part jsonb, p_horizon_until timestamptz, p_is_last boolean,
  p_lease_seconds integer
) returns table (committed boolean, entered integer, notified boolean)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_calendar public.calendar_webhooks;
  v_applied record;
begin
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for update;
  v_now := clock_timestamp();
  if v_calendar.id is null or v_calendar.fence <> p_fence then
    return query select false, 0, false;
    return;
  end if;
  if v_calendar.committed_fence >= p_fence then
    return query select true, 0, v_calendar.notifications_seen > v_calendar.notifications_synced;
    return;
  end if;
  select * into v_applied from calendar_internal.apply_meetings(
    v_calendar, null, p_part -> 'families', p_part -> 'meetings', p_part -> 'withheld',
    (p_part ->> 'covered_from')::timestamptz);
  -- What this transaction wrote: an inserted row carries its beginning, an updated one a later time.
  update public.meetings m set entered_horizon_at = v_now
  where m.calendar_id = p_calendar_id and m.updated_at >= now() and m.sync_id is null and m.status <> 'cancelled'
    and m.base_event_id in (select jsonb_array_elements_text(p_part -> 'families'));
  update public.calendar_webhooks w set
    committed_fence = case when p_is_last then p_fence else w.committed_fence end,
    lease_expires_at = case when not p_is_last then v_now + make_interval(secs => p_lease_seconds) end,
    horizon_until = case when p_is_last then greatest(w.horizon_until, p_horizon_until) else w.horizon_until end,
    due_at = case when p_is_last and w.notifications_seen > w.notifications_synced
      then greatest(v_now, w.not_before) else w.due_at end
  where w.id = p_calendar_id;
  return query select true, v_applied.created + v_applied.updated,
    v_calendar.notifications_seen > v_calendar.notifications_synced;
end
$$;

-- For the service alone.
revoke all on function
  calendar_internal.may_enter,
  public.advance_quiet_horizons,
  public.claim_rolling_calendars,
  public.read_entering,
  public.commit_roll
from public, anon, authenticated;
grant execute on function
  calendar_internal.may_enter,
  public.advance_quiet_horizons,
  public.claim_rolling_calendars,
  public.read_entering,
  public.commit_roll
to service_role;
