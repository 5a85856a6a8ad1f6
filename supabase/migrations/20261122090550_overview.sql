-- Overview: figures of all calendars that cost the same however many there are.
--
-- Nothing here is counted on the way of a sync: the sync logs are the journal. A duty folds them into rollups, five minutes
-- and hours, and counts the calendars step by step (the census). Who looks reads those, and of what is rare an index.

-- Rollups ------------------------------------------------------------------------------------------------------------

create table if not exists public.sync_rollups (
  seconds integer not null,
  starts_at timestamptz not null,
  sync_type text not null,
  status text not null,
  cause text not null,
  syncs bigint not null,
  syncs_with_changes bigint not null,
  duration_ms bigint not null,
  timed_syncs bigint not null,
  longest_ms integer,
  events_processed bigint not null,
  events_changed bigint not null,
  meetings_created bigint not null,
  meetings_updated bigint not null,
  meetings_deleted bigint not null,
  google_calls bigint not null,
  notifications bigint not null,
  changes bigint not null,
  changes_announced bigint not null,
  changes_missed bigint not null,
  missed_pushes bigint not null,
  bounds_kept bigint not null,
  bounds_broken bigint not null,
  audited bigint not null,
  differing bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  primary key (seconds, starts_at, sync_type, status, cause),
  constraint sync_rollups_seconds_known check (seconds = 300 or seconds = 3600)
);
comment on table public.sync_rollups is
  'Syncs of five minutes, or of an hour, by type, status and cause: summed from calendar_sync_logs. For the service alone.';
comment on column public.sync_rollups.seconds is '300: five minutes, kept for two days. 3600: an hour, kept for 400 days.';
comment on column public.sync_rollups.starts_at is 'When the five minutes, or the hour, began.';
comment on column public.sync_rollups.sync_type is 'What asked for them.';
comment on column public.sync_rollups.status is 'How they ended.';
comment on column public.sync_rollups.cause is
  'What they failed of (error_code), or why they ran or were skipped (reason). Beyond 40 of a type and status: other.';
comment on column public.sync_rollups.syncs is 'How many.';
comment on column public.sync_rollups.syncs_with_changes is 'Those for which Google listed anything.';
comment on column public.sync_rollups.duration_ms is 'How long they took together, in milliseconds.';
comment on column public.sync_rollups.timed_syncs is 'Of how many that is known.';
comment on column public.sync_rollups.longest_ms is 'The longest, in milliseconds.';
comment on column public.sync_rollups.events_processed is 'Items that Google listed.';
comment on column public.sync_rollups.events_changed is 'Rows of the mirror that changed.';
comment on column public.sync_rollups.meetings_created is 'Meetings inserted.';
comment on column public.sync_rollups.meetings_updated is 'Meetings changed.';
comment on column public.sync_rollups.meetings_deleted is 'Meetings that became cancelled.';
comment on column public.sync_rollups.google_calls is 'Requests sent to Google.';
comment on column public.sync_rollups.notifications is 'Notifications that they answered.';
comment on column public.sync_rollups.changes is 'Changes found by incremental listings; what was changed together is one.';
comment on column public.sync_rollups.changes_announced is 'Of these, those that a notification announced.';
comment on column public.sync_rollups.changes_missed is 'Of these, those that a live channel should have announced and did not.';
comment on column public.sync_rollups.missed_pushes is 'Polls that found such a change.';
comment on column public.sync_rollups.bounds_kept is 'Syncs that came within their calendar''s bound.';
comment on column public.sync_rollups.bounds_broken is 'Syncs that did not.';
comment on column public.sync_rollups.audited is 'Meetings that audits compared.';
comment on column public.sync_rollups.differing is 'Of these, how many were wrong.';
comment on column public.sync_rollups.first_at is 'When the first of them ended.';
comment on column public.sync_rollups.last_at is 'When the last of them ended.';

create table if not exists public.freshness_rollups (
  seconds integer not null,
  starts_at timestamptz not null,
  found_by text not null,
  step smallint not null,
  changes bigint not null,
  primary key (seconds, starts_at, found_by, step),
  constraint freshness_rollups_seconds_known check (seconds = 300 or seconds = 3600),
  constraint freshness_rollups_found_by_known check (found_by in ('push', 'poll'))
);
comment on table public.freshness_rollups is
  'How old changes were when they were committed, as a histogram of five minutes, or of an hour. For the service alone.';
comment on column public.freshness_rollups.seconds is 'As in sync_rollups.';
comment on column public.freshness_rollups.starts_at is 'As in sync_rollups.';
comment on column public.freshness_rollups.found_by is 'push: a notification asked for the sync. poll: none did.';
comment on column public.freshness_rollups.step is 'The age''s step: up to 100 ms × 2^(step / 2), and above the step before.';
comment on column public.freshness_rollups.changes is 'Changes of this age.';

-- How far the duties of this page are.
create table if not exists public.overview_marks (
  name text primary key,
  at timestamptz not null,
  key text not null default '',
  next_at timestamptz,
  took_seconds double precision not null default 0
);
comment on table public.overview_marks is 'How far logs were folded and calendars counted. For the service alone.';
comment on column public.overview_marks.name is
  'rollups: logs before are folded for good. idle_logs: idle rows before are folded. census: when the calendars were last counted whole.';
comment on column public.overview_marks.at is 'How far, or when.';
comment on column public.overview_marks.key is 'The row, or calendar, to go on after.';
comment on column public.overview_marks.next_at is 'Not before this.';
comment on column public.overview_marks.took_seconds is 'What the count under way has cost so far, in seconds.';

-- How many calendars there are of each kind: published, and as counted so far.
create table if not exists public.calendar_census (
  kind text not null,
  name text not null,
  calendars bigint not null default 0,
  counting bigint not null default 0,
  primary key (kind, name)
);
comment on table public.calendar_census is
  'How many calendars there are of each kind, as the last count found (overview_marks, census). For the service alone.';
comment on column public.calendar_census.kind is
  'state: calendar_status.state. reason: state and reason. late: past their bound, by cause. channel: until their channel lapses. due: by lane.';
comment on column public.calendar_census.name is 'The state, reason, cause or time.';
comment on column public.calendar_census.calendars is 'How many, by the last whole count.';
comment on column public.calendar_census.counting is 'How many so far, by the count under way.';

alter table public.sync_rollups enable row level security;
alter table public.freshness_rollups enable row level security;
alter table public.overview_marks enable row level security;
alter table public.calendar_census enable row level security;
revoke all on table public.sync_rollups, public.freshness_rollups, public.overview_marks, public.calendar_census
  from public, anon, authenticated, service_role;
grant select, insert, update, delete
  on table public.sync_rollups, public.freshness_rollups, public.overview_marks, public.calendar_census to service_role;

-- Sums the logs of five minutes anew, and the hour they are in.
-- Guarantee: whatever was summed before is replaced, so that it may be done any number of times.
create or replace function calendar_internal.fold_five_minutes(p_start timestamptz) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_end timestamptz := p_start + interval '5 minutes';
  v_hour timestamptz := date_bin(interval '1 hour', p_start, timestamptz '2000-01-01 00:00:00+00');
