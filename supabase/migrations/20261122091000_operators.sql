-- Operators: what people do by hand, each deed with its audit row in one transaction.

-- What was done ------------------------------------------------------------------------------------------------------

create table if not exists public.operator_actions (
  id uuid primary key,
  at timestamptz not null default clock_timestamp(),
  operator text not null,
  door text not null,
  action text not null,
  target text not null default '',
  params jsonb not null default '{}',
  outcome text not null,
  affected bigint not null default 0,
  constraint operator_actions_door_known check (door in ('dashboard', 'cli')),
  constraint operator_actions_outcome_known check (outcome in ('done', 'not_found', 'nothing_to_do')),
  constraint operator_actions_lengths check (
    char_length(operator) between 1 and 60 and char_length(action) between 1 and 40 and char_length(target) <= 200)
);
comment on table public.operator_actions is 'Who did what by hand, and what came of it. For the service alone.';
comment on column public.operator_actions.id is 'The deed''s id, made by whoever asked: asked again, it is not done twice.';
comment on column public.operator_actions.at is 'When.';
comment on column public.operator_actions.operator is 'Who: by the name that their token has in the settings, or that they gave to the command line.';
comment on column public.operator_actions.door is 'dashboard or cli.';
comment on column public.operator_actions.action is 'What: sign_in, poll, resync, reopen, pause_lane, …';
comment on column public.operator_actions.target is 'To what: a calendar''s, user''s, request''s or subscription''s id, a lane, a cause.';
comment on column public.operator_actions.params is 'With what beside it. No secret, no content.';
comment on column public.operator_actions.outcome is 'done, or why not: not_found, nothing_to_do.';
comment on column public.operator_actions.affected is 'How many rows it touched.';

-- read_operator_actions, drop_old_actions
create index if not exists operator_actions_at on public.operator_actions (at, id);

alter table public.operator_actions enable row level security;
revoke all on table public.operator_actions from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.operator_actions to service_role;

-- operate: what failed of one cause; bots that were given up
create index if not exists calendar_webhooks_failing on public.calendar_webhooks (last_error_code, last_error_at)
  where consecutive_failures > 0;
create index if not exists bot_requests_dead_by_join on public.bot_requests (join_at) where dead_at is not null;

-- Deeds --------------------------------------------------------------------------------------------------------------

-- Has calendars looked at now, by one of three ways: poll (a look), resync (a full listing), reopen (a new push channel).
-- What waits out a backoff is looked at all the same; what may kill its process is claimed alone, as ever. Spread evenly
-- over p_spread_seconds, so that many do not come at once. Answers how many.
create or replace function calendar_internal.ask_for(p_ids uuid[], p_what text, p_spread_seconds double precision) returns bigint
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_count bigint;
begin
  update public.calendar_webhooks w set
    due_at = case when p_what <> 'reopen' then v_now + locked.after else w.due_at end,
    due_reason = case when p_what <> 'reopen' then 'operator' else w.due_reason end,
    not_before = case when p_what <> 'reopen' then null else w.not_before end,
    claims_unended = case when p_what <> 'reopen' then least(w.claims_unended, 2) else w.claims_unended end,
    sync_token = case when p_what = 'resync' then null else w.sync_token end,
    -- A sync under way would store its token over this.
    fence = w.fence + (p_what = 'resync')::integer,
    lease_expires_at = case when p_what <> 'resync' then w.lease_expires_at end,
    expiration_time = case when p_what = 'reopen' then v_now + locked.after else w.expiration_time end,
    watch_retry_at = case when p_what = 'reopen' then null else w.watch_retry_at end,
    updated_at = v_now
  from (
    select c.id, make_interval(secs => p_spread_seconds * (row_number() over (order by c.id) - 1) / cardinality(p_ids)) as after
    from (
      select l.id from public.calendar_webhooks l
      where l.id = any (p_ids) and l.is_active and l.paused_reason is null and l.duplicate_of is null
        and calendar_internal.hold_free_user(l.user_id)
      order by l.id for no key update
    ) c
  ) locked
  where w.id = locked.id;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- Asks again for bots that were given up, of one request or (null) of all, p_limit at most. Answers how many.
