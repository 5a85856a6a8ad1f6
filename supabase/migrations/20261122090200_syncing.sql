-- Syncing: the queue, the commit, the rolling horizon, why a meeting stands as it does, the audit.

-- The queue ----------------------------------------------------------------------------------------------------------

-- The row is the queue: notifications make a calendar due, a claim takes a lease, every ending gives it back.
--
-- Leases use clock_timestamp(): now() is the transaction's start, and a claim may have waited for a lock since.

-- Notifications that could not be counted at once, for somebody held their calendar or channel. No foreign key: an insert
-- must wait for no lock.
create table if not exists public.calendar_notifications (
  id uuid primary key default gen_random_uuid(),
  calendar_id uuid not null,
  channel_id text not null,
  outcome text not null,
  resource_id text,
  message_number bigint,
  expires_at timestamptz,
  received_at timestamptz not null,
  constraint calendar_notifications_outcome check (outcome in ('due', 'handshake', 'dead_channel', 'refused'))
);
comment on table public.calendar_notifications is
  'Notifications that could not be counted at once, for somebody held their calendar or channel. Every claim drains them. For the service alone.';
comment on column public.calendar_notifications.id is 'The notification''s id in this database.';
comment on column public.calendar_notifications.calendar_id is 'Its channel''s calendar.';
comment on column public.calendar_notifications.channel_id is 'The channel that sent it.';
comment on column public.calendar_notifications.outcome is 'What it came to.';
comment on column public.calendar_notifications.resource_id is 'The resource it named.';
comment on column public.calendar_notifications.message_number is 'Google''s number of it.';
comment on column public.calendar_notifications.expires_at is 'When it said that its channel lapses; null: it did not.';
comment on column public.calendar_notifications.received_at is 'When it came.';
create index if not exists calendar_notifications_of_calendar on public.calendar_notifications (calendar_id);

-- The lane a calendar waits in; null: it may not be claimed. A column that Postgres computes, not a function: it is asked
-- for at every write.
alter table public.calendar_webhooks add column if not exists queue_lane text generated always as (case
  when is_active is not true or paused_reason is not null or duplicate_of is not null then null
  when claims_unended >= 2 then 'suspect'
  when sync_token is null then 'first'
  when notifications_seen > notifications_synced then 'notified'
  when due_reason = 'imminent' then 'imminent'
  else 'poll' end) stored;
comment on column public.calendar_webhooks.queue_lane is 'Its lane in calendar_queue, computed; null: it may not be claimed.';

-- The queue, narrow: of each calendar that may be claimed its lane and when it is due, as its own row says. A claim, a
-- notification and a commit change those and much else of a calendar's row; the row is rewritten in its place, and only
-- the two small indexes here are written.
create table if not exists public.calendar_queue (
  calendar_id uuid primary key references public.calendar_webhooks (id) on delete cascade,
  user_id uuid not null,
  lane text not null,
  due_at timestamptz not null,
  not_before timestamptz,
  leased_until timestamptz,
  claim_id uuid,
  constraint calendar_queue_lane_known check (lane in ('notified', 'first', 'imminent', 'poll', 'suspect'))
);
comment on table public.calendar_queue is
  'Calendars that may be claimed, by lane and due time: kept by a trigger, as calendar_webhooks says. For the service alone.';
comment on column public.calendar_queue.calendar_id is 'The calendar.';
comment on column public.calendar_queue.user_id is 'Its user.';
comment on column public.calendar_queue.lane is
  'notified: a notification waits; first: to be listed whole; imminent: a look before a meeting; poll: another look; suspect: its last claims were never ended.';
comment on column public.calendar_queue.due_at is 'When it next needs work.';
comment on column public.calendar_queue.not_before is 'Never before this.';
comment on column public.calendar_queue.leased_until is 'Until when somebody holds it.';
comment on column public.calendar_queue.claim_id is 'The call that holds it.';
create index if not exists calendar_queue_due on public.calendar_queue (lane, due_at);
create index if not exists calendar_queue_claimed on public.calendar_queue (claim_id) where claim_id is not null;
-- Each calendar is written several times between two looks: what is dead at the head of an index is in every claim's way.
alter table public.calendar_queue set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- Room in each page for a row's next version.
alter table public.calendar_webhooks set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);
alter table public.calendar_channels set (fillfactor = 90);

alter table public.calendar_queue enable row level security;
revoke all on table public.calendar_queue from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.calendar_queue to service_role;

-- Keeps calendar_queue true to calendar_webhooks, whoever writes there.
create or replace function calendar_internal.keep_queue() returns trigger
language plpgsql security invoker set search_path = ''
as $$
begin
  if new.queue_lane is null then
    delete from public.calendar_queue q where q.calendar_id = new.id;
    return null;
  end if;
  update public.calendar_queue q set
    lane = new.queue_lane, due_at = new.due_at, not_before = new.not_before, leased_until = new.lease_expires_at,
    claim_id = new.claim_id
  where q.calendar_id = new.id;
  if not found then
    insert into public.calendar_queue (calendar_id, user_id, lane, due_at, not_before, leased_until, claim_id)
    values (new.id, new.user_id, new.queue_lane, new.due_at, new.not_before, new.lease_expires_at, new.claim_id);
  end if;
  return null;
end
$$;

drop trigger if exists queue_added on public.calendar_webhooks;
create trigger queue_added after insert on public.calendar_webhooks
  for each row execute function calendar_internal.keep_queue();
comment on trigger queue_added on public.calendar_webhooks is 'Puts a calendar into calendar_queue.';
drop trigger if exists queue_changed on public.calendar_webhooks;
create trigger queue_changed
  after update of due_at, due_reason, not_before, lease_expires_at, claim_id, claims_unended, notifications_seen,
    notifications_synced, sync_token, is_active, paused_reason, duplicate_of on public.calendar_webhooks
  for each row when (
    (new.due_at, new.not_before, new.lease_expires_at, new.claim_id, new.queue_lane)
    is distinct from (old.due_at, old.not_before, old.lease_expires_at, old.claim_id, old.queue_lane))
  execute function calendar_internal.keep_queue();
comment on trigger queue_changed on public.calendar_webhooks is 'Keeps a calendar''s place in calendar_queue.';

-- Puts right what calendar_queue has of the calendars after one id and up to another: rows that were written past the
-- triggers (a restore, a replica), and those of calendars that are gone. Answers how many were wrong. Waits for nobody; what
-- somebody holds is not looked at.
create or replace function calendar_internal.mend_queue(p_after uuid, p_upto uuid) returns bigint
language plpgsql security invoker set search_path = ''
as $$
declare
  v_ids uuid[];
  v_orphans bigint;
  v_mended bigint;
begin
  delete from public.calendar_queue q
  where q.calendar_id > p_after and q.calendar_id <= p_upto
    and (select w.id from public.calendar_webhooks w where w.id = q.calendar_id) is null;
  get diagnostics v_orphans = row_count;
  select array_agg(w.id) into v_ids
  from public.calendar_webhooks w
  left join public.calendar_queue q on q.calendar_id = w.id and q.calendar_id > p_after and q.calendar_id <= p_upto
  where w.id > p_after and w.id <= p_upto
    and (w.due_at, w.not_before, w.lease_expires_at, w.claim_id, w.queue_lane)
      is distinct from (q.due_at, q.not_before, q.leased_until, q.claim_id, q.lane)
    and (q.calendar_id is not null or w.queue_lane is not null);
  if v_ids is null then
    return v_orphans;
  end if;
  with held as materialized (
    select w.* from public.calendar_webhooks w where w.id = any (v_ids) order by w.id for no key update skip locked
  ), gone as (
    delete from public.calendar_queue q using held h where q.calendar_id = h.id and h.queue_lane is null
    returning 1
  ), mended as (
    insert into public.calendar_queue as q (calendar_id, user_id, lane, due_at, not_before, leased_until, claim_id)
    select h.id, h.user_id, h.queue_lane, h.due_at, h.not_before, h.lease_expires_at, h.claim_id
    from held h where h.queue_lane is not null
    on conflict (calendar_id) do update set lane = excluded.lane, due_at = excluded.due_at,
      not_before = excluded.not_before, leased_until = excluded.leased_until, claim_id = excluded.claim_id
    returning 1
  )
  select (select count(*) from gone) + (select count(*) from mended) into v_mended;
  return v_orphans + v_mended;
end
$$;
-- Calendars that are there already.
insert into public.calendar_queue (calendar_id, user_id, lane, due_at, not_before, leased_until, claim_id)
select w.id, w.user_id, w.queue_lane, w.due_at, w.not_before, w.lease_expires_at, w.claim_id
from public.calendar_webhooks w where w.queue_lane is not null
on conflict (calendar_id) do nothing;

-- Whose turn it is to have a user's calendars polled, connected or listed.
create table if not exists public.user_turns (
  for_user uuid primary key references auth.users (id) on delete cascade,
  holder uuid not null,
  expires_at timestamptz not null
);
comment on table public.user_turns is 'Whose turn it is to have a user''s calendars polled, connected or listed. For the service alone.';
comment on column public.user_turns.for_user is 'The user.';
comment on column public.user_turns.holder is 'The asker.';
comment on column public.user_turns.expires_at is 'When the turn ends by itself.';

-- Lanes that an operator has stopped.
create table if not exists public.lane_pauses (
  lane text primary key,
  paused_at timestamptz not null default clock_timestamp(),
  paused_by text not null,
  constraint lane_pauses_lane_known check (lane in ('notified', 'first', 'poll', 'audit', 'bots', 'events')),
  constraint lane_pauses_by_length check (char_length(paused_by) between 1 and 60)
);
comment on table public.lane_pauses is 'Lanes of which nothing is claimed until somebody resumes them. For the service alone.';
comment on column public.lane_pauses.lane is 'notified, first, poll, audit, bots or events.';
comment on column public.lane_pauses.paused_at is 'Since when.';
comment on column public.lane_pauses.paused_by is 'By whom.';

alter table public.lane_pauses enable row level security;
revoke all on table public.lane_pauses from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.lane_pauses to service_role;

-- Whether an operator has stopped a lane. What is named (a person waits for it) is claimed all the same.
create or replace function calendar_internal.is_paused(p_lane text) returns boolean
language sql stable security invoker set search_path = ''
as $$
  select exists (select 1 from public.lane_pauses l where l.lane = p_lane)
$$;
revoke all on function calendar_internal.is_paused from public, anon, authenticated;
grant execute on function calendar_internal.is_paused to service_role;

-- Jobs that one process does for all: when each was last taken up, and by whom.
create table if not exists public.service_jobs (
  name text primary key,
  taken_at timestamptz not null,
  taken_by text not null,
  every_seconds double precision
);
comment on table public.service_jobs is 'Jobs that one process does for all. For the service alone.';
comment on column public.service_jobs.name is 'The job.';
comment on column public.service_jobs.taken_at is 'When it was last taken up.';
comment on column public.service_jobs.every_seconds is 'Of a cron: seconds between its last two runs.';
comment on column public.service_jobs.taken_by is 'By which process.';

alter table public.calendar_notifications enable row level security;
alter table public.user_turns enable row level security;
alter table public.service_jobs enable row level security;
revoke all on table public.calendar_notifications, public.user_turns, public.service_jobs
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.calendar_notifications, public.user_turns, public.service_jobs
  to service_role;