begin
  delete from public.sync_rollups r where r.seconds = 300 and r.starts_at = p_start;
  delete from public.freshness_rollups r where r.seconds = 300 and r.starts_at = p_start;
  insert into public.sync_rollups
  with causes as (
    select l.sync_type, l.status, coalesce(left(coalesce(l.error_code, l.reason), 80), 'unknown') as cause,
      sum(l.syncs) as syncs, coalesce(sum(l.syncs) filter (where l.events_processed > 0), 0) as syncs_with_changes,
      coalesce(sum(l.duration_ms::bigint * l.syncs), 0) as duration_ms,
      coalesce(sum(l.syncs) filter (where l.duration_ms is not null), 0) as timed_syncs,
      max(l.duration_ms) as longest_ms, coalesce(sum(l.events_processed), 0) as events_processed,
      coalesce(sum(l.events_changed), 0) as events_changed, coalesce(sum(l.meetings_created), 0) as meetings_created,
      coalesce(sum(l.meetings_updated), 0) as meetings_updated, coalesce(sum(l.meetings_deleted), 0) as meetings_deleted,
      coalesce(sum(l.google_calls), 0) as google_calls, coalesce(sum(l.notifications), 0) as notifications,
      coalesce(sum(cardinality(l.freshness_ms)), 0) as changes,
      coalesce(sum(l.changes_announced), 0) as changes_announced, coalesce(sum(l.changes_missed), 0) as changes_missed,
      count(*) filter (where l.changes_missed > 0 and l.sync_type <> 'webhook') as missed_pushes,
      coalesce(sum(l.syncs) filter (where not l.is_past_bound), 0) as bounds_kept,
      coalesce(sum(l.syncs) filter (where l.is_past_bound), 0) as bounds_broken,
      coalesce(sum(l.audited), 0) as audited, coalesce(sum(l.differing), 0) as differing,
      min(l.created_at) as first_at, max(l.created_at) as last_at
    from public.calendar_sync_logs l where l.created_at >= p_start and l.created_at < v_end
    group by 1, 2, 3
  ), named as (
    -- Codes may be Google's, so their number is bounded here.
    select c.*, case when row_number() over (partition by c.sync_type, c.status order by c.syncs desc, c.cause) > 40
      then 'other' else c.cause end as name
    from causes c
  )
  select 300, p_start, c.sync_type, c.status, c.name, sum(c.syncs), sum(c.syncs_with_changes), sum(c.duration_ms),
    sum(c.timed_syncs), max(c.longest_ms), sum(c.events_processed), sum(c.events_changed), sum(c.meetings_created),
    sum(c.meetings_updated), sum(c.meetings_deleted), sum(c.google_calls), sum(c.notifications), sum(c.changes),
    sum(c.changes_announced), sum(c.changes_missed), sum(c.missed_pushes), sum(c.bounds_kept), sum(c.bounds_broken),
    sum(c.audited), sum(c.differing), min(c.first_at), max(c.last_at)
  from named c group by c.sync_type, c.status, c.name;
  insert into public.freshness_rollups
  select 300, p_start, case when l.sync_type = 'webhook' then 'push' else 'poll' end,
    least(60, greatest(0, ceil(2 * log(2, greatest(age, 1) / 100.0)))), count(*)
  from public.calendar_sync_logs l cross join lateral unnest(l.freshness_ms) age
  where l.created_at >= p_start and l.created_at < v_end and l.freshness_ms is not null
  group by 3, 4;

  delete from public.sync_rollups r where r.seconds = 3600 and r.starts_at = v_hour;
  delete from public.freshness_rollups r where r.seconds = 3600 and r.starts_at = v_hour;
  insert into public.sync_rollups
  select 3600, v_hour, r.sync_type, r.status, r.cause, sum(r.syncs), sum(r.syncs_with_changes), sum(r.duration_ms),
    sum(r.timed_syncs), max(r.longest_ms), sum(r.events_processed), sum(r.events_changed), sum(r.meetings_created),
    sum(r.meetings_updated), sum(r.meetings_deleted), sum(r.google_calls), sum(r.notifications), sum(r.changes),
    sum(r.changes_announced), sum(r.changes_missed), sum(r.missed_pushes), sum(r.bounds_kept), sum(r.bounds_broken),
    sum(r.audited), sum(r.differing), min(r.first_at), max(r.last_at)
  from public.sync_rollups r
  where r.seconds = 300 and r.starts_at >= v_hour and r.starts_at < v_hour + interval '1 hour'
  group by r.sync_type, r.status, r.cause;
  insert into public.freshness_rollups
  select 3600, v_hour, r.found_by, r.step, sum(r.changes) from public.freshness_rollups r
  where r.seconds = 300 and r.starts_at >= v_hour and r.starts_at < v_hour + interval '1 hour'
  group by r.found_by, r.step;
end
$$;

-- Folds the logs into rollups: up to p_limit times five minutes that have logs, the oldest first. Until a minute after their
-- end they are folded anew by each call, for a commit under way may still add to them. Drops rollups that are old.
-- Answers how many were folded; fewer than p_limit: it is up to date.
-- Guarantee: every log row counts once, however often it is called and whoever dies meanwhile; a second caller at the same
-- time does nothing.
create or replace function public.fold_sync_logs(p_limit integer, p_keep_days integer default 400) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_from timestamptz;
  v_start timestamptz;
  v_now timestamptz := clock_timestamp();
  v_folded integer := 0;
begin
  -- Not the mark's own lock: while the first call of all inserts it, a second one would wait.
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('overview rollups')) then
    return 0;
  end if;
  insert into public.overview_marks (name, at) values ('rollups', '-infinity') on conflict (name) do nothing;
  select m.at into v_from from public.overview_marks m where m.name = 'rollups';
  while v_folded < p_limit loop
    select date_bin(interval '5 minutes', min(l.created_at), timestamptz '2000-01-01 00:00:00+00') into v_start
    from public.calendar_sync_logs l where l.created_at >= v_from and l.created_at <= v_now;
    exit when v_start is null;
    perform calendar_internal.fold_five_minutes(v_start);
    v_from := v_start + interval '5 minutes';
    v_folded := v_folded + 1;
    -- No statement of the service lasts as long as that.
    if v_from < v_now - interval '1 minute' then
      update public.overview_marks m set at = v_from where m.name = 'rollups';
    end if;
  end loop;
  delete from public.sync_rollups r where r.seconds = 300
    and r.starts_at < least(v_from - interval '1 hour', v_now - interval '2 days');
  delete from public.freshness_rollups r where r.seconds = 300
    and r.starts_at < least(v_from - interval '1 hour', v_now - interval '2 days');
  delete from public.sync_rollups r where r.seconds = 3600
    and r.starts_at < v_now - make_interval(days => p_keep_days);
  delete from public.freshness_rollups r where r.seconds = 3600
    and r.starts_at < v_now - make_interval(days => p_keep_days);
  return v_folded;
