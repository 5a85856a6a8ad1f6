-- Operations: what operators look at, what the doors refused, and how long things are kept.

-- Views --------------------------------------------------------------------------------------------------------------

-- What an operator looks at first. The queries of the original dashboard run on the tables themselves.

-- One row per calendar: how it stands, why, and until when at the latest it will be looked at again.
create or replace view public.calendar_status with (security_invoker = true) as
select
  w.id as calendar_id,
  w.user_id,
  w.google_calendar_id,
  case
    when w.is_active is not true then 'inactive'
    when w.paused_reason is not null then 'paused'
    when w.access_lost_at is not null then 'paused'
    when w.claims_unended >= 4 then 'poisoned'
    when fact.is_left then 'overdue'
    when w.consecutive_failures > 0 then 'retrying'
    when fact.is_late then 'overdue'
    when w.last_synced_at is null then 'connecting'
    when channel.id is null then 'polled_only'
    when w.webhook_failures > 0 or fact.is_unproven then 'push_doubtful'
    else 'healthy'
  end as state,
  -- Why it has this state, as its facts say: of several the first in the same order.
  case
    when w.is_active is not true then null
    when w.paused_reason is not null then w.paused_reason
    when w.access_lost_at is not null then w.last_error_code
    when w.claims_unended >= 4 then 'claims_unended'
    when fact.is_left then case when fact.is_driven then 'not_looked_at' else 'no_process_seen' end
    when w.consecutive_failures > 0 then w.last_error_code
    when fact.is_late then 'never_finished'
    when w.last_synced_at is null then w.due_reason
    when channel.id is null then coalesce(w.watch_error_code, 'no_live_channel')
    when w.webhook_failures > 0 then 'missed_pushes'
    when fact.is_unproven then 'channel_unproven'
    when w.series_cut > 0 then 'occurrences_cut'
  end as reason,
  w.last_synced_at,
  w.last_webhook_received,
  w.last_poll_at,
  w.due_at as next_look_at,
  w.due_reason as next_look_reason,
  w.poll_interval_seconds,
  w.notifications_seen - w.notifications_synced as notifications_waiting,
  w.webhook_failures,
  w.consecutive_failures,
  channel.id as channel_id,
  channel.expires_at as channel_expires_at,
  w.watch_failures,
  w.series_cut,
  w.stale_bound_seconds,
  w.bounds_broken,
  -- As core/polling/push_state has it: what its last look found, and what has changed without one.
  case
    when w.is_active is not true then 'disconnected'
    when w.paused_reason is not null or w.access_lost_at is not null then 'paused'
    when channel.id is null and w.watch_error_code in ('pushNotSupportedForRequestedResource', 'notACalendarUser')
    then 'unsupported'
    when channel.id is null or w.push_state = 'failing' then 'failing'
    when fact.region is not null or w.push_state = 'suspect' or fact.is_odd then 'suspect'
    when fact.quiet_since <= now() then 'quiet'
    else 'healthy'
  end as push_state,
  case
    when w.is_active is not true then 'disconnected'
    when w.paused_reason is not null then w.paused_reason
    when w.access_lost_at is not null then w.last_error_code
    when channel.id is null then coalesce(w.watch_error_code, 'no_live_channel')
    when w.push_state = 'failing' then w.push_reason
    when fact.region is not null then 'region_' || fact.region
    when w.push_state = 'suspect' then w.push_reason
    when fact.is_odd then 'improbable_silence'
    when fact.quiet_since <= now() then 'nothing_announced'
  end as push_reason,
  case
    when w.is_active is not true then w.updated_at
    when w.paused_reason is not null then w.paused_at
    when w.access_lost_at is not null then w.access_lost_at
    when channel.id is null then coalesce(least(w.expiration_time, now()), w.created_at)
    when w.push_state = 'failing' then w.push_since
    when fact.region is not null then fact.region_since
    when w.push_state = 'suspect' then w.push_since
    when fact.is_odd then w.silence_odd_at
    when fact.quiet_since <= now() then fact.quiet_since
    else coalesce(w.push_since, channel.opened_at)
  end as push_since