create or replace function calendar_internal.revive_bots(p_request_id uuid, p_limit integer) returns bigint
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_count bigint;
begin
  update public.bot_requests r set
    dead_at = null, due_at = v_now, attempts = 0, attempt_series = r.attempt_series + 1, is_shown = false, updated_at = v_now
  from (
    select l.id from public.bot_requests l
    where l.dead_at is not null and l.id = any (array(
      select d.id from public.bot_requests d
      where d.dead_at is not null and (p_request_id is null or d.id = p_request_id) and (not d.wanted or d.meeting_end > v_now)
      order by d.join_at limit p_limit))
    -- In the order that whoever decides has them.
    order by l.id for no key update
  ) dead
  where r.id = dead.id;
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- Sends a subscription's given-up deliveries again, or (p_after, p_upto) all of a range of the feed, in steps of a thousand at
-- most p_limit of them. Answers how many; null: there is no such subscription.
create or replace function calendar_internal.replay_range(
  p_subscription_id uuid, p_after bigint, p_upto bigint, p_limit integer
) returns bigint
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_step jsonb;
  v_count bigint := 0;
begin
  if not exists (select 1 from public.event_subscriptions s where s.id = p_subscription_id) then
    return null;
  end if;
  if p_after is null then
    update public.event_deliveries d set state = 'pending', tries = 0, next_attempt_at = v_now
    from (
      select l.event_id from public.event_deliveries l
      where l.subscription_id = p_subscription_id and l.state = 'dead' and l.event_id = any (array(
        select x.event_id from public.event_deliveries x
        where x.subscription_id = p_subscription_id and x.state = 'dead'
        order by x.position limit p_limit))
      order by l.event_id for no key update
    ) dead
    where d.event_id = dead.event_id and d.subscription_id = p_subscription_id;
    get diagnostics v_count = row_count;
    return v_count;
  end if;
  for i in 1 .. ceil(p_limit / 1000.0)::integer loop
    v_step := public.replay_events(p_subscription_id, p_after, p_upto, least(p_limit, 1000));
    v_count := v_count + (v_step ->> 'replayed')::bigint;
    p_after := (v_step ->> 'last')::bigint;
    exit when p_after is null;
  end loop;
  return v_count;
end
$$;

-- One deed of an operator, with its audit row: {outcome, affected}. p_action:
--   sign_in, sign_out         noted
--   connect, export, erase    noted; p_target: a user's id
--   rotate_keys, give_back_tokens, audit, backfill, regain   noted
--   poll, resync, reopen      p_target: a calendar's id
--   retry_cause               p_target: an error code; p_limit calendars that failed with it are looked at within a minute
--   pause_lane, resume_lane   p_target: a lane
--   retry_bot, retry_bots     p_target: a request's id; of all that were given up
--   retry_deliveries          p_target: a subscription's id; what was given up
--   replay                    p_target: a subscription's id; p_params {after, upto}: positions of the feed
-- Guarantee: asked again under the same id (an answer was lost), it answers what it did and does nothing more.
create or replace function public.operate(
  p_id uuid, p_operator text, p_door text, p_action text, p_target text, p_params jsonb, p_limit integer
) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_affected bigint;
  v_outcome text;
  v_limit integer := least(greatest(p_limit, 1), 10000);
begin
  select a.outcome, a.affected into v_outcome, v_affected from public.operator_actions a where a.id = p_id;
  if found then
    return jsonb_build_object('outcome', v_outcome, 'affected', v_affected);
  end if;
  case p_action
    when 'sign_in', 'sign_out', 'connect', 'export', 'erase', 'rotate_keys', 'give_back_tokens',
      'audit', 'backfill', 'regain' then
      v_affected := 1;
    when 'poll', 'resync', 'reopen' then
      if exists (select 1 from public.calendar_webhooks w where w.id = p_target::uuid) then
        v_affected := calendar_internal.ask_for(array[p_target::uuid], p_action, 0);
      end if;
    when 'retry_cause' then
      v_affected := calendar_internal.ask_for(array(
        select w.id from public.calendar_webhooks w
        where w.consecutive_failures > 0 and w.last_error_code = p_target and w.is_active and w.paused_reason is null
        order by w.last_error_at limit v_limit), 'poll', 60);
    when 'pause_lane' then
      insert into public.lane_pauses (lane, paused_by) values (p_target, p_operator) on conflict (lane) do nothing;
      get diagnostics v_affected = row_count;
    when 'resume_lane' then
      delete from public.lane_pauses l where l.lane = p_target;
      get diagnostics v_affected = row_count;
    when 'retry_bot' then v_affected := calendar_internal.revive_bots(p_target::uuid, 1);
    when 'retry_bots' then v_affected := calendar_internal.revive_bots(null, v_limit);
    when 'retry_deliveries' then v_affected := calendar_internal.replay_range(p_target::uuid, null, null, v_limit);
    when 'replay' then
      v_affected := calendar_internal.replay_range(
        p_target::uuid, (p_params ->> 'after')::bigint, (p_params ->> 'upto')::bigint, v_limit);
    else
      raise exception 'there is no action %', p_action using errcode = '22023';
  end case;
  v_outcome := case when v_affected is null then 'not_found' when v_affected = 0 then 'nothing_to_do' else 'done' end;
  insert into public.operator_actions (id, operator, door, action, target, params, outcome, affected)
  values (p_id, p_operator, p_door, p_action, p_target, p_params, v_outcome, coalesce(v_affected, 0));
  return jsonb_build_object('outcome', v_outcome, 'affected', coalesce(v_affected, 0));
