-- Alerts: what an administrator must know, told once, and how it reaches them.
--
-- The service decides (core/operations): it reads what there is to see and the alerts that are open, and writes what becomes of
-- them. What is told is written in the same transaction, one row per destination, so that no process' death loses it.

create table if not exists public.alerts (
  id uuid primary key default gen_random_uuid(),
  key text not null,
  -- Open to new words: an older database must not refuse what newer code finds.
  kind text not null,
  severity text not null,
  state text not null default 'open',
  calendars bigint,
  cause text,
  sentence text not null,
  runbook text not null,
  opened_at timestamptz not null,
  seen_at timestamptz not null,
  well_since timestamptz,
  told_at timestamptz,
  told_calendars bigint,
  reminded_at timestamptz,
  reminders integer not null default 0,
  resolved_at timestamptz,
  revision bigint not null default 1,
  constraint alerts_state_known check (state in ('open', 'resolved')),
  constraint alerts_severity_known check (severity in ('warning', 'critical')),
  constraint alerts_lengths check (char_length(key) between 1 and 200 and char_length(sentence) between 1 and 1000)
);
comment on table public.alerts is 'What an administrator must know: one open row per key. For the service alone.';
comment on column public.alerts.id is 'The alert''s id.';
comment on column public.alerts.key is 'What it is about: its kind, and which one of several.';
comment on column public.alerts.kind is 'What is wrong, as a stable word: a heading of docs/alerts.md.';
comment on column public.alerts.severity is 'warning or critical.';
comment on column public.alerts.state is 'See docs/states.md.';
comment on column public.alerts.calendars is 'How many calendars it is about; null: it is about none.';
comment on column public.alerts.cause is 'The most frequent cause, as a stable code; null: it is not known.';
comment on column public.alerts.sentence is 'What is wrong, for a person.';
comment on column public.alerts.runbook is 'Where it says what to do.';
comment on column public.alerts.opened_at is 'When it was first found.';
comment on column public.alerts.seen_at is 'When it was last found.';
comment on column public.alerts.well_since is 'Since when it is not found; it resolves a while later. Null: it still is.';
comment on column public.alerts.told_at is 'When it was last told.';
comment on column public.alerts.told_calendars is 'How many calendars were told then.';
comment on column public.alerts.reminded_at is 'When it was last told again though nothing was new.';
comment on column public.alerts.reminders is 'How often it was.';
comment on column public.alerts.resolved_at is 'When it was over.';
comment on column public.alerts.revision is 'Grows with every change: who decided by an older one is refused.';

-- read_open_alerts, and one open alert per key
create unique index if not exists alerts_open on public.alerts (key) where state = 'open';
-- what a dashboard shows: newest first
create index if not exists alerts_by_time on public.alerts (opened_at desc);
-- drop_old_alerts
create index if not exists alerts_resolved on public.alerts (resolved_at) where state = 'resolved';

create table if not exists public.alert_destinations (
  name text primary key,
  declared_at timestamptz not null,
  delivered_at timestamptz,
  failed_at timestamptz,
  failures integer not null default 0,
  error_code text,
  constraint alert_destinations_length check (char_length(name) between 1 and 60)
);
comment on table public.alert_destinations is
  'Where alerts go (ALERT_URLS), without addresses or secrets, and how that fares. For the service alone.';
comment on column public.alert_destinations.name is 'Its kind, and which of that kind it is: slack-1.';
comment on column public.alert_destinations.declared_at is 'When a process last had it in its settings; minutes are left out.';
comment on column public.alert_destinations.delivered_at is 'When it last took a message.';
comment on column public.alert_destinations.failed_at is 'When it last did not.';
comment on column public.alert_destinations.failures is 'Failed attempts in a row.';
comment on column public.alert_destinations.error_code is 'What the last of them failed of.';