end
$$;

-- One step over the sync logs older than p_keep_days, p_limit rows of them: of the idle ones (a poll that found nothing, or
-- that a notification spared) those of one calendar, week, type and status become one row, whose `syncs` says how many.
-- Answers rows looked at and rows dropped; `seen` below p_limit: there is no more for now.
-- Guarantee: what changed, failed, answered a notification or audited keeps its row, and so does the newest of each
-- calendar; sum(syncs) stays what it was; only what the rollups have counted is folded; each row is looked at once.
create or replace function public.fold_idle_logs(p_keep_days integer, p_limit integer)
returns table (seen integer, dropped integer)
language plpgsql security invoker set search_path = ''
as $$
declare
  v_mark public.overview_marks;
  v_until timestamptz := clock_timestamp() - make_interval(days => greatest(p_keep_days, 1));
  v_last_at timestamptz;
  v_last_key text;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('overview idle_logs')) then
    return query select 0, 0;
    return;
  end if;
  insert into public.overview_marks (name, at) values ('idle_logs', '-infinity') on conflict (name) do nothing;
  select * into v_mark from public.overview_marks m where m.name = 'idle_logs';
  v_until := least(v_until, coalesce(
    (select m.at from public.overview_marks m where m.name = 'rollups'), '-infinity'));
  with looked_at as materialized (
    select l.id, l.id::text as key, l.created_at, l.calendar_id, l.sync_type, l.status, l.duration_ms, l.google_calls,
      l.syncs, date_trunc('week', l.created_at, 'UTC') as week,
      l.calendar_id is not null and l.status in ('completed', 'skipped') and l.events_processed = 0
        and l.notifications = 0 and l.audited is null and not l.is_full
        and l.meetings_created + l.meetings_updated + l.meetings_deleted = 0 as is_idle
    from public.calendar_sync_logs l
    where l.created_at >= v_mark.at and (l.created_at > v_mark.at or l.id::text > v_mark.key) and l.created_at < v_until
    order by l.created_at, l.id::text
    limit least(greatest(p_limit, 0), 5000)
  ), idle as materialized (
    select o.* from looked_at o
    where o.is_idle and exists (
      select 1 from public.calendar_sync_logs newer
      where newer.calendar_id = o.calendar_id and (newer.created_at, newer.id::text) > (o.created_at, o.key))
  ), grouped as materialized (
    select i.calendar_id, i.sync_type, i.status, i.week, min(i.created_at) as first_at,
      (array_agg(i.id order by i.created_at, i.key))[1] as first_id
    from idle i group by i.calendar_id, i.sync_type, i.status, i.week
  ), kept as materialized (
    select g.*, coalesce((
      select l.id from public.calendar_sync_logs l
      where l.calendar_id = g.calendar_id and l.created_at >= g.week and l.created_at < g.first_at
        and l.sync_type = g.sync_type and l.status = g.status and l.events_processed = 0 and l.notifications = 0
        and l.audited is null and not l.is_full and l.meetings_created + l.meetings_updated + l.meetings_deleted = 0
      order by l.created_at limit 1), g.first_id) as keeper
    from grouped g
  ), pairs as materialized (
    select i.id, k.keeper, i.syncs, i.google_calls, i.duration_ms
    from kept k join idle i using (calendar_id, sync_type, status, week) where i.id <> k.keeper
  ), free as materialized (
    -- Whoever deletes a user has theirs, in another order: they are passed over.
    select l.id from public.calendar_sync_logs l
    where l.id = any (array(select p.id from pairs p union select p.keeper from pairs p)) for update skip locked
  ), joining as materialized (
    select p.* from pairs p where p.id in (select f.id from free f) and p.keeper in (select f.id from free f)
  ), added as (
    select j.keeper, sum(j.syncs) as syncs, sum(j.google_calls) as google_calls,
      sum(j.duration_ms::bigint * j.syncs) as duration_ms
    from joining j group by j.keeper
  ), grown as (
    update public.calendar_sync_logs l set
      syncs = l.syncs + a.syncs,
      google_calls = l.google_calls + a.google_calls,
      duration_ms = (l.duration_ms::bigint * l.syncs + a.duration_ms) / (l.syncs + a.syncs)
    from added a where l.id = a.keeper
  ), gone as (
    delete from public.calendar_sync_logs l using joining j where l.id = j.id
    returning 1
  )
  select count(*), (select count(*) from gone), max(o.created_at),
    (array_agg(o.key order by o.created_at desc, o.key desc))[1]
  into seen, dropped, v_last_at, v_last_key from looked_at o;
  if seen > 0 then
    update public.overview_marks m set at = v_last_at, key = v_last_key where m.name = 'idle_logs';
  end if;
  return next;
end
$$;

-- The census ---------------------------------------------------------------------------------------------------------

-- One step of the count of all calendars: p_limit of them, in order of their ids. The last step publishes what was found;
-- then it rests for twenty times of what the count has cost, but ten seconds at least. Answers seconds to the next step; 0:
-- the count is under way.
-- Guarantee: one step at a time; what is published was counted whole.
create or replace function public.count_census(p_limit integer) returns double precision
language plpgsql security invoker set search_path = ''
as $$
declare
  v_began timestamptz := clock_timestamp();
  v_mark public.overview_marks;
  v_after uuid;
  v_upto uuid;
  v_took double precision;
