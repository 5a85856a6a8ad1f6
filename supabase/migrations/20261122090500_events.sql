-- Events: what changed, for subscribers; who subscribes; what is still to be delivered to whom.

-- The feed -----------------------------------------------------------------------------------------------------------

-- One row per change that a subscriber may want to hear of, written by triggers in the very transaction of the change: whoever
-- writes, a sync, a roll, an operator, is heard.
--
-- Transactions commit in another order than their rows got ids, so a reader that goes on from the last id it saw would lose what
-- committed late. So a committed event gets a position, by one numbering after the other (calendar_internal.number_events), and
-- readers go by positions: these have no gaps that are filled later. Of one meeting, or one calendar, positions follow the order
-- of its changes: an id is taken while the row is locked.

create table if not exists public.change_events (
  id bigint generated always as identity primary key,
  position bigint unique,
  type text not null,
  user_id uuid,
  calendar_id uuid,
  meeting_id uuid,
  order_key uuid not null,
  data jsonb not null default '{}',
  occurred_at timestamptz not null default clock_timestamp(),
  constraint change_events_type_known check (type in (
    'meeting.created', 'meeting.updated', 'meeting.cancelled', 'bot.status_changed',
    'calendar.connected', 'calendar.lost', 'calendar.regained'))
);
comment on sequence public.change_events_id_seq is 'Numbers change_events.';
comment on table public.change_events is
  'What changed, for subscribers: written in the transaction of the change, kept for EVENT_RETENTION_DAYS. For the service alone.';
comment on column public.change_events.id is 'Taken while the changed row was locked; not the order of commits.';
comment on column public.change_events.position is
  'Its place in the feed, given once it is committed; null: not numbered yet. The event''s id for subscribers is evt_{position}.';
comment on column public.change_events.type is 'What kind of change.';
comment on column public.change_events.user_id is 'Whose it is. No foreign key: a change waits for no lock of its user.';
comment on column public.change_events.calendar_id is 'The calendar it is about, or whose meeting it is.';
comment on column public.change_events.meeting_id is 'The meeting it is about, if one.';
comment on column public.change_events.order_key is 'The meeting, else the calendar: events with one key are delivered in order.';
comment on column public.change_events.data is
  'Names of the columns that changed, a reason, from and to: whatever applies. Never content.';
comment on column public.change_events.occurred_at is 'When it changed.';

-- number_events
create index if not exists change_events_unnumbered on public.change_events (id) where position is null;
-- what goes with a user or a calendar
create index if not exists change_events_of_user on public.change_events (user_id);

-- How far the feed was numbered, and how far it was dropped.
create table if not exists public.event_marks (
  name text primary key,
  position bigint not null
);
comment on table public.event_marks is 'How far the feed of events was numbered, and how far it was dropped. For the service alone.';
comment on column public.event_marks.name is 'numbered: the last position given. dropped: the last position that is kept no more.';
comment on column public.event_marks.position is 'The position.';

-- Subscriptions and deliveries ---------------------------------------------------------------------------------------

create table if not exists public.event_subscriptions (
  id uuid primary key default gen_random_uuid(),
  url text not null,
  types text[],
  content text not null default 'ids',
  secret text not null,
  previous_secret text,
  previous_secret_until timestamptz,
  state text not null default 'enabled',
  state_reason text,
  state_at timestamptz not null default now(),
  after_position bigint not null default 0,
  not_before timestamptz,
  failures_in_a_row integer not null default 0,
  last_duration_ms integer not null default 0,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_status integer,
  last_error_code text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint event_subscriptions_url_length check (char_length(url) between 1 and 2048),
  constraint event_subscriptions_content_known check (content in ('ids', 'full')),
  constraint event_subscriptions_state_known check (state in ('enabled', 'disabled'))
);
comment on table public.event_subscriptions is 'Who is told of changes, by signed POST (Standard Webhooks). For the service alone.';
comment on column public.event_subscriptions.id is 'The subscription''s id.';
comment on column public.event_subscriptions.url is 'Where events are sent.';
comment on column public.event_subscriptions.types is 'The types that are sent; null: all.';
comment on column public.event_subscriptions.content is 'ids: what changed. full: with the row as it is at the time of the attempt.';
comment on column public.event_subscriptions.secret is 'Ciphertext of the secret that signs.';
comment on column public.event_subscriptions.previous_secret is 'Ciphertext of the one before, which signs too for a while.';
comment on column public.event_subscriptions.previous_secret_until is 'Until when.';
comment on column public.event_subscriptions.state is 'See docs/states.md.';
comment on column public.event_subscriptions.state_reason is 'Why it is disabled.';
comment on column public.event_subscriptions.state_at is 'Since when it has its state.';
comment on column public.event_subscriptions.after_position is 'How far in the feed its deliveries are laid out.';
comment on column public.event_subscriptions.not_before is 'Nothing is sent before this: it asked to slow down.';
comment on column public.event_subscriptions.failures_in_a_row is 'Failed attempts since the last that succeeded.';
comment on column public.event_subscriptions.last_duration_ms is 'How long the last attempt took, in milliseconds.';
comment on column public.event_subscriptions.last_success_at is 'When an attempt last succeeded.';
comment on column public.event_subscriptions.last_failure_at is 'When one last failed.';
comment on column public.event_subscriptions.last_status is 'The HTTP status of the last attempt; null: there was no answer.';
comment on column public.event_subscriptions.last_error_code is 'What the last failed attempt failed of.';
comment on column public.event_subscriptions.created_at is 'When it was made.';
comment on column public.event_subscriptions.updated_at is 'When the operator last changed it.';