create table if not exists public.alert_deliveries (
  id bigint generated always as identity primary key,
  destination text not null,
  severity text not null,
  title text not null,
  body text not null,
  written_at timestamptz not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  attempts_ended integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  error_code text,
  delivered_at timestamptz,
  constraint alert_deliveries_severity_known check (severity in ('warning', 'critical')),
  constraint alert_deliveries_state_known check (state in ('pending', 'delivered', 'dead')),
  constraint alert_deliveries_lengths check (char_length(title) <= 300 and char_length(body) <= 20000)
);
comment on table public.alert_deliveries is 'One row per message and destination: the queue of what is told. For the service alone.';
comment on sequence public.alert_deliveries_id_seq is 'Numbers alert_deliveries.';
comment on column public.alert_deliveries.id is 'Its place in the order.';
comment on column public.alert_deliveries.destination is 'To whom (alert_destinations).';
comment on column public.alert_deliveries.severity is 'The highest of what it tells.';
comment on column public.alert_deliveries.title is 'The message''s title.';
comment on column public.alert_deliveries.body is 'The message.';
comment on column public.alert_deliveries.written_at is 'When it was written.';
comment on column public.alert_deliveries.state is 'See docs/states.md.';
comment on column public.alert_deliveries.attempts is 'Attempts begun; each is counted before it is made.';
comment on column public.alert_deliveries.attempts_ended is 'The last attempt whose end is recorded.';
comment on column public.alert_deliveries.next_attempt_at is 'When it is next due; while an attempt is under way, the end of its lease.';
comment on column public.alert_deliveries.error_code is 'What the last failed attempt failed of.';
comment on column public.alert_deliveries.delivered_at is 'When it was taken.';

-- claim_alert_deliveries: the earliest of each destination
create index if not exists alert_deliveries_pending on public.alert_deliveries (destination, id) where state = 'pending';
-- drop_old_alerts
create index if not exists alert_deliveries_by_time on public.alert_deliveries (written_at);

alter table public.alerts enable row level security;
alter table public.alert_destinations enable row level security;
alter table public.alert_deliveries enable row level security;
revoke all on table public.alerts, public.alert_destinations, public.alert_deliveries
from public, anon, authenticated, service_role;
revoke all on sequence public.alert_deliveries_id_seq from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.alerts, public.alert_destinations, public.alert_deliveries to service_role;

-- What is looked at ---------------------------------------------------------------------------------------------------

-- Each for its part of alert_observations; all of them are small, for what they hold is rare.
create index if not exists calendar_webhooks_lapsing on public.calendar_webhooks (expiration_time)
  where is_active and paused_reason is null and duplicate_of is null and retired_at is null;
create index if not exists calendar_webhooks_failing_long on public.calendar_webhooks (last_error_at)
  where is_active and paused_reason is null and duplicate_of is null and access_lost_at is null and consecutive_failures >= 3;
create index if not exists calendar_sync_logs_drift on public.calendar_sync_logs (created_at) where differing > 0;

-- Whether these files are older than p_newest. Not by the history of migrations, which keeps a company's own versions.
create or replace function calendar_internal.lacks_migration(p_newest text) returns boolean
language plpgsql stable security invoker set search_path = ''
as $$
begin
  -- Of the last file: known once all have run.
  return public.calendar_schema_version() < p_newest::bigint;
end
$$;

-- Calendars past their bound: due for a quarter of an hour and taken up by nobody, or failing for so long that their
-- bound is over. p_limit of each at most: by cause how many.
-- Planned once by each connection: planning would cost more than the call does where nothing is late.
create or replace function calendar_internal.calendars_past_bound(p_limit integer)
returns table (cause text, calendars bigint)
language plpgsql stable security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_since timestamptz := clock_timestamp() - interval '15 minutes';
  v_late bigint := 0;
  v_lane text;
begin
  -- By the index alone: of suspects, which are few, the calendar's own row is asked too. Lane by lane, or each of ten
  -- thousand rows would pass through a join.
  foreach v_lane in array array['notified', 'first', 'imminent', 'poll'] loop
    v_late := v_late + (select count(*) from (
      select from public.calendar_queue q
      where q.lane = v_lane and q.due_at < v_since order by q.due_at limit greatest(p_limit - v_late, 0)) late);
  end loop;
  return query select 'not_looked_at', v_late + (select count(*) from (
    select from public.calendar_queue q join public.calendar_webhooks w on w.id = q.calendar_id
    where q.lane = 'suspect' and q.due_at < v_since and w.claims_unended < 4
    order by q.due_at limit p_limit) suspects);
  return query select failing.cause, count(*) from (
    select coalesce(w.last_error_code, 'unknown') as cause
    from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.access_lost_at is null
      and w.consecutive_failures >= 3 and w.claims_unended < 4
      and w.due_at >= v_since
      and coalesce(w.last_synced_at, w.created_at) < v_since - make_interval(secs => coalesce(w.stale_bound_seconds, 21600))
    order by w.last_error_at limit p_limit) failing
  group by failing.cause;
