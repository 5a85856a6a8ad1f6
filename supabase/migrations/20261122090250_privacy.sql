-- Private events: their content is hidden where it lies stored, too, while the settings in force say so.
--
-- A full listing hides what it lists. Here is the rest: meetings that are cancelled or long over, and calendars that
-- cannot be listed now. What was private is known from each row, so that nothing else loses its title for ever.

-- What is left to be hidden, and nothing else, so that looking for it costs nothing.
create index if not exists meetings_private_content on public.meetings (id)
  where is_private and (title is distinct from 'Private' or description is not null);
create index if not exists calendar_staged_items_private on public.calendar_staged_items (calendar_id, google_event_id)
  where details ->> 'visibility' in ('private', 'confidential');
create index if not exists calendar_events_private_content on public.calendar_events (calendar_id, google_event_id)
  where details ->> 'visibility' in ('private', 'confidential')
    and (details ->> 'summary' is distinct from 'Private' or details ?| array['description', 'location', 'hangoutLink']);

-- Whether private events are hidden now. Until the transaction ends no other settings take force, so that what is hidden is
-- not what a newer listing has just shown.
create or replace function calendar_internal.hides_private() returns boolean
language plpgsql volatile security invoker set search_path = ''
as $$
begin
  perform pg_catalog.pg_advisory_xact_lock_shared(pg_catalog.hashtext('settings_generations'));
  return coalesce((
    select (g.meaning -> 'hide_private')::boolean
    from public.settings_generations g order by g.generation desc limit 1), false);
end
$$;
comment on function calendar_internal.hides_private is
  'Whether the settings in force hide private events; they stay in force until the transaction ends.';

-- Hides the content of up to p_limit private meetings, whatever their calendar's state; their time and join link stay. Drops
-- as many private items that an ended listing left staged. Answers the meetings.
-- Guarantee: waits for no lock; what is locked now is found by the next call.
create or replace function public.hide_private_meetings(p_limit integer) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_items tid[];
  v_hidden integer;
begin
  if not calendar_internal.hides_private() then
    return 0;
  end if;
  select array_agg(held.ctid) into v_items from (
    select left_over.ctid
    from public.calendar_staged_items left_over
    join public.calendar_webhooks w on w.id = left_over.calendar_id
    where left_over.details ->> 'visibility' in ('private', 'confidential')
      and (w.fence <> left_over.fence or coalesce(w.lease_expires_at <= clock_timestamp(), true))
    limit p_limit
    for update of left_over skip locked) held;
  delete from public.calendar_staged_items s where s.ctid = any (v_items);
  with shown as materialized (
    select m.id from public.meetings m
    where m.is_private and (m.title is distinct from 'Private' or m.description is not null)
    limit p_limit
    for no key update skip locked
  )
  update public.meetings m set title = 'Private', description = null, updated_at = clock_timestamp()
  from shown where m.id = shown.id;
  get diagnostics v_hidden = row_count;
  return v_hidden;
end
$$;
comment on function public.hide_private_meetings is 'Hides the content of private meetings, while the settings say so.';

-- Up to p_limit private items of the mirror whose content is still there: [{calendar_id, google_event_id, details}].
-- Planned once by each connection: planning would cost more than the call does where there are none.
create or replace function public.read_private_items(p_limit integer) returns jsonb
language sql volatile security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
  select coalesce(jsonb_agg(to_jsonb(shown)), '[]') from (
    select e.calendar_id, e.google_event_id, e.details
    from public.calendar_events e
    where details ->> 'visibility' in ('private', 'confidential')
      and (details ->> 'summary' is distinct from 'Private' or details ?| array['description', 'location', 'hangoutLink'])
    limit p_limit
  ) shown
  where calendar_internal.hides_private()
$$;
comment on function public.read_private_items is 'Private items of the mirror whose content is to be hidden.';

-- Puts the hidden form of items ({calendar_id, google_event_id, before, after}) in their place, where they are as they were.
-- Answers how many.
-- Guarantee: waits for no lock; what a sync has written meanwhile stays.
create or replace function public.hide_private_items(p_items jsonb) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_hidden integer;
begin
  if not calendar_internal.hides_private() then
    return 0;
  end if;
  with shown as materialized (
    select e.calendar_id, e.google_event_id, i.after
    from jsonb_to_recordset(p_items) as i (calendar_id uuid, google_event_id text, before jsonb, after jsonb)
    join public.calendar_events e
      on e.calendar_id = i.calendar_id and e.google_event_id = i.google_event_id and e.details = i.before
    for no key update of e skip locked
  )
  update public.calendar_events e set details = shown.after, updated_at = clock_timestamp()
  from shown where e.calendar_id = shown.calendar_id and e.google_event_id = shown.google_event_id;
  get diagnostics v_hidden = row_count;
  return v_hidden;
end
$$;
comment on function public.hide_private_items is 'Puts the hidden form of private items in their place in the mirror.';

-- For the service alone.
revoke all on function
  calendar_internal.hides_private,
  public.hide_private_meetings,
  public.read_private_items,
  public.hide_private_items
from public, anon, authenticated;
grant execute on function
  calendar_internal.hides_private,
  public.hide_private_meetings,
  public.read_private_items,
  public.hide_private_items
to service_role;