create table if not exists public.event_deliveries (
  event_id bigint not null references public.change_events (id) on delete cascade,
  subscription_id uuid not null references public.event_subscriptions (id) on delete cascade,
  order_key uuid not null,
  position bigint not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  attempts_ended integer not null default 0,
  tries integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  last_status integer,
  last_error_code text,
  delivered_at timestamptz,
  primary key (event_id, subscription_id),
  constraint event_deliveries_state_known check (state in ('pending', 'delivered', 'dead'))
);
comment on table public.event_deliveries is 'One row per event and subscription: the queue of what is sent. For the service alone.';
comment on column public.event_deliveries.event_id is 'The event.';
comment on column public.event_deliveries.subscription_id is 'To whom.';
comment on column public.event_deliveries.order_key is 'As the event''s: of one key the earliest pending one alone is sent.';
comment on column public.event_deliveries.position is 'As the event''s.';
comment on column public.event_deliveries.state is 'See docs/states.md.';
comment on column public.event_deliveries.attempts is 'Attempts begun; each is counted before it is made.';
comment on column public.event_deliveries.attempts_ended is 'The last attempt whose end is recorded.';
comment on column public.event_deliveries.tries is 'Attempts since it was laid out or replayed: the place in the schedule.';
comment on column public.event_deliveries.next_attempt_at is 'When it is next due; while an attempt is under way, the end of its lease.';
comment on column public.event_deliveries.last_status is 'The HTTP status of the last attempt; null: there was no answer.';
comment on column public.event_deliveries.last_error_code is 'What the last failed attempt failed of.';
comment on column public.event_deliveries.delivered_at is 'When an attempt succeeded.';

-- counts of a subscription
create index if not exists event_deliveries_of_subscription on public.event_deliveries (subscription_id, state, position);
-- claim_event_deliveries: what is due, what is under way, and whether an earlier one of the key is pending
create index if not exists event_deliveries_due on public.event_deliveries (subscription_id, next_attempt_at, position)
  where state = 'pending';
create index if not exists event_deliveries_under_way on public.event_deliveries (subscription_id)
  where state = 'pending' and attempts > attempts_ended;
create index if not exists event_deliveries_in_order on public.event_deliveries (subscription_id, order_key, position)
  where state = 'pending';

alter table public.change_events enable row level security;
alter table public.event_marks enable row level security;
alter table public.event_subscriptions enable row level security;
alter table public.event_deliveries enable row level security;
revoke all on table public.change_events, public.event_marks, public.event_subscriptions, public.event_deliveries
  from public, anon, authenticated, service_role;
revoke all on sequence public.change_events_id_seq from public, anon, authenticated, service_role;
grant select, insert, update, delete
  on table public.change_events, public.event_marks, public.event_subscriptions, public.event_deliveries to service_role;

-- What writes the feed -----------------------------------------------------------------------------------------------

-- Meetings. Statement by statement, with all its rows at once: a first listing inserts thousands. What
-- tell_changed_meetings does not compare is bookkeeping and tells nobody.
-- Security definer, these all: whoever may change a row (a user their bot_override) makes its event, and may not write events.

-- After an insert into meetings: meeting.created, of each that is not cancelled.
create or replace function calendar_internal.tell_added_meetings() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.change_events (type, user_id, calendar_id, meeting_id, order_key)
  select 'meeting.created', a.user_id, a.calendar_id, a.id, a.id from added a
  where a.status is distinct from 'cancelled';
  return null;
end
$$;

-- After an update of meetings: meeting.cancelled with its reason when it becomes cancelled, meeting.updated when anything else of
-- its content changes (also when it comes back), bot.status_changed with from and to.
-- Rows before and after are joined by hashing: a plan made for one row would compare thousands with thousands.
create or replace function calendar_internal.tell_changed_meetings() returns trigger
language plpgsql security definer set search_path = '' set enable_nestloop = off set enable_mergejoin = off
as $$
begin
  insert into public.change_events (type, user_id, calendar_id, meeting_id, order_key, data)
  select
    case when a.status = 'cancelled' and b.status is distinct from 'cancelled' then 'meeting.cancelled'
      else 'meeting.updated' end,
    a.user_id, a.calendar_id, a.id, a.id,
    case when a.status = 'cancelled' and b.status is distinct from 'cancelled'
      then jsonb_build_object('changed', c.changed, 'reason', a.status_reason)
      else jsonb_build_object('changed', c.changed) end
  from before b
  join after a on a.id = b.id
  cross join lateral (
    select array_remove(array[
        case when b.status is distinct from a.status then 'status' end,
        case when b.title is distinct from a.title then 'title' end,
        case when b.description is distinct from a.description then 'description' end,
        case when b.meeting_url is distinct from a.meeting_url then 'meeting_url' end,
        case when b.start_time is distinct from a.start_time then 'start_time' end,
        case when b.end_time is distinct from a.end_time then 'end_time' end,
        case when b.event_status is distinct from a.event_status then 'event_status' end,
        case when b.is_all_day is distinct from a.is_all_day then 'is_all_day' end,
        case when b.time_zone is distinct from a.time_zone then 'time_zone' end,
        case when b.provider is distinct from a.provider then 'provider' end,
        case when b.is_private is distinct from a.is_private then 'is_private' end,
        case when b.is_organiser is distinct from a.is_organiser then 'is_organiser' end,
        case when b.other_attendees is distinct from a.other_attendees then 'other_attendees' end,
        case when b.has_outsiders is distinct from a.has_outsiders then 'has_outsiders' end
    ], null) as changed) c
  where cardinality(c.changed) > 0;
  insert into public.change_events (type, user_id, calendar_id, meeting_id, order_key, data)
  select 'bot.status_changed', a.user_id, a.calendar_id, a.id, a.id,
    jsonb_build_object('changed', array['bot_status'], 'from', b.bot_status, 'to', a.bot_status)
  from before b
  join after a on a.id = b.id
  where a.bot_status is distinct from b.bot_status;
  return null;
end
$$;

