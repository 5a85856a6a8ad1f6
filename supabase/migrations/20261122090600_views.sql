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