begin
  if not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtext('overview census')) then
    return 10;
  end if;
  insert into public.overview_marks (name, at) values ('census', '-infinity') on conflict (name) do nothing;
  select * into v_mark from public.overview_marks m where m.name = 'census';
  if v_mark.next_at > v_began then
    return extract(epoch from v_mark.next_at - v_began);
  end if;
  v_after := coalesce(nullif(v_mark.key, ''), '00000000-0000-0000-0000-000000000000')::uuid;
  if v_mark.key = '' then
    update public.calendar_census c set counting = 0 where c.counting <> 0;
  end if;
  select max(step.id::text)::uuid into v_upto from (
    select w.id from public.calendar_webhooks w where w.id > v_after order by w.id limit greatest(p_limit, 1)) step;
  if v_upto is not null then
    perform calendar_internal.count_calendars_between(v_after, v_upto, v_began);
    perform calendar_internal.mend_queue(v_after, v_upto);
  end if;
  v_took := v_mark.took_seconds + extract(epoch from clock_timestamp() - v_began);
  -- In order, or it may be looked for in the whole table.
  if (select w.id from public.calendar_webhooks w where w.id > v_upto order by w.id limit 1) is not null then
    update public.overview_marks m set key = v_upto::text, took_seconds = v_took where m.name = 'census';
    return 0;
  end if;
  -- What waits in the queue behind the last calendar is of none.
  perform calendar_internal.mend_queue(coalesce(v_upto, v_after), 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  delete from public.calendar_census c where c.counting = 0;
  update public.calendar_census c set calendars = c.counting;
  update public.overview_marks m set
    at = clock_timestamp(), key = '', took_seconds = 0,
    next_at = clock_timestamp() + make_interval(secs => greatest(10, 20 * v_took))
  where m.name = 'census';
  return greatest(10, 20 * v_took);
end
$$;

-- Adds the calendars after one id and up to another to the count under way.
-- A calendar is late if a notification has waited for five minutes, or the last look is longer ago than its bound.
create or replace function calendar_internal.count_calendars_between(p_after uuid, p_upto uuid, p_now timestamptz)
returns void
language sql security invoker set search_path = ''
as $$
  -- Materialized, or the view's long expressions are computed for each place that names them.
  with each as materialized (
    select s.state, s.reason, w.is_active is true as is_active,
      case
        when w.paused_reason is not null then w.paused_reason
        when w.claims_unended >= 4 then 'poisoned'
        when s.state in ('paused', 'retrying', 'overdue') then coalesce(s.reason, s.state)
        when w.notifications_seen > w.notifications_synced then 'notification_waits'
        else 'not_looked_at'
      end as cause,
      (w.notifications_seen > w.notifications_synced and w.notified_since < p_now - interval '5 minutes')
        or coalesce(w.last_synced_at, w.created_at) + make_interval(secs => 60 + case when w.last_synced_at is null
          then 840 else coalesce(w.stale_bound_seconds, 86400) end) < p_now as is_late,
      case
        when s.channel_id is null then 'none'
        when s.channel_expires_at < p_now + interval '1 hour' then 'under_1_hour'
        when s.channel_expires_at < p_now + interval '6 hours' then 'under_6_hours'
        when s.channel_expires_at < p_now + interval '24 hours' then 'under_24_hours'
        when s.channel_expires_at < p_now + interval '3 days' then 'under_3_days'
        else 'longer'
      end as lapses,
      case
        when w.is_active is not true or w.paused_reason is not null or w.due_at > p_now
          or w.lease_expires_at > p_now then null
        when w.claims_unended >= 2 then 'suspect'
        when w.sync_token is null then 'first'
        when w.notifications_seen > w.notifications_synced then 'notified'
        else 'poll'
      end as due
    from public.calendar_status s
    join public.calendar_webhooks w on w.id = s.calendar_id and w.id > p_after and w.id <= p_upto
    where s.calendar_id > p_after and s.calendar_id <= p_upto
  ), same as (
    select each.state, each.reason, case when each.is_active and each.is_late then each.cause end as late,
      case when each.is_active then each.lapses end as lapses, each.due, count(*) as calendars
    from each group by 1, 2, 3, 4, 5
  )
  insert into public.calendar_census as c (kind, name, counting)
  select counted.kind, counted.name, sum(same.calendars)
  from same cross join lateral (
    values ('state', same.state), ('reason', left(same.state || '/' || same.reason, 120)),
      ('late', left(same.late, 80)), ('channel', same.lapses), ('due', same.due)
  ) counted (kind, name)
  where counted.name is not null
  group by counted.kind, counted.name
  on conflict (kind, name) do update set counting = c.counting + excluded.counting
$$;

-- What an operator looks at first ------------------------------------------------------------------------------------

-- How old changes were at their commit, from the rollups of p_seconds since p_since: {changes, p50_seconds, p95_seconds,
-- p99_seconds}, null where nothing was found. Right to a fifth: within a step of the histogram ages are taken to be spread.
create or replace function calendar_internal.freshness(
  p_seconds integer, p_since timestamptz, p_until timestamptz, p_found_by text
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with steps as (
    select r.step, sum(r.changes) as changes from public.freshness_rollups r
    where r.seconds = p_seconds and r.starts_at >= p_since and r.starts_at < p_until and r.found_by = p_found_by
    group by r.step
  ), running as (
    select s.step, s.changes, sum(s.changes) over (order by s.step) as so_far, sum(s.changes) over () as total from steps s
  ), wanted as (
    select q.name, (
      select (0.1 * power(2, r.step / 2.0)
        * power(2, ((q.share * r.total - (r.so_far - r.changes)) / r.changes - 1) / 2.0))::double precision
      from running r where r.so_far >= q.share * r.total order by r.step limit 1) as seconds
    from (values ('p50_seconds', 0.5), ('p95_seconds', 0.95), ('p99_seconds', 0.99)) q (name, share)
  )
  select jsonb_object_agg(w.name, round(w.seconds::numeric, 3))
    || jsonb_build_object('changes', (select coalesce(sum(s.changes), 0) from steps s))
  from wanted w
$$;

-- Calendars that are due in a lane: {due, is_exact, oldest_due_seconds}. A hundred are counted now; of more there is the last
-- whole count.
create or replace function calendar_internal.lane_overview(p_lane text, p_now timestamptz) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'due', case when count(*) < 100 then count(*) else greatest(count(*), (
      select c.calendars from public.calendar_census c where c.kind = 'due' and c.name = p_lane)) end,
    'is_exact', count(*) < 100, 'oldest_due_seconds', extract(epoch from p_now - min(d.due_at)))
  from (
    select e.due_at
    from unnest(case p_lane when 'poll' then array['imminent', 'poll'] else array[p_lane] end) as l (lane) cross join lateral (
      select q.due_at from public.calendar_queue q
      where q.lane = l.lane and q.due_at <= p_now and (q.leased_until is null or q.leased_until <= p_now)
      order by q.due_at limit 100) e
    order by e.due_at limit 100) d
$$;

-- Published figures of one kind: {name: calendars}.
create or replace function calendar_internal.census(p_kind text) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_object_agg(c.name, c.calendars), '{}') from public.calendar_census c
  where c.kind = p_kind and c.calendars > 0
$$;

-- service_overview: what is given up by providers and subscribers
create index if not exists bot_requests_dead on public.bot_requests (dead_at) where dead_at is not null;

-- How the service stands, in one call:
--   counted_at          when the calendars were last counted whole; null: not yet
--   calendars           {total, by_state, by_reason ("state/reason")}, of that count
--   bounds              {within, late, late_by_cause}: of that count, whether the last look is within the calendar's bound
--   channels            calendars by the time until their channel lapses, of that count
--   lanes               by lane {due, is_exact, oldest_due_seconds} now; of more than a hundred, as last counted
--   leased, poisoned    now, counted to 1000
--   freshness           {push, poll}: {changes, p50_seconds, p95_seconds, p99_seconds} of the last hour, from Google's
--                       `updated` to the commit
--   last_hour           syncs by status, changes and how they were found, missed pushes and their rate, bounds kept and
--                       broken, notifications, requests; rolled_up_at: up to when
--   drift               of the last 24 hours' audits
--   google              requests that Google answered in its day and month
--   dead_letters        {bots, events}, counted to 1000
--   crons               by name when they last ran; processes: {alive, last_seen_at}
-- Guarantee: costs the same however many calendars and logs there are: what is rare is counted by its index, what is not by
-- the census.
create or replace function public.service_overview() returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_since timestamptz := date_bin(interval '5 minutes', v_now - interval '1 hour', timestamptz '2000-01-01 00:00:00+00');
  v_today date := (v_now at time zone 'America/Los_Angeles')::date;
  v_total bigint;
  v_late jsonb := calendar_internal.census('late');