end
$$;

-- All that the rules of alerts look at, as one object: counts by index, each bounded, so that a million calendars cost what a
-- thousand do. Each is asked for in its index's order, or a whole table might be read for it. p_day: Google's. p_lapsing_seconds: a channel with less left should have been renewed. p_with_mail: whether users are mailed.
-- p_newest: the newest migration that the code knows.
create or replace function public.alert_observations(
  p_day date, p_lapsing_seconds double precision, p_with_mail boolean, p_newest text
) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  with at as materialized (select clock_timestamp() as now), recent as materialized (
    select l.status, l.error_code, l.calendar_id from public.calendar_sync_logs l
    where l.created_at > (select at.now from at) - interval '15 minutes' order by l.created_at desc limit 20000
  ), lapsing as materialized (
    select w.watch_error_code as cause from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.retired_at is null
      and w.expiration_time between (select at.now from at) - interval '1 day'
        and (select at.now from at) + make_interval(secs => p_lapsing_seconds)
    order by w.expiration_time limit 10000
  ), late as materialized (
    select b.cause, b.calendars from calendar_internal.calendars_past_bound(10000) b where b.calendars > 0
  ), lost as materialized (
    select w.user_id from public.calendar_webhooks w
    where w.is_active and w.duplicate_of is null and w.retired_at is null
      and (w.access_lost_at is not null or w.paused_reason = 'needs_reauth')
      and coalesce(w.access_lost_at, w.paused_at) > (select at.now from at) - interval '1 hour'
      and w.paused_reason = 'needs_reauth'
    order by coalesce(w.access_lost_at, w.paused_at) limit 10000
  ), bots as materialized (
    select b.last_error_code as cause from public.bot_requests b
    where b.dead_at is not null and b.wanted and b.meeting_end > (select at.now from at)
    order by b.dead_at limit 10000
  ), events as materialized (
    select d.subscription_id, d.last_error_code as cause from public.event_subscriptions s
    cross join lateral (
      select e.subscription_id, e.last_error_code from public.event_deliveries e
      where e.subscription_id = s.id and e.state = 'dead' order by e.position limit 10000) d
    limit 10000
  )
  select jsonb_build_object(
    'calendars', (
      -- As the census has it, once that is too many to count; before the first, as statistics do.
      select case when c.reltuples > 10000 then coalesce((
        select nullif(sum(k.calendars), 0) from public.calendar_census k where k.kind = 'channel'), c.reltuples)::bigint else (
        select count(*) from (
          select 1 from public.calendar_queue q limit 20000) s) end
      from pg_catalog.pg_class c where c.oid = 'public.calendar_webhooks'::regclass),
    'syncs', (select count(*) from recent where status in ('completed', 'failed')),
    'failed', (select count(*) from recent where status = 'failed'),
    'failed_calendars', (select count(distinct calendar_id) from recent where status = 'failed'),
    'failed_cause', (select mode() within group (order by error_code) from recent where status = 'failed'),
    'lapsing', (select count(*) from lapsing),
    'lapsing_cause', (select mode() within group (order by cause) from lapsing),
    'past_bound', (select coalesce(sum(calendars), 0) from late),
    'past_bound_cause', (select cause from late order by calendars desc, cause limit 1),
    'reauth_users', (select count(distinct user_id) from lost),
    'reauth_calendars', (select count(*) from lost),
    'poisoned', (
      select count(*) from (
        select 1 from public.calendar_queue q join public.calendar_webhooks w on w.id = q.calendar_id
        where q.lane = 'suspect' and w.claims_unended >= 4
        order by q.due_at limit 10000) p),
    'dead_bots', (select count(*) from bots),
    'dead_bots_cause', (select mode() within group (order by cause) from bots),
    'dead_events', (select count(*) from events),
    'dead_events_subscriptions', (select count(distinct subscription_id) from events),
    'dead_events_cause', (select mode() within group (order by cause) from events),
    'suspicious', coalesce((
      select jsonb_object_agg(s.kind, s.seen) from (
        select e.kind, sum(e.count) as seen from public.security_events e
        where (e.hour, e.kind) in (
          select a.hour, a.kind from public.security_events a
          where a.hour >= (select at.now from at) - interval '3 hours' and a.address_prefix = '*'
            and a.alerted_at > (select at.now from at) - interval '1 hour')
        group by e.kind) s), '{}'),
    'differing', coalesce((
      select sum(l.differing) from public.calendar_sync_logs l
      where l.differing > 0 and l.created_at > (select at.now from at) - interval '1 day'), 0),
    'differing_calendars', (
      select count(distinct l.calendar_id) from public.calendar_sync_logs l
      where l.differing > 0 and l.created_at > (select at.now from at) - interval '1 day'),
    'driven_ago', (
      select extract(epoch from (select at.now from at) - j.taken_at) from public.service_jobs j where j.name = 'drive'),
    'cron_ago', (
      select extract(epoch from (select at.now from at) - j.taken_at) from public.service_jobs j where j.name = 'polling_cron'),
    'cron_every', (select j.every_seconds from public.service_jobs j where j.name = 'polling_cron'),
    'polls_today', coalesce((select g.polls from public.google_requests g where g.project = 'all' and g.day = p_day), 0),
    'requests_today', coalesce((select g.requests from public.google_requests g where g.project = 'all' and g.day = p_day), 0),
    'requests_yesterday', (
      select g.requests from public.google_requests g where g.project = 'all' and g.day = p_day - 1),
    'breakers', coalesce((
      select jsonb_object_agg(o.upstream, jsonb_build_object(
        'processes', o.processes, 'seconds', extract(epoch from (select at.now from at) - o.since), 'cause', o.error_code))
      from public.outages() o), '{}'),
    'quota_rate', (
      select calendar_internal.quota_rate(q, q.most, (select at.now from at)) from public.google_quota q where q.scope = 'project'),
    'quota_most', (select q.most from public.google_quota q where q.scope = 'project'),
    'paused_lanes', coalesce((
      select jsonb_object_agg(l.lane, extract(epoch from (select at.now from at) - l.paused_at)) from public.lane_pauses l), '{}'),
    'regions', coalesce((
      select jsonb_object_agg(r.name, jsonb_build_object(
        'state', r.state, 'cause', r.reason, 'calendars', round(r.channels)::bigint,
        'seconds', coalesce(extract(epoch from (select at.now from at) - r.since), 0),
        'is_last', not exists (select 1 from public.ingress_regions well where well.state = 'healthy')))
      from public.ingress_regions r where r.state <> 'healthy'), '{}'),
    'is_behind', calendar_internal.lacks_migration(p_newest),
    'unmailed', (
      select count(*) from (
        select 1 from public.user_notifications n
        where p_with_mail and n.mailed_at is null and (n.resolved_at is null or n.mail_to is not null)
          and n.created_at between (select at.now from at) - interval '3 days' and (select at.now from at) - interval '1 hour'
        limit 10000) u),
    'destinations', coalesce((
      select jsonb_object_agg(d.name, jsonb_build_object('failures', d.failures, 'cause', d.error_code))
      from public.alert_destinations d where d.declared_at > (select at.now from at) - interval '1 hour'), '{}'))