-- Counts notifications that wait in calendar_notifications, of up to p_limit channels (of these calendars, if named): the
-- calendar becomes due, its channel's figures grow. Answers how many notifications were counted.
-- Guarantee: waits for nobody; what is locked stays for the next call, and holds up no other. Each notification is counted
-- once, also when its channel is gone.
create or replace function calendar_internal.drain_notifications(p_limit integer, p_calendar_ids uuid[] default null)
returns bigint
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_counted bigint;
begin
  if p_calendar_ids is null then
    if not exists (select 1 from public.calendar_notifications) then
      return 0;
    end if;
    -- Of calendars that are gone nobody asks any more. Looked up one by one: of all that wait, none reads the whole table.
    delete from public.calendar_notifications n
    where (select w.id from public.calendar_webhooks w where w.id = n.calendar_id) is null;
  end if;
  -- What is locked is passed over before p_limit is reached, or as much of it at the head would hold up all behind it.
  -- What this transaction has written asks for its user and its calendar when it is written again.
  with waiting as materialized (
    select n.calendar_id, n.channel_id, bool_or(n.outcome = 'due') as is_due, min(n.received_at) as since
    from public.calendar_notifications n
    where p_calendar_ids is null or n.calendar_id = any (p_calendar_ids)
    group by n.calendar_id, n.channel_id
  ), free as materialized (
    -- The calendar before the channel, as every function that writes both. What only its channel is told of needs no lock of
    -- the calendar, which a claim would pass over. A channel that is gone has no figures to grow; its calendar is looked at.
    select g.calendar_id, g.channel_id from (select * from waiting order by since) g
    left join lateral (
      select w.id from public.calendar_webhooks w
      where g.is_due and w.id = g.calendar_id and calendar_internal.may_write(w.xmin, w.id)
      for no key update skip locked) w on true
    left join lateral (
      select c.id from public.calendar_channels c
      where c.id = g.channel_id and calendar_internal.may_write(c.xmin, c.calendar_id)
      for no key update skip locked) c on true
    where (w.id is not null or not g.is_due)
      and (c.id is not null or (select c.id from public.calendar_channels c where c.id = g.channel_id) is null)
    limit p_limit
  ), taken as (
    delete from public.calendar_notifications n using free f
    where n.calendar_id = f.calendar_id and n.channel_id = f.channel_id
    returning n.*
  ), due as (
    select t.calendar_id, count(*) as notifications, min(t.received_at) as first, max(t.received_at) as last
    from taken t where t.outcome = 'due' group by t.calendar_id
  ), told as (
    update public.calendar_webhooks w set
      notifications_seen = w.notifications_seen + d.notifications,
      notified_since = coalesce(w.notified_since, d.first),
      last_webhook_received = greatest(w.last_webhook_received, d.last),
      webhook_failures = 0,
      due_at = least(w.due_at, greatest(v_now, w.lease_expires_at, w.not_before)),
      due_reason = 'notified'
    from due d where w.id = d.calendar_id and w.is_active
  ), spoken as (
    select t.channel_id, count(*) filter (where t.outcome <> 'refused') as notifications,
      count(*) filter (where t.outcome = 'refused') as refused,
      max(t.received_at) filter (where t.outcome <> 'refused') as last, max(t.message_number) as number,
      min(t.resource_id) filter (where t.outcome <> 'refused') as resource_id,
      max(t.expires_at) filter (where t.outcome <> 'refused') as expires_at,
      bool_or(t.outcome = 'dead_channel') as is_dead
    from taken t group by t.channel_id
  ), noted as (
    -- The handshake may come before Google's answer to watch: then it is the first to tell the resource id. It tells it
    -- of a channel whose answer was lost too, and only with it can that channel be stopped.
    update public.calendar_channels c set
      resource_id = coalesce(s.resource_id, c.resource_id),
      expires_at = coalesce(c.expires_at, s.expires_at),
      notifications = c.notifications + s.notifications,
      refused = c.refused + s.refused,
      last_notification_at = greatest(c.last_notification_at, s.last),
      last_message_number = greatest(c.last_message_number, s.number),
      -- Dead when it spoke, or failed since: then it waited here for who wrote that, and speaks all the same.
      -- Stopped, and speaking for long: Google said that it did not know it. It may also deliver late, so that each stop
      -- is waited for longer than the one before: four minutes, sixteen, an hour, … a channel's life.
      stop_after = case
        when c.state = 'stopped' and s.last <= c.updated_at + interval '1 minute' * power(4, least(c.stop_attempts, 8))
          then c.stop_after
        when s.is_dead or (s.notifications > 0 and c.state = 'failed') then coalesce(c.stop_after, v_now)
        else c.stop_after end
    from spoken s where c.id = s.channel_id
  )
  select count(*) into v_counted from taken;
  return v_counted;
end
$$;

-- A notification is a hint without data: it raises a counter and makes the calendar due. One call, whatever happens.
-- Guarantee: an accepted notification is never lost, also while a sync of the calendar runs; none shortens a lease, the
-- pause between two syncs of a burst, or the backoff of a failing calendar; none waits for a lock: what cannot be counted
-- at once is left in calendar_notifications, which every claim drains.
-- Answers outcome: due | handshake | dead_channel | unknown_channel | refused.
create or replace function public.record_notification(
  p_channel_id text, p_resource_id text, p_resource_state text, p_message_number bigint,
  p_expires_at timestamptz default null
) returns table (outcome text, calendar_id uuid, due_in_seconds double precision)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_calendar_id uuid;
  v_state text;
  v_told text;
  v_is_active boolean;
  v_is_own boolean;
  v_outcome text;
  v_due double precision;
begin
  select c.calendar_id, c.state, c.resource_id, w.is_active into v_calendar_id, v_state, v_told, v_is_active
  from public.calendar_channels c left join public.calendar_webhooks w on w.id = c.calendar_id
  where c.id = p_channel_id;
  if not found then
    return query select 'unknown_channel'::text, null::uuid, null::double precision;
    return;
  end if;
  v_outcome := case
    when v_told is distinct from p_resource_id and v_told is not null then 'refused'
    when v_state in ('stopped', 'failed', 'expired') then 'dead_channel'
    when p_resource_state = 'sync' then 'handshake'
    when v_is_active is not true then 'dead_channel'
    else 'due' end;
  -- Nearly all are due, none waits before them, and nobody holds what they are counted in: then it is done here and now,
  -- as drain_notifications would. The calendar before its channel, as everywhere.
  if v_outcome = 'due' and not exists (
    select 1 from public.calendar_notifications n where n.calendar_id = v_calendar_id)
  then
    select w.xmin is not distinct from pg_catalog.pg_current_xact_id_if_assigned()::xid into v_is_own
    from public.calendar_webhooks w
    where w.id = v_calendar_id and w.is_active and calendar_internal.may_write(w.xmin, w.id)
    for no key update skip locked;
    if found then
      update public.calendar_channels c set
        resource_id = coalesce(p_resource_id, c.resource_id),
        expires_at = coalesce(c.expires_at, p_expires_at),
        notifications = c.notifications + 1,
        last_notification_at = greatest(c.last_notification_at, v_now),
        last_message_number = greatest(c.last_message_number, p_message_number)
      where c.id = (
        select f.id from public.calendar_channels f
        where f.id = p_channel_id and f.state = v_state and f.resource_id is not distinct from v_told
          and (v_is_own or calendar_internal.may_write(f.xmin, v_calendar_id))
        for no key update skip locked);
      if found then
        update public.calendar_webhooks w set
          notifications_seen = w.notifications_seen + 1,
          notified_since = coalesce(w.notified_since, v_now),
          last_webhook_received = greatest(w.last_webhook_received, v_now),
          webhook_failures = 0,
          due_at = least(w.due_at, greatest(v_now, w.lease_expires_at, w.not_before)),
          due_reason = 'notified'
        where w.id = v_calendar_id
        returning extract(epoch from w.due_at - v_now)::double precision into v_due;
        return query select v_outcome, v_calendar_id, greatest(0, v_due);
        return;
      end if;
    end if;
  end if;
  insert into public.calendar_notifications (calendar_id, channel_id, outcome, resource_id, message_number, expires_at,
    received_at)
  values (v_calendar_id, p_channel_id, v_outcome, p_resource_id, p_message_number, p_expires_at, v_now);
  perform calendar_internal.drain_notifications(200, array[v_calendar_id]);
  if v_outcome = 'refused' then
    return query select v_outcome, null::uuid, null::double precision;
    return;
  end if;
  -- Its opening may have failed since: who recorded that has asked already whether it spoke.
  if v_outcome = 'handshake' and exists (
    select 1 from public.calendar_channels c where c.id = p_channel_id and c.state = 'failed')
  then
    v_outcome := 'dead_channel';
  end if;
  -- Of one that somebody holds nothing is known until they let go: it is asked for at once.
  if v_outcome = 'due' and not exists (
    select 1 from public.calendar_notifications n where n.calendar_id = v_calendar_id)
  then
    select extract(epoch from least(w.due_at, greatest(v_now, w.lease_expires_at, w.not_before)) - v_now)
    into v_due from public.calendar_webhooks w where w.id = v_calendar_id;
  end if;
  return query select v_outcome, v_calendar_id, coalesce(greatest(0, v_due), 0);
end
$$;

-- Likewise of several that came together, [{channel_id, resource_id, resource_state, message_number, expires_at}], one after
-- the other: a crowd costs one call and one transaction. Answers each, in their order; if it fails, none is recorded.
create or replace function public.record_notifications(p_notifications jsonb)
returns table (outcome text, calendar_id uuid, due_in_seconds double precision)
language sql security invoker set search_path = ''
as $$
  select recorded.outcome, recorded.calendar_id, recorded.due_in_seconds
  from rows from (jsonb_to_recordset(p_notifications) as (
      channel_id text, resource_id text, resource_state text, message_number bigint, expires_at timestamptz)
    ) with ordinality as came (channel_id, resource_id, resource_state, message_number, expires_at, place)
  cross join lateral public.record_notification(
    came.channel_id, came.resource_id, came.resource_state, came.message_number, came.expires_at) recorded
  order by came.place;
$$;

-- What a claim gives of these calendars, in this order.
create or replace function calendar_internal.claimed(p_ids uuid[]) returns table (
  calendar_id uuid, user_id uuid, google_calendar_id text, fence bigint, due_reason text,
  sync_token text, settings_generation bigint, time_zone text,
  notifications_seen bigint, notifications_synced bigint,
  last_webhook_received timestamptz, last_synced_at timestamptz,
  consecutive_failures integer, webhook_failures integer, has_live_channel boolean,
  access_token text, access_token_expires_at timestamptz, refresh_token text,
  connected_at timestamptz, refresh_token_expires_at timestamptz, horizon_until timestamptz, lane text,
  is_watched boolean, polling jsonb
)
language sql security invoker set search_path = ''
as $$
  select w.id, w.user_id, w.google_calendar_id, w.fence, w.due_reason,
    w.sync_token, w.settings_generation, w.time_zone, w.notifications_seen, w.notifications_synced,
    w.last_webhook_received, w.last_synced_at, w.consecutive_failures, coalesce(w.webhook_failures, 0),
    exists (
      select 1 from public.calendar_channels c
      where c.calendar_id = w.id and c.state = 'live' and c.expires_at > clock_timestamp()
        and c.opened_at < w.last_synced_at
    ),
    g.access_token, g.access_token_expires_at, g.refresh_token, g.status_at, g.refresh_token_expires_at,
    w.horizon_until,
    case when w.claims_unended > 2 then 'suspect' when w.sync_token is null then 'first'
      when w.notifications_seen > w.notifications_synced then 'notified' else 'poll' end,
    channel.opened_at is not null,
    jsonb_build_object(
      'changes', w.belief_changes, 'change_days', w.belief_change_days, 'announced', w.belief_announced,
      'missed', w.belief_missed, 'doubt', w.belief_doubt, 'unproven_days', w.belief_unproven_days,
      'delay_seconds', w.belief_delay_seconds, 'reopened_in_vain', w.reopened_in_vain,
      'planned_seconds', coalesce(w.poll_interval_seconds, 0), 'notified_since', w.notified_since,
      'channel_opened_at', channel.opened_at, 'channel_expires_at', channel.expires_at, 'channel_address', channel.address,
      'next_start_at', (
        select min(m.start_time) from public.meetings m
        where m.calendar_id = w.id and m.start_time > clock_timestamp() and m.status is distinct from 'cancelled'))
  from public.calendar_webhooks w
  left join public.google_credentials g on g.user_id = w.user_id and g.status = 'connected'
  left join lateral (
    select coalesce(c.opened_at, c.created_at) as opened_at, c.expires_at, c.address from public.calendar_channels c
    where c.calendar_id = w.id and c.state = 'live' and c.expires_at > clock_timestamp()
    order by c.opened_at desc nulls last limit 1
  ) channel on true
  where w.id = any (p_ids)
  order by array_position(p_ids, w.id)