begin
  select coalesce(sum(c.calendars), 0) into v_total from public.calendar_census c where c.kind = 'channel';
  return jsonb_build_object(
    'at', v_now,
    'counted_at', (select m.at from public.overview_marks m where m.name = 'census' and m.at > '-infinity'),
    'calendars', jsonb_build_object(
      'total', (select coalesce(sum(c.calendars), 0) from public.calendar_census c where c.kind = 'state'),
      'active', v_total,
      'by_state', calendar_internal.census('state'), 'by_reason', calendar_internal.census('reason')),
    'bounds', (
      select jsonb_build_object('within', v_total - late.calendars, 'late', late.calendars, 'late_by_cause', v_late)
      from (select coalesce(sum(value::bigint), 0) as calendars from jsonb_each_text(v_late)) late),
    'channels', calendar_internal.census('channel'),
    'lanes', (
      select jsonb_object_agg(lane, calendar_internal.lane_overview(lane, v_now))
      from unnest(array['notified', 'first', 'poll', 'suspect']) lane),
    'leased', (
      select count(*) from (
        select 1 from public.calendar_queue q where q.claim_id is not null and q.leased_until > v_now
        limit 1000) leased),
    'poisoned', (
      select count(*) from (
        select 1 from public.calendar_queue q join public.calendar_webhooks w on w.id = q.calendar_id
        where q.lane = 'suspect' and w.claims_unended >= 4 limit 1000) poisoned),
    'freshness', jsonb_build_object(
      'push', calendar_internal.freshness(300, v_since, 'infinity', 'push'),
      'poll', calendar_internal.freshness(300, v_since, 'infinity', 'poll')),
    'last_hour', calendar_internal.sync_figures(300, v_since, 'infinity')
      || jsonb_build_object('rolled_up_at', (select max(r.last_at) from public.sync_rollups r where r.seconds = 300
        and r.starts_at >= v_since)),
    'drift', (
      select jsonb_build_object('audited', coalesce(sum(r.audited), 0), 'differing', coalesce(sum(r.differing), 0))
      from public.sync_rollups r where r.seconds = 3600 and r.starts_at >= v_now - interval '24 hours' and r.cause = 'audit'),
    'google', (
      select jsonb_build_object(
        'requests_today', coalesce(sum(g.requests) filter (where g.day = v_today), 0),
        'polls_today', coalesce(sum(g.polls) filter (where g.day = v_today), 0),
        'requests_this_month', coalesce(sum(g.requests), 0))
      from public.google_requests g where g.day between date_trunc('month', v_today)::date and v_today),
    'dead_letters', jsonb_build_object(
      'bots', (
        select count(*) from (
          select 1 from public.bot_requests r where r.dead_at is not null and r.wanted limit 1000) dead),
      'events', (
        select coalesce(sum(dead.letters), 0) from public.event_subscriptions s cross join lateral (
          select count(*) as letters from (
            select 1 from public.event_deliveries d where d.subscription_id = s.id and d.state = 'dead'
            limit 1000) given_up) dead)),
    'crons', (
      select coalesce(jsonb_object_agg(j.name, j.taken_at), '{}') from public.service_jobs j where j.name like '%cron'),
    'processes', (
      select jsonb_build_object(
        'alive', count(*) filter (where p.seen_at > v_now - interval '2 minutes'), 'last_seen_at', max(p.seen_at))
      from public.service_processes p));
end
$$;

-- Sums of the rollups of p_seconds from one time to another: what service_overview tells of the last hour.
create or replace function calendar_internal.sync_figures(p_seconds integer, p_since timestamptz, p_until timestamptz)
returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'syncs', coalesce(sum(r.syncs), 0),
    'completed', coalesce(sum(r.syncs) filter (where r.status = 'completed'), 0),
    'failed', coalesce(sum(r.syncs) filter (where r.status = 'failed'), 0),
    'skipped', coalesce(sum(r.syncs) filter (where r.status = 'skipped'), 0),
    'changes', coalesce(sum(r.changes), 0),
    'changes_by_push', coalesce(sum(r.changes) filter (where r.sync_type = 'webhook'), 0),
    'changes_by_poll', coalesce(sum(r.changes) filter (where r.sync_type <> 'webhook'), 0),
    'changes_announced', coalesce(sum(r.changes_announced), 0),
    'changes_missed', coalesce(sum(r.changes_missed), 0),
    'missed_pushes', coalesce(sum(r.missed_pushes), 0),
    'missed_push_rate', round(sum(r.changes_missed) / nullif(sum(r.changes_announced) + sum(r.changes_missed), 0), 4),
    'notifications', coalesce(sum(r.notifications), 0),
    'google_calls', coalesce(sum(r.google_calls), 0),
    'bounds_kept', coalesce(sum(r.bounds_kept), 0),
    'bounds_broken', coalesce(sum(r.bounds_broken), 0))
  from public.sync_rollups r where r.seconds = p_seconds and r.starts_at >= p_since and r.starts_at < p_until
$$;

-- What syncs failed of in the last p_hours, the most frequent first: by cause how often, when first and last, and how many
-- calendars stand so now (by the last count). [{cause, failures, first_at, last_at, calendars}], 100 at most.
create or replace function public.failure_causes(p_hours integer default 24) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(to_jsonb(found) order by found.failures desc, found.cause), '[]') from (
    select r.cause, sum(r.syncs) as failures, min(r.first_at) as first_at, max(r.last_at) as last_at, (
      select coalesce(sum(c.calendars), 0) from public.calendar_census c
      where c.kind = 'reason' and c.name in ('retrying/' || r.cause, 'paused/' || r.cause)) as calendars
    from public.sync_rollups r
    where r.seconds = 3600 and r.status = 'failed'
      and r.last_at >= now() - make_interval(hours => p_hours)
      and r.starts_at >= now() - make_interval(hours => p_hours + 1)
    group by r.cause order by sum(r.syncs) desc limit 100) found
$$;

