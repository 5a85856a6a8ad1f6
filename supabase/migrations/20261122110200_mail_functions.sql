-- Mail to users: what they were told and must act on, sent to the address of the Google account they connected.

alter table public.user_notifications
  add column if not exists mail_after timestamptz not null default now(),
  add column if not exists mailed_at timestamptz;

-- claim_unmailed_notifications
create index if not exists user_notifications_unmailed on public.user_notifications (mail_after)
  where mailed_at is null and resolved_at is null;

-- Leases up to p_limit notifications that still hold, ask something of the user, and were not mailed. What is older than
-- p_oldest_seconds is not mailed any more: mail that was switched on today is not about last month.
create or replace function public.claim_unmailed_notifications(
  p_limit integer, p_lease_seconds integer, p_oldest_seconds integer
) returns table (notification_id uuid, address text, message text)
language plpgsql security invoker set search_path = ''
as $$
#variable_conflict use_column
declare
  v_now timestamptz := clock_timestamp();
begin
  return query
  with unmailed as materialized (
    select n.id from public.user_notifications n
    where n.mailed_at is null and n.resolved_at is null and n.mail_after <= v_now
      and n.kind in ('reconnect_needed', 'calendar_lost')
      and n.created_at > v_now - make_interval(secs => p_oldest_seconds)
    order by n.mail_after
    limit least(greatest(p_limit, 0), 100)
    for update skip locked
  ), claimed as (
    update public.user_notifications n set mail_after = v_now + make_interval(secs => p_lease_seconds)
    from unmailed where unmailed.id = n.id
    returning n.id, n.user_id, n.message
  )
  select c.id, g.google_account, c.message
  from claimed c
  join public.google_credentials g on g.user_id = c.user_id
  where g.google_account is not null;
end
$$;

-- It was sent. A mail whose process died before this is sent once more: better twice than never.
create or replace function public.mark_mailed(p_notification_id uuid) returns void
language sql security invoker set search_path = ''
as $$
  update public.user_notifications n set mailed_at = clock_timestamp() where n.id = p_notification_id
$$;

-- For the service alone.
revoke all on function
  public.claim_unmailed_notifications,
  public.mark_mailed
from public, anon, authenticated;
grant execute on function
  public.claim_unmailed_notifications,
  public.mark_mailed
to service_role;
