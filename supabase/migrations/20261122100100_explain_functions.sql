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

-- explain_event without a user
create index if not exists calendar_events_by_base on public.calendar_events (base_event_id);

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