-- One calendar's story, the newest first: [{at, key, kind, reason, details}], p_limit at most; the next page follows the last
-- one's (at, key). Kinds:
--   notification  a sync that notifications asked for       look     another one that listed the calendar
--   skip          a look that a notification spared         miss     a look that found a change nobody had announced
--   error         a sync that failed                        renewal  a channel opened
--   watch_error   a channel that could not be opened        channel_over  one that is no longer ours
--   told          what its user was told
create or replace function public.calendar_timeline(
  p_calendar_id uuid, p_before timestamptz default 'infinity', p_before_key text default '', p_limit integer default 50
) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_limit integer := least(greatest(p_limit, 0), 200);
begin
  return (
    with logged as (
      select l.created_at as at, 'log:' || l.id::text as key,
        case when l.status = 'failed' then 'error' when l.status = 'skipped' then 'skip'
          when l.changes_missed > 0 and l.sync_type <> 'webhook' then 'miss'
          when l.sync_type = 'webhook' then 'notification' else 'look' end as kind,
        coalesce(l.error_code, l.reason) as reason,
        jsonb_strip_nulls(jsonb_build_object(
          'sync_type', l.sync_type, 'is_full', l.is_full, 'syncs', l.syncs, 'events_processed', l.events_processed,
          'meetings_created', l.meetings_created, 'meetings_updated', l.meetings_updated,
          'meetings_deleted', l.meetings_deleted, 'notifications', l.notifications, 'latency_ms', l.latency_ms,
          'freshness_ms', l.freshness_ms, 'changes_missed', l.changes_missed, 'is_past_bound', l.is_past_bound,
          'duration_ms', l.duration_ms, 'google_calls', l.google_calls, 'error_message', l.error_message)) as details
      from public.calendar_sync_logs l
      where l.calendar_id = p_calendar_id and l.created_at <= p_before
        and (l.created_at < p_before or 'log:' || l.id::text < p_before_key)
      order by l.created_at desc, l.id::text desc limit v_limit
    ), spoken as (
      select told.at, 'channel:' || c.id || told.suffix as key, told.kind, c.error_code as reason,
        jsonb_strip_nulls(jsonb_build_object('channel_id', c.id, 'state', c.state, 'expires_at', c.expires_at,
          'notifications', c.notifications)) as details
      from public.calendar_channels c cross join lateral (
        values (c.opened_at, ':opened', 'renewal'),
          (case when c.state in ('superseded', 'stopped', 'expired') then c.updated_at end, ':over', 'channel_over'),
          (case when c.state = 'failed' then c.updated_at end, ':failed', 'watch_error')) told (at, suffix, kind)
      where c.calendar_id = p_calendar_id and told.at is not null
    ), told as (
      select n.created_at as at, 'told:' || n.id::text as key, 'told' as kind, n.reason,
        jsonb_build_object('kind', n.kind) as details
      from public.user_notifications n
      where n.calendar_id = p_calendar_id
        and n.user_id = (select w.user_id from public.calendar_webhooks w where w.id = p_calendar_id)
    ), page as (
      select * from (select * from logged union all select * from spoken union all select * from told) entry
      where (entry.at, entry.key) < (p_before, p_before_key) or entry.at < p_before
      order by entry.at desc, entry.key desc limit v_limit
    )
    select coalesce(jsonb_agg(to_jsonb(p) order by p.at desc, p.key desc), '[]') from page p);
end
$$;

-- list_calendars: those that something is the matter with
create index if not exists calendar_webhooks_troubled on public.calendar_webhooks (id)
  where is_active is not true or paused_reason is not null or access_lost_at is not null
    or consecutive_failures > 0 or webhook_failures > 0 or initial_sync <> 'done';
-- list_calendars: by the beginning of the Google account's address
create index if not exists google_credentials_account on public.google_credentials (lower(google_account) text_pattern_ops)
  where google_account is not null;

-- A page of calendars in order of their ids, after p_after: of a user, of those whose Google account begins so, or all;
-- with p_states only those. {calendars: [as calendar_status, with google_account], next}: ask again after `next`, until it
-- is null; a page may be short, for one call looks at p_look calendars at most. Of `overdue` ones among all, the 5,000 that
-- have been due for the longest are looked at.
create or replace function public.list_calendars(
  p_user_id uuid default null, p_account text default null, p_states text[] default null,
  p_after uuid default null, p_limit integer default 50, p_look integer default 2000
) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_after uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
  v_look integer := least(greatest(p_look, 1), 5000);
  v_limit integer := least(greatest(p_limit, 1), 200);
  v_users uuid[];
  v_ids uuid[];
begin
  if p_states is null then
    v_look := v_limit;
  end if;
  if p_user_id is not null then
    v_users := array[p_user_id];
  elsif p_account is not null then
    -- As a range: a pattern that the plan does not know finds no index.
    select array_agg(g.user_id) into v_users from (
      select c.user_id from public.google_credentials c
      where c.google_account is not null and lower(c.google_account) ~>=~ lower(p_account)
        and lower(c.google_account) ~<~ (lower(p_account) || chr(1114111))
      limit 1000) g;
    v_users := coalesce(v_users, '{}');
  end if;
  if v_users is not null then
    select array_agg(w.id order by w.id) into v_ids from (
      select c.id from public.calendar_webhooks c
      where c.user_id = any (v_users) and c.id > v_after order by c.id limit v_look) w;
  elsif p_states = array['overdue'] then
    select array_agg(w.id order by w.id) into v_ids from (
      select d.calendar_id as id from (
        select e.*
        from unnest(array['notified', 'first', 'imminent', 'poll', 'suspect']) as l (lane) cross join lateral (
          select q.calendar_id, q.due_at from public.calendar_queue q
          where q.lane = l.lane and q.due_at < now() - interval '15 minutes'
          order by q.due_at limit 5000) e
        order by e.due_at limit 5000) d
      where d.calendar_id > v_after order by d.calendar_id limit v_look) w;
  elsif p_states <@ array['inactive', 'paused', 'poisoned', 'retrying', 'connecting'] then
    select array_agg(w.id order by w.id) into v_ids from (
      (select c.id from public.calendar_webhooks c
      where (c.is_active is not true or c.paused_reason is not null or c.access_lost_at is not null
        or c.consecutive_failures > 0 or c.webhook_failures > 0 or c.initial_sync <> 'done')
        and c.id > v_after
      order by c.id limit v_look)
      union
      (select q.calendar_id from public.calendar_queue q where q.lane = 'suspect' and q.calendar_id > v_after
      order by q.calendar_id limit v_look)
      order by id limit v_look) w;
  else
    select array_agg(w.id order by w.id) into v_ids from (
      select c.id from public.calendar_webhooks c where c.id > v_after order by c.id limit v_look) w;
  end if;
  return (
    with found as materialized (
      select s.*, g.google_account
      from public.calendar_status s left join public.google_credentials g on g.user_id = s.user_id
      where s.calendar_id = any (v_ids) and (p_states is null or s.state = any (p_states))
      order by s.calendar_id limit v_limit
    )
    select jsonb_build_object(
      'calendars', coalesce(jsonb_agg(to_jsonb(f) order by f.calendar_id), '[]'),
      'next', case when count(*) = v_limit then max(f.calendar_id::text)
        when cardinality(v_ids) = v_look then v_ids[v_look]::text end)
    from found f);
end
$$;

-- Views for the SQL editor -------------------------------------------------------------------------------------------

-- Each as the query of the original dashboard that it is called after, and more; from rollups, so that they are as quick
-- over months as over a day. Days are UTC's.