$$;

-- Due calendars of one lane, locked, the longest due first. Spread over users: at most p_per_user of each.
create or replace function calendar_internal.pick_due(
  p_lane text, p_limit integer, p_due_by timestamptz, p_per_user integer, p_but uuid[]
) returns uuid[]
language plpgsql security invoker set search_path = ''
as $$
declare
  v_candidates uuid[];
  v_picked uuid[];
  -- More than are wanted: some are another caller's by now, some one user's too many.
  v_look integer := p_limit * 4 + 20;
  v_own xid := pg_catalog.pg_current_xact_id_if_assigned()::xid;
  v_lanes text[] := case p_lane when 'more' then '{notified,first,imminent,poll}' when 'poll' then '{imminent,poll}'
    else array[p_lane] end;
begin
  -- What takes of every lane takes of none while one is stopped; the others are picked from one by one.
  if exists (
    select 1 from public.lane_pauses l
    where l.lane in ('notified', 'first', 'poll') and (p_lane in (l.lane, 'more') or (l.lane, p_lane) = ('poll', 'imminent')))
  then
    return null;
  end if;
  select array_agg(c.calendar_id order by c.due_at) into v_candidates from (
    select q.calendar_id, q.due_at, row_number() over (partition by q.user_id order by q.due_at) as number
    from unnest(v_lanes) as l (lane) cross join lateral (
      select e.* from public.calendar_queue e
      where e.lane = l.lane and e.due_at <= p_due_by and (e.leased_until is null or e.leased_until <= clock_timestamp())
        and (e.due_at <= clock_timestamp() or coalesce(e.not_before, '-infinity') <= clock_timestamp())
        and e.calendar_id <> all (p_but)
      order by e.due_at limit v_look) q
    ) c
  where c.number <= p_per_user;
  select array_agg(picked.id) into v_picked from (
    select w.id from public.calendar_webhooks w
    where w.id = any (v_candidates)
      -- Once it is locked: still to be synced, still due, still nobody's.
      and w.is_active and w.paused_reason is null and w.duplicate_of is null
      and w.due_at <= p_due_by and (w.lease_expires_at is null or w.lease_expires_at <= clock_timestamp())
      -- Its notifications may just have been counted here. Of all others nothing is asked, for there are many.
      and (w.xmin is distinct from v_own or calendar_internal.may_write(w.xmin, w.id))
    order by w.due_at limit p_limit
    for no key update skip locked
  ) picked;
  return v_picked;
end
$$;

-- Leases up to p_limit calendars, the longest due of each lane first:
--   notified   a notification waits            first      never synced, or to be listed whole
--   poll       the plan's own date has come    suspect    its last claims were never ended: they may have killed who held them
--   imminent   those polls before a meeting: for a caller who has room for no others
-- p_room: how many of each lane at most ({"notified": 3, …}; a lane that is not named gets none); without it polls and first
-- syncs keep a third of p_limit, however many notifications wait, and suspects are left. A suspect is never claimed together
-- with another calendar. With p_calendar_ids only among these, of every lane; with p_even_if_not_due also those that are not
-- due (an operator asked), but never one that is leased or in its backoff. At most p_per_user calendars of one user.
-- p_ahead_seconds: also what becomes due within that time, but for what is in its backoff (a cron that nobody relieves looks
-- ahead to its next run).
-- p_claim_id names the call: asked again, it gives the same leases and takes no more.
-- Guarantee: no two callers hold a lease on one calendar; a claim that is never finished lapses with its lease, and is
-- counted (claims_unended): from the fourth on the calendar waits longer and longer before it is claimed again.
create or replace function public.claim_due_calendars(
  p_worker text, p_limit integer, p_lease_seconds integer,
  p_calendar_ids uuid[] default null, p_even_if_not_due boolean default false,
  p_claim_id uuid default null, p_room jsonb default null, p_per_user integer default 20,
  p_ahead_seconds double precision default 0
) returns table (
  calendar_id uuid, user_id uuid, google_calendar_id text, fence bigint, due_reason text,
  sync_token text, settings_generation bigint, time_zone text,
  notifications_seen bigint, notifications_synced bigint,
  last_webhook_received timestamptz, last_synced_at timestamptz,
  consecutive_failures integer, webhook_failures integer, has_live_channel boolean,
  access_token text, access_token_expires_at timestamptz, refresh_token text,
  connected_at timestamptz, refresh_token_expires_at timestamptz, horizon_until timestamptz, lane text,
  is_watched boolean, polling jsonb
)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_limit integer := least(greatest(p_limit, 0), 200);
  v_ids uuid[];
  v_more uuid[];
  v_lane text;
  v_room integer;
  v_due_by timestamptz;
begin
  if calendar_internal.is_of_other_code(p_worker) then
    return;
  end if;
  if p_claim_id is not null then
    select array_agg(q.calendar_id) into v_ids from public.calendar_queue q
    where q.claim_id = p_claim_id and q.leased_until > clock_timestamp();
    if v_ids is not null then
      return query select * from calendar_internal.claimed(v_ids);
      return;
    end if;
  end if;
  perform calendar_internal.drain_notifications(200, p_calendar_ids);
  v_now := clock_timestamp();
  v_due_by := v_now + make_interval(secs => p_ahead_seconds);
  if p_calendar_ids is not null then
    select array_agg(picked.id) into v_ids from (
      select w.id from public.calendar_webhooks w
      where w.id = any (p_calendar_ids) and w.is_active and w.paused_reason is null and w.duplicate_of is null
        and (w.due_at <= v_now or (p_even_if_not_due and coalesce(w.not_before, v_now) <= v_now
          and w.claims_unended < 4))
        and (w.lease_expires_at is null or w.lease_expires_at <= v_now)
        and (w.claims_unended < 2 or cardinality(p_calendar_ids) = 1)
        and calendar_internal.may_write(w.xmin, w.id)
      order by w.due_at limit v_limit
      for no key update skip locked
    ) picked;
  else
    v_ids := '{}';
    if p_room is null then
      -- Of one or two there is no third to keep: then what waits for long goes first, notified or not.
      p_room := jsonb_build_object(
        'old', case when v_limit < 3 then v_limit else 0 end, 'notified', v_limit - v_limit / 3,
        'first', v_limit / 6 + 1, 'poll', v_limit, 'more', v_limit);
    end if;
    foreach v_lane in array array['old', 'notified', 'imminent', 'first', 'poll', 'more'] loop
      v_room := least(coalesce((p_room ->> v_lane)::integer, 0), v_limit - cardinality(v_ids));
      continue when v_room <= 0;
      v_more := calendar_internal.pick_due(
        case v_lane when 'old' then 'more' else v_lane end, v_room,
        case v_lane when 'old' then v_now - interval '10 minutes' else v_due_by end,
        case v_lane when 'more' then v_limit else p_per_user end, v_ids);
      v_ids := v_ids || coalesce(v_more, '{}');
    end loop;
    if cardinality(v_ids) = 0 and (p_room ->> 'suspect')::integer > 0 then
      v_ids := calendar_internal.pick_due('suspect', 1, v_now, 1, '{}');
    end if;
  end if;

  update public.calendar_webhooks w set
    fence = w.fence + 1,
    claimed_at = v_now,
    claimed_by = p_worker,
    claim_id = p_claim_id,
    claims_unended = w.claims_unended + 1,
    lease_expires_at = v_now + make_interval(secs => p_lease_seconds),
    due_at = v_now + make_interval(secs => p_lease_seconds + case when w.claims_unended >= 3
      then least(21600, 30 * power(2, least(w.claims_unended - 2, 12))) else 0 end),
    -- A first sync that begins anew counts anew.
    initial_sync = case when w.initial_sync = 'done' then 'done' else 'running' end,
    initial_events = case when w.initial_sync = 'done' then w.initial_events else 0 end,
    initial_meetings = case when w.initial_sync = 'done' then w.initial_meetings else 0 end
  where w.id = any (v_ids);
  return query select * from calendar_internal.claimed(v_ids);
end
$$;

-- Keeps all leases of a process at once, and its users' turns: what its heartbeat calls. Answers the calendars of which the
-- lease is still its own; of the others it was lost, and their work must stop.
create or replace function public.keep_leases(
  p_calendar_ids uuid[], p_fences bigint[], p_lease_seconds integer, p_turns uuid[] default '{}'
) returns setof uuid
language plpgsql security invoker set search_path = ''
as $$
declare
  v_until timestamptz := clock_timestamp() + make_interval(secs => p_lease_seconds);
begin
  -- A turn that somebody else asks for, or that goes with its user, is not waited for: the next heartbeat keeps it.
  update public.user_turns t set expires_at = v_until where t.for_user in (
    select o.for_user from public.user_turns o where o.holder = any (p_turns) for no key update skip locked);
  return query
  with held as (
    select h.calendar_id, h.fence from unnest(p_calendar_ids, p_fences) as h (calendar_id, fence)
  ), free as materialized (
    -- One that is locked is just being written by its own commit: its lease is kept by that.
    select w.id from public.calendar_webhooks w
    join held h on h.calendar_id = w.id and w.fence = h.fence and w.committed_fence < h.fence
    order by w.id
    for no key update of w skip locked
  ), kept as (
    update public.calendar_webhooks w set
      due_at = greatest(w.due_at, v_until), lease_expires_at = v_until
    from free where w.id = free.id and w.lease_expires_at is not null
    returning w.id
  )
  select h.calendar_id from held h
  join public.calendar_webhooks w on w.id = h.calendar_id and w.fence = h.fence and w.committed_fence < h.fence
  where (select count(*) from kept) >= 0;
end
$$;

-- Gives a claim back untouched (a worker that stops, a Google that answers nobody): the calendar is due for somebody else as
-- soon as its backoff and the pause between two syncs allow, and p_after_seconds are over (there was no request to be had for
-- it). A notification that comes then does not wait for that. Nothing is counted against it.
create or replace function public.release_calendar(
  p_calendar_id uuid, p_fence bigint, p_after_seconds double precision default 0
) returns boolean
language sql security invoker set search_path = ''
as $$
  with released as (
    update public.calendar_webhooks w set
      lease_expires_at = null, due_at = greatest(
        clock_timestamp() + make_interval(secs => p_after_seconds), w.not_before), committed_fence = p_fence,
      claim_id = null, claims_unended = greatest(w.claims_unended - 1, 0),
      initial_sync = case when w.initial_sync = 'running' then 'pending' else w.initial_sync end
    where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence
    returning 1
  )
  select exists (select 1 from released)
$$;

-- One user's turn: of polls, connects and listings that somebody asked for one runs at a time. False: another one does.
-- p_holder names the asker: asked again, it has its turn still.
create or replace function public.take_turn(p_user_id uuid, p_holder uuid, p_lease_seconds integer) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  insert into public.user_turns as t (for_user, holder, expires_at)
  values (p_user_id, p_holder, clock_timestamp() + make_interval(secs => p_lease_seconds))
  on conflict (for_user) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where t.expires_at <= clock_timestamp() or t.holder = excluded.holder;
  return found;
exception
  -- Nobody else asks for a user who does not exist.
  when foreign_key_violation then
    return true;
end
$$;

-- Ends a turn. A repeated call changes nothing.
create or replace function public.end_turn(p_user_id uuid, p_holder uuid) returns void
language sql security invoker set search_path = ''
as $$
  delete from public.user_turns t where t.for_user = p_user_id and t.holder = p_holder
$$;

-- Notes a run of a cron, and answers the seconds between its last two; null: there was none before. Calls that follow each
-- other within p_same_run_seconds of the first are one run.
create or replace function public.cron_interval(p_name text, p_same_run_seconds double precision, p_worker text)
returns double precision
language sql security invoker set search_path = ''
as $$
  insert into public.service_jobs as j (name, taken_at, taken_by)
  values (p_name, clock_timestamp(), p_worker)
  on conflict (name) do update set
    every_seconds = case when j.taken_at < clock_timestamp() - make_interval(secs => p_same_run_seconds)
      then extract(epoch from clock_timestamp() - j.taken_at) else j.every_seconds end,
    taken_at = case when j.taken_at < clock_timestamp() - make_interval(secs => p_same_run_seconds)
      then clock_timestamp() else j.taken_at end,
    taken_by = excluded.taken_by
  returning j.every_seconds
