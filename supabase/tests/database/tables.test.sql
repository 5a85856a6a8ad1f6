-- Who holds which right to which table and view. Run by `supabase test db`, which brings pgTAP; what users do with these rights
-- to whose rows is in rows.test.sql.

begin;

create temporary table matrix (relation name primary key, kept_for text not null) on commit drop;
insert into matrix values
  ('alert_deliveries', 'service'),
  ('alert_destinations', 'service'),
  ('alerts', 'service'),
  ('calendar_census', 'service'),
  ('freshness_rollups', 'service'),
  ('ingress_regions', 'service'),
  ('overview_marks', 'service'),
  ('sync_rollups', 'service'),
  ('bot_marks', 'service'),
  ('bot_messages', 'service'),
  ('bot_providers', 'service'),
  ('bot_requests', 'service'),
  ('bot_tenants', 'service'),
  ('bot_wishes', 'service'),
  ('calendar_channels', 'service'),
  ('calendar_events', 'service'),
  ('calendar_notifications', 'service'),
  ('calendar_queue', 'service'),
  ('calendar_set_aside', 'service'),
  ('calendar_staged_items', 'service'),
  ('change_events', 'service'),
  ('event_deliveries', 'service'),
  ('lane_pauses', 'service'),
  ('operator_actions', 'service'),
  ('event_marks', 'service'),
  ('google_requests', 'service'),
  ('google_quota', 'service'),
  ('google_quota_leases', 'service'),
  ('polling_plan', 'service'),
  ('event_subscriptions', 'service'),
  ('google_credentials', 'service'),
  ('oauth_flows', 'service'),
  ('security_events', 'service'),
  ('service_breakers', 'service'),
  ('service_jobs', 'service'),
  ('service_processes', 'service'),
  ('settings_generations', 'service'),
  ('user_turns', 'service'),
  -- It only grows: what has ended does not begin again.
  ('plaintext_tokens_ended', 'service adds'),
  -- A view: nobody writes it.
  ('calendar_status', 'service reads'),
  ('detection_rates', 'service reads'),
  ('polling_efficiency', 'service reads'),
  ('sync_performance', 'service reads'),
  ('webhook_health', 'service reads'),
  -- A view for front ends of the original system.
  ('upcoming_meetings', 'users and service read'),
  -- A view of users' own.
  ('my_calendars', 'users alone read'),
  -- Users read, and may change or add, the columns that are granted to them.
  ('bot_preferences', 'users write columns'),
  ('calendar_sync_logs', 'users read columns'),
  ('calendar_webhooks', 'users read columns'),
  ('meetings', 'users read columns'),
  ('user_notifications', 'users read columns');

select plan((select 4 * count(*)::integer + 9 from matrix));

select table_privs_are('public', relation, 'anon', '{}'::text[]) from matrix order by relation;

select table_privs_are(
  'public', relation, 'authenticated',
  case kept_for when 'users alone read' then array['SELECT'] when 'users and service read' then array['SELECT'] when 'users write columns' then array['DELETE'] else '{}' end)
from matrix order by relation;

select table_privs_are(
  'public', relation, 'service_role',
  case kept_for
    when 'service reads' then array['SELECT']
    when 'users and service read' then array['SELECT']
    when 'users alone read' then '{}'
    when 'service adds' then array['SELECT', 'INSERT']
    else array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] end)
from matrix order by relation;

select ok(
  c.relrowsecurity or c.reloptions @> array['security_invoker=true'],
  format('%s is under row level security, of its own or of the tables that it reads', m.relation))
from matrix m join pg_class c on c.oid = format('public.%I', m.relation)::regclass
order by m.relation;

-- Columns

select column_privs_are('public', 'calendar_webhooks', secret::name, 'authenticated', '{}'::text[])
from unnest(array['sync_token', 'webhook_id', 'resource_id', 'claimed_by']) secret;

select column_privs_are('public', 'calendar_webhooks', 'initial_sync', 'authenticated', array['SELECT']);
select column_privs_are('public', 'user_notifications', 'read_at', 'authenticated', array['SELECT', 'UPDATE']);
select column_privs_are('public', 'user_notifications', 'message', 'authenticated', array['SELECT']);
select column_privs_are('public', 'meetings', 'bot_override', 'authenticated', array['SELECT', 'UPDATE']);
select column_privs_are('public', 'bot_preferences', 'updated_at', 'authenticated', array['SELECT']);

select * from finish();
rollback;