from public.calendar_webhooks w
left join lateral (
  select c.id, c.expires_at, c.opened_at, c.last_notification_at, c.address from public.calendar_channels c
  where c.calendar_id = w.id and c.state = 'live' and c.expires_at > now()
  order by c.opened_at desc limit 1
) channel on true
cross join lateral (
  select
    -- It has been due for long, and nobody has taken it up.
    w.due_at < now() - interval '15 minutes' and coalesce(w.lease_expires_at, '-infinity') <= now() as is_left,
    -- It is taken up, and no sync of it comes to its end.
    coalesce(w.last_synced_at, w.created_at) < now() - interval '15 minutes'
      - make_interval(secs => case when w.last_synced_at is null then 0
          else 2 * coalesce(w.poll_interval_seconds, 21600) end) as is_late,
    -- Google says on every channel that it is open: one that never spoke may not reach us.
    channel.opened_at < now() - interval '10 minutes' and channel.last_notification_at is null as is_unproven,
    exists (select 1 from public.service_processes p where p.seen_at > now() - interval '2 minutes') as is_driven,
    w.silence_odd_at <= now() and coalesce(w.last_webhook_received, '-infinity') < w.last_synced_at as is_odd,
    greatest(w.last_synced_at - make_interval(secs => w.belief_unproven_days * 86400), w.last_webhook_received)
      + interval '1 day' as quiet_since,
    (select r.state from public.ingress_regions r where r.address = channel.address and r.state <> 'healthy' limit 1) as region,
    (select r.since from public.ingress_regions r where r.address = channel.address and r.state <> 'healthy' limit 1)
      as region_since
) fact
where w.duplicate_of is null;
comment on view public.calendar_status is
  'One row per calendar: how it stands, why, and when at the latest it is looked at again. For operators.';
comment on column public.calendar_status.calendar_id is 'The calendar.';
comment on column public.calendar_status.user_id is 'Its user.';
comment on column public.calendar_status.google_calendar_id is 'Google''s id of it.';
comment on column public.calendar_status.state is 'See docs/states.md.';
comment on column public.calendar_status.reason is 'Why it has this state.';
comment on column public.calendar_status.last_synced_at is 'When a sync last committed.';
comment on column public.calendar_status.last_webhook_received is 'When the last notification came.';
comment on column public.calendar_status.last_poll_at is 'When it was last polled.';
comment on column public.calendar_status.next_look_at is 'When it is looked at next.';
comment on column public.calendar_status.next_look_reason is 'Why then.';
comment on column public.calendar_status.poll_interval_seconds is 'The plan''s interval, in seconds.';
comment on column public.calendar_status.notifications_waiting is 'Notifications that no sync has answered.';
comment on column public.calendar_status.webhook_failures is 'Missed pushes in a row.';
comment on column public.calendar_status.consecutive_failures is 'Failed syncs in a row.';
comment on column public.calendar_status.channel_id is 'Its live push channel.';
comment on column public.calendar_status.channel_expires_at is 'When that lapses.';
comment on column public.calendar_status.watch_failures is 'Failed tries for a watch in a row.';
comment on column public.calendar_status.series_cut is
  'Series that recur so often that only the first occurrences of each in the horizon have meetings.';

comment on column public.calendar_status.stale_bound_seconds is 'It is looked at again within this, at the latest.';
comment on column public.calendar_status.bounds_broken is 'How often it was not.';
comment on column public.calendar_status.push_state is 'How far its push can be relied on: see docs/states.md.';
comment on column public.calendar_status.push_reason is 'Why so; null: there is nothing to say.';
comment on column public.calendar_status.push_since is 'Since when.';

revoke all on table public.calendar_status from public, anon, authenticated, service_role;
grant select on table public.calendar_status to service_role;

-- One row per calendar of the signed-in user: what a front end shows of it. The same words as calendar_status, from what a user
-- may read: a live channel that never spoke is known to operators alone.
create or replace view public.my_calendars with (security_invoker = true) as
select
  w.id,
  w.user_id,
  w.google_calendar_id,
  w.calendar_name,
  w.time_zone,
  case
    when w.is_active is not true then 'inactive'
    when w.paused_reason is not null then 'paused'
    when w.access_lost_at is not null then 'paused'
    when w.claims_unended >= 4 then 'poisoned'
    when fact.is_left then 'overdue'
    when w.consecutive_failures > 0 then 'retrying'
    when fact.is_late then 'overdue'
    when w.last_synced_at is null then 'connecting'
    when fact.is_unwatched then 'polled_only'
    when w.webhook_failures > 0 then 'push_doubtful'
    else 'healthy'
  end as state,
  -- Why it has this state: of several facts the first in the same order.
  case
    when w.is_active is not true then null
    when w.paused_reason is not null then w.paused_reason
    when w.access_lost_at is not null then w.last_error_code
    when w.claims_unended >= 4 then 'claims_unended'
    when fact.is_left then 'not_looked_at'
    when w.consecutive_failures > 0 then w.last_error_code
    when fact.is_late then 'never_finished'
    when w.last_synced_at is null then w.due_reason
    when fact.is_unwatched then 'no_live_channel'
    when w.webhook_failures > 0 then 'missed_pushes'
    when w.series_cut > 0 then 'occurrences_cut'
  end as reason,
  w.created_at as connected_at,
  w.initial_sync,
  w.initial_events,
  w.initial_meetings,
  w.last_synced_at,
  w.last_change_at,
  w.due_at as next_look_at,
  w.due_reason as next_look_reason,
  w.poll_interval_seconds,
  w.expiration_time as pushed_until,
  w.horizon_until as meetings_until,
  w.series_cut
