-- The drift audit's sample: which calendars are compared with a full listing next.

-- sample_for_audit
create index if not exists calendar_webhooks_audit on public.calendar_webhooks (audited_at nulls first)
  where is_active and paused_reason is null and duplicate_of is null and sync_token is not null;

-- The p_limit calendars whose last audit is the longest ago, if at all; marked at once, so that two samplers do not take the
-- same ones. With p_calendar_ids these and no others.
create or replace function public.sample_for_audit(p_limit integer, p_calendar_ids uuid[] default null)
returns table (calendar_id uuid)
language sql security invoker set search_path = ''
as $$
  with sample as (
    select w.id from public.calendar_webhooks w
    where w.is_active and w.paused_reason is null and w.duplicate_of is null and w.sync_token is not null
      and (p_calendar_ids is null or w.id = any (p_calendar_ids))
    order by w.audited_at nulls first
    limit least(greatest(p_limit, 0), 1000)
    for update skip locked
  )
  update public.calendar_webhooks w set audited_at = clock_timestamp() from sample where sample.id = w.id
  returning w.id
$$;

-- For the service alone.
revoke all on function public.sample_for_audit from public, anon, authenticated;
grant execute on function public.sample_for_audit to service_role;
