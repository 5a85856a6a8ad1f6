-- Whose rows users reach: Alice and Bob have one of each kind. Run by `supabase test db`, which brings pgTAP.

begin;

select plan(37);

insert into auth.users (id, email) values
  ('a11ce000-0000-4000-8000-000000000001', 'alice@rows.test'),
  ('b0b00000-0000-4000-8000-000000000001', 'bob@rows.test');
insert into public.calendar_webhooks (id, user_id, google_calendar_id, is_active, sync_token) values
  ('a11ce000-0000-4000-8000-000000000002', 'a11ce000-0000-4000-8000-000000000001', 'alice''s', false, 'a token'),
  ('b0b00000-0000-4000-8000-000000000002', 'b0b00000-0000-4000-8000-000000000001', 'bob''s', false, 'a token');
insert into public.meetings (user_id, calendar_id, google_calendar_event_id, title, start_time)
select user_id, id, 'event', google_calendar_id, now() from public.calendar_webhooks where google_calendar_id in ('alice''s', 'bob''s');
insert into public.calendar_sync_logs (user_id, calendar_id, sync_type, status)
select user_id, id, 'full', 'completed' from public.calendar_webhooks where google_calendar_id in ('alice''s', 'bob''s');
insert into public.user_notifications (user_id, kind, reason, message)
select user_id, 'reconnect_needed', 'revoked', google_calendar_id
from public.calendar_webhooks where google_calendar_id in ('alice''s', 'bob''s');
insert into public.google_credentials (user_id, refresh_token) values ('a11ce000-0000-4000-8000-000000000001', 'v1.sealed');

-- Alice, signed in

set local role authenticated;
set local "request.jwt.claims" = '{"sub": "a11ce000-0000-4000-8000-000000000001", "role": "authenticated"}';

select results_eq('select google_calendar_id from public.calendar_webhooks', array['alice''s'], 'a user reads their calendars');
select results_eq('select title from public.meetings', array['alice''s'], 'a user reads their meetings');
select results_eq('select count(*) from public.calendar_sync_logs', array[1::bigint], 'a user reads their sync logs');
select results_eq('select message from public.user_notifications', array['alice''s'], 'a user reads what they were told');

select throws_ok('select * from public.calendar_webhooks', '42501', null, 'a user reads no whole row of a calendar');
select throws_ok('select sync_token from public.calendar_webhooks', '42501', null, 'a user reads no sync token');
select throws_ok(format('select 1 from public.%I', relation), '42501', null, format('a user reads nothing of %s', relation))
from unnest(array['calendar_channels', 'calendar_events', 'calendar_status', 'google_credentials', 'oauth_flows']) relation;

select throws_ok(
  format('delete from public.%I', relation), '42501', null, format('a user deletes nothing of %s, not their own either', relation))
from unnest(array['calendar_sync_logs', 'calendar_webhooks', 'meetings', 'user_notifications']) relation;
select throws_ok(
  format('update public.%I set user_id = user_id', relation), '42501', null, format('a user changes nothing of %s', relation))
from unnest(array['calendar_sync_logs', 'calendar_webhooks', 'meetings', 'user_notifications']) relation;
select throws_ok(
  $$insert into public.meetings (user_id, title, start_time) values ('a11ce000-0000-4000-8000-000000000001', 'mine', now())$$,
  '42501', null, 'a user adds no meeting');

select lives_ok('update public.user_notifications set read_at = now()', 'a user marks what they were told as read');
select lives_ok($$update public.meetings set bot_override = 'off'$$, 'a user says whether a bot joins');
select lives_ok(
  $$insert into public.bot_preferences (user_id, join_rule) values ('a11ce000-0000-4000-8000-000000000001', 'all')$$,
  'a user says which meetings bots join');
select throws_ok(
  $$insert into public.bot_preferences (user_id) values ('b0b00000-0000-4000-8000-000000000001')$$,
  '42501', null, 'a user says nothing for another one');

-- Anybody, not signed in

reset role;
set local role anon;
set local "request.jwt.claims" = '{"role": "anon"}';

select throws_ok(format('select 1 from public.%I', relation), '42501', null, format('nobody else reads %s', relation))
from unnest(array['calendar_sync_logs', 'calendar_webhooks', 'google_credentials', 'meetings', 'user_notifications']) relation;

-- Signed in, of no user known here

reset role;
set local role authenticated;
set local "request.jwt.claims" = '{"sub": "cccccccc-0000-4000-8000-000000000001", "role": "authenticated"}';

select is_empty('select title from public.meetings', 'a user without a calendar reads no meeting');
select is_empty('select id from public.calendar_webhooks', 'a user without a calendar reads no calendar');
select is_empty('select id from public.calendar_sync_logs', 'a user without a calendar reads no sync log');

-- The service

reset role;
set local role service_role;
set local "request.jwt.claims" = '{"role": "service_role"}';

select results_eq(
  $$select title from public.meetings where title in ('alice''s', 'bob''s') order by title$$,
  array['alice''s', 'bob''s'], 'the service reads everybody''s meetings');
select results_eq(
  $$select message from public.user_notifications where read_at is not null and message in ('alice''s', 'bob''s')$$,
  array['alice''s'], 'a user marked nobody else''s as read');
select results_eq(
  $$select title from public.meetings where bot_override is not null$$,
  array['alice''s'], 'a user overrode nobody else''s bots');
select lives_ok(
  $$update public.meetings set title = title where title = 'bob''s'$$, 'the service changes everybody''s meetings');
select lives_ok(
  $$delete from public.google_credentials where user_id = 'a11ce000-0000-4000-8000-000000000001'$$,
  'the service deletes a grant');

reset role;
select * from finish();
rollback;