from public.calendar_webhooks w
cross join lateral (
  select
    -- While somebody works on it, its time is the end of their lease.
    w.due_at < now() - interval '15 minutes' as is_left,
    coalesce(w.last_synced_at, w.created_at) < now() - interval '15 minutes'
      - make_interval(secs => case when w.last_synced_at is null then 0
          else 2 * coalesce(w.poll_interval_seconds, 21600) end) as is_late,
    coalesce(w.expiration_time, '-infinity') <= now() as is_unwatched
) fact
where w.duplicate_of is null;
comment on view public.my_calendars is
  'One row per calendar of the signed-in user: what a front end shows of it. States as calendar_status has them, from what a user may read.';
comment on column public.my_calendars.id is 'The calendar''s id, which its meetings carry (calendar_id).';
comment on column public.my_calendars.user_id is 'The signed-in user.';
comment on column public.my_calendars.google_calendar_id is 'Google''s id of it; ''primary'' for the user''s own.';
comment on column public.my_calendars.calendar_name is 'What its user calls it at Google; null: not listed yet.';
comment on column public.my_calendars.time_zone is 'Its IANA zone; null: not listed yet.';
comment on column public.my_calendars.state is 'How it stands: see docs/states.md.';
comment on column public.my_calendars.reason is 'Why it has this state, as a stable code; null: there is nothing to say.';
comment on column public.my_calendars.connected_at is 'When it was first connected.';
comment on column public.my_calendars.initial_sync is 'How the first listing stands: pending, running, done or failed.';
comment on column public.my_calendars.initial_events is 'Events found by the first listing so far.';
comment on column public.my_calendars.initial_meetings is 'Meetings it made so far.';
comment on column public.my_calendars.last_synced_at is 'When it was last looked at with success.';
comment on column public.my_calendars.last_change_at is 'When a change was last found.';
comment on column public.my_calendars.next_look_at is 'When it is looked at next; a notification brings that forward.';
comment on column public.my_calendars.next_look_reason is 'Why then.';
comment on column public.my_calendars.poll_interval_seconds is
  'Without a notification it is looked at after so many seconds: what bounds the age of a change that none announced.';
comment on column public.my_calendars.pushed_until is
  'Until when Google notifies of changes, renewed before it ends; null or past: changes are found by polls.';
comment on column public.my_calendars.meetings_until is 'Meetings are listed up to here; the rest follows as time goes on.';
comment on column public.my_calendars.series_cut is
  'Series that recur so often that only the first occurrences of each, up to there, are listed.';

-- A user's, under the policy and the column grants of calendar_webhooks. The service has calendar_status.
revoke all on table public.my_calendars from public, anon, authenticated, service_role;
grant select on table public.my_calendars to authenticated;


-- A user's meetings that are to come or under way, without those that were cancelled: what the original system's front ends took
-- `meetings` for. They may `select *` here.
create or replace view public.upcoming_meetings with (security_invoker = true) as
select
  m.id, m.user_id, m.calendar_id, m.google_calendar_event_id, m.title, m.description, m.meeting_url, m.provider,
  m.start_time, m.end_time, m.is_all_day, m.time_zone, m.event_status, m.status, m.bot_status, m.created_at, m.updated_at
from public.meetings m
where m.status is distinct from 'cancelled' and coalesce(m.end_time, m.start_time) > now();
comment on view public.upcoming_meetings is
  'A user''s meetings that are to come or under way, without those that were cancelled.';
