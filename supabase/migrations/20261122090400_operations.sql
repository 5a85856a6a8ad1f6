-- Operations: what operators look at, and what the doors refused.

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
    when w.last_synced_at is null and w.consecutive_failures = 0 then 'connecting'
    when w.consecutive_failures > 0 then 'retrying'
    when channel.id is null then 'polled_only'
    when w.webhook_failures > 0 then 'push_doubtful'
    else 'healthy'
  end as state,
  coalesce(w.paused_reason, w.last_error_code, w.watch_error_code) as reason,
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
  w.watch_failures
from public.calendar_webhooks w
left join lateral (
  select c.id, c.expires_at from public.calendar_channels c
  where c.calendar_id = w.id and c.state = 'live' and c.expires_at > now()
  order by c.opened_at desc limit 1
) channel on true
where w.duplicate_of is null;

revoke all on table public.calendar_status from public, anon, authenticated, service_role;
grant select on table public.calendar_status to service_role;


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