end
$$;

-- What operators did, the latest first, p_limit at a time: before p_before_at (and, of one moment, before p_before_id).
create or replace function public.read_operator_actions(p_before_at timestamptz, p_before_id uuid, p_limit integer)
returns setof public.operator_actions
language sql stable security invoker set search_path = ''
as $$
  select a.* from public.operator_actions a
  where (a.at, a.id) < (coalesce(p_before_at, 'infinity'), coalesce(p_before_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
  order by a.at desc, a.id desc limit least(greatest(p_limit, 0), 200)
$$;

-- Drops audit rows older than p_keep_days, p_limit at a time. Answers how many.
create or replace function public.drop_old_actions(p_keep_days integer, p_limit integer) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_count integer;
begin
  delete from public.operator_actions a where a.id in (
    select o.id from public.operator_actions o
    where o.at < clock_timestamp() - make_interval(days => p_keep_days) order by o.at limit least(greatest(p_limit, 0), 1000));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;

-- What operators look at beside the overview -------------------------------------------------------------------------

-- The charts' points, the oldest first: [{at, push, poll: {changes, p50_seconds, p95_seconds, p99_seconds}, and the figures of
-- sync_figures}] of the last p_hours: by five minutes up to a day, else by the hour. Intervals in which nothing happened are
-- left out; 720 points at most.
create or replace function public.service_history(p_hours integer) returns jsonb
language plpgsql stable security invoker set search_path = ''
as $$
declare
  v_hours integer := least(greatest(p_hours, 1), 720);
  v_seconds integer := case when v_hours <= 24 then 300 else 3600 end;
  v_step interval := make_interval(secs => v_seconds);
  v_since timestamptz := date_bin(v_step, clock_timestamp() - make_interval(hours => v_hours), timestamptz '2000-01-01 00:00:00+00');
begin
  return (
    select coalesce(jsonb_agg(
      calendar_internal.sync_figures(v_seconds, p.starts_at, p.starts_at + v_step) || jsonb_build_object(
        'at', p.starts_at,
        'push', calendar_internal.freshness(v_seconds, p.starts_at, p.starts_at + v_step, 'push'),
        'poll', calendar_internal.freshness(v_seconds, p.starts_at, p.starts_at + v_step, 'poll'))
      order by p.starts_at), '[]')
    from (
      select distinct r.starts_at from public.sync_rollups r
      where r.seconds = v_seconds and r.starts_at >= v_since order by r.starts_at desc limit 720
    ) p);
end
$$;

