-- Something to look at on a local project or a preview branch: a user, their calendar and a few meetings around now.
--
-- Run by `supabase start` and `supabase db reset`; never by the service or by a plain `db push`. Sign in as
-- ada@example.com with the password "local-calendar". Refuses a database in which anybody else's calendar is stored.
-- May run twice: then it moves its own meetings to the new now, and changes nothing of anybody else.
--
-- The calendar is not active and nobody's Google grant stands behind it, so a service that runs here leaves it alone.

do $$
begin
  if exists (
    select 1 from public.calendar_webhooks w where w.user_id <> '5eed0000-0000-4000-8000-000000000001'
  ) then
    raise exception 'seed.sql is for a new local project: this database holds calendars of other users';
  end if;
end
$$;

insert into auth.users (
  instance_id, id, aud, role, email, email_confirmed_at, raw_app_meta_data, raw_user_meta_data, created_at, updated_at)
values (
  '00000000-0000-0000-0000-000000000000', '5eed0000-0000-4000-8000-000000000001', 'authenticated', 'authenticated',
  'ada@example.com', now(), '{"provider": "email", "providers": ["email"]}', '{"name": "Ada"}', now(), now())
on conflict (id) do nothing;

-- What only a whole Supabase has: a password (pgcrypto), and the identity and the empty tokens that Auth reads at sign-in.
do $$
declare
  ada constant uuid := '5eed0000-0000-4000-8000-000000000001';
begin
  if to_regprocedure('extensions.crypt(text, text)') is not null then
    update auth.users set encrypted_password = extensions.crypt('local-calendar', extensions.gen_salt('bf')) where id = ada;
  end if;
  if exists (
    select 1 from pg_catalog.pg_attribute
    where attrelid = 'auth.users'::regclass and attname = 'email_change_token_new' and not attisdropped
  ) then
    execute 'update auth.users set confirmation_token = '''', recovery_token = '''', email_change = '''','
      ' email_change_token_new = '''' where id = $1' using ada;
  end if;
  if to_regclass('auth.identities') is not null then
    execute 'insert into auth.identities (id, user_id, provider_id, provider, identity_data, created_at, updated_at)'
      ' values ($1, $1, $1::text, ''email'', jsonb_build_object(''sub'', $1::text, ''email'', ''ada@example.com''),'
      ' now(), now()) on conflict do nothing' using ada;
  end if;
end
$$;

insert into public.calendar_webhooks (
  id, user_id, google_calendar_id, is_active, time_zone, last_webhook_received, last_synced_at, last_change_at,
  initial_sync, initial_events, initial_meetings)
values (
  '5eed0000-0000-4000-8000-000000000002', '5eed0000-0000-4000-8000-000000000001', 'primary', false, 'UTC',
  now() - interval '5 minutes', now() - interval '5 minutes', now() - interval '5 minutes', 'done', 5, 5)
on conflict (id) do update set
  last_webhook_received = excluded.last_webhook_received, last_synced_at = excluded.last_synced_at,
  last_change_at = excluded.last_change_at, updated_at = now();

insert into public.meetings as m (
  user_id, calendar_id, google_calendar_event_id, base_event_id, title, description, meeting_url, start_time, end_time,
  time_zone, event_status, status, provider, room_key)
select
  '5eed0000-0000-4000-8000-000000000001', '5eed0000-0000-4000-8000-000000000002', s.event_id, s.event_id, s.title,
  s.description, s.meeting_url, date_trunc('hour', now()) + s.starts_in,
  date_trunc('hour', now()) + s.starts_in + s.lasts, 'UTC', s.event_status, s.status, s.provider, s.room_key
from (values
  ('seedretro', 'Retrospective', 'What went well?', 'https://zoom.us/j/5550000001',
    interval '-1 day', interval '1 hour', 'accepted', 'confirmed', 'zoom', 'zoom:5550000001'),
  ('seedstandup', 'Stand-up', null, 'https://meet.google.com/abc-defg-hij',
    interval '1 hour', interval '15 minutes', 'accepted', 'confirmed', 'google_meet', 'google_meet:abc-defg-hij'),
  ('seedinterview', 'Interview', 'Second round.', 'https://zoom.us/j/5550000002',
    interval '3 hours', interval '45 minutes', 'needsAction', 'confirmed', 'zoom', 'zoom:5550000002'),
  ('seedreview', 'Design review', null, 'https://meet.google.com/klm-nopq-rst',
    interval '1 day', interval '1 hour', 'tentative', 'tentative', 'google_meet', 'google_meet:klm-nopq-rst'),
  ('seedlunch', 'Lunch talk', 'It was called off.', 'https://zoom.us/j/5550000003',
    interval '2 days', interval '1 hour', 'declined', 'cancelled', 'zoom', 'zoom:5550000003')
) as s (event_id, title, description, meeting_url, starts_in, lasts, event_status, status, provider, room_key)
on conflict (calendar_id, google_calendar_event_id) do update set
  start_time = excluded.start_time, end_time = excluded.end_time, updated_at = now();