-- After a deletion from meetings: meeting.cancelled, unless it was told so already. Where the calendar goes too, that is told instead.
create or replace function calendar_internal.tell_deleted_meetings() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.change_events (type, user_id, calendar_id, meeting_id, order_key, data)
  select 'meeting.cancelled', b.user_id, b.calendar_id, b.id, b.id, '{"changed": ["status"], "reason": "row_deleted"}'
  from before b
  where b.status is distinct from 'cancelled' and (
    exists (select 1 from public.calendar_webhooks w where w.id = b.calendar_id)
    or (b.calendar_id is null and exists (select 1 from public.calendar_webhooks w where w.user_id = b.user_id)));
  return null;
end
$$;

drop trigger if exists tell_added_meetings on public.meetings;
create trigger tell_added_meetings after insert on public.meetings
  referencing new table as added for each statement execute function calendar_internal.tell_added_meetings();
comment on trigger tell_added_meetings on public.meetings is 'Writes meeting.created.';
drop trigger if exists tell_changed_meetings on public.meetings;
create trigger tell_changed_meetings after update on public.meetings
  referencing old table as before new table as after
  for each statement execute function calendar_internal.tell_changed_meetings();
comment on trigger tell_changed_meetings on public.meetings is 'Writes meeting.updated, meeting.cancelled, bot.status_changed.';
drop trigger if exists tell_deleted_meetings on public.meetings;
create trigger tell_deleted_meetings after delete on public.meetings
  referencing old table as before for each statement execute function calendar_internal.tell_deleted_meetings();
comment on trigger tell_deleted_meetings on public.meetings is 'Writes meeting.cancelled of rows that somebody deletes.';

-- Calendars. Row by row, and only where something of this changes: claims and notifications write these rows all the time.

-- After a change of a calendar's row: calendar.connected, calendar.lost for each cause that begins, calendar.regained when it can be
-- read again.
create or replace function calendar_internal.tell_changed_calendar() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_type text;
  v_reason text;
begin
  if tg_op = 'INSERT' or (new.is_active and old.is_active is not true) then
    v_type := 'calendar.connected';
  elsif new.is_active is not true and old.is_active then
    v_type := 'calendar.lost';
    v_reason := 'left';
  elsif new.retired_at is not null and old.retired_at is null then
    v_type := 'calendar.lost';
    v_reason := 'retired';
  elsif new.paused_reason is not null and new.paused_reason is distinct from old.paused_reason then
    v_type := 'calendar.lost';
    v_reason := new.paused_reason;
  elsif new.access_lost_at is not null and old.access_lost_at is null then
    v_type := 'calendar.lost';
    v_reason := 'access_lost';
  elsif new.is_active and new.paused_reason is null and new.access_lost_at is null and new.retired_at is null then
    v_type := 'calendar.regained';
  else
    return null;
  end if;
  insert into public.change_events (type, user_id, calendar_id, order_key, data)
  values (v_type, new.user_id, new.id, new.id, jsonb_strip_nulls(jsonb_build_object('reason', v_reason)));
  return null;
end
$$;

-- After calendars' rows are deleted, as with their user: what the feed holds of them goes too, and a last calendar.lost of each,
-- which names nobody, tells subscribers to forget it.
-- Of all the calendars at once, and in the order of ids, as whoever numbers, sends or replays events has them: a deletion that
-- took them calendar by calendar would wait for those in a circle.
create or replace function calendar_internal.tell_deleted_calendars() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  v_ids bigint[];
begin
  if not exists (select 1 from gone g where g.duplicate_of is null) then
    return null;
  end if;
  select array_agg(k.id) into v_ids from (
    select e.id from public.change_events e
    where e.user_id = any (array(select g.user_id from gone g where g.duplicate_of is null)) and exists (
      select 1 from gone g
      where g.duplicate_of is null and g.user_id = e.user_id and (g.id = e.calendar_id or e.calendar_id is null))
    order by e.id for update) k;
  perform 1 from public.event_deliveries d where d.event_id = any (v_ids) order by d.event_id for update;
  delete from public.change_events e where e.id = any (v_ids);
  insert into public.change_events (type, calendar_id, order_key, data)
  select 'calendar.lost', g.id, g.id, '{"reason": "deleted"}' from gone g where g.duplicate_of is null;
  return null;
end
$$;

drop trigger if exists tell_added_calendar on public.calendar_webhooks;
create trigger tell_added_calendar after insert on public.calendar_webhooks
  for each row when (new.is_active and new.duplicate_of is null)
  execute function calendar_internal.tell_changed_calendar();
comment on trigger tell_added_calendar on public.calendar_webhooks is 'Writes calendar.connected.';
drop trigger if exists tell_changed_calendar on public.calendar_webhooks;
create trigger tell_changed_calendar
  after update of is_active, paused_reason, access_lost_at, retired_at on public.calendar_webhooks
  for each row when (new.duplicate_of is null and (new.is_active or old.is_active) and (
    new.is_active is distinct from old.is_active or new.paused_reason is distinct from old.paused_reason
    or (new.access_lost_at is null) <> (old.access_lost_at is null)
    or (new.retired_at is null) <> (old.retired_at is null)))
  execute function calendar_internal.tell_changed_calendar();
comment on trigger tell_changed_calendar on public.calendar_webhooks is
  'Writes calendar.connected, calendar.lost, calendar.regained.';
drop trigger if exists tell_deleted_calendars on public.calendar_webhooks;
create trigger tell_deleted_calendars after delete on public.calendar_webhooks
  referencing old table as gone for each statement execute function calendar_internal.tell_deleted_calendars();
comment on trigger tell_deleted_calendars on public.calendar_webhooks is
  'Clears the feed of the calendars, and writes their last events.';

-- Reading ------------------------------------------------------------------------------------------------------------

-- Gives up to p_limit committed events their positions, in the order of their ids. Answers the last position given so far.
-- Guarantee: one numbering at a time; a position is never given twice, nor one below a position that somebody has seen.
-- Row by row, or a plan made for few would read the whole feed.
create or replace function calendar_internal.number_events(p_limit integer) returns bigint
language plpgsql security invoker set search_path = ''
  set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_last bigint;
  v_numbered bigint;
