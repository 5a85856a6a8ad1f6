-- The end of what keep_old_code.sql kept: the original system's code can write no more. Brought by `calendar-monitor adopt --finish`.

do $$
declare
  v_last timestamptz;
  v_columns text;
begin
  select max(created_at) into v_last from public.calendar_sync_logs where status = 'success';
  if v_last > now() - interval '1 day' then
    raise exception 'The original code still runs: its last log is of %. Stop it, wait a day, and push again. Nothing was changed.', v_last;
  end if;
  drop index if exists public.adoption_one_meeting_per_event;
  drop index if exists public.adoption_one_calendar_per_user;
  drop trigger if exists adopt_old_meeting on public.meetings;
  drop function if exists calendar_internal.adopt_old_meeting();
  alter table public.calendar_sync_logs drop constraint if exists calendar_sync_logs_status_known;
  alter table public.calendar_sync_logs add constraint calendar_sync_logs_status_known
    check (status in ('completed', 'failed', 'skipped')) not valid;

  -- Back to the columns that are granted by name: taking the table's grant away takes these along.
  select string_agg(quote_ident(a.attname), ', ') into v_columns
  from pg_catalog.pg_attribute a, aclexplode(a.attacl) granted
  where a.attrelid = 'public.meetings'::regclass and granted.grantee = 'authenticated'::regrole
    and granted.privilege_type = 'SELECT';
  revoke select on table public.meetings from authenticated;
  execute format('grant select (%s) on table public.meetings to authenticated', v_columns);
end
$$;