-- The original's "webhook status": one row per active calendar.
create or replace view public.webhook_health with (security_invoker = true) as
select
  w.id as calendar_id, w.user_id, w.google_calendar_id, w.is_active, w.expiration_time, w.last_webhook_received,
  w.last_poll_at, w.webhook_failures,
  case
    when w.last_webhook_received > now() - interval '6 hours' then 'healthy'
    when w.last_webhook_received > now() - interval '24 hours' then 'stale'
    else 'unhealthy'
  end as webhook_health,
  w.notifications_seen,
  w.notifications_seen - w.notifications_synced as notifications_waiting,
  w.watch_failures,
  w.watch_error_code,
  w.belief_announced / nullif(w.belief_announced + w.belief_missed, 0) as announced_share
from public.calendar_webhooks w
where w.is_active and w.duplicate_of is null;
comment on view public.webhook_health is
  'One row per active calendar: when push was last heard, as the original dashboard judges it, and what it announced. For operators.';
comment on column public.webhook_health.calendar_id is 'The calendar.';
comment on column public.webhook_health.user_id is 'Its user.';
comment on column public.webhook_health.google_calendar_id is 'Google''s id of it.';
comment on column public.webhook_health.is_active is 'True.';
comment on column public.webhook_health.expiration_time is 'When its channel lapses.';
comment on column public.webhook_health.last_webhook_received is 'When the last notification came.';
comment on column public.webhook_health.last_poll_at is 'When it was last polled.';
comment on column public.webhook_health.webhook_failures is 'Missed pushes in a row.';
comment on column public.webhook_health.webhook_health is
  'healthy: a notification within 6 hours; stale: within 24; else unhealthy. A calendar in which nothing happens is unhealthy here: calendar_status knows the difference.';
comment on column public.webhook_health.notifications_seen is 'Notifications accepted so far.';
comment on column public.webhook_health.notifications_waiting is 'Of these, those that no sync has answered.';
comment on column public.webhook_health.watch_failures is 'Failed tries for a channel in a row.';
comment on column public.webhook_health.watch_error_code is 'What the last of them failed of.';
comment on column public.webhook_health.announced_share is
  'The share of its last changes that push announced; null: none was judged yet.';

-- The original's "sync performance", by day and type.
create or replace view public.sync_performance with (security_invoker = true) as
select
  (r.starts_at at time zone 'UTC')::date as date,
  r.sync_type,
  sum(r.syncs) as total_syncs,
  round(sum(r.duration_ms) / nullif(sum(r.timed_syncs), 0), 1) as avg_duration_ms,
  max(r.longest_ms) as longest_ms,
  round(sum(r.events_processed) / sum(r.syncs), 2) as avg_events,
  sum(r.meetings_created) as created,
  sum(r.meetings_updated) as updated,
  sum(r.meetings_deleted) as deleted,
  sum(r.google_calls) as google_calls,
  round(coalesce(sum(r.syncs) filter (where r.status = 'completed'), 0) * 100.0 / sum(r.syncs), 2) as success_rate
from public.sync_rollups r
where r.seconds = 3600
group by 1, 2;
comment on view public.sync_performance is 'By day and type: how many syncs there were and what they did. For operators.';
comment on column public.sync_performance.date is 'The day (UTC).';
comment on column public.sync_performance.sync_type is 'What asked for them.';
comment on column public.sync_performance.total_syncs is 'How many.';
comment on column public.sync_performance.avg_duration_ms is 'How long one took in the mean, in milliseconds.';
comment on column public.sync_performance.longest_ms is 'The longest, in milliseconds.';
comment on column public.sync_performance.avg_events is 'Items that Google listed for one, in the mean.';
comment on column public.sync_performance.created is 'Meetings inserted.';
comment on column public.sync_performance.updated is 'Meetings changed.';
comment on column public.sync_performance.deleted is 'Meetings that became cancelled.';
comment on column public.sync_performance.google_calls is 'Requests sent to Google.';
comment on column public.sync_performance.success_rate is 'How many of a hundred were completed.';

-- The original's "webhook versus polling", by day, and of changes beside syncs.
create or replace view public.detection_rates with (security_invoker = true) as
select
  (r.starts_at at time zone 'UTC')::date as date,
  coalesce(sum(r.syncs) filter (where r.sync_type = 'webhook' and r.status = 'completed'), 0) as webhook_syncs,
  coalesce(sum(r.syncs) filter (where r.sync_type in ('incremental', 'full') and r.status = 'completed'), 0) as polling_syncs,
  round(coalesce(sum(r.syncs) filter (where r.sync_type = 'webhook' and r.status = 'completed'), 0) * 100.0
    / nullif(sum(r.syncs) filter (where r.status = 'completed'), 0), 2) as webhook_rate,
  coalesce(sum(r.changes) filter (where r.sync_type = 'webhook'), 0) as changes_by_webhook,
  coalesce(sum(r.changes) filter (where r.sync_type <> 'webhook'), 0) as changes_by_polling,
  round(coalesce(sum(r.changes) filter (where r.sync_type = 'webhook'), 0) * 100.0 / nullif(sum(r.changes), 0), 2)
    as changes_by_webhook_rate,
  sum(r.changes_missed) as changes_missed,
  round(sum(r.changes_missed) * 100.0 / nullif(sum(r.changes_announced) + sum(r.changes_missed), 0), 2) as missed_push_rate,
  sum(r.notifications) as notifications
from public.sync_rollups r
where r.seconds = 3600
group by 1;
comment on view public.detection_rates is 'By day: what was found by push and what by polling, and what push missed. For operators.';
comment on column public.detection_rates.date is 'The day (UTC).';
comment on column public.detection_rates.webhook_syncs is 'Completed syncs that a notification asked for.';
comment on column public.detection_rates.polling_syncs is 'Completed polls.';
comment on column public.detection_rates.webhook_rate is 'Of a hundred completed syncs of any type, those that a notification asked for.';
comment on column public.detection_rates.changes_by_webhook is 'Changes found by the former; what was changed together is one.';
comment on column public.detection_rates.changes_by_polling is 'Changes found by all others.';
comment on column public.detection_rates.changes_by_webhook_rate is 'Of a hundred changes those found by the former.';
comment on column public.detection_rates.changes_missed is 'Changes that a live channel should have announced and did not.';
comment on column public.detection_rates.missed_push_rate is 'Those, of a hundred that were either announced or missed.';
comment on column public.detection_rates.notifications is 'Notifications answered.';

-- The original's "polling efficiency", by day, and what polls found.
create or replace view public.polling_efficiency with (security_invoker = true) as
select
  (r.starts_at at time zone 'UTC')::date as date,
  sum(r.syncs) as total_polls,
  coalesce(sum(r.syncs) filter (where r.status = 'completed'), 0) as completed,
  coalesce(sum(r.syncs) filter (where r.status = 'skipped'), 0) as skipped,
  coalesce(sum(r.syncs) filter (where r.status = 'failed'), 0) as failed,
  round(coalesce(sum(r.syncs) filter (where r.status = 'skipped'), 0) * 100.0 / sum(r.syncs), 2) as skip_rate,
  sum(r.syncs_with_changes) as polls_with_changes,
  round(sum(r.syncs_with_changes) * 100.0 / nullif(sum(r.syncs) filter (where r.status = 'completed'), 0), 2) as hit_rate,
  sum(r.google_calls) as google_calls,
  sum(r.bounds_kept) as bounds_kept,
  sum(r.bounds_broken) as bounds_broken