-- One calendar, as its page shows it: calendar_status with its user's Google account, what is believed of it, its channels and
-- whether its look is leased. Null: there is none.
create or replace function public.calendar_card(p_calendar_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select to_jsonb(s) || jsonb_build_object(
    'google_account', g.google_account, 'connection', g.status, 'connection_reason', g.status_reason,
    'calendar_name', w.calendar_name, 'time_zone', w.time_zone, 'created_at', w.created_at, 'last_change_at', w.last_change_at,
    'last_error_code', w.last_error_code, 'last_error_at', w.last_error_at, 'claims_unended', w.claims_unended,
    'not_before', w.not_before, 'leased_until', case when w.lease_expires_at > clock_timestamp() then w.lease_expires_at end,
    'leased_by', case when w.lease_expires_at > clock_timestamp() then w.claimed_by end,
    'due_again', w.due_at <= clock_timestamp(), 'watch_error_code', w.watch_error_code, 'watch_due_at', w.watch_due_at,
    'horizon_until', w.horizon_until, 'audited_at', w.audited_at, 'initial_sync', w.initial_sync,
    'known_days', w.belief_change_days,
    'changes_per_day', w.belief_changes / nullif(w.belief_change_days, 0),
    'announced', w.belief_announced, 'missed', w.belief_missed, 'delay_seconds', w.belief_delay_seconds,
    'set_aside', (select count(*) from public.calendar_set_aside a where a.calendar_id = w.id),
    'channels', (
      select coalesce(jsonb_agg(jsonb_build_object(
        'id', c.id, 'state', c.state, 'address', c.address, 'opened_at', c.opened_at, 'expires_at', c.expires_at,
        'last_notification_at', c.last_notification_at, 'error_code', c.error_code) order by c.created_at desc), '[]')
      from (select x.* from public.calendar_channels x where x.calendar_id = w.id order by x.created_at desc limit 5) c))
  from public.calendar_webhooks w
  join public.calendar_status s on s.calendar_id = w.id
  left join public.google_credentials g on g.user_id = w.user_id
  where w.id = p_calendar_id
$$;

-- Bots asked for, p_limit at most: p_which 'dead' those that were given up, 'waiting' those that something is to be done for, else
-- those told of last. Without links, names or texts.
create or replace function public.list_bot_requests(p_which text, p_limit integer) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'id', r.id, 'provider', r.provider, 'user_id', r.user_id, 'join_at', r.join_at, 'meeting_end', r.meeting_end,
    'wanted', r.wanted, 'status', r.status, 'provider_state', r.provider_state, 'bot_id', r.bot_id, 'attempts', r.attempts,
    'calls', r.calls, 'generation', r.generation, 'last_error_code', r.last_error_code, 'dead_at', r.dead_at,
    'due_at', r.due_at, 'told_at', r.told_at)), '[]')
  from (
    (select d.* from public.bot_requests d where p_which = 'dead' and d.dead_at is not null
    order by d.join_at desc limit least(greatest(p_limit, 0), 200))
    union all
    (select w.* from public.bot_requests w where p_which = 'waiting' and w.due_at is not null
    order by w.due_at limit least(greatest(p_limit, 0), 200))
    union all
    (select t.* from public.bot_requests t where p_which not in ('dead', 'waiting') and t.told_at is not null
    order by t.told_at desc limit least(greatest(p_limit, 0), 200))
  ) r
$$;

-- A subscription's deliveries, p_limit at most: what was given up and what waits first, then the newest.
create or replace function public.list_event_deliveries(p_subscription_id uuid, p_limit integer) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'position', d.position, 'event_id', d.event_id, 'type', e.type, 'state', d.state, 'attempts', d.attempts,
    'last_status', d.last_status, 'last_error_code', d.last_error_code, 'next_attempt_at', d.next_attempt_at,
    'delivered_at', d.delivered_at)), '[]')
  from (
    (select x.* from public.event_deliveries x where x.subscription_id = p_subscription_id and x.state = 'dead'
    order by x.position desc limit least(greatest(p_limit, 0), 200) / 2)
    union all
    (select x.* from public.event_deliveries x where x.subscription_id = p_subscription_id and x.state = 'pending'
    order by x.position limit least(greatest(p_limit, 0), 200) / 2)
    union all
    (select x.* from public.event_deliveries x where x.subscription_id = p_subscription_id and x.state = 'delivered'
    order by x.position desc limit least(greatest(p_limit, 0), 200) / 2)
  ) d
  join public.change_events e on e.id = d.event_id
$$;

-- {alerts: the open ones, then those over, the newest first, p_limit of each at most; destinations}.
create or replace function public.read_alerts(p_limit integer) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'alerts', (
      select coalesce(jsonb_agg(to_jsonb(a) - 'revision' - 'key' order by a.state, a.severity, a.opened_at desc), '[]') from (
        (select o.* from public.alerts o where o.state = 'open' order by o.opened_at desc limit least(greatest(p_limit, 0), 200))
        union all
        (select r.* from public.alerts r where r.state = 'resolved' order by r.opened_at desc limit least(greatest(p_limit, 0), 200))
      ) a),
    'destinations', (
      select coalesce(jsonb_agg(to_jsonb(d) order by d.name), '[]')
      from (select x.* from public.alert_destinations x order by x.name limit 50) d))
$$;