comment on column public.upcoming_meetings.id is 'The row''s id.';
comment on column public.upcoming_meetings.user_id is 'The signed-in user.';
comment on column public.upcoming_meetings.calendar_id is 'The calendar it stands in (my_calendars).';
comment on column public.upcoming_meetings.google_calendar_event_id is 'Google''s id of the event or occurrence.';
comment on column public.upcoming_meetings.title is 'The event''s title.';
comment on column public.upcoming_meetings.description is 'As Google has it: show it as text.';
comment on column public.upcoming_meetings.meeting_url is 'The link to join by.';
comment on column public.upcoming_meetings.provider is 'The meeting service, as a slug.';
comment on column public.upcoming_meetings.start_time is 'When it begins.';
comment on column public.upcoming_meetings.end_time is 'When it ends.';
comment on column public.upcoming_meetings.is_all_day is 'Whether it has dates instead of times.';
comment on column public.upcoming_meetings.time_zone is 'The IANA zone it was written in.';
comment on column public.upcoming_meetings.event_status is 'The user''s own answer.';
comment on column public.upcoming_meetings.status is 'confirmed or tentative.';
comment on column public.upcoming_meetings.bot_status is 'How far a bot is.';
comment on column public.upcoming_meetings.created_at is 'When it came into the horizon.';
comment on column public.upcoming_meetings.updated_at is 'When the row last changed.';

-- Under the policy and the column grants of meetings.
revoke all on table public.upcoming_meetings from public, anon, authenticated, service_role;
grant select on table public.upcoming_meetings to authenticated, service_role;


-- Security events ----------------------------------------------------------------------------------------------------

-- What was refused: how often, of which kind, from which part of the internet, hour by hour. No address, no credential, no
-- id is kept.

create table if not exists public.security_events (
  hour timestamptz not null,
  kind text not null,
  -- A network of IPv4 (/24) or IPv6 (/48), or '*': whatever came after the hour had its full number of rows.
  address_prefix text not null,
  count bigint not null default 0,
  last_at timestamptz not null default now(),
  -- The latest batches counted here, so that a repeated one (its answer was lost) does not count twice.
  batches uuid[] not null default '{}',
  -- In the row '*': when the hour's number of this kind reached the threshold, and which batch told so.
  alerted_at timestamptz,
  alert_batch uuid,
  primary key (hour, kind, address_prefix),
  constraint security_events_lengths check (char_length(kind) between 1 and 40 and char_length(address_prefix) between 1 and 50)
);
comment on table public.security_events is 'What the doors refused, counted by hour, kind and coarse address. For the service alone.';
comment on column public.security_events.hour is 'The hour it is counted in.';
comment on column public.security_events.kind is 'The kind of refusal.';
comment on column public.security_events.address_prefix is 'The caller''s network, or * for all.';
comment on column public.security_events.count is 'How many.';
comment on column public.security_events.last_at is 'The last of them.';
comment on column public.security_events.batches is 'Batches counted in, so that a repeated one counts once.';
comment on column public.security_events.alerted_at is 'When it was told as an alert.';
comment on column public.security_events.alert_batch is 'The batch that told it.';

alter table public.security_events enable row level security;
revoke all on table public.security_events from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.security_events to service_role;