$$;

-- What becomes of alerts --------------------------------------------------------------------------------------------

-- The alerts that are open.
create or replace function public.read_open_alerts()
returns setof public.alerts
language sql stable security invoker set search_path = ''
as $$
  select a.* from public.alerts a where a.state = 'open' order by a.opened_at limit 1000
$$;

-- Takes what a round made of the alerts (p_changes: [{id, revision, key, kind, severity, calendars, cause, sentence, runbook,
-- well_since, is_told, is_reminder, is_resolved}], without id: a new one), at p_at, and the message that tells it (p_message:
-- {severity, title, body}, or null), to each of p_destinations.
-- Guarantee: all of it or nothing. False, and nothing is changed, if another round came between: an alert is opened, reminded of
-- and resolved once, however many processes look at the same time, and is told exactly when it was recorded.
create or replace function public.record_alerts(p_at timestamptz, p_changes jsonb, p_message jsonb, p_destinations text[])
returns boolean
language plpgsql security invoker set search_path = ''
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('alerts'));
  if exists (
    select 1 from pg_catalog.jsonb_to_recordset(p_changes) as c (id uuid, revision bigint, key text)
    left join public.alerts a on a.state = 'open' and a.key = c.key
    where a.id is distinct from c.id or a.revision is distinct from c.revision
  ) then
    return false;
  end if;

  update public.alerts a set
    severity = c.severity, calendars = c.calendars, cause = c.cause, sentence = c.sentence, runbook = c.runbook,
    seen_at = case when c.well_since is null then p_at else a.seen_at end,
    well_since = c.well_since,
    told_at = case when c.is_told then p_at else a.told_at end,
    told_calendars = case when c.is_told then c.calendars else a.told_calendars end,
    reminded_at = case when c.is_reminder then p_at else a.reminded_at end,
    reminders = a.reminders + c.is_reminder::integer,
    state = case when c.is_resolved then 'resolved' else 'open' end,
    resolved_at = case when c.is_resolved then p_at end,
    revision = a.revision + 1
  from pg_catalog.jsonb_to_recordset(p_changes) as c (
    id uuid, severity text, calendars bigint, cause text, sentence text, runbook text, well_since timestamptz,
    is_told boolean, is_reminder boolean, is_resolved boolean)
  where a.id = c.id;

  insert into public.alerts (
    key, kind, severity, calendars, cause, sentence, runbook, opened_at, seen_at, told_at, told_calendars)
  select c.key, c.kind, c.severity, c.calendars, c.cause, c.sentence, c.runbook, p_at, p_at,
    case when c.is_told then p_at end, case when c.is_told then c.calendars end
  from pg_catalog.jsonb_to_recordset(p_changes) as c (
    id uuid, key text, kind text, severity text, calendars bigint, cause text, sentence text, runbook text, is_told boolean)
  where c.id is null;

  insert into public.alert_deliveries (destination, severity, title, body, written_at)
  select d.name, p_message ->> 'severity', p_message ->> 'title', p_message ->> 'body', p_at
  from unnest(p_destinations) d (name)
  where jsonb_typeof(p_message) = 'object';
  return true;