begin
  if not exists (select 1 from public.change_events e where e.position is null) then
    return coalesce((select m.position from public.event_marks m where m.name = 'numbered'), 0);
  end if;
  insert into public.event_marks (name, position) values ('numbered', 0) on conflict (name) do nothing;
  select m.position into v_last from public.event_marks m where m.name = 'numbered' for update;
  with fresh as materialized (
    select e.id, row_number() over (order by e.id) as number from (
      select u.id from public.change_events u where u.position is null order by u.id limit p_limit) e
  )
  update public.change_events e set position = v_last + fresh.number from fresh where e.id = fresh.id;
  get diagnostics v_numbered = row_count;
  -- One that was deleted meanwhile leaves a gap, which is never filled.
  select greatest(v_last + v_numbered, coalesce(max(e.position), 0)) into v_last
  from public.change_events e where e.position > v_last;
  update public.event_marks m set position = v_last where m.name = 'numbered';
  return v_last;
end
$$;

-- An event as its readers get it.
create or replace function calendar_internal.shown_event(p_event public.change_events) returns jsonb
language sql immutable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'position', p_event.position, 'type', p_event.type, 'user_id', p_event.user_id, 'calendar_id', p_event.calendar_id,
    'meeting_id', p_event.meeting_id, 'data', p_event.data, 'occurred_at', p_event.occurred_at)
$$;

-- Up to p_limit events after a position, in order: {events, last (the last position given so far), dropped (positions up to it are
-- kept no more)}. Numbers what was committed meanwhile first.
create or replace function public.read_events(p_after bigint, p_limit integer) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_last bigint := calendar_internal.number_events(5000);
begin
  return jsonb_build_object(
    'last', v_last,
    'dropped', coalesce((select m.position from public.event_marks m where m.name = 'dropped'), 0),
    'events', (
      select coalesce(jsonb_agg(calendar_internal.shown_event(page) order by page.position), '[]') from (
        select e.* from public.change_events e
        where e.position > p_after order by e.position limit least(greatest(p_limit, 0), 1000)) page));
end
$$;

-- Managing subscriptions ---------------------------------------------------------------------------------------------

-- A subscription as its operator sees it: how it stands, and what waits; never its secret.
create or replace function calendar_internal.shown_subscription(p_subscription public.event_subscriptions) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select to_jsonb(p_subscription) - 'secret' - 'previous_secret' - 'last_duration_ms' || jsonb_build_object(
    'pending', (
      select count(*) from public.event_deliveries d
      where d.subscription_id = p_subscription.id and d.state = 'pending'),
    'dead', (
      select count(*) from public.event_deliveries d where d.subscription_id = p_subscription.id and d.state = 'dead'))
$$;

-- The subscriptions, or one of them, in the order they were made.
create or replace function public.read_event_subscriptions(p_subscription_id uuid default null) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(calendar_internal.shown_subscription(s) order by s.created_at, s.id), '[]')
  from public.event_subscriptions s
  where p_subscription_id is null or s.id = p_subscription_id
$$;

-- What it takes to send to a subscription: {id, url, content, secret, previous_secret}, secrets as ciphertext, the previous one while
-- it signs. Null: there is none.
create or replace function public.event_endpoint(p_subscription_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'subscription_id', s.id, 'url', s.url, 'content', s.content, 'secret', s.secret,
    'previous_secret', case when s.previous_secret_until > clock_timestamp() then s.previous_secret end)
  from public.event_subscriptions s where s.id = p_subscription_id
$$;

-- A new subscription, told of what comes after a position (null: after now). Answers {outcome}: 'made', or why not: 'too_many' (p_most),
-- 'dropped' (kept no more from there on), 'ahead' (no such position was given yet). A repeated call changes nothing.
create or replace function public.add_event_subscription(
  p_subscription_id uuid, p_url text, p_types text[], p_content text, p_secret text, p_after bigint, p_most integer
) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_last bigint;
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('event_subscriptions'));
  if exists (select 1 from public.event_subscriptions s where s.id = p_subscription_id) then
    return jsonb_build_object('outcome', 'made');
  end if;
  if (select count(*) from public.event_subscriptions) >= p_most then
    return jsonb_build_object('outcome', 'too_many');
  end if;
  -- Now is after all that is committed by now: it is numbered to its end.
  loop
    v_last := calendar_internal.number_events(5000);
    exit when not exists (select 1 from public.change_events e where e.position is null);
  end loop;
  if p_after > v_last then
    return jsonb_build_object('outcome', 'ahead');
  end if;
  if p_after > 0 and p_after < (select m.position from public.event_marks m where m.name = 'dropped') then
    return jsonb_build_object('outcome', 'dropped');
  end if;
  insert into public.event_subscriptions (id, url, types, content, secret, after_position)
  values (p_subscription_id, p_url, p_types, p_content, p_secret, coalesce(p_after, v_last));
  return jsonb_build_object('outcome', 'made');
end
$$;