-- Adds a process's batch ([{hour, kind, address_prefix, count}], 1000 at most) and drops hours older than p_keep_days.
-- Answers the kinds that reached p_alert_at in an hour by it.
-- Guarantee: a batch counts once and alerts once, however often it is sent; each hour and kind alerts once; an hour never
-- has more than p_hour_rows rows beside the '*' of each kind.
create or replace function public.record_security_events(
  p_batch uuid, p_events jsonb, p_alert_at bigint, p_hour_rows integer, p_keep_days integer
) returns table (hour timestamptz, kind text, seen bigint)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  -- One batch at a time: they are seconds apart, and two of them in different order would wait in a circle.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('security_events'));

  insert into public.security_events as e (hour, kind, address_prefix, count, last_at, batches)
  select given.hour, given.kind, given.address_prefix, sum(given.count), clock_timestamp(), array[p_batch]
  from (
    select g.hour, g.kind, g.count,
      case
        when exists (
          select 1 from public.security_events old
          where old.hour = g.hour and old.kind = g.kind and old.address_prefix = g.address_prefix
        ) then g.address_prefix
        when g.number + (select count(*) from public.security_events old where old.hour = g.hour) > p_hour_rows then '*'
        else g.address_prefix
      end as address_prefix
    from (
      select r.hour, r.kind, r.address_prefix, r.count, row_number() over (partition by r.hour) as number
      from pg_catalog.jsonb_to_recordset(p_events)
        as r (hour timestamptz, kind text, address_prefix text, count bigint)
      where r.count > 0
      limit 1000
    ) g
  ) given
  group by given.hour, given.kind, given.address_prefix
  on conflict (hour, kind, address_prefix) do update set
    count = e.count + excluded.count, last_at = excluded.last_at, batches = (excluded.batches || e.batches)[1:8]
  where not (p_batch = any (e.batches));

  insert into public.security_events as e (hour, kind, address_prefix, alerted_at, alert_batch)
  select t.hour, t.kind, '*', clock_timestamp(), p_batch
  from public.security_events t
  where (t.hour, t.kind) in (
    select r.hour, r.kind from pg_catalog.jsonb_to_recordset(p_events) as r (hour timestamptz, kind text)
  )
  group by t.hour, t.kind
  having sum(t.count) >= p_alert_at
  on conflict (hour, kind, address_prefix) do update set
    alerted_at = excluded.alerted_at, alert_batch = excluded.alert_batch
  where e.alerted_at is null;

  delete from public.security_events e
  where (e.hour, e.kind, e.address_prefix) in (
    select old.hour, old.kind, old.address_prefix from public.security_events old
    where old.hour < clock_timestamp() - pg_catalog.make_interval(days => p_keep_days)
    order by old.hour limit 5000
  );

  return query
  select a.hour, a.kind,
    (select sum(t.count)::bigint from public.security_events t where t.hour = a.hour and t.kind = a.kind)
  from public.security_events a
  where a.alert_batch = p_batch and a.address_prefix = '*' and (a.hour, a.kind) in (
    select r.hour, r.kind from pg_catalog.jsonb_to_recordset(p_events) as r (hour timestamptz, kind text)
  );
end
$$;

-- For the service alone.
revoke all on function public.record_security_events from public, anon, authenticated;
grant execute on function public.record_security_events to service_role;


-- Retention ----------------------------------------------------------------------------------------------------------

-- What grows with time has an end: in steps of bounded cost, from the oldest on.