-- What stands in the service's way now, beside service_overview: {quota: as google_quota_status; outages; findings: as push_findings;
-- pauses: stopped lanes; alerts: {open, worst}}.
create or replace function public.service_standing() returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'quota', (select to_jsonb(q) from public.google_quota_status() q),
    'outages', (select coalesce(jsonb_agg(to_jsonb(o)), '[]') from public.outages() o),
    'findings', (select coalesce(jsonb_agg(to_jsonb(f)), '[]') from public.push_findings() f),
    'pauses', (
      select coalesce(jsonb_object_agg(l.lane, jsonb_build_object('paused_at', l.paused_at, 'paused_by', l.paused_by)), '{}')
      from public.lane_pauses l),
    'alerts', (
      select jsonb_build_object('open', count(*), 'worst', min(a.severity)) from public.alerts a where a.state = 'open'))
$$;

create index if not exists bot_requests_told on public.bot_requests (told_at) where told_at is not null;

revoke all on function
  public.operate, public.read_operator_actions, public.drop_old_actions, calendar_internal.ask_for, calendar_internal.revive_bots,
  calendar_internal.replay_range, public.service_history, public.calendar_card, public.list_bot_requests,
  public.list_event_deliveries, public.service_standing, public.read_alerts
  from public, anon, authenticated;
grant execute on function
  public.operate, public.read_operator_actions, public.drop_old_actions, calendar_internal.ask_for, calendar_internal.revive_bots,
  calendar_internal.replay_range, public.service_history, public.calendar_card, public.list_bot_requests,
  public.list_event_deliveries, public.service_standing, public.read_alerts
  to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.ask_for is 'Has calendars looked at now, by one of three ways: poll (a look), resync (a full listing), reopen (a new push channel).
What waits out a backoff is looked at all the same; what may kill its process is claimed alone, as ever. Spread evenly
over p_spread_seconds, so that many do not come at once. Answers how many.';
comment on function calendar_internal.revive_bots is 'Asks again for bots that were given up, of one request or (null) of all, p_limit at most. Answers how many.';
comment on function calendar_internal.replay_range is 'Sends a subscription''s given-up deliveries again, or (p_after, p_upto) all of a range of the feed, in steps of a thousand at
most p_limit of them. Answers how many; null: there is no such subscription.';
comment on function public.operate is 'One deed of an operator, with its audit row: {outcome, affected}. p_action:
  sign_in, sign_out         noted
  connect, export, erase    noted; p_target: a user''s id
  rotate_keys, give_back_tokens, audit, backfill, regain   noted
  poll, resync, reopen      p_target: a calendar''s id
  retry_cause               p_target: an error code; p_limit calendars that failed with it are looked at within a minute
  pause_lane, resume_lane   p_target: a lane
  retry_bot, retry_bots     p_target: a request''s id; of all that were given up
  retry_deliveries          p_target: a subscription''s id; what was given up
  replay                    p_target: a subscription''s id; p_params {after, upto}: positions of the feed
Guarantee: asked again under the same id (an answer was lost), it answers what it did and does nothing more.';
comment on function public.read_operator_actions is 'What operators did, the latest first, p_limit at a time: before p_before_at (and, of one moment, before p_before_id).';
comment on function public.drop_old_actions is 'Drops audit rows older than p_keep_days, p_limit at a time. Answers how many.';
comment on function public.service_history is 'The charts'' points, the oldest first: [{at, push, poll: {changes, p50_seconds, p95_seconds, p99_seconds}, and the figures of
sync_figures}] of the last p_hours: by five minutes up to a day, else by the hour. Intervals in which nothing happened are
left out; 720 points at most.';
comment on function public.calendar_card is 'One calendar, as its page shows it: calendar_status with its user''s Google account, what is believed of it, its channels and
whether its look is leased. Null: there is none.';
comment on function public.list_bot_requests is 'Bots asked for, p_limit at most: p_which ''dead'' those that were given up, ''waiting'' those that something is to be done for, else
those told of last. Without links, names or texts.';
comment on function public.list_event_deliveries is 'A subscription''s deliveries, p_limit at most: what was given up and what waits first, then the newest.';
comment on function public.read_alerts is '{alerts: the open ones, then those over, the newest first, p_limit of each at most; destinations}.';
comment on function public.service_standing is 'What stands in the service''s way now, beside service_overview: {quota: as google_quota_status; outages; findings: as push_findings;
pauses: stopped lanes; alerts: {open, worst}}.';