-- Changes what is named in p_changes (url, types, content, state, state_reason, secret: a new one, the one before signs on for
-- p_overlap_seconds). False: there is none. Another address, or being enabled, ends what it asked for (slower, later), and what waits is due at once.
create or replace function public.change_event_subscription(
  p_subscription_id uuid, p_changes jsonb, p_overlap_seconds integer default 0
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  update public.event_subscriptions s set
    url = coalesce(p_changes ->> 'url', s.url),
    types = case when p_changes ? 'types'
      then case when jsonb_typeof(p_changes -> 'types') = 'array'
        then array(select jsonb_array_elements_text(p_changes -> 'types')) end
      else s.types end,
    content = coalesce(p_changes ->> 'content', s.content),
    state = coalesce(p_changes ->> 'state', s.state),
    state_reason = case when p_changes ? 'state' then p_changes ->> 'state_reason' else s.state_reason end,
    state_at = case when p_changes ->> 'state' <> s.state then clock_timestamp() else s.state_at end,
    not_before = case when p_changes ? 'url' or p_changes ->> 'state' = 'enabled' then null else s.not_before end,
    failures_in_a_row = case when p_changes ? 'url' or p_changes ->> 'state' = 'enabled' then 0 else s.failures_in_a_row end,
    secret = coalesce(p_changes ->> 'secret', s.secret),
    -- A repeated call finds its own secret, and the one before stays.
    previous_secret = case when p_changes ->> 'secret' <> s.secret then s.secret else s.previous_secret end,
    previous_secret_until = case when p_changes ->> 'secret' <> s.secret
      then clock_timestamp() + make_interval(secs => p_overlap_seconds) else s.previous_secret_until end,
    updated_at = clock_timestamp()
  where s.id = p_subscription_id;
  if not found then
    return false;
  end if;
  if p_changes ? 'url' or p_changes ->> 'state' = 'enabled' then
    update public.event_deliveries d set next_attempt_at = clock_timestamp()
    where d.subscription_id = p_subscription_id and d.event_id = any (array(
      select w.event_id from public.event_deliveries w
      where w.subscription_id = p_subscription_id and w.state = 'pending' and w.attempts = w.attempts_ended
        and w.next_attempt_at > clock_timestamp()
      order by w.event_id for no key update));
  end if;
  return true;
end
$$;

-- Removes a subscription and what waits for it. False: there was none.
create or replace function public.remove_event_subscription(p_subscription_id uuid) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  perform 1 from public.event_subscriptions s where s.id = p_subscription_id for update;
  -- In the order in which a deletion of their user has them; a foreign key would take them in any.
  perform 1 from public.event_deliveries d where d.subscription_id = p_subscription_id order by d.event_id for update;
  delete from public.event_subscriptions s where s.id = p_subscription_id;
  return found;
end
$$;

-- Secrets of subscriptions as ciphertext, for sealing them anew under another key: up to p_limit after p_after, in order.
create or replace function public.read_event_secrets(p_after uuid, p_limit integer)
returns table (subscription_id uuid, secret text, previous_secret text)
language sql stable security invoker set search_path = ''
as $$
  select s.id, s.secret, s.previous_secret from public.event_subscriptions s
  where s.id > p_after order by s.id limit least(greatest(p_limit, 0), 500)
$$;

-- Replaces ciphertexts of a subscription's secrets by ciphertexts of the same, unless they were changed meanwhile.
create or replace function public.replace_event_secrets(
  p_subscription_id uuid, p_old_secret text, p_secret text, p_old_previous text, p_previous text
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  update public.event_subscriptions s set secret = p_secret, previous_secret = p_previous
  where s.id = p_subscription_id and s.secret = p_old_secret and s.previous_secret is not distinct from p_old_previous;
  return found;
end
$$;

-- Delivering ---------------------------------------------------------------------------------------------------------

-- Lays out deliveries of what was numbered, up to p_limit events for each enabled subscription, and moves its mark. A subscription
-- that somebody holds is left for the next call, and what comes after an event that is being erased.
-- Guarantee: each event that matches is laid out once, in order, however many subscriptions there are and however slow they are.
create or replace function calendar_internal.lay_out_deliveries(p_last bigint, p_limit integer) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_subscription public.event_subscriptions;
  v_upto bigint;
begin
  for v_subscription in
    select s.* from public.event_subscriptions s
    where s.state = 'enabled' and s.after_position < p_last
    order by s.id
    for no key update skip locked
  loop
    -- Up to the first of its types that is being erased: it is not waited for, and may stay after all.
    with page as materialized (
      select e.id, e.position, v_subscription.types is null or e.type = any (v_subscription.types) as matches
      from public.change_events e
      where e.position > v_subscription.after_position and e.position <= p_last
      order by e.position limit p_limit
    ), held as materialized (
      select e.id from public.change_events e
      where e.id = any (array(select p.id from page p where p.matches)) for key share skip locked
    )
    select coalesce(
      min(p.position) filter (where p.matches and p.id not in (select h.id from held h)) - 1, max(p.position), p_last)
    into v_upto from page p;
    continue when v_upto = v_subscription.after_position;
    insert into public.event_deliveries (event_id, subscription_id, order_key, position, next_attempt_at)
    select e.id, v_subscription.id, e.order_key, e.position, greatest(clock_timestamp(), (
        -- Behind one that waits for its next attempt: claims would only find it, and leave it, until then.
        select max(earlier.next_attempt_at) from public.event_deliveries earlier
        where earlier.subscription_id = v_subscription.id and earlier.order_key = e.order_key
          and earlier.state = 'pending' and earlier.attempts = earlier.attempts_ended))
    from public.change_events e
    where e.position > v_subscription.after_position and e.position <= v_upto
      and (v_subscription.types is null or e.type = any (v_subscription.types))
    on conflict (event_id, subscription_id) do nothing;
    update public.event_subscriptions s set after_position = v_upto where s.id = v_subscription.id;
  end loop;
end
$$;

-- Deliveries that are due, leased for p_lease_seconds and counted as attempts: p_limit at most, and of one subscription as many as
-- p_per_subscription under way at a time; of those that were slow (over p_slow_ms) or failed last, p_doubtful_limit together. Who has
-- the fewest under way comes first. Numbers and lays out first what was committed meanwhile.
-- Each with what it takes to send it: {subscription_id, event_id, attempt, tries, url, content, secret, previous_secret, event,
-- failures_in_a_row, is_doubtful}, and for content 'full' the row as it is now.
-- Guarantee: no two callers get one delivery while its lease lasts; none is given while an earlier one of the same subscription and
-- key is pending; one that was begun p_most_tries times and never ended is dead.
create or replace function public.claim_event_deliveries(
  p_limit integer, p_doubtful_limit integer, p_per_subscription integer, p_lease_seconds integer, p_slow_ms integer,
  p_most_tries integer
) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz;
  v_claimed jsonb;
begin
  perform calendar_internal.lay_out_deliveries(calendar_internal.number_events(1000), 1000);
  -- The feed goes on for whoever reads it.
  if calendar_internal.is_paused('events') then
    return '[]';
  end if;
  v_now := clock_timestamp();
  update public.event_deliveries d set state = 'dead', last_error_code = 'never_ended'
  where d.ctid = any (array(
    select o.ctid from public.event_deliveries o
    where o.state = 'pending' and o.attempts > o.attempts_ended and o.next_attempt_at <= v_now and o.tries >= p_most_tries
    for no key update skip locked));
  with standing as materialized (
    select s.id, s.failures_in_a_row > 0 or s.last_duration_ms > p_slow_ms as is_doubtful, (
        select count(*) from public.event_deliveries u
        where u.subscription_id = s.id and u.state = 'pending' and u.attempts > u.attempts_ended
          and u.next_attempt_at > v_now) as under_way
    from public.event_subscriptions s
    where s.state = 'enabled' and coalesce(s.not_before, '-infinity') <= v_now
  ), due as materialized (
    select t.id as subscription_id, t.is_doubtful, t.under_way, d.event_id, d.next_attempt_at, d.position
    from standing t
    cross join lateral (
      select c.event_id, c.next_attempt_at, c.position from public.event_deliveries c
      where c.subscription_id = t.id and c.state = 'pending' and c.next_attempt_at <= v_now
        and not exists (
          select 1 from public.event_deliveries earlier
          where earlier.subscription_id = c.subscription_id and earlier.order_key = c.order_key
            and earlier.state = 'pending' and earlier.position < c.position)
      order by c.next_attempt_at, c.position
      limit greatest(p_per_subscription - t.under_way, 0)) d
  ), ranked as materialized (
    select due.*, due.under_way + row_number() over (
      partition by due.subscription_id order by due.next_attempt_at, due.position) as turn
    from due
  ), chosen as materialized (
    select allowed.event_id, allowed.subscription_id from (
      select r.*, row_number() over (partition by r.is_doubtful order by r.turn, r.next_attempt_at) as place
      from ranked r) allowed
    where not allowed.is_doubtful or allowed.place <= p_doubtful_limit
    order by allowed.turn, allowed.next_attempt_at
    limit least(greatest(p_limit, 0), 100)
  ), locked as materialized (
    select d.event_id, d.subscription_id from public.event_deliveries d
    join chosen c on c.event_id = d.event_id and c.subscription_id = d.subscription_id
    -- Once it is locked: still pending, still due.
    where d.state = 'pending' and d.next_attempt_at <= v_now
    for no key update of d skip locked
  ), leased as (
    update public.event_deliveries d set
      attempts = d.attempts + 1, tries = d.tries + 1,
      next_attempt_at = v_now + make_interval(secs => p_lease_seconds)
    from locked l where d.event_id = l.event_id and d.subscription_id = l.subscription_id
    returning d.*
  )
  select coalesce(jsonb_agg(public.event_endpoint(l.subscription_id) || jsonb_build_object(
      'event_id', l.event_id, 'attempt', l.attempts, 'tries', l.tries,
      'failures_in_a_row', s.failures_in_a_row, 'is_doubtful', t.is_doubtful,
      'event', calendar_internal.shown_event(e),
      'row', case when s.content = 'full' then coalesce(
        (select to_jsonb(m) from public.meetings m where m.id = e.meeting_id),
        (select jsonb_build_object(
            'id', w.id, 'user_id', w.user_id, 'google_calendar_id', w.google_calendar_id, 'is_active', w.is_active,
            'time_zone', w.time_zone, 'paused_reason', w.paused_reason, 'access_lost_at', w.access_lost_at,
            'retired_at', w.retired_at, 'last_synced_at', w.last_synced_at)
          from public.calendar_webhooks w where w.id = e.calendar_id and e.meeting_id is null)) end)
    order by l.position), '[]') into v_claimed
  from leased l
  join public.change_events e on e.id = l.event_id
  join public.event_subscriptions s on s.id = l.subscription_id
  join standing t on t.id = l.subscription_id;
  return v_claimed;
end
$$;

-- How an attempt ended. p_end: state (delivered, pending: again in next_seconds, dead), status, error_code, duration_ms,
-- pause_seconds (nothing is sent to the subscription for so long) and disable_reason, if any. False: the
-- delivery is another attempt's by now, or gone. That it was delivered is taken of any attempt. A repeated call changes nothing.
create or replace function public.record_event_delivery(
  p_subscription_id uuid, p_event_id bigint, p_attempt integer, p_end jsonb
) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz;
  v_succeeded boolean := p_end ->> 'state' = 'delivered';
begin
  -- The subscription before its deliveries, as lay_out_deliveries has it.
  perform 1 from public.event_subscriptions s where s.id = p_subscription_id for no key update;
  if p_end ->> 'state' = 'pending' then
    -- What waits behind it too, in the order in which a deletion of their user has them.
    perform 1 from public.event_deliveries d
    where d.subscription_id = p_subscription_id and d.state = 'pending' and d.order_key = (
      select f.order_key from public.event_deliveries f
      where f.event_id = p_event_id and f.subscription_id = p_subscription_id)
    order by d.event_id for no key update;
  end if;
  v_now := clock_timestamp();
  update public.event_deliveries d set
    state = p_end ->> 'state',
    attempts_ended = greatest(d.attempts_ended, p_attempt),
    next_attempt_at = v_now + make_interval(secs => coalesce((p_end ->> 'next_seconds')::double precision, 0)),
    last_status = (p_end ->> 'status')::integer, last_error_code = p_end ->> 'error_code',
    delivered_at = case when v_succeeded then v_now end
  where d.subscription_id = p_subscription_id and d.event_id = p_event_id and d.state = 'pending'
    and d.attempts_ended < p_attempt and (d.attempts = p_attempt or v_succeeded);
  if not found then
    return exists (
      select 1 from public.event_deliveries d
      where d.subscription_id = p_subscription_id and d.event_id = p_event_id and d.attempts_ended = p_attempt);
  end if;
  if p_end ->> 'state' = 'pending' then
    -- What waits behind it waits as long.
    update public.event_deliveries d set next_attempt_at = failed.next_attempt_at
    from public.event_deliveries failed
    where failed.subscription_id = p_subscription_id and failed.event_id = p_event_id
      and d.subscription_id = p_subscription_id and d.order_key = failed.order_key and d.state = 'pending'
      and d.position > failed.position and d.next_attempt_at < failed.next_attempt_at;
  end if;
  update public.event_subscriptions s set
    failures_in_a_row = case when v_succeeded then 0 else s.failures_in_a_row + 1 end,
    last_duration_ms = (p_end ->> 'duration_ms')::integer,
    last_success_at = case when v_succeeded then v_now else s.last_success_at end,
    last_failure_at = case when v_succeeded then s.last_failure_at else v_now end,
    last_status = (p_end ->> 'status')::integer, last_error_code = p_end ->> 'error_code',
    not_before = case when p_end ? 'pause_seconds'
      then greatest(s.not_before, v_now + make_interval(secs => (p_end ->> 'pause_seconds')::double precision))
      else s.not_before end,
    state = case when p_end ? 'disable_reason' then 'disabled' else s.state end,
    state_reason = case when p_end ? 'disable_reason' then p_end ->> 'disable_reason' else s.state_reason end,
    state_at = case when p_end ? 'disable_reason' and s.state = 'enabled' then v_now else s.state_at end
  where s.id = p_subscription_id;
  return true;
end
$$;

-- Sends events again that a subscription was told or is to be told: those after p_after up to p_upto of its types, p_limit of the feed
-- at a time: {replayed, last: go on after it; null: done}. What is under way is left. Null: there is no such subscription.
create or replace function public.replay_events(p_subscription_id uuid, p_after bigint, p_upto bigint, p_limit integer)
returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_subscription public.event_subscriptions;
  v_last bigint;
  v_seen integer;
  v_replayed integer;
begin
  -- What is beyond its mark comes by itself.
  select * into v_subscription from public.event_subscriptions s where s.id = p_subscription_id for no key update;
  if not found then
    return null;
  end if;
  select max(page.position), count(*) into v_last, v_seen from (
    select e.position from public.change_events e
    where e.position > p_after and e.position <= least(p_upto, v_subscription.after_position)
    order by e.position limit least(greatest(p_limit, 1), 1000)) page;
  insert into public.event_deliveries as d (event_id, subscription_id, order_key, position)
  select e.id, p_subscription_id, e.order_key, e.position from public.change_events e
  where e.position > p_after and e.position <= v_last
    and (v_subscription.types is null or e.type = any (v_subscription.types))
  order by e.id for key share of e
  on conflict (event_id, subscription_id) do update set
    state = 'pending', tries = 0, next_attempt_at = v_now, delivered_at = null
  where d.state <> 'pending' or d.attempts = d.attempts_ended or d.next_attempt_at <= v_now;
  get diagnostics v_replayed = row_count;
  return jsonb_build_object(
    'replayed', v_replayed, 'last', case when v_seen >= least(greatest(p_limit, 1), 1000) then v_last end);
end
$$;

-- Retention ----------------------------------------------------------------------------------------------------------

-- One step through the events older than p_keep_days, in order from after p_after: looks at p_limit and drops them, but for what an
-- enabled subscription is still to be told. {seen, dropped, last}; `seen` (old ones) below p_limit: there is no more.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.drop_old_events(p_keep_days integer, p_limit integer, p_after bigint default 0)
returns table (seen integer, dropped integer, last_id bigint)
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_behind bigint := coalesce((
    select min(s.after_position) from public.event_subscriptions s where s.state = 'enabled'), 9223372036854775807);
  v_upto bigint;
begin
  return query
  with oldest as materialized (
    -- Ids are in the order of time, near enough: behind a step that meets young ones there is nothing to look for.
    select e.id, e.position, e.occurred_at from public.change_events e
    where e.id > p_after
    order by e.id
    limit least(greatest(p_limit, 0), 5000)
  ), looked_at as materialized (
    select o.id, o.position from oldest o
    where o.position is not null
      and o.occurred_at < clock_timestamp() - make_interval(days => greatest(p_keep_days, 1))
  ), free as materialized (
    select e.id from public.change_events e
    where e.id = any (array(
      select o.id from looked_at o
      where o.position <= v_behind and not exists (
        select 1 from public.event_deliveries d
        join public.event_subscriptions s on s.id = d.subscription_id and s.state = 'enabled'
        where d.event_id = o.id and d.state = 'pending')))
    for update skip locked
  ), gone as (
    delete from public.change_events e using free f where e.id = f.id
    returning e.position
  ), marked as (
    insert into public.event_marks as m (name, position)
    select 'dropped', max(g.position) from gone g having count(*) > 0
    on conflict (name) do update set position = greatest(m.position, excluded.position)
    returning 1
  )
  select (select count(*) from looked_at)::integer, (select count(*) from gone)::integer, (select max(o.id) from looked_at o)
  from (select count(*) from marked) one;
end
$$;

-- For the service alone.
revoke all on function
  calendar_internal.tell_added_meetings,
  calendar_internal.tell_changed_meetings,
  calendar_internal.tell_deleted_meetings,
  calendar_internal.tell_changed_calendar,
  calendar_internal.tell_deleted_calendars,
  calendar_internal.number_events,
  calendar_internal.shown_event,
  calendar_internal.shown_subscription,
  calendar_internal.lay_out_deliveries,
  public.read_events,
  public.read_event_subscriptions,
  public.event_endpoint,
  public.add_event_subscription,
  public.change_event_subscription,
  public.remove_event_subscription,
  public.read_event_secrets,
  public.replace_event_secrets,
  public.claim_event_deliveries,
  public.record_event_delivery,
  public.replay_events,
  public.drop_old_events
from public, anon, authenticated;
grant execute on function
  calendar_internal.tell_added_meetings,
  calendar_internal.tell_changed_meetings,
  calendar_internal.tell_deleted_meetings,
  calendar_internal.tell_changed_calendar,
  calendar_internal.tell_deleted_calendars,
  calendar_internal.number_events,
  calendar_internal.shown_event,
  calendar_internal.shown_subscription,
  calendar_internal.lay_out_deliveries,
  public.read_events,
  public.read_event_subscriptions,
  public.event_endpoint,
  public.add_event_subscription,
  public.change_event_subscription,
  public.remove_event_subscription,
  public.read_event_secrets,
  public.replace_event_secrets,
  public.claim_event_deliveries,
  public.record_event_delivery,
  public.replay_events,
  public.drop_old_events
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.tell_added_meetings is 'After an insert into meetings: meeting.created, of each that is not cancelled.';
comment on function calendar_internal.tell_changed_meetings is 'After an update of meetings: meeting.cancelled with its reason when it becomes cancelled, meeting.updated when anything else of
its content changes (also when it comes back), bot.status_changed with from and to.
Rows before and after are joined by hashing: a plan made for one row would compare thousands with thousands.';
comment on function calendar_internal.tell_deleted_meetings is 'After a deletion from meetings: meeting.cancelled, unless it was told so already. Where the calendar goes too, that is told instead.';
comment on function calendar_internal.tell_changed_calendar is 'After a change of a calendar''s row: calendar.connected, calendar.lost for each cause that begins, calendar.regained when it can be
read again.';
comment on function calendar_internal.tell_deleted_calendars is 'After calendars'' rows are deleted, as with their user: what the feed holds of them goes too, and a last calendar.lost of each,
which names nobody, tells subscribers to forget it.
Of all the calendars at once, and in the order of ids, as whoever numbers, sends or replays events has them: a deletion that
took them calendar by calendar would wait for those in a circle.';
comment on function calendar_internal.number_events is 'Gives up to p_limit committed events their positions, in the order of their ids. Answers the last position given so far.
Guarantee: one numbering at a time; a position is never given twice, nor one below a position that somebody has seen.
Row by row, or a plan made for few would read the whole feed.';
comment on function calendar_internal.shown_event is 'An event as its readers get it.';
comment on function public.read_events is 'Up to p_limit events after a position, in order: {events, last (the last position given so far), dropped (positions up to it are
kept no more)}. Numbers what was committed meanwhile first.';
comment on function calendar_internal.shown_subscription is 'A subscription as its operator sees it: how it stands, and what waits; never its secret.';
comment on function public.read_event_subscriptions is 'The subscriptions, or one of them, in the order they were made.';
comment on function public.event_endpoint is 'What it takes to send to a subscription: {id, url, content, secret, previous_secret}, secrets as ciphertext, the previous one while
it signs. Null: there is none.';
comment on function public.add_event_subscription is 'A new subscription, told of what comes after a position (null: after now). Answers {outcome}: ''made'', or why not: ''too_many'' (p_most),
''dropped'' (kept no more from there on), ''ahead'' (no such position was given yet). A repeated call changes nothing.';
comment on function public.change_event_subscription is 'Changes what is named in p_changes (url, types, content, state, state_reason, secret: a new one, the one before signs on for
p_overlap_seconds). False: there is none. Another address, or being enabled, ends what it asked for (slower, later), and what waits is due at once.';
comment on function public.remove_event_subscription is 'Removes a subscription and what waits for it. False: there was none.';
comment on function public.read_event_secrets is 'Secrets of subscriptions as ciphertext, for sealing them anew under another key: up to p_limit after p_after, in order.';
comment on function public.replace_event_secrets is 'Replaces ciphertexts of a subscription''s secrets by ciphertexts of the same, unless they were changed meanwhile.';
comment on function calendar_internal.lay_out_deliveries is 'Lays out deliveries of what was numbered, up to p_limit events for each enabled subscription, and moves its mark. A subscription
that somebody holds is left for the next call, and what comes after an event that is being erased.
Guarantee: each event that matches is laid out once, in order, however many subscriptions there are and however slow they are.';
comment on function public.claim_event_deliveries is 'Deliveries that are due, leased for p_lease_seconds and counted as attempts: p_limit at most, and of one subscription as many as
p_per_subscription under way at a time; of those that were slow (over p_slow_ms) or failed last, p_doubtful_limit together. Who has
the fewest under way comes first. Numbers and lays out first what was committed meanwhile.
Each with what it takes to send it: {subscription_id, event_id, attempt, tries, url, content, secret, previous_secret, event,
failures_in_a_row, is_doubtful}, and for content ''full'' the row as it is now.
Guarantee: no two callers get one delivery while its lease lasts; none is given while an earlier one of the same subscription and
key is pending; one that was begun p_most_tries times and never ended is dead.';
comment on function public.record_event_delivery is 'How an attempt ended. p_end: state (delivered, pending: again in next_seconds, dead), status, error_code, duration_ms,
pause_seconds (nothing is sent to the subscription for so long) and disable_reason, if any. False: the
delivery is another attempt''s by now, or gone. That it was delivered is taken of any attempt. A repeated call changes nothing.';
comment on function public.replay_events is 'Sends events again that a subscription was told or is to be told: those after p_after up to p_upto of its types, p_limit of the feed
at a time: {replayed, last: go on after it; null: done}. What is under way is left. Null: there is no such subscription.';
comment on function public.drop_old_events is 'One step through the events older than p_keep_days, in order from after p_after: looks at p_limit and drops them, but for what an
enabled subscription is still to be told. {seen, dropped, last}; `seen` (old ones) below p_limit: there is no more.
Planned once by each connection: planning would cost more than the call does where nothing is due.';