$$;

-- Seconds since a job was last taken up; null: never.
create or replace function public.since_job(p_name text) returns double precision
language sql stable security invoker set search_path = ''
as $$
  select extract(epoch from clock_timestamp() - j.taken_at)::double precision
  from public.service_jobs j where j.name = p_name
$$;

-- Whether the caller is to do a job that one process does for all, every so many seconds. True at most once in that time.
create or replace function public.take_job(p_name text, p_every_seconds double precision, p_worker text) returns boolean
language sql security invoker set search_path = ''
as $$
  with taken as (
    insert into public.service_jobs as j (name, taken_at, taken_by)
    values (p_name, clock_timestamp(), p_worker)
    on conflict (name) do update set taken_at = excluded.taken_at, taken_by = excluded.taken_by
      where j.taken_at <= clock_timestamp() - make_interval(secs => p_every_seconds)
    returning 1
  )
  select exists (select 1 from taken)
$$;

-- Ends a claim without a sync, for a reason: 'skipped' (the plan found no need) or 'failed'. Writes the log row. A failure
-- counts and sets the backoff that no notification shortens. p_lost_message: Google refuses this
-- calendar; what its user is told then.
-- Guarantee: nothing of the calendar's events, meetings or token changes; a repeated call changes nothing.
create or replace function public.end_claim(
  p_calendar_id uuid, p_fence bigint, p_status text, p_sync_type text, p_reason text, p_next_seconds double precision,
  p_error_code text default null, p_error_message text default null,
  p_google_calls integer default 0, p_duration_ms integer default null, p_lost_message text default null
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_next timestamptz := clock_timestamp() + make_interval(secs => p_next_seconds);
  v_calendar public.calendar_webhooks;
begin
  perform calendar_internal.hold_user_of(p_calendar_id);
  update public.calendar_webhooks w set
    committed_fence = p_fence,
    claim_id = null, claims_unended = 0,
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
    updated_at = v_now
  where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence
  returning w.* into v_calendar;
  if not found then
    return false;
  end if;
  -- Told at the second refusal since it was last read: the first may be a passing fault of Google's.
  if p_lost_message is not null and v_calendar.access_lost_at < v_now then
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

-- What a sweep leaves behind: calendars still due, counted to 1000, and calendars a notification within p_stale_hours
-- vouches for, so that they need no poll: of the first 1000 calendars. The answer costs the same however many there are.
create or replace function public.sweep_state(p_stale_hours double precision)
returns table (remaining bigint, vouched_for bigint)
language sql security invoker set search_path = ''
as $$
  select
    (select count(*) from (
      select 1
      from unnest(array['notified', 'first', 'imminent', 'poll', 'suspect']) as l (lane) cross join lateral (
        select 1 from public.calendar_queue q
        where q.lane = l.lane and q.due_at <= (select clock_timestamp())
          and (q.leased_until is null or q.leased_until <= clock_timestamp())
        order by q.due_at limit 1000) e
      limit 1000) due),
    (select count(*) from (
      select w.* from public.calendar_webhooks w order by w.id limit 1000) w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null
      and w.last_webhook_received > (select clock_timestamp()) - make_interval(secs => p_stale_hours * 3600)
      and w.due_at > clock_timestamp())
$$;

-- The calendars of one user that a poll is about, and how long each is not to be asked for yet.
create or replace function public.calendars_of_user(p_user_id uuid)
returns table (calendar_id uuid, google_calendar_id text, paused_reason text, backoff_seconds double precision)
language sql security invoker set search_path = ''
as $$
  select w.id, w.google_calendar_id, w.paused_reason,
    greatest(0, extract(epoch from w.not_before - clock_timestamp()))::double precision
  from public.calendar_webhooks w
  where w.user_id = p_user_id and w.is_active and w.duplicate_of is null
  order by w.google_calendar_id
  limit 500
$$;

-- For the service alone.
revoke all on function
  public.record_notification,
  public.record_notifications,
  public.claim_due_calendars,
  calendar_internal.drain_notifications,
  calendar_internal.keep_queue,
  calendar_internal.mend_queue,
  calendar_internal.claimed,
  calendar_internal.pick_due,
  public.keep_leases,
  public.take_turn,
  public.end_turn,
  public.since_job,
  public.cron_interval,
  public.take_job,
  public.release_calendar,
  public.end_claim,
  public.sweep_state,
  public.calendars_of_user
from public, anon, authenticated;
grant execute on function
  public.record_notification,
  public.record_notifications,
  public.claim_due_calendars,
  calendar_internal.drain_notifications,
  calendar_internal.keep_queue,
  calendar_internal.mend_queue,
  calendar_internal.claimed,
  calendar_internal.pick_due,
  public.keep_leases,
  public.take_turn,
  public.end_turn,
  public.since_job,
  public.cron_interval,
  public.take_job,
  public.release_calendar,
  public.end_claim,
  public.sweep_state,
  public.calendars_of_user
to service_role;


-- The commit ---------------------------------------------------------------------------------------------------------

-- The commit: what a sync found becomes true in one transaction, or not at all.

-- What a listing named, until its last page: of a listing too large for one process' memory. Under the fence of its claim.
create table if not exists public.calendar_staged_items (
  calendar_id uuid not null references public.calendar_webhooks (id) on delete cascade,
  google_event_id text not null,
  base_event_id text not null,
  fence bigint not null,
  details jsonb not null,
  primary key (calendar_id, google_event_id)
);
comment on table public.calendar_staged_items is
  'What a listing named, until its last page: of a listing too large for one process'' memory. For the service alone.';
comment on column public.calendar_staged_items.calendar_id is 'The calendar that is listed.';
comment on column public.calendar_staged_items.google_event_id is 'Google''s id of the item.';
comment on column public.calendar_staged_items.base_event_id is 'Its family.';
comment on column public.calendar_staged_items.fence is 'The claim that lists.';
comment on column public.calendar_staged_items.details is 'Google''s JSON of it, trimmed.';

-- Families that could not be read or written, and why. Their mirror and meetings stay as they were; the next full listing
-- tries them again.
create table if not exists public.calendar_set_aside (
  calendar_id uuid not null references public.calendar_webhooks (id) on delete cascade,
  base_event_id text not null,
  reason text not null,
  error_code text not null,
  sync_id uuid,
  created_at timestamptz not null default now(),
  primary key (calendar_id, base_event_id),
  constraint calendar_set_aside_reason check (reason in ('unreadable', 'refused'))
);
comment on table public.calendar_set_aside is
  'Families of events that could not be read or written. Their mirror and meetings stay as they were; the next full listing tries them again. For the service alone.';
comment on column public.calendar_set_aside.calendar_id is 'The calendar they stand in.';
comment on column public.calendar_set_aside.base_event_id is 'The family.';
comment on column public.calendar_set_aside.reason is 'unreadable: nothing can be made of it; refused: the database cannot take it.';
comment on column public.calendar_set_aside.error_code is 'What broke; unknown_tombstone: nothing tells what was deleted.';
comment on column public.calendar_set_aside.sync_id is 'The sync that set it aside.';
comment on column public.calendar_set_aside.created_at is 'When it was first set aside.';

create index if not exists calendar_staged_items_family on public.calendar_staged_items (calendar_id, base_event_id);

alter table public.calendar_staged_items enable row level security;
alter table public.calendar_set_aside enable row level security;
revoke all on table public.calendar_staged_items, public.calendar_set_aside
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.calendar_staged_items, public.calendar_set_aside to service_role;

-- What a part is compared with is looked up by these four, planned at each call. A first sync fills tables of which the
-- statistics, and the plans that a connection keeps, say that they hold next to nothing: any index that begins with the
-- calendar then seems as good as the right one, and the whole calendar was read for each row of a part. Their arguments are
-- small, so planning them is cheap; with a part among them it would cost more than it saves. Each id is looked up by itself,
-- in an order that the right index alone has: as an equality, the calendar's rows, thought to be one or sixty, seemed cheaper
-- to read through, and were for each part of a first sync.

-- A calendar's mirror rows of these ids.
create or replace function calendar_internal.events_named(p_calendar_id uuid, p_ids text[]) returns setof public.calendar_events
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
  set enable_sort = off set enable_incremental_sort = off set jit = off
as $$
begin
  return query select known.* from (select distinct unnest(p_ids) as id) named
  cross join lateral (
    select * from public.calendar_events e
    where (e.calendar_id, e.google_event_id) >= (p_calendar_id, named.id)
      and (e.calendar_id, e.google_event_id) <= (p_calendar_id, named.id)
    order by e.calendar_id, e.google_event_id) known;
end
$$;

-- A calendar's mirror rows of these families.
create or replace function calendar_internal.events_of_families(p_calendar_id uuid, p_ids text[]) returns setof public.calendar_events
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
  set enable_sort = off set enable_incremental_sort = off set jit = off
as $$
begin
  return query select known.* from (select distinct unnest(p_ids) as id) named
  cross join lateral (
    select * from public.calendar_events e
    where (e.base_event_id, e.calendar_id) >= (named.id, p_calendar_id)
      and (e.base_event_id, e.calendar_id) <= (named.id, p_calendar_id)
    order by e.base_event_id, e.calendar_id) known;
end
$$;

-- A calendar's meetings of these occurrences.
create or replace function calendar_internal.meetings_named(p_calendar_id uuid, p_ids text[]) returns setof public.meetings
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
  set enable_sort = off set enable_incremental_sort = off set jit = off
as $$
begin
  return query select known.* from (select distinct unnest(p_ids) as id) named
  cross join lateral (
    select * from public.meetings m
    where (m.calendar_id, m.google_calendar_event_id) >= (p_calendar_id, named.id)
      and (m.calendar_id, m.google_calendar_event_id) <= (p_calendar_id, named.id)
    order by m.calendar_id, m.google_calendar_event_id) known;
end
$$;

-- A calendar's meetings of these families.
create or replace function calendar_internal.meetings_of_families(p_calendar_id uuid, p_ids text[]) returns setof public.meetings
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
  set enable_sort = off set enable_incremental_sort = off set jit = off
as $$
begin
  return query select known.* from (select distinct unnest(p_ids) as id) named
  cross join lateral (
    select * from public.meetings m
    where (m.calendar_id, m.base_event_id) >= (p_calendar_id, named.id)
      and (m.calendar_id, m.base_event_id) <= (p_calendar_id, named.id)
    order by m.calendar_id, m.base_event_id) known;
end
$$;

-- Upserts mirror rows of one calendar. A row is written only when it differs, or when the generation must mark it seen; the
-- count is of those that differ.
create or replace function calendar_internal.apply_events(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_generation bigint, p_events jsonb, p_forgotten jsonb,
  out changed integer
)
language plpgsql security invoker set search_path = '' set enable_seqscan = off
as $$
begin
  with incoming as (
    select e.*, coalesce(p_generation, 0) as generation,
      mine.calendar_id is null or (
        mine.base_event_id, mine.recurring_event_id, mine.kind, mine.status, mine.starts_at, mine.ends_at,
        mine.original_start_at, mine.google_updated_at, mine.details
      ) is distinct from (
        e.base_event_id, e.recurring_event_id, e.kind, e.status, e.starts_at, e.ends_at,
        e.original_start_at, e.google_updated_at, e.details
      ) as differs,
      mine.generation as seen
    from jsonb_to_recordset(p_events) as e (
      google_event_id text, base_event_id text, recurring_event_id text, kind text, status text,
      starts_at timestamptz, ends_at timestamptz, original_start_at timestamptz,
      google_updated_at timestamptz, details jsonb)
    left join calendar_internal.events_named(p_calendar.id, array(
      select i ->> 'google_event_id' from jsonb_array_elements(p_events) i)) mine using (google_event_id)
  ), written as (
    insert into public.calendar_events as mine (
      calendar_id, google_event_id, user_id, base_event_id, recurring_event_id, kind, status,
      starts_at, ends_at, original_start_at, google_updated_at, details, generation, sync_id)
    select p_calendar.id, i.google_event_id, p_calendar.user_id, i.base_event_id, i.recurring_event_id, i.kind, i.status,
      i.starts_at, i.ends_at, i.original_start_at, i.google_updated_at, i.details, i.generation,
      p_sync_id
    from incoming i
    where i.differs or i.seen < i.generation
    on conflict (calendar_id, google_event_id) do update set
      base_event_id = excluded.base_event_id, recurring_event_id = excluded.recurring_event_id,
      kind = excluded.kind, status = excluded.status, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
      original_start_at = excluded.original_start_at,
      google_updated_at = excluded.google_updated_at, details = excluded.details,
      generation = greatest(mine.generation, excluded.generation),
      sync_id = case when mine.details is distinct from excluded.details then excluded.sync_id else mine.sync_id end,
      updated_at = clock_timestamp()
  )
  select count(*) filter (where i.differs) from incoming i into changed;

  -- A first sync forgets nothing: its parts need not look, by whatever plan was kept.
  if jsonb_array_length(p_forgotten) > 0 then
    delete from public.calendar_events e
    where e.calendar_id = p_calendar.id
      and e.google_event_id = any (array(select jsonb_array_elements_text(p_forgotten)));
  end if;
end
$$;

-- Makes the meetings of whole event families equal to what was derived for them.
-- p_part: families [{base_event_id, known_from}] that were derived anew and are named here to their end; meetings, every
--   occurrence they have, with its placement:
--     inside   in the horizon: inserted or updated
--     before   ended before the horizon: history, only updated
--     beyond   starts after the horizon: a row it already has is withdrawn, and comes back when the horizon reaches it
--   present: occurrences of theirs that earlier parts wrote; withheld and ended: occurrences that are no meetings, and why.
-- A row of these families that is not named is gone if it ends after absent_from; one that is over already, only if the
-- family is known since before it (known_from), or if it is withheld or ended.
-- Guarantee: a row is written only when its content differs; the counts are rows written.
create or replace function calendar_internal.apply_meetings(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_part jsonb,
  out created integer, out updated integer, out deleted integer
)
language plpgsql security invoker set search_path = '' set enable_seqscan = off
as $$
begin
  with desired as materialized (
    select d.*, m.id as known_id, m.status as known_status,
      (m.base_event_id, m.title, m.description, m.meeting_url, m.start_time, m.end_time, m.event_status, m.status,
        m.is_all_day, m.time_zone, m.provider, m.room_key, m.is_private, m.is_organiser, m.other_attendees, m.has_outsiders)
      is distinct from
        (d.base_event_id, d.title, d.description, d.meeting_url, d.start_time, d.end_time, d.event_status,
        case when d.placement = 'beyond' then 'cancelled' else d.status end,
        d.is_all_day, d.time_zone, d.provider, d.room_key, d.is_private, d.is_organiser, d.other_attendees, d.has_outsiders)
      as differs
    from jsonb_to_recordset(p_part -> 'meetings') as d (
      google_calendar_event_id text, base_event_id text, title text, description text, meeting_url text,
      start_time timestamptz, end_time timestamptz, event_status text, status text, is_all_day boolean,
      time_zone text, provider text, room_key text, placement text, is_private boolean,
      is_organiser boolean, other_attendees integer, has_outsiders boolean)
    left join calendar_internal.meetings_named(p_calendar.id, array(
      select i ->> 'google_calendar_event_id' from jsonb_array_elements(p_part -> 'meetings') i)) m
      on m.google_calendar_event_id = d.google_calendar_event_id
  ), changed as (
    update public.meetings m set
      base_event_id = d.base_event_id, title = d.title, description = d.description, meeting_url = d.meeting_url,
      start_time = d.start_time, end_time = d.end_time, event_status = d.event_status,
      status = case when d.placement = 'beyond' then 'cancelled' else d.status end,
      status_reason = case when d.placement = 'beyond' then 'beyond_horizon' end,
      is_all_day = d.is_all_day, time_zone = d.time_zone, provider = d.provider, room_key = d.room_key,
      is_private = d.is_private, is_organiser = d.is_organiser, other_attendees = d.other_attendees,
      has_outsiders = d.has_outsiders,
      sync_id = p_sync_id, updated_at = clock_timestamp()
    from desired d
    where m.id = d.known_id and d.differs and m.id = any (array(select c.known_id from desired c where c.differs))
    returning d.known_status is distinct from 'cancelled' and d.placement = 'beyond' as withdrawn,
      d.known_status = 'cancelled' and d.placement = 'beyond' as stays_withdrawn
  ), added as (
    insert into public.meetings (
      user_id, calendar_id, google_calendar_event_id, base_event_id, title, description, meeting_url, start_time,
      end_time, event_status, status, is_all_day, time_zone, provider, room_key, is_private, is_organiser,
      other_attendees, has_outsiders, sync_id)
    select p_calendar.user_id, p_calendar.id, d.google_calendar_event_id, d.base_event_id, d.title, d.description,
      d.meeting_url, d.start_time, d.end_time, d.event_status, d.status, d.is_all_day, d.time_zone, d.provider,
      d.room_key, d.is_private, d.is_organiser, d.other_attendees, d.has_outsiders, p_sync_id
    from desired d
    where d.placement = 'inside' and d.known_id is null
    returning 1
  )
  select
    (select count(*) from added),
    (select count(*) from changed where not withdrawn and not stays_withdrawn),
    (select count(*) from changed where withdrawn)
  into created, updated, deleted;

  -- "not in": it is answered by hashing, whatever the planner believes of these sets, which have no statistics.
  with absent as materialized (
    select m.id, m.google_calendar_event_id
    from jsonb_to_recordset(p_part -> 'families') as f (base_event_id text, known_from timestamptz)
    join calendar_internal.meetings_of_families(p_calendar.id, array(
      select i ->> 'base_event_id' from jsonb_array_elements(p_part -> 'families') i)) m using (base_event_id)
    where m.status is distinct from 'cancelled'
      and (coalesce(m.end_time, m.start_time) > (p_part ->> 'absent_from')::timestamptz or m.start_time >= f.known_from)
    union
    select m.id, m.google_calendar_event_id
    from calendar_internal.meetings_named(p_calendar.id, array(
      select jsonb_object_keys(p_part -> 'withheld') union all select jsonb_array_elements_text(p_part -> 'ended'))) m
    where m.status is distinct from 'cancelled'
  ), gone as (
    update public.meetings m set
      status = 'cancelled',
      status_reason = coalesce(p_part -> 'withheld' ->> m.google_calendar_event_id, 'deleted'),
      sync_id = p_sync_id, updated_at = clock_timestamp()
    where m.id = any (array(
      select a.id from absent a
      where a.google_calendar_event_id not in (
        select d ->> 'google_calendar_event_id' from jsonb_array_elements(p_part -> 'meetings') d
        union all
        select jsonb_array_elements_text(p_part -> 'present'))))
    returning 1
  )
  select deleted + count(*) from gone into deleted;

  delete from public.calendar_set_aside s
  where s.calendar_id = p_calendar.id and s.base_event_id in (
    select f ->> 'base_event_id' from jsonb_array_elements(p_part -> 'families') f);
end
$$;

-- What the horizon does not hold of the families that a part closes, on every mirror row of theirs (p_part: families; entering
-- {event id: first start at or after the horizon's end}; cut, the ids of series that a limit cuts), and on the rows that are
-- `alone`, whose families it does not close. p_is_roll: the part holds a span of the horizon, so that what was cut stays so. Answers for the whole calendar the first that is to enter, and how many
-- series are cut.
create or replace function calendar_internal.apply_entries(
  p_calendar_id uuid, p_part jsonb, p_is_roll boolean default false, out next_entry_at timestamptz, out series_cut integer
)
language plpgsql security invoker set search_path = '' set enable_seqscan = off
as $$
declare
  v_entering jsonb := p_part -> 'entering';
  v_cut jsonb := coalesce(p_part -> 'cut', '[]');
begin
  with due as materialized (
    select m.google_event_id, told.enters_at, told.is_cut
    from (
      select * from calendar_internal.events_of_families(p_calendar_id, array(
        select f ->> 'base_event_id' from jsonb_array_elements(p_part -> 'families') f))
      union all
      select * from calendar_internal.events_named(p_calendar_id, array(
        select jsonb_array_elements_text(p_part -> 'alone')))
    ) m
    cross join lateral (
      select (v_entering ->> m.google_event_id)::timestamptz as enters_at,
        (p_is_roll and m.is_cut) or v_cut ? m.google_event_id as is_cut) told
    where m.enters_at is distinct from told.enters_at or m.is_cut <> told.is_cut
  )
  update public.calendar_events e set enters_at = due.enters_at, is_cut = due.is_cut
  from due
  where e.calendar_id = p_calendar_id and e.google_event_id = due.google_event_id
    and e.google_event_id = any (array(select d.google_event_id from due d));
  select min(e.enters_at) from public.calendar_events e
  where e.calendar_id = p_calendar_id and e.enters_at is not null
  into next_entry_at;
  select count(*) from public.calendar_events e where e.calendar_id = p_calendar_id and e.is_cut into series_cut;
end
$$;

-- What a full sync's generation did not see is gone: mirror rows are dropped, live meetings ahead end. What is over stays as it
-- was, and what was set aside too: nothing is known of it. Compared by hashes: the statistics of a young database say that there
-- is one row, and row by row it took longer than a statement may.
create or replace function calendar_internal.sweep_unseen(
  p_calendar public.calendar_webhooks, p_sync_id uuid, p_generation bigint, p_absent_from timestamptz,
  out deleted integer
)
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_custom_plan
  set enable_nestloop = off
as $$
begin
  delete from public.calendar_events e
  where e.calendar_id = p_calendar.id and e.generation < p_generation and not exists (
    select 1 from public.calendar_set_aside s
    where s.calendar_id = p_calendar.id and s.base_event_id = e.base_event_id);
  with gone as (
    update public.meetings m set
      status = 'cancelled', status_reason = 'deleted', sync_id = p_sync_id, updated_at = clock_timestamp()
    where m.calendar_id = p_calendar.id and m.status is distinct from 'cancelled' and m.google_calendar_event_id is not null
      and coalesce(m.end_time, m.start_time) > p_absent_from
      and not exists (
        select 1 from public.calendar_events e
        where e.calendar_id = p_calendar.id and e.base_event_id = m.base_event_id)
      and not exists (
        select 1 from public.calendar_set_aside s
        where s.calendar_id = p_calendar.id and s.base_event_id = m.base_event_id)
    returning 1
  )
  select count(*) from gone into deleted;
end
$$;

-- Whole families of the mirror, by their base ids and by the ids of members (a bare tombstone may not tell its family), and
-- by base id the start of the first meeting of each that has any: what a delta is merged into. One jsonb, for PostgREST cuts
-- row sets at 1000.
-- p_exceptions [{base_event_id, google_event_id, series_id, original_start_at}]: exceptions that are all a delta names of their
-- families. Where they concern no other occurrence the family is named in `alone`, and nothing of it is read: the mirror has one
-- series there and no other, no occurrence of it under two ids, nothing that a limit cuts or that was set aside.
create or replace function public.read_families(
  p_calendar_id uuid, p_base_event_ids text[], p_event_ids text[] default '{}', p_exceptions jsonb default '[]'
) returns jsonb
language sql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
as $$
  with named as materialized (
    select * from jsonb_to_recordset(p_exceptions) as n (
      base_event_id text, google_event_id text, series_id text, original_start_at timestamptz)
  ), known as materialized (
    select e.base_event_id, e.google_event_id, e.kind, e.status, e.original_start_at, e.is_cut
    from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.base_event_id = any (array(select n.base_event_id from named n))
  ), one_series as (
    select k.base_event_id, min(k.google_event_id) as series_id from known k
    where k.kind <> 'exception'
    group by k.base_event_id
    having count(*) = 1 and bool_and(k.kind = 'series' and k.status <> 'cancelled' and not k.is_cut)
  ), alone as materialized (
    select o.base_event_id from one_series o
    where not exists (
        select 1 from named n where n.base_event_id = o.base_event_id and n.series_id <> o.series_id)
      -- One id to an occurrence, and one occurrence to an id.
      and not exists (
        select 1 from named n
        join known k on k.base_event_id = n.base_event_id and k.kind = 'exception'
          and (k.google_event_id = n.google_event_id)
            is distinct from (k.original_start_at is not distinct from n.original_start_at)
        where n.base_event_id = o.base_event_id)
      and not exists (
        select 1 from named n
        join public.calendar_events e on e.calendar_id = p_calendar_id and e.google_event_id = n.google_event_id
        where n.base_event_id = o.base_event_id and e.base_event_id <> o.base_event_id)
      and (select count(*) = count(distinct n.original_start_at) from named n where n.base_event_id = o.base_event_id)
      and not exists (
        select 1 from public.calendar_set_aside s
        where s.calendar_id = p_calendar_id and s.base_event_id = o.base_event_id)
  ), families as materialized (
    select unnest(p_base_event_ids) as base_event_id
    union
    select n.base_event_id from named n
    union
    select e.base_event_id from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.google_event_id = any (p_event_ids)
    except
    select a.base_event_id from alone a
  )
  select jsonb_build_object(
    'events', coalesce((
      select jsonb_agg(jsonb_build_object('details', e.details))
      from public.calendar_events e
      where e.calendar_id = p_calendar_id
        and e.base_event_id = any (array(select f.base_event_id from families f))), '[]'),
    'earliest', coalesce((
      select jsonb_object_agg(first.base_event_id, first.start_time) from (
        select m.base_event_id, min(m.start_time) as start_time from public.meetings m
        where m.calendar_id = p_calendar_id
          and m.base_event_id = any (array(select f.base_event_id from families f))
        group by m.base_event_id) first), '{}'),
    'alone', coalesce((select jsonb_agg(a.base_event_id) from alone a), '[]'))
$$;

-- By base id the start of the first meeting (before an instant; null: whenever), of those families that have any.
create or replace function public.first_starts(p_calendar_id uuid, p_base_event_ids text[], p_before timestamptz)
returns jsonb
language sql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
as $$
  select coalesce(jsonb_object_agg(first.base_event_id, first.start_time), '{}') from (
    select m.base_event_id, min(m.start_time) as start_time from public.meetings m
    where m.calendar_id = p_calendar_id and m.base_event_id = any (p_base_event_ids)
      and m.start_time < coalesce(p_before, 'infinity')
    group by m.base_event_id) first
$$;

-- Keeps items of a listing until its last page, the latest version of each. p_is_first: what an earlier listing left goes.
-- False: the fence moved on. A repeated call changes nothing.
create or replace function public.stage_items(
  p_calendar_id uuid, p_fence bigint, p_items jsonb, p_is_first boolean, p_lease_seconds integer
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  update public.calendar_webhooks w set
    lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds),
    due_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
  where w.id = p_calendar_id and w.fence = p_fence and w.committed_fence < p_fence;
  if not found then
    return false;
  end if;
  if p_is_first then
    delete from public.calendar_staged_items s where s.calendar_id = p_calendar_id;
  end if;
  insert into public.calendar_staged_items as s (calendar_id, google_event_id, base_event_id, fence, details)
  select p_calendar_id, i.google_event_id,
    -- A bare tombstone may not tell its family: the mirror does.
    case when i.details ->> 'status' = 'cancelled' and not i.details ? 'recurringEventId'
      then coalesce(e.base_event_id, i.base_event_id) else i.base_event_id end,
    p_fence, i.details
  from jsonb_to_recordset(p_items) as i (google_event_id text, base_event_id text, details jsonb)
  left join calendar_internal.events_named(p_calendar_id, array(
    select l ->> 'google_event_id' from jsonb_array_elements(p_items) l)) e on e.google_event_id = i.google_event_id
  on conflict (calendar_id, google_event_id) do update set
    base_event_id = excluded.base_event_id, fence = excluded.fence, details = excluded.details;
  return true;
end
$$;

-- Staged items of the families that follow a base id, in order: whole families, together about p_limit items, at least one
-- family. {items, last}: ask again after `last`, until it is null.
create or replace function public.read_staged_items(p_calendar_id uuid, p_fence bigint, p_after text, p_limit integer)
returns jsonb
language sql stable security invoker set search_path = '' set plan_cache_mode = force_custom_plan
-- In the index's order, whatever is thought of a table that was empty a moment ago: else each call would read all that is
-- left.
set enable_bitmapscan = off set enable_seqscan = off
as $$
  with next as (
    select s.base_event_id from public.calendar_staged_items s
    where s.calendar_id = p_calendar_id and s.fence = p_fence and s.base_event_id > p_after
    order by s.base_event_id
    limit p_limit + 1
  ), ends as (
    select min(n.base_event_id) as first, max(n.base_event_id) as last, count(*) as items from next n
  ), upto as (
    select case
      when e.items <= p_limit or e.first = e.last then e.last
      else (select max(n.base_event_id) from next n where n.base_event_id < e.last) end as base_event_id
    from ends e
  )
  select jsonb_build_object(
    'items', coalesce((
      select jsonb_agg(s.details order by s.base_event_id, s.google_event_id)
      from public.calendar_staged_items s
      where s.calendar_id = p_calendar_id and s.fence = p_fence
        and s.base_event_id > p_after and s.base_event_id <= (select u.base_event_id from upto u)), '[]'),
    'last', (select u.base_event_id from upto u))
$$;

-- A part of a sync that is too large for one payload: complete families, of a full sync under the fence as generation.
-- Idempotent. It only writes what is true of the calendar already; what is gone unseen, and the token, wait for commit_sync.
create or replace function public.stage_sync(
  p_calendar_id uuid, p_fence bigint, p_sync_id uuid, p_part jsonb, p_lease_seconds integer,
  p_is_full boolean default true, p_generation bigint default null
) returns table (accepted boolean, created integer, updated integer, deleted integer, events integer)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_calendar public.calendar_webhooks;
  v_applied record;
  v_entries record;
  v_events integer;
  v_is_repeated boolean;
begin
  perform calendar_internal.hold_user_of(p_calendar_id);
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for no key update;
  if not found or v_calendar.fence <> p_fence or v_calendar.committed_fence >= p_fence
    or calendar_internal.is_outdated(p_generation)
  then
    return query select false, 0, 0, 0, 0;
    return;
  end if;
  -- A part that is staged twice (its answer was lost) is counted once in the progress of a first sync.
  v_is_repeated := exists (
    select 1 from calendar_internal.events_named(p_calendar_id, array[p_part #>> '{events,0,google_event_id}']) e
    where e.generation >= p_fence);
  v_events := calendar_internal.apply_events(
    v_calendar, p_sync_id, case when p_is_full then p_fence end, p_part -> 'events', p_part -> 'forgotten');
  select * into v_applied from calendar_internal.apply_meetings(v_calendar, p_sync_id, p_part);
  select * into v_entries from calendar_internal.apply_entries(p_calendar_id, p_part);
  update public.calendar_webhooks w set
    next_entry_at = v_entries.next_entry_at,
    series_cut = v_entries.series_cut,
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
-- p_sync: sync_id, sync_type, reason, is_full, sync_token, generation, time_zone, calendar_name (null: the known one holds),
--   notifications_read, horizon_until, next_poll_seconds, next_reason, coalesce_seconds, missed_push, reopen_watch,
--   events_processed, google_calls, duration_ms, changes_announced, changes_missed, changed_at (of each change, Google's
--   `updated`), staged {created, updated, deleted, events}, audited (meetings compared; for an audit only), and the part itself: calendar_back_message, set_aside [{base_id, reason, code}], events, forgotten, and what
--   apply_meetings takes.
-- Guarantees: refused when the fence moved on (another worker has the calendar), or when other settings are in force than
-- those it was made under (generation); a second call of the same fence changes
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
  v_is_full boolean := (p_sync ->> 'is_full')::boolean;
  -- Most syncs found nothing: they look at no row of what they would write.
  v_writes boolean := v_is_full or p_sync -> 'families' <> '[]' or p_sync -> 'events' <> '[]'
    or p_sync -> 'forgotten' <> '[]' or p_sync -> 'meetings' <> '[]' or p_sync -> 'withheld' <> '{}'
    or p_sync -> 'ended' <> '[]';
  v_events integer := 0;
  v_differing integer;
  v_swept integer := 0;
  v_created integer := 0;
  v_updated integer := 0;
  v_deleted integer := 0;
  v_notified boolean;
  v_served bigint;
  v_is_past_bound boolean;
  v_freshness integer[];
begin
  perform calendar_internal.hold_user_of(p_calendar_id);
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for no key update;
  v_now := clock_timestamp();
  if v_calendar.id is null or v_calendar.fence <> p_fence or v_calendar.committed_fence >= p_fence
    or calendar_internal.is_outdated((p_sync ->> 'generation')::bigint)
  then
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

  if v_writes then
    v_events := calendar_internal.apply_events(
      v_calendar, v_sync_id, case when v_is_full then p_fence end, p_sync -> 'events', p_sync -> 'forgotten');
    select * into v_created, v_updated, v_deleted from calendar_internal.apply_meetings(v_calendar, v_sync_id, p_sync);
    if v_is_full then
      delete from public.calendar_set_aside s where s.calendar_id = p_calendar_id;
    end if;
  end if;
  insert into public.calendar_set_aside (calendar_id, base_event_id, reason, error_code, sync_id)
  select distinct on (s.base_id) p_calendar_id, s.base_id, s.reason, s.code, v_sync_id
  from jsonb_to_recordset(p_sync -> 'set_aside') as s (base_id text, reason text, code text)
  on conflict (calendar_id, base_event_id) do update set
    reason = excluded.reason, error_code = excluded.error_code, sync_id = excluded.sync_id;
  if v_is_full then
    v_swept := calendar_internal.sweep_unseen(
      v_calendar, v_sync_id, p_fence, (p_sync ->> 'absent_from')::timestamptz);
  end if;
  if v_writes then
    select * into v_calendar.next_entry_at, v_calendar.series_cut from calendar_internal.apply_entries(p_calendar_id, p_sync);
  end if;
  delete from public.calendar_staged_items s where s.calendar_id = p_calendar_id;
  v_created := v_created + coalesce((p_sync #>> '{staged,created}')::integer, 0);
  v_updated := v_updated + coalesce((p_sync #>> '{staged,updated}')::integer, 0);
  v_deleted := v_deleted + v_swept + coalesce((p_sync #>> '{staged,deleted}')::integer, 0);
  v_events := v_events + coalesce((p_sync #>> '{staged,events}')::integer, 0);
  -- An audit lists what was just synced: whatever its commit has to write was wrong before.
  v_differing := case when p_sync ? 'audited' then v_created + v_updated + v_deleted end;
  v_notified := v_calendar.notifications_seen > (p_sync ->> 'notifications_read')::bigint;
  v_served := greatest(0, (p_sync ->> 'notifications_read')::bigint - v_calendar.notifications_synced);
  -- Late by more than a minute, and not because a look was skipped that a notification vouched for.
  v_is_past_bound := v_calendar.last_synced_at + make_interval(secs => v_calendar.stale_bound_seconds + 60) < v_now
    and coalesce(v_calendar.last_webhook_received, '-infinity') < v_calendar.last_synced_at
    and v_calendar.consecutive_failures = 0 and v_calendar.access_lost_at is null;
  if p_sync ? 'changed_at' then
    select array_agg(least(greatest(extract(epoch from clock_timestamp() - c::timestamptz) * 1000, 0), 2147483647)::integer)
    into v_freshness from jsonb_array_elements_text(p_sync -> 'changed_at') c;
  end if;

  insert into public.calendar_sync_logs (
    user_id, calendar_id, sync_id, fence, sync_type, status, reason, is_full, events_processed,
    meetings_created, meetings_updated, meetings_deleted, events_changed, audited, differing, repaired,
    google_calls, notifications, changes_announced, changes_missed, freshness_ms, is_past_bound, latency_ms, duration_ms)
  values (
    v_calendar.user_id, p_calendar_id, v_sync_id, p_fence, p_sync ->> 'sync_type', 'completed', p_sync ->> 'reason',
    v_is_full, (p_sync ->> 'events_processed')::integer,
    v_created, v_updated, v_deleted, v_events, (p_sync ->> 'audited')::integer, v_differing, v_differing,
    (p_sync ->> 'google_calls')::integer,
    v_served,
    (p_sync ->> 'changes_announced')::integer, (p_sync ->> 'changes_missed')::integer,
    v_freshness, v_is_past_bound,
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
    claim_id = null, claims_unended = 0,
    lease_expires_at = null,
    sync_token = p_sync ->> 'sync_token',
    settings_generation = case when v_is_full
      then (p_sync ->> 'generation')::bigint else w.settings_generation end,
    time_zone = p_sync ->> 'time_zone',
    calendar_name = coalesce(p_sync ->> 'calendar_name', w.calendar_name),
    horizon_until = case when v_is_full
      then (p_sync ->> 'horizon_until')::timestamptz
      else greatest(w.horizon_until, (p_sync ->> 'horizon_until')::timestamptz) end,
    next_entry_at = v_calendar.next_entry_at,
    series_cut = v_calendar.series_cut,
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
    retired_at = null,
    initial_sync = 'done',
    initial_events = case when w.initial_sync = 'done' then w.initial_events else (
      select count(*) from public.calendar_events e where e.calendar_id = p_calendar_id) end,
    initial_meetings = case when w.initial_sync = 'done' then w.initial_meetings else (
      select count(*) from public.meetings m where m.calendar_id = p_calendar_id and m.status <> 'cancelled') end,
    poll_interval_seconds = (p_sync ->> 'next_poll_seconds')::double precision,
    belief_changes = coalesce((p_sync #>> '{belief,changes}')::double precision, w.belief_changes),
    belief_change_days = coalesce((p_sync #>> '{belief,change_days}')::double precision, w.belief_change_days),
    belief_announced = coalesce((p_sync #>> '{belief,announced}')::double precision, w.belief_announced),
    belief_missed = coalesce((p_sync #>> '{belief,missed}')::double precision, w.belief_missed),
    belief_doubt = coalesce((p_sync #>> '{belief,doubt}')::double precision, w.belief_doubt),
    belief_unproven_days = coalesce((p_sync #>> '{belief,unproven_days}')::double precision, w.belief_unproven_days),
    belief_delay_seconds = coalesce((p_sync #>> '{belief,delay_seconds}')::double precision, w.belief_delay_seconds),
    reopened_in_vain = coalesce((p_sync ->> 'reopened_in_vain')::integer, w.reopened_in_vain),
    stale_bound_seconds = coalesce((p_sync ->> 'stale_bound_seconds')::double precision, w.stale_bound_seconds),
    bounds_broken = w.bounds_broken + (case when v_is_past_bound then 1 else 0 end),
    push_state = coalesce(p_sync #>> '{push,state}', w.push_state),
    push_reason = case when p_sync ? 'push' then p_sync #>> '{push,reason}' else w.push_reason end,
    push_since = case when p_sync ? 'push' and (w.push_state, w.push_reason)
        is distinct from (p_sync #>> '{push,state}', p_sync #>> '{push,reason}')
      then v_now else w.push_since end,
    silence_odd_at = v_now + make_interval(secs => (p_sync #>> '{push,odd_seconds}')::double precision),
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
  calendar_internal.events_named,
  calendar_internal.events_of_families,
  calendar_internal.meetings_named,
  calendar_internal.meetings_of_families,
  calendar_internal.apply_events,
  calendar_internal.apply_meetings,
  calendar_internal.apply_entries,
  calendar_internal.sweep_unseen,
  public.read_families,
  public.first_starts,
  public.stage_items,
  public.read_staged_items,
  public.stage_sync,
  public.commit_sync
from public, anon, authenticated;
grant execute on function
  calendar_internal.events_named,
  calendar_internal.events_of_families,
  calendar_internal.meetings_named,
  calendar_internal.meetings_of_families,
  calendar_internal.apply_events,
  calendar_internal.apply_meetings,
  calendar_internal.apply_entries,
  calendar_internal.sweep_unseen,
  public.read_families,
  public.first_starts,
  public.stage_items,
  public.read_staged_items,
  public.stage_sync,
  public.commit_sync
to service_role;


-- The rolling horizon ------------------------------------------------------------------------------------------------

-- The horizon moves forward all the time; what enters it comes from the mirror, without a call to Google. Each mirror row says
-- when its family has something to enter: until then nothing is written, however far the horizon moves. It stands while access
-- is lost: nobody knows whether what would enter still holds.

-- Leases up to p_limit calendars that something enters, what waits the longest first: p_until is the horizon's end, of which
-- the last p_lag_seconds may wait, so that what enters together is written together. The lease is the one of a sync, so no
-- sync of the calendar runs meanwhile; due_at stays, so a roller that dies delays nothing but itself.
create or replace function public.claim_rolling_calendars(
  p_worker text, p_until timestamptz, p_lag_seconds double precision, p_limit integer, p_lease_seconds integer
) returns table (calendar_id uuid, fence bigint, time_zone text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
  v_ids uuid[];
begin
  if calendar_internal.is_of_other_code(p_worker) then
    return;
  end if;
  -- In a statement of its own: joined to what it picks, a limit the planner does not know may mean a whole table.
  select array_agg(picked.id) into v_ids from (
    select c.id from public.calendar_webhooks c
    where c.is_active and c.paused_reason is null and c.duplicate_of is null and c.access_lost_at is null
      and c.next_entry_at < p_until - make_interval(secs => p_lag_seconds) and c.claims_unended < 4
      and (c.lease_expires_at is null or c.lease_expires_at <= v_now)
    order by c.next_entry_at
    limit least(greatest(p_limit, 0), 200)
    for no key update skip locked
  ) picked;
  return query
  update public.calendar_webhooks w set
    fence = w.fence + 1, claimed_at = v_now, claimed_by = p_worker, claim_id = null,
    claims_unended = w.claims_unended + 1,
    lease_expires_at = v_now + make_interval(secs => p_lease_seconds)
  where w.id = any (v_ids)
  returning w.id, w.fence, coalesce(w.time_zone, 'UTC');
end
$$;

-- The families that have something to enter before an instant, as Google's trimmed JSON, and `since`: they have meetings for
-- all that starts before it. At most p_limit families, in order; the caller asks again after the last base id it got.
create or replace function public.read_entering(
  p_calendar_id uuid, p_until timestamptz, p_after text, p_limit integer
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with waiting as (
    select e.base_event_id, e.enters_at from public.calendar_events e
    where e.calendar_id = p_calendar_id and e.enters_at < p_until and e.base_event_id > p_after
  ), families as (
    select distinct w.base_event_id from waiting w
    order by w.base_event_id
    limit p_limit
  )
  select jsonb_build_object(
    'families', (select count(*) from families),
    'last', (select max(f.base_event_id) from families f),
    'since', (select min(w.enters_at) from waiting w),
    'events', coalesce(jsonb_agg(e.details), '[]'))
  from public.calendar_events e
  where e.calendar_id = p_calendar_id and e.base_event_id = any (array(select f.base_event_id from families f))
$$;

-- Writes what entered, part by part; the last part ends the claim. A repeated call changes nothing. An empty last part gives the
-- claim back; without p_horizon_until nothing was derived up to there.
-- Answers whether a notification came meanwhile: then the calendar is due at once.
create or replace function public.commit_roll(
  p_calendar_id uuid, p_fence bigint, p_part jsonb, p_horizon_until timestamptz, p_is_last boolean,
  p_lease_seconds integer, p_generation bigint default null
) returns table (committed boolean, entered integer, notified boolean)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_calendar public.calendar_webhooks;
  v_applied record;
  v_entries record;
begin
  perform calendar_internal.hold_user_of(p_calendar_id);
  select * into v_calendar from public.calendar_webhooks w where w.id = p_calendar_id for no key update;
  v_now := clock_timestamp();
  if v_calendar.id is null or v_calendar.fence <> p_fence or calendar_internal.is_outdated(p_generation) then
    return query select false, 0, false;
    return;
  end if;
  if v_calendar.committed_fence >= p_fence then
    return query select true, 0, v_calendar.notifications_seen > v_calendar.notifications_synced;
    return;
  end if;
  select * into v_applied from calendar_internal.apply_meetings(v_calendar, null, p_part);
  -- What this transaction wrote: an inserted row carries its beginning, an updated one a later time.
  update public.meetings m set entered_horizon_at = v_now
  where m.calendar_id = p_calendar_id and m.updated_at >= now() and m.sync_id is null and m.status <> 'cancelled'
    and m.google_calendar_event_id in (
      select d ->> 'google_calendar_event_id' from jsonb_array_elements(p_part -> 'meetings') d);
  select * into v_entries from calendar_internal.apply_entries(p_calendar_id, p_part, p_is_roll => true);
  update public.calendar_webhooks w set
    committed_fence = case when p_is_last then p_fence else w.committed_fence end,
    claims_unended = case when p_is_last then 0 else w.claims_unended end,
    lease_expires_at = case when not p_is_last then v_now + make_interval(secs => p_lease_seconds) end,
    horizon_until = greatest(w.horizon_until, p_horizon_until),
    next_entry_at = v_entries.next_entry_at,
    series_cut = v_entries.series_cut,
    due_at = case when p_is_last and w.notifications_seen > w.notifications_synced
      then greatest(v_now, w.not_before) else w.due_at end
  where w.id = p_calendar_id;
  return query select true, v_applied.created + v_applied.updated,
    v_calendar.notifications_seen > v_calendar.notifications_synced;
end
$$;

-- For the service alone.
revoke all on function
  public.claim_rolling_calendars,
  public.read_entering,
  public.commit_roll
from public, anon, authenticated;
grant execute on function
  public.claim_rolling_calendars,
  public.read_entering,
  public.commit_roll
to service_role;


-- Explaining ---------------------------------------------------------------------------------------------------------

-- The facts behind a meeting, for `GET /functions/v1/explain`. Read only; contents stay out of the answer.

-- A calendar's part of the facts: the mirror's family as Google's trimmed JSON, the row, and the sync that wrote the row last.
create or replace function calendar_internal.explain_facts(
  p_calendar_id uuid, p_base_event_id text, p_meeting public.meetings
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'calendar', (
      select jsonb_build_object(
        'id', w.id, 'user_id', w.user_id, 'google_calendar_id', w.google_calendar_id, 'is_active', w.is_active,
        'paused_reason', w.paused_reason, 'time_zone', w.time_zone, 'last_synced_at', w.last_synced_at,
        'notifications_waiting', w.notifications_seen - w.notifications_synced, 'next_look_at', w.due_at,
        'next_look_reason', w.due_reason)
      from public.calendar_webhooks w where w.id = p_calendar_id),
    'members', (
      select coalesce(jsonb_agg(e.details), '[]') from public.calendar_events e
      where e.calendar_id = p_calendar_id and e.base_event_id = p_base_event_id),
    'meeting', case when (p_meeting).id is not null then
      to_jsonb(p_meeting) - 'title' - 'description' - 'meeting_url' end,
    'log', (
      select jsonb_build_object(
        'id', l.id, 'sync_id', l.sync_id, 'sync_type', l.sync_type, 'reason', l.reason, 'is_full', l.is_full,
        'notifications', l.notifications, 'created_at', l.created_at,
        'asked_at', l.created_at - make_interval(secs => coalesce(l.latency_ms, l.duration_ms, 0) / 1000.0))
      from public.calendar_sync_logs l
      where l.calendar_id = p_calendar_id and l.sync_id = (p_meeting).sync_id limit 1))
$$;

-- By the id of a row of meetings: null when there is none.
create or replace function public.explain_meeting(p_meeting_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select calendar_internal.explain_facts(m.calendar_id, m.base_event_id, m)
  from public.meetings m where m.id = p_meeting_id
$$;

-- By Google's id, in each watched calendar (of one user, if given) that knows the event's family or has its row; up to 20.
create or replace function public.explain_event(p_event_id text, p_base_event_id text, p_user_id uuid default null)
returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(calendar_internal.explain_facts(known.id, p_base_event_id, known.meeting)), '[]')
  from (
    select w.id, m as meeting
    from public.calendar_webhooks w
    left join public.meetings m on m.calendar_id = w.id and m.google_calendar_event_id = p_event_id
    where w.duplicate_of is null and (p_user_id is null or w.user_id = p_user_id)
      and (m.id is not null or exists (
        select 1 from public.calendar_events e where e.calendar_id = w.id and e.base_event_id = p_base_event_id))
    order by w.id
    limit 20
  ) known
$$;

-- For the service alone.
revoke all on function
  calendar_internal.explain_facts,
  public.explain_meeting,
  public.explain_event
from public, anon, authenticated;
grant execute on function
  calendar_internal.explain_facts,
  public.explain_meeting,
  public.explain_event
to service_role;


-- The drift audit ----------------------------------------------------------------------------------------------------

-- The drift audit's sample: which calendars are compared with a full listing next.

-- The p_limit calendars whose last audit is the longest ago, if at all; marked at once, so that two samplers do not take the
-- same ones. With p_calendar_ids these and no others; none whose last audit came after p_before.
create or replace function public.sample_for_audit(
  p_limit integer, p_calendar_ids uuid[] default null, p_before timestamptz default 'infinity'
) returns table (calendar_id uuid)
language sql security invoker set search_path = ''
as $$
  with sample as (
    select w.id from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.initial_sync = 'done'
      and w.sync_token is not null
      and (p_calendar_ids is null or w.id = any (p_calendar_ids))
      and (p_calendar_ids is not null or not (select calendar_internal.is_paused('audit')))
      and (w.audited_at is null or w.audited_at < p_before)
    order by w.audited_at nulls first
    limit least(greatest(p_limit, 0), 1000)
    for no key update skip locked
  )
  update public.calendar_webhooks w set audited_at = clock_timestamp() from sample where sample.id = w.id
  returning w.id
$$;

-- For the service alone.
revoke all on function public.sample_for_audit from public, anon, authenticated;
grant execute on function public.sample_for_audit to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.keep_queue is 'Keeps calendar_queue true to calendar_webhooks, whoever writes there.';
comment on function calendar_internal.mend_queue is 'Puts right what calendar_queue has of the calendars after one id and up to another: rows that were written past the
triggers (a restore, a replica), and those of calendars that are gone. Answers how many were wrong. Waits for nobody; what
somebody holds is not looked at.';
comment on function calendar_internal.is_paused is 'Whether an operator has stopped a lane. What is named (a person waits for it) is claimed all the same.';
comment on function calendar_internal.drain_notifications is 'Counts notifications that wait in calendar_notifications, of up to p_limit channels (of these calendars, if named): the
calendar becomes due, its channel''s figures grow. Answers how many notifications were counted.
Guarantee: waits for nobody; what is locked stays for the next call, and holds up no other. Each notification is counted
once, also when its channel is gone.';
comment on function public.record_notification is 'A notification is a hint without data: it raises a counter and makes the calendar due. One call, whatever happens.
Guarantee: an accepted notification is never lost, also while a sync of the calendar runs; none shortens a lease, the
pause between two syncs of a burst, or the backoff of a failing calendar; none waits for a lock: what cannot be counted
at once is left in calendar_notifications, which every claim drains.
Answers outcome: due | handshake | dead_channel | unknown_channel | refused.';
comment on function public.record_notifications is 'Likewise of several that came together, [{channel_id, resource_id, resource_state, message_number, expires_at}], one after
the other: a crowd costs one call and one transaction. Answers each, in their order; if it fails, none is recorded.';
comment on function calendar_internal.claimed is 'What a claim gives of these calendars, in this order.';
comment on function calendar_internal.pick_due is 'Due calendars of one lane, locked, the longest due first. Spread over users: at most p_per_user of each.';
comment on function public.claim_due_calendars is 'Leases up to p_limit calendars, the longest due of each lane first:
  notified   a notification waits            first      never synced, or to be listed whole
  poll       the plan''s own date has come    suspect    its last claims were never ended: they may have killed who held them
  imminent   those polls before a meeting: for a caller who has room for no others
p_room: how many of each lane at most ({"notified": 3, …}; a lane that is not named gets none); without it polls and first
syncs keep a third of p_limit, however many notifications wait, and suspects are left. A suspect is never claimed together
with another calendar. With p_calendar_ids only among these, of every lane; with p_even_if_not_due also those that are not
due (an operator asked), but never one that is leased or in its backoff. At most p_per_user calendars of one user.
p_ahead_seconds: also what becomes due within that time, but for what is in its backoff (a cron that nobody relieves looks
ahead to its next run).
p_claim_id names the call: asked again, it gives the same leases and takes no more.
Guarantee: no two callers hold a lease on one calendar; a claim that is never finished lapses with its lease, and is
counted (claims_unended): from the fourth on the calendar waits longer and longer before it is claimed again.';
comment on function public.keep_leases is 'Keeps all leases of a process at once, and its users'' turns: what its heartbeat calls. Answers the calendars of which the
lease is still its own; of the others it was lost, and their work must stop.';
comment on function public.release_calendar is 'Gives a claim back untouched (a worker that stops, a Google that answers nobody): the calendar is due for somebody else as
soon as its backoff and the pause between two syncs allow, and p_after_seconds are over (there was no request to be had for
it). A notification that comes then does not wait for that. Nothing is counted against it.';
comment on function public.take_turn is 'One user''s turn: of polls, connects and listings that somebody asked for one runs at a time. False: another one does.
p_holder names the asker: asked again, it has its turn still.';
comment on function public.end_turn is 'Ends a turn. A repeated call changes nothing.';
comment on function public.cron_interval is 'Notes a run of a cron, and answers the seconds between its last two; null: there was none before. Calls that follow each
other within p_same_run_seconds of the first are one run.';
comment on function public.since_job is 'Seconds since a job was last taken up; null: never.';
comment on function public.take_job is 'Whether the caller is to do a job that one process does for all, every so many seconds. True at most once in that time.';
comment on function public.end_claim is 'Ends a claim without a sync, for a reason: ''skipped'' (the plan found no need) or ''failed''. Writes the log row. A failure
counts and sets the backoff that no notification shortens. p_lost_message: Google refuses this
calendar; what its user is told then.
Guarantee: nothing of the calendar''s events, meetings or token changes; a repeated call changes nothing.';
comment on function public.sweep_state is 'What a sweep leaves behind: calendars still due, counted to 1000, and calendars a notification within p_stale_hours
vouches for, so that they need no poll: of the first 1000 calendars. The answer costs the same however many there are.';
comment on function public.calendars_of_user is 'The calendars of one user that a poll is about, and how long each is not to be asked for yet.';
comment on function calendar_internal.events_named is 'A calendar''s mirror rows of these ids.';
comment on function calendar_internal.events_of_families is 'A calendar''s mirror rows of these families.';
comment on function calendar_internal.meetings_named is 'A calendar''s meetings of these occurrences.';
comment on function calendar_internal.meetings_of_families is 'A calendar''s meetings of these families.';
comment on function calendar_internal.apply_events is 'Upserts mirror rows of one calendar. A row is written only when it differs, or when the generation must mark it seen; the
count is of those that differ.';
comment on function calendar_internal.apply_meetings is 'Makes the meetings of whole event families equal to what was derived for them.
p_part: families [{base_event_id, known_from}] that were derived anew and are named here to their end; meetings, every
  occurrence they have, with its placement:
    inside   in the horizon: inserted or updated
    before   ended before the horizon: history, only updated
    beyond   starts after the horizon: a row it already has is withdrawn, and comes back when the horizon reaches it
  present: occurrences of theirs that earlier parts wrote; withheld and ended: occurrences that are no meetings, and why.
A row of these families that is not named is gone if it ends after absent_from; one that is over already, only if the
family is known since before it (known_from), or if it is withheld or ended.
Guarantee: a row is written only when its content differs; the counts are rows written.';
comment on function calendar_internal.apply_entries is 'What the horizon does not hold of the families that a part closes, on every mirror row of theirs (p_part: families; entering
{event id: first start at or after the horizon''s end}; cut, the ids of series that a limit cuts), and on the rows that are
`alone`, whose families it does not close. p_is_roll: the part holds a span of the horizon, so that what was cut stays so. Answers for the whole calendar the first that is to enter, and how many
series are cut.';
comment on function calendar_internal.sweep_unseen is 'What a full sync''s generation did not see is gone: mirror rows are dropped, live meetings ahead end. What is over stays as it
was, and what was set aside too: nothing is known of it. Compared by hashes: the statistics of a young database say that there
is one row, and row by row it took longer than a statement may.';
comment on function public.read_families is 'Whole families of the mirror, by their base ids and by the ids of members (a bare tombstone may not tell its family), and
by base id the start of the first meeting of each that has any: what a delta is merged into. One jsonb, for PostgREST cuts
row sets at 1000.
p_exceptions [{base_event_id, google_event_id, series_id, original_start_at}]: exceptions that are all a delta names of their
families. Where they concern no other occurrence the family is named in `alone`, and nothing of it is read: the mirror has one
series there and no other, no occurrence of it under two ids, nothing that a limit cuts or that was set aside.';
comment on function public.first_starts is 'By base id the start of the first meeting (before an instant; null: whenever), of those families that have any.';
comment on function public.stage_items is 'Keeps items of a listing until its last page, the latest version of each. p_is_first: what an earlier listing left goes.
False: the fence moved on. A repeated call changes nothing.';
comment on function public.read_staged_items is 'Staged items of the families that follow a base id, in order: whole families, together about p_limit items, at least one
family. {items, last}: ask again after `last`, until it is null.';
comment on function public.stage_sync is 'A part of a sync that is too large for one payload: complete families, of a full sync under the fence as generation.
Idempotent. It only writes what is true of the calendar already; what is gone unseen, and the token, wait for commit_sync.';
comment on function public.commit_sync is 'The one commit of a sync: mirror, meetings, token, counters, next due time and log row, together.
p_sync: sync_id, sync_type, reason, is_full, sync_token, generation, time_zone, calendar_name (null: the known one holds),
  notifications_read, horizon_until, next_poll_seconds, next_reason, coalesce_seconds, missed_push, reopen_watch,
  events_processed, google_calls, duration_ms, changes_announced, changes_missed, changed_at (of each change, Google''s
  `updated`), staged {created, updated, deleted, events}, audited (meetings compared; for an audit only), and the part itself: calendar_back_message, set_aside [{base_id, reason, code}], events, forgotten, and what
  apply_meetings takes.
Guarantees: refused when the fence moved on (another worker has the calendar), or when other settings are in force than
those it was made under (generation); a second call of the same fence changes
nothing and gives the first one''s answer; a notification that came since the claim leaves the calendar due.';
comment on function public.claim_rolling_calendars is 'Leases up to p_limit calendars that something enters, what waits the longest first: p_until is the horizon''s end, of which
the last p_lag_seconds may wait, so that what enters together is written together. The lease is the one of a sync, so no
sync of the calendar runs meanwhile; due_at stays, so a roller that dies delays nothing but itself.';
comment on function public.read_entering is 'The families that have something to enter before an instant, as Google''s trimmed JSON, and `since`: they have meetings for
all that starts before it. At most p_limit families, in order; the caller asks again after the last base id it got.';
comment on function public.commit_roll is 'Writes what entered, part by part; the last part ends the claim. A repeated call changes nothing. An empty last part gives the
claim back; without p_horizon_until nothing was derived up to there.
Answers whether a notification came meanwhile: then the calendar is due at once.';
comment on function calendar_internal.explain_facts is 'A calendar''s part of the facts: the mirror''s family as Google''s trimmed JSON, the row, and the sync that wrote the row last.';
comment on function public.explain_meeting is 'By the id of a row of meetings: null when there is none.';
comment on function public.explain_event is 'By Google''s id, in each watched calendar (of one user, if given) that knows the event''s family or has its row; up to 20.';
comment on function public.sample_for_audit is 'The p_limit calendars whose last audit is the longest ago, if at all; marked at once, so that two samplers do not take the
same ones. With p_calendar_ids these and no others; none whose last audit came after p_before.';
