-- What the original system's code needs while it still runs beside the monitor, until finish_adoption.sql.
--
-- Brought by `calendar-monitor adopt` after the migrations; no part of a project of the monitor's own. Each thing is kept where the data
-- allow it, and said otherwise. While it is kept, a user has one calendar: the old keys say so.

do $$
declare
  v_refused text;
begin
  if not exists (select 1 from public.meetings) and not exists (select 1 from public.calendar_webhooks) then
    raise notice 'Nothing is kept: there was no original system here';
    return;
  end if;

  -- `on conflict (user_id, google_calendar_event_id)` and `on conflict (user_id)`.
  begin
    create unique index if not exists adoption_one_meeting_per_event
      on public.meetings (user_id, google_calendar_event_id);
    comment on index public.adoption_one_meeting_per_event is 'For upserts of the original code. Ends with the adoption.';
  exception when unique_violation then
    raise notice 'Not kept: on conflict (user_id, google_calendar_event_id), for some events stand twice';
  end;
  begin
    create unique index if not exists adoption_one_calendar_per_user on public.calendar_webhooks (user_id);
    comment on index public.adoption_one_calendar_per_user is 'For upserts of the original code. Ends with the adoption.';
  exception when unique_violation then
    raise notice 'Not kept: on conflict (user_id) of calendar_webhooks, for some users have several rows';
  end;

  -- The log status `success`.
  alter table public.calendar_sync_logs drop constraint if exists calendar_sync_logs_status_known;
  alter table public.calendar_sync_logs add constraint calendar_sync_logs_status_known
    check (status in ('completed', 'failed', 'skipped', 'success')) not valid;

  -- `select *` on meetings: their own rows, as everywhere. The columns that stay come back with the end.
  grant select on table public.meetings to authenticated;
end
$$;

-- A meeting that old code writes belongs to its user's calendar at once, so that a sync finds it and does not add a second.
create or replace function calendar_internal.adopt_old_meeting() returns trigger
language plpgsql security invoker set search_path = ''
as $$
begin
  if new.calendar_id is null and new.google_calendar_event_id is not null then
    select w.id into new.calendar_id from public.calendar_webhooks w
    where w.user_id = new.user_id and w.google_calendar_id = 'primary' and w.duplicate_of is null;
    new.base_event_id := coalesce(new.base_event_id, regexp_replace(
      regexp_replace(new.google_calendar_event_id, '_[0-9]{8}(T[0-9]{6}Z)?$', ''), '(_R[0-9]{8}(T[0-9]{6}Z?)?)+$', ''));
  end if;
  return new;
end
$$;
revoke all on function calendar_internal.adopt_old_meeting() from public, anon, authenticated;
grant execute on function calendar_internal.adopt_old_meeting() to service_role;
comment on function calendar_internal.adopt_old_meeting is
  'A meeting that the original code writes belongs to its user''s calendar at once. Ends with the adoption.';
drop trigger if exists adopt_old_meeting on public.meetings;
create trigger adopt_old_meeting before insert on public.meetings
  for each row execute function calendar_internal.adopt_old_meeting();
comment on trigger adopt_old_meeting on public.meetings is 'Ends with the adoption.';