-- One step through the sync logs older than p_keep_days, in order from after the row (p_after_at, p_after_id): looks at p_limit
-- rows and drops them, but for the newest of each calendar. `seen` below p_limit: there is no more.
-- Guarantee: the newest log of a calendar stays, however old; who goes on from `last_at` and `last_id` sees each row once.
create or replace function public.drop_old_logs(
  p_keep_days integer, p_limit integer, p_after_at timestamptz default '-infinity', p_after_id text default ''
) returns table (seen integer, dropped integer, last_at timestamptz, last_id text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  return query
  with looked_at as materialized (
    select l.id, l.id::text as key, l.calendar_id, l.created_at from public.calendar_sync_logs l
    where l.created_at >= p_after_at and (l.created_at > p_after_at or l.id::text > p_after_id)
      and l.created_at < clock_timestamp() - make_interval(days => greatest(p_keep_days, 1))
    order by l.created_at, l.id::text
    limit least(greatest(p_limit, 0), 5000)
  ), free as materialized (
    -- Whoever deletes a user has theirs, in another order: they are passed over.
    select l.id from public.calendar_sync_logs l
    where l.id = any (array(
      select o.id from looked_at o
      where not exists (select 1 from public.calendar_webhooks w where w.id = o.calendar_id)
        or exists (
          select 1 from public.calendar_sync_logs newer
          where newer.calendar_id = o.calendar_id and (newer.created_at, newer.id::text) > (o.created_at, o.key))))
    for update skip locked
  ), gone as (
    delete from public.calendar_sync_logs l using free f where l.id = f.id
    returning 1
  )
  select (select count(*) from looked_at)::integer, (select count(*) from gone)::integer, final.created_at, final.key
  from (select 1) one
  left join lateral (
    select o.created_at, o.key from looked_at o order by o.created_at desc, o.key desc limit 1) final on true;
end
$$;

-- Drops up to p_limit channels that are over and were touched last p_keep_days ago. Answers how many.
-- Guarantee: none that is opening or live, and none that Google may still speak through: where nobody knows when it lapses, a
-- month more than the longest life of a channel has passed.
-- In its index's order, or a step would read and sort all that is old.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.drop_old_channels(p_keep_days integer, p_limit integer) returns integer
language plpgsql security invoker set search_path = '' set enable_bitmapscan = off
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_old timestamptz := clock_timestamp() - make_interval(days => greatest(p_keep_days, 1));
  v_dropped integer;
begin
  delete from public.calendar_channels c where c.id in (
    select o.id from public.calendar_channels o
    where o.state in ('superseded', 'stopped', 'failed', 'expired') and o.updated_at < v_old
      and coalesce(o.expires_at, o.created_at + interval '60 days') < v_old
    order by o.updated_at
    limit least(greatest(p_limit, 0), 5000)
    for update skip locked);
  get diagnostics v_dropped = row_count;
  return v_dropped;
end
$$;

-- Drops up to p_limit items that a listing kept and nobody will read: its claim is over, or was left a day ago. Answers how many.
create or replace function public.drop_left_items(p_limit integer) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_items tid[];
  v_dropped integer;
begin
  -- From one calendar to the next by the primary key: a listing of a hundred thousand items is looked at once.
  with recursive listing (calendar_id) as (
    (select s.calendar_id from public.calendar_staged_items s order by s.calendar_id limit 1)
    union all
    select (
      select s.calendar_id from public.calendar_staged_items s
      where s.calendar_id > listing.calendar_id order by s.calendar_id limit 1)
    from listing where listing.calendar_id is not null
  ), left_behind as (
    select l.calendar_id from listing l join public.calendar_webhooks w on w.id = l.calendar_id
    where w.committed_fence >= w.fence or w.lease_expires_at is null
      or w.lease_expires_at < clock_timestamp() - interval '1 day'
  )
  select array_agg(items.ctid) into v_items from (
    select s.ctid
    from left_behind b cross join lateral (
      select i.ctid from public.calendar_staged_items i where i.calendar_id = b.calendar_id limit 5000) s
    limit least(greatest(p_limit, 0), 5000)) items;
  -- What somebody changed meanwhile has moved, and stays; what somebody holds too.
  delete from public.calendar_staged_items s where s.ctid = any (array(
    select i.ctid from public.calendar_staged_items i where i.ctid = any (v_items) for update skip locked));
  get diagnostics v_dropped = row_count;
  return v_dropped;
end
$$;

-- For the service alone.
revoke all on function public.drop_old_logs, public.drop_old_channels, public.drop_left_items
from public, anon, authenticated;
grant execute on function public.drop_old_logs, public.drop_old_channels, public.drop_left_items to service_role;


-- Realtime -----------------------------------------------------------------------------------------------------------

-- What front ends may listen to: each user's own rows, by the policies, and of them the columns that they may select. A
-- deletion cannot be matched with a policy any more: it tells the row's id and nothing else, as long as the replica identity
-- is the default one. Where there is no supabase_realtime (a Postgres without Supabase) nobody listens, and none is made.

do $$
declare
  relation text;
begin
  if not exists (select 1 from pg_catalog.pg_publication where pubname = 'supabase_realtime' and not puballtables) then
    return;
  end if;
  foreach relation in array array['meetings', 'calendar_webhooks', 'user_notifications'] loop
    continue when exists (
      select 1 from pg_catalog.pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = relation);
    begin
      execute format('alter publication supabase_realtime add table public.%I', relation);
    exception when insufficient_privilege then
      raise notice 'supabase_realtime belongs to another role: add % to it in the dashboard', relation;
    end;
  end loop;
end
$$;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.record_security_events is 'Adds a process''s batch ([{hour, kind, address_prefix, count}], 1000 at most) and drops hours older than p_keep_days.
Answers the kinds that reached p_alert_at in an hour by it.
Guarantee: a batch counts once and alerts once, however often it is sent; each hour and kind alerts once; an hour never
has more than p_hour_rows rows beside the ''*'' of each kind.';
comment on function public.drop_old_logs is 'One step through the sync logs older than p_keep_days, in order from after the row (p_after_at, p_after_id): looks at p_limit
rows and drops them, but for the newest of each calendar. `seen` below p_limit: there is no more.
Guarantee: the newest log of a calendar stays, however old; who goes on from `last_at` and `last_id` sees each row once.';
comment on function public.drop_old_channels is 'Drops up to p_limit channels that are over and were touched last p_keep_days ago. Answers how many.
Guarantee: none that is opening or live, and none that Google may still speak through: where nobody knows when it lapses, a
month more than the longest life of a channel has passed.
In its index''s order, or a step would read and sort all that is old.
Planned once by each connection: planning would cost more than the call does where nothing is due.';
comment on function public.drop_left_items is 'Drops up to p_limit items that a listing kept and nobody will read: its claim is over, or was left a day ago. Answers how many.';
