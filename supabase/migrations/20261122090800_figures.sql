-- Figures for Prometheus: what GET /metrics tells of the database, in one call.

-- service_overview, google_quota_status and the open alerts by severity: {overview, quota, alerts: {warning, critical}}.
-- Guarantee: costs the same however many calendars and logs there are.
create or replace function public.service_figures() returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select jsonb_build_object(
    'overview', public.service_overview(),
    'quota', (select to_jsonb(s) from public.google_quota_status() s),
    'alerts', (
      select jsonb_build_object(
        'warning', count(*) filter (where a.severity = 'warning'), 'critical', count(*) filter (where a.severity = 'critical'))
      from public.alerts a where a.state = 'open'))
$$;

-- For the service alone.
revoke all on function public.service_figures from public, anon, authenticated;
grant execute on function public.service_figures to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.service_figures is 'service_overview, google_quota_status and the open alerts by severity: {overview, quota, alerts: {warning, critical}}.
Guarantee: costs the same however many calendars and logs there are.';