from public.sync_rollups r
where r.seconds = 3600 and r.sync_type in ('incremental', 'full')
group by 1;
comment on view public.polling_efficiency is 'By day: how many polls there were, how many were spared, and what they found. For operators.';
comment on column public.polling_efficiency.date is 'The day (UTC).';
comment on column public.polling_efficiency.total_polls is 'Polls that came up.';
comment on column public.polling_efficiency.completed is 'Those that asked Google.';
comment on column public.polling_efficiency.skipped is 'Those that a notification spared.';
comment on column public.polling_efficiency.failed is 'Those that failed.';
comment on column public.polling_efficiency.skip_rate is 'Of a hundred those that were spared.';
comment on column public.polling_efficiency.polls_with_changes is 'Those for which Google listed anything.';
comment on column public.polling_efficiency.hit_rate is 'These, of a hundred that asked Google.';
comment on column public.polling_efficiency.google_calls is 'Requests they sent.';
comment on column public.polling_efficiency.bounds_kept is 'Those that came within their calendar''s bound.';
comment on column public.polling_efficiency.bounds_broken is 'Those that did not.';

revoke all on table public.webhook_health, public.sync_performance, public.detection_rates, public.polling_efficiency
  from public, anon, authenticated, service_role;
grant select on table public.webhook_health, public.sync_performance, public.detection_rates, public.polling_efficiency
  to service_role;

-- For the service alone.
revoke all on function
  calendar_internal.fold_five_minutes,
  public.fold_sync_logs,
  public.fold_idle_logs,
  public.count_census,
  calendar_internal.count_calendars_between,
  calendar_internal.freshness,
  calendar_internal.lane_overview,
  calendar_internal.census,
  calendar_internal.sync_figures,
  public.service_overview,
  public.failure_causes,
  public.calendar_timeline,
  public.list_calendars
from public, anon, authenticated;
grant execute on function
  calendar_internal.fold_five_minutes,
  public.fold_sync_logs,
  public.fold_idle_logs,
  public.count_census,
  calendar_internal.count_calendars_between,
  calendar_internal.freshness,
  calendar_internal.lane_overview,
  calendar_internal.census,
  calendar_internal.sync_figures,
  public.service_overview,
  public.failure_causes,
  public.calendar_timeline,
  public.list_calendars
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.fold_five_minutes is 'Sums the logs of five minutes anew, and the hour they are in.
Guarantee: whatever was summed before is replaced, so that it may be done any number of times.';
comment on function public.fold_sync_logs is 'Folds the logs into rollups: up to p_limit times five minutes that have logs, the oldest first. Until a minute after their
end they are folded anew by each call, for a commit under way may still add to them. Drops rollups that are old.
Answers how many were folded; fewer than p_limit: it is up to date.
Guarantee: every log row counts once, however often it is called and whoever dies meanwhile; a second caller at the same
time does nothing.';
comment on function public.fold_idle_logs is 'One step over the sync logs older than p_keep_days, p_limit rows of them: of the idle ones (a poll that found nothing, or
that a notification spared) those of one calendar, week, type and status become one row, whose `syncs` says how many.
Answers rows looked at and rows dropped; `seen` below p_limit: there is no more for now.
Guarantee: what changed, failed, answered a notification or audited keeps its row, and so does the newest of each
calendar; sum(syncs) stays what it was; only what the rollups have counted is folded; each row is looked at once.';
comment on function public.count_census is 'One step of the count of all calendars: p_limit of them, in order of their ids. The last step publishes what was found;
then it rests for twenty times of what the count has cost, but ten seconds at least. Answers seconds to the next step; 0:
the count is under way.
Guarantee: one step at a time; what is published was counted whole.';
comment on function calendar_internal.count_calendars_between is 'Adds the calendars after one id and up to another to the count under way.
A calendar is late if a notification has waited for five minutes, or the last look is longer ago than its bound.';
comment on function calendar_internal.freshness is 'How old changes were at their commit, from the rollups of p_seconds since p_since: {changes, p50_seconds, p95_seconds,
p99_seconds}, null where nothing was found. Right to a fifth: within a step of the histogram ages are taken to be spread.';
comment on function calendar_internal.lane_overview is 'Calendars that are due in a lane: {due, is_exact, oldest_due_seconds}. A hundred are counted now; of more there is the last
whole count.';
comment on function calendar_internal.census is 'Published figures of one kind: {name: calendars}.';
comment on function public.service_overview is 'How the service stands, in one call:
  counted_at          when the calendars were last counted whole; null: not yet
  calendars           {total, by_state, by_reason ("state/reason")}, of that count
  bounds              {within, late, late_by_cause}: of that count, whether the last look is within the calendar''s bound
  channels            calendars by the time until their channel lapses, of that count
  lanes               by lane {due, is_exact, oldest_due_seconds} now; of more than a hundred, as last counted
  leased, poisoned    now, counted to 1000
  freshness           {push, poll}: {changes, p50_seconds, p95_seconds, p99_seconds} of the last hour, from Google''s
                      `updated` to the commit
  last_hour           syncs by status, changes and how they were found, missed pushes and their rate, bounds kept and
                      broken, notifications, requests; rolled_up_at: up to when
  drift               of the last 24 hours'' audits
  google              requests that Google answered in its day and month
  dead_letters        {bots, events}, counted to 1000
  crons               by name when they last ran; processes: {alive, last_seen_at}
Guarantee: costs the same however many calendars and logs there are: what is rare is counted by its index, what is not by
the census.';
comment on function calendar_internal.sync_figures is 'Sums of the rollups of p_seconds from one time to another: what service_overview tells of the last hour.';
comment on function public.failure_causes is 'What syncs failed of in the last p_hours, the most frequent first: by cause how often, when first and last, and how many
calendars stand so now (by the last count). [{cause, failures, first_at, last_at, calendars}], 100 at most.';
comment on function public.calendar_timeline is 'One calendar''s story, the newest first: [{at, key, kind, reason, details}], p_limit at most; the next page follows the last
one''s (at, key). Kinds:
  notification  a sync that notifications asked for       look     another one that listed the calendar
  skip          a look that a notification spared         miss     a look that found a change nobody had announced
  error         a sync that failed                        renewal  a channel opened
  watch_error   a channel that could not be opened        channel_over  one that is no longer ours
  told          what its user was told';
comment on function public.list_calendars is 'A page of calendars in order of their ids, after p_after: of a user, of those whose Google account begins so, or all;
with p_states only those. {calendars: [as calendar_status, with google_account], next}: ask again after `next`, until it
is null; a page may be short, for one call looks at p_look calendars at most. Of `overdue` ones among all, the 5,000 that
have been due for the longest are looked at.';