end
$$;

-- Leases of each of p_destinations the earliest message that it has not taken, if that is due. Says that they are in use.
-- Guarantee: one attempt of a message at a time, and a destination is told in order. What one does not take holds up no other.
create or replace function public.claim_alert_deliveries(p_destinations text[], p_lease_seconds double precision)
returns table (delivery_id bigint, destination text, attempt integer, severity text, title text, body text, age_seconds double precision)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
begin
  insert into public.alert_destinations as d (name, declared_at)
  select distinct n.name, clock_timestamp() from unnest(p_destinations) n (name) order by n.name
  on conflict (name) do update set declared_at = excluded.declared_at
    where d.declared_at < clock_timestamp() - interval '5 minutes';

  return query
  update public.alert_deliveries u set
    attempts = u.attempts + 1, next_attempt_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
  where u.state = 'pending' and u.next_attempt_at <= clock_timestamp() and u.id in (
    select first.id from unnest(p_destinations) n (name)
    cross join lateral (
      select p.id from public.alert_deliveries p
      where p.destination = n.name and p.state = 'pending' order by p.id limit 1) first)
  returning u.id, u.destination, u.attempts, u.severity, u.title, u.body,
    extract(epoch from clock_timestamp() - u.written_at)::double precision;
end
$$;

-- How an attempt ended: p_error_code null: it was taken. Else the next one comes after p_next_seconds; null: it is given up.
-- Guarantee: an attempt ends once, and one whose lease was given to another ends nothing.
create or replace function public.record_alert_delivery(
  p_delivery_id bigint, p_attempt integer, p_error_code text, p_next_seconds double precision
) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_destination text;
begin
  update public.alert_deliveries d set
    state = case when p_error_code is null then 'delivered' when p_next_seconds is null then 'dead' else 'pending' end,
    error_code = p_error_code,
    attempts_ended = p_attempt,
    delivered_at = case when p_error_code is null then clock_timestamp() end,
    next_attempt_at = clock_timestamp() + make_interval(secs => coalesce(p_next_seconds, 0))
  where d.id = p_delivery_id and d.attempts = p_attempt and d.attempts_ended < p_attempt and d.state = 'pending'
  returning d.destination into v_destination;
  update public.alert_destinations d set
    delivered_at = case when p_error_code is null then clock_timestamp() else d.delivered_at end,
    failed_at = case when p_error_code is null then d.failed_at else clock_timestamp() end,
    failures = case when p_error_code is null then 0 else d.failures + 1 end,
    error_code = coalesce(p_error_code, d.error_code)
  where d.name = v_destination;
end
$$;

-- Drops up to p_limit alerts that were resolved p_keep_days ago, messages written so long ago, and destinations that no process
-- has had since. Answers how many.
create or replace function public.drop_old_alerts(p_keep_days integer, p_limit integer) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_old timestamptz := clock_timestamp() - make_interval(days => greatest(p_keep_days, 1));
  v_alerts integer;
  v_deliveries integer;
begin
  delete from public.alerts a where a.id in (
    select o.id from public.alerts o where o.state = 'resolved' and o.resolved_at < v_old
    order by o.resolved_at limit least(greatest(p_limit, 0), 5000));
  get diagnostics v_alerts = row_count;
  delete from public.alert_deliveries d where d.id in (
    select o.id from public.alert_deliveries o where o.written_at < v_old
    order by o.written_at limit least(greatest(p_limit, 0), 5000));
  get diagnostics v_deliveries = row_count;
  delete from public.alert_destinations d where d.declared_at < v_old;
  return greatest(v_alerts, v_deliveries);
end
$$;

-- For the service alone.
revoke all on function
  calendar_internal.lacks_migration,
  calendar_internal.calendars_past_bound,
  public.alert_observations,
  public.read_open_alerts,
  public.record_alerts,
  public.claim_alert_deliveries,
  public.record_alert_delivery,
  public.drop_old_alerts
from public, anon, authenticated;
grant execute on function
  calendar_internal.lacks_migration,
  calendar_internal.calendars_past_bound,
  public.alert_observations,
  public.read_open_alerts,
  public.record_alerts,
  public.claim_alert_deliveries,
  public.record_alert_delivery,
  public.drop_old_alerts
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.lacks_migration is 'Whether these files are older than p_newest. Not by the history of migrations, which keeps a company''s own versions.';
comment on function calendar_internal.calendars_past_bound is 'Calendars past their bound: due for a quarter of an hour and taken up by nobody, or failing for so long that their
bound is over. p_limit of each at most: by cause how many.
Planned once by each connection: planning would cost more than the call does where nothing is late.';
comment on function public.alert_observations is 'All that the rules of alerts look at, as one object: counts by index, each bounded, so that a million calendars cost what a
thousand do. Each is asked for in its index''s order, or a whole table might be read for it. p_day: Google''s. p_lapsing_seconds: a channel with less left should have been renewed. p_with_mail: whether users are mailed.
p_newest: the newest migration that the code knows.';
comment on function public.read_open_alerts is 'The alerts that are open.';
comment on function public.record_alerts is 'Takes what a round made of the alerts (p_changes: [{id, revision, key, kind, severity, calendars, cause, sentence, runbook,
well_since, is_told, is_reminder, is_resolved}], without id: a new one), at p_at, and the message that tells it (p_message:
{severity, title, body}, or null), to each of p_destinations.
Guarantee: all of it or nothing. False, and nothing is changed, if another round came between: an alert is opened, reminded of
and resolved once, however many processes look at the same time, and is told exactly when it was recorded.';
comment on function public.claim_alert_deliveries is 'Leases of each of p_destinations the earliest message that it has not taken, if that is due. Says that they are in use.
Guarantee: one attempt of a message at a time, and a destination is told in order. What one does not take holds up no other.';
comment on function public.record_alert_delivery is 'How an attempt ended: p_error_code null: it was taken. Else the next one comes after p_next_seconds; null: it is given up.
Guarantee: an attempt ends once, and one whose lease was given to another ends nothing.';
comment on function public.drop_old_alerts is 'Drops up to p_limit alerts that were resolved p_keep_days ago, messages written so long ago, and destinations that no process
has had since. Answers how many.';
