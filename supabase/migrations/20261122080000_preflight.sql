-- Preflight: whether this database can take the migrations that follow, decided before anything changes.
--
-- On a database with tables of the original system, or with a company's own objects under our names, it either goes on or
-- raises one error that lists everything in the way, each with the SQL that mends it; then nothing has changed. It tries what
-- it prints: each mend has been run, in the order printed, in a transaction that the error rolls back, and at the end the
-- tables were written as the service writes them, under its role, with the company's triggers awake.
-- What loses nothing is done without asking: a narrow text or an enum becomes text, a small integer a larger one, and a
-- time without zone one in UTC where the database lives in UTC.
-- To ask without changing anything: `begin; \i …_preflight.sql; rollback`.

-- The columns that the original system and this one share. Any other column under a name of ours is a company's own.
create temporary table preflight_shared (relation text, name text, type text, fallback text);
insert into pg_temp.preflight_shared (relation, name, type, fallback) values
  ('google_credentials', 'user_id', 'uuid', null),
  ('google_credentials', 'access_token', 'text', null),
  ('google_credentials', 'refresh_token', 'text', null),
  ('google_credentials', 'access_token_expires_at', 'timestamptz', null),
  ('google_credentials', 'refresh_token_expires_at', 'timestamptz', null),
  ('google_credentials', 'scopes', 'text[]', null),
  ('google_credentials', 'google_account', 'text', null),
  ('google_credentials', 'status', 'text', '''connected'''),
  ('google_credentials', 'created_at', 'timestamptz', 'now()'),
  ('google_credentials', 'updated_at', 'timestamptz', 'now()'),
  ('calendar_webhooks', 'id', 'uuid', 'gen_random_uuid()'),
  ('calendar_webhooks', 'user_id', 'uuid', null),
  ('calendar_webhooks', 'google_calendar_id', 'text', '''primary'''),
  ('calendar_webhooks', 'webhook_id', 'text', null),
  ('calendar_webhooks', 'resource_id', 'text', null),
  ('calendar_webhooks', 'expiration_time', 'timestamptz', null),
  ('calendar_webhooks', 'sync_token', 'text', null),
  ('calendar_webhooks', 'is_active', 'boolean', 'true'),
  ('calendar_webhooks', 'last_webhook_received', 'timestamptz', null),
  ('calendar_webhooks', 'last_poll_at', 'timestamptz', null),
  ('calendar_webhooks', 'webhook_failures', 'integer', '0'),
  ('calendar_webhooks', 'time_zone', 'text', null),
  ('calendar_webhooks', 'calendar_name', 'text', null),
  ('calendar_webhooks', 'created_at', 'timestamptz', 'now()'),
  ('calendar_webhooks', 'updated_at', 'timestamptz', 'now()'),
  ('meetings', 'id', 'uuid', 'gen_random_uuid()'),
  ('meetings', 'user_id', 'uuid', null),
  ('meetings', 'google_calendar_event_id', 'text', null),
  ('meetings', 'title', 'text', null),
  ('meetings', 'description', 'text', null),
  ('meetings', 'meeting_url', 'text', null),
  ('meetings', 'start_time', 'timestamptz', null),
  ('meetings', 'end_time', 'timestamptz', null),
  ('meetings', 'event_status', 'text', null),
  ('meetings', 'bot_status', 'text', '''pending'''),
  ('meetings', 'status', 'text', '''confirmed'''),
  ('meetings', 'time_zone', 'text', null),
  ('meetings', 'provider', 'text', null),
  ('meetings', 'created_at', 'timestamptz', 'now()'),
  ('meetings', 'updated_at', 'timestamptz', 'now()'),
  ('calendar_sync_logs', 'user_id', 'uuid', null),
  ('calendar_sync_logs', 'sync_type', 'text', null),
  ('calendar_sync_logs', 'status', 'text', null),
  ('calendar_sync_logs', 'events_processed', 'integer', '0'),
  ('calendar_sync_logs', 'meetings_created', 'integer', '0'),
  ('calendar_sync_logs', 'meetings_updated', 'integer', '0'),
  ('calendar_sync_logs', 'meetings_deleted', 'integer', '0'),
  ('calendar_sync_logs', 'error_message', 'text', null),
  ('calendar_sync_logs', 'duration_ms', 'integer', null),
  ('calendar_sync_logs', 'reason', 'text', null),
  ('calendar_sync_logs', 'error_code', 'text', null),
  ('calendar_sync_logs', 'created_at', 'timestamptz', 'now()');

-- Every name that the migrations will use. `relation`: tables, views and indexes; of an original table: its columns,
-- checks and triggers.
create temporary table preflight_names (kind text, relation text, name text);
-- Written by scripts/document_sql, from here
insert into pg_temp.preflight_names (kind, relation, name)
select kind, relation, unnest(string_to_array(names, ' ')) from (values
  ('check', 'calendar_sync_logs',
    'calendar_sync_logs_status_known calendar_sync_logs_sync_type_known'),
  ('check', 'calendar_webhooks',
    'calendar_webhooks_initial_sync_known calendar_webhooks_paused_reason_known calendar_webhooks_push_state_known'),
  ('check', 'google_credentials',
    'google_credentials_status_known'),
  ('check', 'meetings',
    'meetings_bot_override meetings_event_status_known meetings_status_known'),
  ('column', 'calendar_sync_logs',
    'audited calendar_id changes_announced changes_missed created_at differing duration_ms error_code error_message '
    'events_changed events_processed fence freshness_ms google_calls id is_full is_past_bound latency_ms '
    'meetings_created meetings_deleted meetings_updated notifications reason repaired status sync_id sync_type '
    'syncs user_id'),
  ('column', 'calendar_webhooks',
    'access_lost_at audited_at belief_announced belief_change_days belief_changes belief_delay_seconds belief_doubt '
    'belief_missed belief_unproven_days bounds_broken calendar_name claim_id claimed_at claimed_by claims_unended '
    'committed_fence consecutive_failures created_at due_at due_reason duplicate_of expiration_time fence '
    'google_calendar_id horizon_until id initial_events initial_meetings initial_sync is_active last_change_at '
    'last_error_at last_error_code last_poll_at last_synced_at last_webhook_received lease_expires_at next_entry_at '
    'not_before notifications_seen notifications_synced notified_since paused_at paused_reason '
    'poll_interval_seconds push_reason push_since push_state queue_lane reopened_in_vain resource_id retired_at '
    'series_cut settings_generation silence_odd_at stale_bound_seconds sync_token time_zone updated_at user_id '
    'watch_due_at watch_error_code watch_failures watch_lead_seconds watch_retry_at webhook_failures webhook_id'),
  ('column', 'google_credentials',
    'access_token access_token_expires_at created_at former_account google_account oauth_client refresh_lease_until '
    'refresh_token refresh_token_expires_at scopes status status_at status_reason suspected_at updated_at user_id'),
  ('column', 'meetings',
    'base_event_id bot_id bot_override bot_provider bot_reason bot_status calendar_id created_at description '
    'end_time entered_horizon_at event_status google_calendar_event_id has_outsiders id is_all_day is_organiser '
    'is_private meeting_url other_attendees provider room_key start_time status status_reason sync_id time_zone '
    'title updated_at user_id'),
  ('function', '',
    'accepts_plaintext_tokens activate_channel add_calendars add_event_subscription adoptable_channels '
    'alert_observations begin_channel begin_comparison begin_disconnect begin_oauth_flow begin_refresh '
    'calendar_card calendar_schema_version calendar_timeline calendars_of_user change_event_subscription '
    'claim_alert_deliveries claim_bot_requests claim_bot_wishes claim_dead_channels claim_due_calendars '
    'claim_event_deliveries claim_expiring_watches claim_rolling_calendars claim_unmailed_notifications commit_roll '
    'commit_sync compare_bots complete_oauth_flow connect_calendars count_calendars count_census count_late_polls '
    'cron_interval declare_bots declare_settings drop_left_items drop_old_actions drop_old_alerts drop_old_bots '
    'drop_old_channels drop_old_events drop_old_logs end_channel end_claim end_comparison end_plaintext_tokens '
    'end_turn erase_user event_endpoint examine_service explain_bot explain_event explain_meeting export_user '
    'fail_channel failure_causes finish_disconnect first_starts fold_idle_logs fold_sync_logs google_quota_status '
    'hide_private_items hide_private_meetings inspect_calendar_schema keep_leases lease_google_quota '
    'list_bot_requests list_calendars list_event_deliveries look_through_region lose_connection lost_connections '
    'mark_mailed operate outages park_oauth_flow price_polling push_findings read_alerts read_connection '
    'read_entering read_event_secrets read_event_subscriptions read_events read_families read_ingress '
    'read_open_alerts read_operator_actions read_polling_plan read_private_items read_staged_items read_tokens '
    'record_alert_delivery record_alerts record_bot_delivery record_bot_message record_bot_wishes '
    'record_event_delivery record_ingress record_notification record_notifications record_security_events '
    'regain_connection release_calendar release_refresh release_watches remove_calendars remove_event_subscription '
    'renew_moved_watches replace_ciphertext replace_event_secrets replay_events report_breakers '
    'report_google_refusal report_ingress report_polling retire_lost_calendars sample_for_audit sample_ingress '
    'save_tokens service_figures service_history service_overview service_standing show_bot_states since_job '
    'spread_late_polls stage_items stage_sync suspect_connection sweep_state take_job take_turn '
    'unfinished_disconnects watches_due'),
  ('relation', '',
    'alert_deliveries alert_deliveries_by_time alert_deliveries_pending alert_destinations alerts alerts_by_time '
    'alerts_open alerts_resolved bot_marks bot_marks_meeting bot_marks_request bot_messages bot_messages_old '
    'bot_preferences bot_providers bot_requests bot_requests_alive bot_requests_bot bot_requests_dead '
    'bot_requests_dead_by_join bot_requests_due bot_requests_forsaken bot_requests_over bot_requests_slot '
    'bot_requests_told bot_requests_unshown bot_tenants bot_wishes bot_wishes_due bot_wishes_request '
    'bot_wishes_unshown bot_wishes_user calendar_census calendar_channels calendar_channels_adoptable '
    'calendar_channels_live calendar_channels_of_calendar calendar_channels_of_user calendar_channels_opening '
    'calendar_channels_over calendar_channels_pointing calendar_channels_to_stop calendar_events '
    'calendar_events_cut calendar_events_entering calendar_events_family calendar_events_of_user '
    'calendar_events_private_content calendar_notifications calendar_notifications_of_calendar calendar_queue '
    'calendar_queue_claimed calendar_queue_due calendar_set_aside calendar_staged_items '
    'calendar_staged_items_family calendar_staged_items_private calendar_status calendar_sync_logs_by_time '
    'calendar_sync_logs_drift calendar_sync_logs_of_calendar calendar_sync_logs_of_user calendar_webhooks_audit '
    'calendar_webhooks_duplicates calendar_webhooks_failing calendar_webhooks_failing_long '
    'calendar_webhooks_lapsing calendar_webhooks_lost calendar_webhooks_next_entry calendar_webhooks_of_user '
    'calendar_webhooks_one_per_calendar calendar_webhooks_troubled calendar_webhooks_watch_due '
    'calendar_webhooks_watch_failing change_events change_events_of_user change_events_unnumbered detection_rates '
    'event_deliveries event_deliveries_due event_deliveries_in_order event_deliveries_of_subscription '
    'event_deliveries_under_way event_marks event_subscriptions freshness_rollups google_credentials_account '
    'google_credentials_leaving google_credentials_lost google_quota google_quota_leases google_quota_leases_ended '
    'google_requests ingress_regions lane_pauses meetings_by_end meetings_family meetings_of_calendar_by_start '
    'meetings_of_user_by_start meetings_one_per_calendar_event meetings_private_content my_calendars oauth_flows '
    'oauth_flows_by_expiry oauth_flows_of_user operator_actions operator_actions_at overview_marks '
    'plaintext_tokens_ended polling_efficiency polling_plan security_events service_breakers service_jobs '
    'service_processes settings_generations sync_performance sync_rollups upcoming_meetings user_notifications '
    'user_notifications_of_calendar user_notifications_of_user user_notifications_open user_notifications_unmailed '
    'user_turns webhook_health'),
  ('trigger', 'calendar_webhooks',
    'bots_follow_access keep_watch_due queue_added queue_changed tell_added_calendar tell_changed_calendar '
    'tell_deleted_calendars'),
  ('trigger', 'meetings',
    'bots_follow_changes bots_follow_new tell_added_meetings tell_changed_meetings tell_deleted_meetings')
) used (kind, relation, names);
-- to here.

create temporary table preflight_findings (
  number integer generated always as identity, problem text, mend text, complaint text, asked boolean);

-- Runs a statement; null, or why it failed, undone.
create function pg_temp.preflight_try(p_command text) returns text
language plpgsql set search_path = ''
as $$
begin
  execute p_command;
  return null;
exception when others then
  return sqlerrm;
end
$$;

-- Settles a finding by the first of its mends that works. p_asked: the operator must agree to it, so it is printed.
create function pg_temp.preflight_settle(p_problem text, p_mends text[], p_asked boolean default true) returns boolean
language plpgsql set search_path = ''
as $$
declare
  mend text;
  complaint text;
  first_complaint text;
begin
  foreach mend in array p_mends loop
    continue when mend is null;
    complaint := pg_temp.preflight_try(mend);
    if complaint is null then
      insert into pg_temp.preflight_findings (problem, mend, asked) values (p_problem, mend, p_asked);
      return true;
    end if;
    first_complaint := coalesce(first_complaint, complaint);
  end loop;
  insert into pg_temp.preflight_findings (problem, mend, complaint, asked)
  values (p_problem, p_mends[1], first_complaint, true);
  return false;
end
$$;

-- A column's number, type without its domain, type as written, and default; no row: there is no such column.
create function pg_temp.preflight_column(p_relation text, p_name text)
returns table (number smallint, type oid, written text, fallback text, narrow boolean, is_enum boolean, generated boolean)
language sql set search_path = ''
as $$
  select a.attnum, coalesce(nullif(t.typbasetype, 0), t.oid), format_type(a.atttypid, a.atttypmod),
    pg_get_expr(d.adbin, d.adrelid), a.atttypmod <> -1 or t.typtype = 'd', t.typtype = 'e', a.attgenerated <> ''
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = to_regclass('public.' || p_relation) and a.attname = p_name and a.attnum > 0 and not a.attisdropped
$$;

-- What stands on a column and would stop a change of its type, as the SQL that takes it away and the SQL that gives it back.
-- `asks`: somebody else's, so the operator is asked. Policies of the table itself are replaced by the migrations anyway.
create function pg_temp.preflight_dependents(p_relation text, p_number smallint)
returns table (away text, back text, asks boolean)
language sql set search_path = ''
as $$
  with recursive target as (select to_regclass('public.' || p_relation)::oid as oid),
  views as (
    select r.ev_class as oid, 1 as depth
    from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid, target
    where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refobjid = target.oid and d.refobjsubid = p_number
    union
    select r.ev_class, v.depth + 1
    from views v join pg_catalog.pg_depend d on d.refobjid = v.oid
    join pg_catalog.pg_rewrite r on r.oid = d.objid and r.ev_class <> v.oid
    where d.classid = 'pg_catalog.pg_rewrite'::regclass
  ),
  ordered as (
    select c.oid, max(v.depth) as depth, c.relkind = 'm' as stored, c.reloptions, c.relacl
    from views v join pg_catalog.pg_class c on c.oid = v.oid group by c.oid
  )
  select
    (select string_agg(format('drop %sview %s;', case when o.stored then 'materialized ' else '' end, o.oid::regclass),
      E'\n' order by o.depth desc) from ordered o),
    (select string_agg(
      format('create %sview %s%s as%s', case when o.stored then 'materialized ' else '' end, o.oid::regclass,
        ' with (' || array_to_string(o.reloptions, ', ') || ')', E'\n' || pg_get_viewdef(o.oid))
      || coalesce((select string_agg(format(E'\ngrant %s on %s to %s;', a.privilege_type, o.oid::regclass,
            case when a.grantee = 0 then 'public' else a.grantee::regrole::text end), '')
          from aclexplode(o.relacl) a where a.grantee <> current_user::regrole), '')
      || coalesce((select string_agg(E'\n' || pg_get_indexdef(i.indexrelid) || ';', '')
          from pg_catalog.pg_index i where i.indrelid = o.oid), ''),
      E'\n' order by o.depth) from ordered o),
    true
  where exists (select 1 from ordered)
  union all
  select format('drop policy %I on %s;', p.polname, p.polrelid::regclass),
    case when p.polrelid <> target.oid then format('create policy %I on %s as %s for %s to %s%s%s;', p.polname,
      p.polrelid::regclass, case when p.polpermissive then 'permissive' else 'restrictive' end,
      case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
      (select string_agg(case when r.oid = 0 then 'public' else r.oid::regrole::text end, ', ')
        from unnest(p.polroles) r (oid)),
      ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
      ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') end,
    p.polrelid <> target.oid
  from pg_catalog.pg_policy p, target
  where exists (select 1 from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
    and d.refobjid = target.oid and d.refobjsubid = p_number)
  union all
  select format('drop trigger %I on %s;', t.tgname, t.tgrelid::regclass), pg_get_triggerdef(t.oid) || ';', true
  from pg_catalog.pg_trigger t, target
  where not t.tgisinternal and exists (
    select 1 from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_trigger'::regclass and d.objid = t.oid
      and d.refobjid = target.oid and d.refobjsubid = p_number)
  union all
  select format('alter table %s drop column %I;', g.attrelid::regclass, g.attname),
    format('alter table %s add column %I %s generated always as (%s) stored;', g.attrelid::regclass, g.attname,
      format_type(g.atttypid, g.atttypmod), pg_get_expr(gd.adbin, gd.adrelid)), true
  from pg_catalog.pg_attribute g join pg_catalog.pg_attrdef gd on gd.adrelid = g.attrelid and gd.adnum = g.attnum, target
  where g.attrelid = target.oid and g.attgenerated <> '' and g.attnum <> p_number and exists (
    select 1 from pg_catalog.pg_depend d where d.refobjid = target.oid and d.refobjsubid = p_number
      and ((d.classid = 'pg_catalog.pg_attrdef'::regclass and d.objid = gd.oid)
        or (d.classid = 'pg_catalog.pg_class'::regclass and d.objid = target.oid and d.objsubid = g.attnum)))
$$;

-- Indexes whose expression or predicate names a column, and checks that do, as the SQL that drops and makes them.
create function pg_temp.preflight_expressions(p_relation text, p_number smallint)
returns table (away text, back text)
language sql set search_path = ''
as $$
  select format('drop index %s;', i.indexrelid::regclass), pg_get_indexdef(i.indexrelid) || ';'
  from pg_catalog.pg_index i
  where i.indrelid = to_regclass('public.' || p_relation) and (i.indexprs is not null or i.indpred is not null)
    and exists (select 1 from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass
      and d.objid = i.indexrelid and d.refobjid = i.indrelid and d.refobjsubid = p_number)
  union all
  select format('alter table %s drop constraint %I;', c.conrelid::regclass, c.conname), null
  from pg_catalog.pg_constraint c
  where c.conrelid = to_regclass('public.' || p_relation) and c.contype = 'c' and p_number = any (c.conkey)
$$;

-- The SQL that gives a column another type, around everything that stands on it. p_keeps: expressions on it are made again,
-- without casts to the old type; foreign keys by it go if they are not kept.
create function pg_temp.preflight_retype(p_relation text, p_name text, p_type text, p_using text, p_keeps boolean)
returns text
language plpgsql set search_path = ''
as $$
declare
  v_table text := to_regclass('public.' || p_relation)::text;
  v record;
  v_default text;
  v_away text;
  v_back text;
begin
  select * into v from pg_temp.preflight_column(p_relation, p_name);
  if p_type = 'text' and v.fallback is not null then
    execute format('select quote_literal((%s)::text)', v.fallback) into v_default;
  elsif p_type = 'timestamptz' and v.fallback is not null then
    v_default := 'now()';
  end if;
  select string_agg(d.away, E'\n'), string_agg(replace(d.back, '::' || v.written, '::' || p_type), E'\n') into v_away, v_back
  from (
    select away, back from pg_temp.preflight_dependents(p_relation, v.number)
    union all
    select away, case when p_keeps then back end from pg_temp.preflight_expressions(p_relation, v.number)
    union all
    select format('alter table %s drop constraint %I;', c.conrelid::regclass, c.conname), null
    from pg_catalog.pg_constraint c
    where not p_keeps and c.contype = 'f' and (
      (c.conrelid = v_table::regclass and v.number = any (c.conkey))
      or (c.confrelid = v_table::regclass and v.number = any (c.confkey)))
  ) d;
  return concat_ws(E'\n', v_away,
    case when v.fallback is not null then format('alter table %s alter column %I drop default;', v_table, p_name) end,
    format('alter table %s alter column %I type %s using %s;', v_table, p_name, p_type, p_using),
    case when v_default is not null then
      format('alter table %s alter column %I set default %s;', v_table, p_name, v_default) end, v_back);
end
$$;

-- 1. Names -------------------------------------------------------------------------------------------------------

-- Who else has a name of ours keeps the object and gives up the name.
create function pg_temp.preflight_check_names() returns void
language plpgsql set search_path = ''
as $$
declare
  taken record;
begin
  for taken in
    select format('%s %s has a name that the monitor needs', kinds.word, c.oid::regclass) as problem,
      format('alter %s %s rename to %I;', kinds.word, c.oid::regclass, left(c.relname, 46) || '_before_adoption') as mend
    from pg_catalog.pg_class c
    join (values ('r', 'table'), ('p', 'table'), ('v', 'view'), ('m', 'materialized view'), ('f', 'foreign table'),
      ('i', 'index'), ('I', 'index'), ('S', 'sequence'), ('c', 'type')) kinds (kind, word) on kinds.kind = c.relkind::text
    where c.relnamespace = 'public'::regnamespace and (
      exists (select 1 from pg_temp.preflight_names n where n.kind = 'relation' and n.name = c.relname)
      or (c.relkind <> 'r' and exists (select 1 from pg_temp.preflight_shared s where s.relation = c.relname)))
    union all
    select format('type %s has a name that the monitor needs', t.oid::regtype),
      format('alter type %s rename to %I;', t.oid::regtype, left(t.typname, 46) || '_before_adoption')
    from pg_catalog.pg_type t
    where t.typnamespace = 'public'::regnamespace and t.typrelid = 0 and t.typname in (
      select n.name from pg_temp.preflight_names n where n.kind = 'relation' union select s.relation from pg_temp.preflight_shared s)
    union all
    select format('function %s has a name that the monitor needs', p.oid::regprocedure),
      format('alter routine %s rename to %I;', p.oid::regprocedure, left(p.proname, 46) || '_before_adoption')
    from pg_catalog.pg_proc p
    where p.pronamespace = 'public'::regnamespace
      and exists (select 1 from pg_temp.preflight_names n where n.kind = 'function' and n.name = p.proname)
    union all
    select format('schema %I has the name of the monitor''s own', s.nspname),
      format('alter schema %I rename to %I;', s.nspname, s.nspname || '_before_adoption')
    from pg_catalog.pg_namespace s where s.nspname = 'calendar_internal'
    union all
    select format('trigger %I on %s has a name that the monitor needs', t.tgname, t.tgrelid::regclass),
      format('alter trigger %I on %s rename to %I;', t.tgname, t.tgrelid::regclass, left(t.tgname, 46) || '_before_adoption')
    from pg_catalog.pg_trigger t
    join pg_temp.preflight_names n on n.kind = 'trigger' and n.name = t.tgname
      and t.tgrelid = to_regclass('public.' || n.relation)
    where not t.tgisinternal
    union all
    select format('constraint %I on %s has a name that the monitor needs', c.conname, c.conrelid::regclass),
      format('alter table %s rename constraint %I to %I;', c.conrelid::regclass, c.conname,
        left(c.conname, 46) || '_before_adoption')
    from pg_catalog.pg_constraint c
    join pg_temp.preflight_names n on n.kind = 'check' and n.name = c.conname
      and c.conrelid = to_regclass('public.' || n.relation)
  loop
    perform pg_temp.preflight_settle(taken.problem, array[taken.mend]);
  end loop;
end
$$;

-- 2. The original tables -----------------------------------------------------------------------------------------

-- That they are tables of this role with a user in every row. One that cannot become ours is renamed, rows and all.
create function pg_temp.preflight_check_tables() returns void
language plpgsql set search_path = ''
as $$
declare
  found record;
begin
  for found in
    select c.oid::regclass as relation, c.relname, c.relowner::regrole as owner
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
      and c.relname in (select s.relation from pg_temp.preflight_shared s)
  loop
    if not pg_has_role(current_user, found.owner::oid, 'usage') then
      perform pg_temp.preflight_settle(format('%s belongs to %s, which has to run this', found.relation, found.owner), array[
        format('alter table %s owner to %I;', found.relation, current_user)]);
    elsif not exists (select 1 from pg_temp.preflight_column(found.relname, 'user_id')) then
      perform pg_temp.preflight_settle(format('%s has no user_id: it is another kind of table', found.relation), array[
        format('alter table %s rename to %I;', found.relation, found.relname || '_before_adoption')]);
    elsif exists (
      select 1 from pg_catalog.pg_inherits i where found.relation in (i.inhrelid, i.inhparent)
    ) then
      perform pg_temp.preflight_settle(format('%s inherits, or is inherited from', found.relation), array[
        format('alter table %s rename to %I;', found.relation, found.relname || '_before_adoption')]);
    end if;
  end loop;
  -- Some wrote Google's own word. The column stays for their code; ours is filled without waking a trigger.
  if to_regclass('public.calendar_webhooks') is not null
    and not exists (select 1 from pg_temp.preflight_column('calendar_webhooks', 'webhook_id'))
    and exists (select 1 from pg_temp.preflight_column('calendar_webhooks', 'channel_id'))
  then
    perform pg_temp.preflight_settle('calendar_webhooks.webhook_id is filled from channel_id', array[
      'alter table public.calendar_webhooks add column webhook_id text;'
      'alter table public.calendar_webhooks alter column webhook_id type text using channel_id::text;'], false);
  end if;
end
$$;

-- Columns under our names that mean something else.
create function pg_temp.preflight_check_strangers() returns void
language plpgsql set search_path = ''
as $$
declare
  stranger record;
  v_means boolean;
begin
  for stranger in
    select n.relation, n.name, to_regclass('public.' || n.relation) as called
    from pg_temp.preflight_names n
    where n.kind = 'column' and exists (select 1 from pg_temp.preflight_column(n.relation, n.name))
      and not exists (select 1 from pg_temp.preflight_shared s where s.relation = n.relation and s.name = n.name)
  loop
    -- The log's and the grant's own ids are nobody's business.
    continue when stranger.name = 'id';
    perform pg_temp.preflight_settle(
      format('%s.%I has a name that the monitor needs for a column of its own', stranger.called, stranger.name),
      array[pg_temp.preflight_aside(stranger.relation, stranger.name)]);
  end loop;
  if exists (select 1 from pg_temp.preflight_column('google_credentials', 'status') where not is_enum) then
    execute 'select exists (select 1 from public.google_credentials'
      ' where coalesce(status::text, '''') not in (''connected'', ''needs_reauth'', ''disconnected''))' into v_means;
    if v_means then
      perform pg_temp.preflight_settle('public.google_credentials.status holds other words than the monitor''s',
        array[pg_temp.preflight_aside('google_credentials', 'status')]);
    end if;
  end if;
end
$$;

-- The SQL that keeps a column under another name.
create function pg_temp.preflight_aside(p_relation text, p_name text) returns text
language sql set search_path = ''
as $$
  select format('alter table %s rename column %I to %I;', to_regclass('public.' || p_relation), p_name,
    left(p_name, 46) || '_before_adoption')
$$;

-- 3. Types -------------------------------------------------------------------------------------------------------

-- How a value of one type becomes one of another, and whether that loses nothing. Null: no way.
create function pg_temp.preflight_cast(p_name text, p_from oid, p_is_enum boolean, p_to text)
returns table (expression text, is_safe boolean)
language sql set search_path = ''
as $$
  with kinds as (
    select p_from in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype, 'name'::regtype) as is_text,
      p_from in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype, 'float4'::regtype, 'float8'::regtype)
        as is_number,
      current_setting('TimeZone') in ('UTC', 'Etc/UTC', 'GMT', 'Etc/GMT', 'Etc/UCT', 'UCT', 'Zulu', 'Universal') as in_utc
  )
  select way.expression, way.is_safe
  from kinds, lateral (values
    (p_to, p_from = p_to::regtype, quote_ident(p_name), true),
    ('text', is_text or p_is_enum, format('%I::text', p_name), true),
    ('text', p_from in ('uuid'::regtype, 'jsonb'::regtype, 'json'::regtype) or is_number or format_type(p_from, null) ~ 'citext$',
      format('%I::text', p_name), false),
    ('timestamptz', p_from = 'timestamp'::regtype, format('%I at time zone %L', p_name, current_setting('TimeZone')), in_utc),
    ('timestamptz', p_from = 'date'::regtype, format('%I::timestamp at time zone ''UTC''', p_name), false),
    ('timestamptz', is_text, format('nullif(%I, '''')::timestamptz', p_name), false),
    -- As Google gives a channel's end: milliseconds.
    ('timestamptz', is_number, format('to_timestamp(%I / 1000.0)', p_name), false),
    ('uuid', is_text, format('nullif(%I, '''')::uuid', p_name), false),
    ('integer', p_from = 'int2'::regtype, format('%I::integer', p_name), true),
    ('integer', is_text, format('nullif(%I, '''')::integer', p_name), false),
    ('integer', is_number or p_from = 'boolean'::regtype, format('%I::integer', p_name), false),
    ('boolean', is_text, format('nullif(%I, '''')::boolean', p_name), false),
    ('boolean', is_number, format('%I <> 0', p_name), false),
    ('text[]', p_from = 'varchar[]'::regtype, format('%I::text[]', p_name), true),
    ('text[]', is_text, format('string_to_array(%I, '' '')', p_name), false)
  ) way (target, fits, expression, is_safe)
  where way.target = p_to and way.fits
  limit 1
$$;

-- Rows whose user is no uuid go to a table of their own, for the SQL that makes user_id a uuid.
create function pg_temp.preflight_set_rows_aside(p_relation text, p_condition text) returns text
language sql set search_path = ''
as $$
  select format(E'create table public.%1$I as select * from public.%2$I r where %3$s;\n'
    'alter table public.%1$I enable row level security;\ndelete from public.%2$I r where %3$s;',
    p_relation || '_set_aside', p_relation, p_condition)
$$;

-- Shared columns of another type. p_asked false: those that lose nothing and stand in nobody's way are changed.
create function pg_temp.preflight_check_types(p_asked boolean) returns void
language plpgsql set search_path = ''
as $$
declare
  other record;
  v_mends text[];
begin
  for other in
    select s.relation, s.name, s.type as wanted, c.written, c.generated, way.expression,
      coalesce(way.is_safe, false) and not c.generated and not is_domain.yes
        and not exists (select 1 from pg_temp.preflight_dependents(s.relation, c.number) d where d.asks) as is_safe
    from pg_temp.preflight_shared s
    cross join lateral pg_temp.preflight_column(s.relation, s.name) c
    left join lateral pg_temp.preflight_cast(s.name, c.type, c.is_enum, s.type) way on true
    cross join lateral (select t.typtype = 'd' as yes from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid
      where a.attrelid = to_regclass('public.' || s.relation) and a.attname = s.name) is_domain
    where c.type <> s.type::regtype or c.narrow or c.generated
  loop
    continue when other.is_safe = p_asked;
    v_mends := '{}';
    if other.generated then
      v_mends := array[format('alter table public.%I alter column %I drop expression;', other.relation, other.name)];
    elsif other.relation in ('calendar_webhooks', 'meetings') and other.name = 'id' then
      v_mends := array[case when other.expression is not null then
          pg_temp.preflight_retype(other.relation, other.name, other.wanted, other.expression, true) end,
        pg_temp.preflight_new_id(other.relation)];
    elsif other.expression is not null then
      v_mends := array[
        pg_temp.preflight_retype(other.relation, other.name, other.wanted, other.expression, true),
        pg_temp.preflight_retype(other.relation, other.name, other.wanted, other.expression, false)];
      if other.name = 'user_id' then
        v_mends := v_mends || (pg_temp.preflight_set_rows_aside(other.relation, 'r.user_id !~* '
          '''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$''') || E'\n' || v_mends[2]);
      end if;
    end if;
    if other.name = 'user_id' then
      v_mends := v_mends || format('alter table public.%I rename to %I;', other.relation, other.relation || '_before_adoption');
    elsif other.name <> 'id' then
      v_mends := v_mends || pg_temp.preflight_aside(other.relation, other.name);
    end if;
    perform pg_temp.preflight_settle(
      case when other.generated then format('public.%I.%I is generated, and the monitor writes it', other.relation, other.name)
        else format('public.%I.%I is %s and has to be %s', other.relation, other.name, other.written, other.wanted) end,
      v_mends, p_asked);
  end loop;
end
$$;

-- The SQL that gives a table ids of ours beside those it has, which other tables may point to.
create function pg_temp.preflight_new_id(p_relation text) returns text
language sql set search_path = ''
as $$
  select format(E'%s\nalter table public.%I add column id uuid not null default gen_random_uuid() unique;',
    pg_temp.preflight_aside(p_relation, 'id'), p_relation)
$$;

-- 4. Keys and rules ----------------------------------------------------------------------------------------------

-- The columns that the service writes: a rule of the company's about one of them could refuse what a calendar says.
create function pg_temp.preflight_writes(p_table oid, p_numbers smallint[]) returns boolean
language sql set search_path = ''
as $$
  select exists (
    select 1 from pg_catalog.pg_attribute a
    join pg_temp.preflight_shared s on s.name = a.attname and to_regclass('public.' || s.relation) = a.attrelid
    where a.attrelid = p_table and a.attnum = any (p_numbers) and s.name <> 'id')
$$;

-- Whether every key column is written by the service, so that two of its rows can be equal by it.
create function pg_temp.preflight_binds(p_table oid, p_numbers smallint[]) returns boolean
language sql set search_path = ''
as $$
  select not exists (
    select 1 from pg_catalog.pg_attribute a
    where a.attrelid = p_table and a.attnum = any (p_numbers) and (
      (a.attname = 'id' or not exists (
        select 1 from pg_temp.preflight_shared s
        where s.name = a.attname and to_regclass('public.' || s.relation) = a.attrelid))
      and (a.atthasdef or a.attidentity <> '' or not a.attnotnull)
      or a.attname in ('webhook_id', 'access_token', 'refresh_token', 'sync_token')
      or (a.attname = 'user_id' and p_table = to_regclass('public.google_credentials'))))
$$;

-- Every table has the ids that others point to; a key that a second calendar or a second log would break goes.
create function pg_temp.preflight_check_keys() returns void
language plpgsql set search_path = ''
as $$
declare
  key record;
  v_count bigint;
begin
  for key in
    select con.conrelid::regclass as relation, con.conname, con.conrelid, c.relname, con.conindid,
      (select string_agg(format('alter table %s drop constraint %I;', f.conrelid::regclass, f.conname), E'\n')
        from pg_catalog.pg_constraint f where f.contype = 'f' and f.conindid = con.conindid) as pointing
    from pg_catalog.pg_constraint con join pg_catalog.pg_class c on c.oid = con.conrelid
    where con.contype = 'p' and con.connamespace = 'public'::regnamespace
      and c.relname in (select s.relation from pg_temp.preflight_shared s)
      and pg_temp.preflight_binds(con.conrelid, con.conkey)
      and not (con.conkey = array[(select number from pg_temp.preflight_column(c.relname::text, 'id'))])
  loop
    perform pg_temp.preflight_settle(
      format('the primary key of %s, %s, would refuse what the monitor writes', key.relation, key.conname), array[
        concat_ws(E'\n', key.pointing, format('alter table %s drop constraint %I;', key.relation, key.conname))]);
  end loop;
  for key in
    select c.oid::regclass as relation, c.relname, col.number is null as is_new,
      exists (select 1 from pg_catalog.pg_index p where p.indrelid = c.oid and p.indisprimary) as has_key
    from pg_catalog.pg_class c
    left join lateral pg_temp.preflight_column(c.relname::text, 'id') col on true
    where c.oid in (to_regclass('public.calendar_webhooks'), to_regclass('public.meetings')) and c.relkind = 'r'
      and not exists (
        select 1 from pg_catalog.pg_index i
        where i.indrelid = c.oid and i.indisunique and i.indimmediate and i.indpred is null and i.indexprs is null
          and i.indnkeyatts = 1 and i.indkey[0] = col.number)
  loop
    perform pg_temp.preflight_settle(
      format('%s needs an id that is unique', key.relation), array[
        case when key.is_new then
          format('alter table %s add column id uuid not null default gen_random_uuid()%s;', key.relation,
            case when key.has_key then ' unique' else ' primary key' end)
        else format('alter table %s add %s (id);', key.relation, case when key.has_key then 'unique' else 'primary key' end)
        end,
        pg_temp.preflight_new_id(key.relname)], not key.is_new);
  end loop;
  if to_regclass('public.google_credentials') is not null then
    execute 'select count(*) - count(distinct user_id) from public.google_credentials where user_id is not null' into v_count;
    if v_count > 0 then
      perform pg_temp.preflight_settle(
        format('public.google_credentials has %s rows too many: one user has one', v_count), array[
          pg_temp.preflight_set_rows_aside('google_credentials',
            'exists (select 1 from public.google_credentials n where n.user_id = r.user_id'
            ' and (n.updated_at, n.ctid) > (r.updated_at, r.ctid))'),
          pg_temp.preflight_set_rows_aside('google_credentials',
            'exists (select 1 from public.google_credentials n where n.user_id = r.user_id and n.ctid > r.ctid)')]);
    end if;
  end if;
end
$$;

-- Checks, foreign keys and unique keys that could refuse what the service writes. Of the first, those on the words of a
-- status are replaced by the migrations; of the last, those that one row per user or event made.
create function pg_temp.preflight_check_rules() returns void
language plpgsql set search_path = ''
as $$
declare
  rule record;
begin
  for rule in
    select c.conrelid::regclass as relation, c.conname, pg_get_constraintdef(c.oid) as says
    from pg_catalog.pg_constraint c join pg_catalog.pg_class t on t.oid = c.conrelid
    where c.connamespace = 'public'::regnamespace and t.relname in (select s.relation from pg_temp.preflight_shared s)
      and (c.contype = 'x' or pg_temp.preflight_writes(c.conrelid, c.conkey))
      and (
        (c.contype = 'c' and not exists (
          select 1 from pg_catalog.pg_attribute a
          where a.attrelid = c.conrelid and a.attnum = any (c.conkey)
            and ((t.relname = 'calendar_sync_logs' and a.attname in ('sync_type', 'status'))
              or (t.relname = 'meetings' and a.attname in ('event_status', 'status'))))
          -- A count is never below zero, and what must be there is.
          and pg_get_constraintdef(c.oid) !~ '^CHECK \(\(?\(?[a-z_]+\)?(::integer)? >= 0\)?\)'
          and pg_get_constraintdef(c.oid) !~ '^CHECK \(\((user_id|sync_type|status|start_time) IS NOT NULL\)\)')
        or (c.contype = 'f' and c.conkey <> array[
          (select a.attnum from pg_catalog.pg_attribute a where a.attrelid = c.conrelid and a.attname = 'user_id')])
        or c.contype = 'x')
  loop
    perform pg_temp.preflight_settle(
      format('%s has a rule that could refuse what a calendar says: %s', rule.relation, rule.says), array[
        format('alter table %s drop constraint %I;', rule.relation, rule.conname)]);
  end loop;

  for rule in
    select i.indrelid::regclass as relation, i.indexrelid::regclass as index, con.conname, names.list, names.dropped,
      (select string_agg(format('alter table %s drop constraint %I;', f.conrelid::regclass, f.conname), E'\n')
        from pg_catalog.pg_constraint f where f.contype = 'f' and f.conindid = i.indexrelid) as pointing
    from pg_catalog.pg_index i
    join pg_catalog.pg_class t on t.oid = i.indrelid
    left join pg_catalog.pg_constraint con on con.conindid = i.indexrelid and con.contype = 'u'
    cross join lateral (
      select string_agg(a.attname, ', ') as list,
        i.indexprs is null and case t.relname
          when 'calendar_webhooks' then
            array_agg(a.attname::text) <@ array['user_id', 'google_calendar_id', 'is_active', 'resource_id']
          when 'meetings' then array_agg(a.attname::text) <@ array[
            'user_id', 'google_calendar_event_id', 'title', 'meeting_url', 'start_time', 'end_time']
          else false
        end as dropped
      from pg_catalog.pg_attribute a where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    ) names
    where i.indisunique and not i.indisprimary and t.relnamespace = 'public'::regnamespace
      and t.relname in (select s.relation from pg_temp.preflight_shared s)
      and (i.indexprs is not null or pg_temp.preflight_binds(i.indrelid, i.indkey::smallint[]))
  loop
    if not coalesce(rule.dropped, false) then
      perform pg_temp.preflight_settle(
        format('%s has a unique key that two rows of the monitor could share: %s', rule.relation, rule.index), array[
          concat_ws(E'\n', rule.pointing, case when rule.conname is null then format('drop index %s;', rule.index)
            else format('alter table %s drop constraint %I;', rule.relation, rule.conname) end)]);
    elsif rule.pointing is not null then
      perform pg_temp.preflight_settle(
        format('a foreign key points to %s (%s), which is not unique any more: one event may stand in two calendars of a user. '
          'Let it point to the id', rule.relation, rule.list), array[rule.pointing]);
    end if;
  end loop;
end
$$;

-- Defaults that a row of the service's leans on.
create function pg_temp.preflight_check_defaults() returns void
language plpgsql set search_path = ''
as $$
declare
  bare record;
  v_value text;
begin
  for bare in
    select s.relation, s.name, s.type, s.fallback as ours, c.fallback as theirs
    from pg_temp.preflight_shared s cross join lateral pg_temp.preflight_column(s.relation, s.name) c
    where s.fallback is not null and s.name <> 'id' and c.type = s.type::regtype and not c.generated
  loop
    if bare.theirs is not null and bare.type in ('text', 'integer', 'boolean') then
      execute format('select (%s)::text', bare.theirs) into v_value;
      continue when format('%L', v_value) = bare.ours or v_value = bare.ours;
    elsif bare.theirs is not null then
      continue;
    end if;
    perform pg_temp.preflight_settle(
      format('public.%I.%I has to be %s in new rows', bare.relation, bare.name, bare.ours),
      array[format('alter table public.%I alter column %I set default %s;', bare.relation, bare.name, bare.ours)],
      bare.theirs is not null);
  end loop;
  -- Part of a primary key, and the service knows no value for it.
  for bare in
    select c.oid::regclass as relation, a.attname, a.atttypid
    from pg_catalog.pg_class c
    join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisprimary
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = any (i.indkey)
    where c.relnamespace = 'public'::regnamespace and c.relname in (select s.relation from pg_temp.preflight_shared s)
      and not a.atthasdef and a.attidentity = '' and not (a.attname = 'id' and a.atttypid = 'uuid'::regtype)
      and not exists (select 1 from pg_temp.preflight_shared s where s.relation = c.relname and s.name = a.attname)
  loop
    perform pg_temp.preflight_settle(
      format('%s.%I has no default, and the monitor knows no value for it', bare.relation, bare.attname), array[
        case when bare.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype) then
          format(E'alter table %1$s alter column %2$I add generated by default as identity;\n'
            'select setval(pg_get_serial_sequence(%1$L, %2$L), coalesce((select max(%2$I) from %1$s), 0) + 1, false);',
            bare.relation, bare.attname) end,
        format('alter table %s alter column %I set default gen_random_uuid();', bare.relation, bare.attname),
        format('alter table %s alter column %I set default gen_random_uuid()::text;', bare.relation, bare.attname)]);
  end loop;
end
$$;

-- 5. A write, as the service makes it ----------------------------------------------------------------------------

-- The columns of a table that the service writes, and values it could write: long ones, words of ours, no length of time.
create function pg_temp.preflight_values(p_relation text, p_user uuid, p_number integer)
returns table (names text, list text, assignments text)
language sql set search_path = ''
as $$
  select string_agg(quote_ident(v.name), ', '), string_agg(v.value, ', '),
    string_agg(format('%I = %s', v.name, v.value), ', ') filter (where v.name <> 'user_id')
  from (
    select s.name, case
      when s.name = 'user_id' then quote_literal(p_user)
      when s.name in ('google_calendar_id', 'webhook_id', 'access_token', 'refresh_token') then
        quote_literal('preflight-' || p_number || repeat('-and-so-on', 40))
      when s.name = 'google_calendar_event_id' then quote_literal('preflight_20300101T090000Z')
      when s.name = 'meeting_url' then quote_literal('https://meet.example.com/' || p_number)
      when s.name = 'event_status' then quote_literal('needsAction')
      when s.name = 'bot_status' then quote_literal('bot_scheduled')
      when s.name = 'sync_type' then quote_literal('incremental')
      when s.relation = 'calendar_sync_logs' and s.name = 'status' then quote_literal('skipped')
      when s.relation = 'google_credentials' and s.name = 'status' then quote_literal('needs_reauth')
      when s.name = 'status' then quote_literal('cancelled')
      when s.type = 'text' then quote_literal('Preflight ' || p_number || repeat(' and so on', 100))
      when s.type = 'timestamptz' then quote_literal('2030-01-01T09:00:00Z')
      when s.type = 'text[]' then quote_literal('{calendar}')
      else s.fallback
    end as value
    from pg_temp.preflight_shared s
    where s.relation = p_relation and exists (select 1 from pg_temp.preflight_column(s.relation, s.name))
  ) v where v.value is not null and v.name <> 'id'
$$;

-- What the migrations will have loosened by then.
create function pg_temp.preflight_loosen(p_relation text) returns void
language plpgsql set search_path = ''
as $$
declare
  v_table regclass := 'public.' || quote_ident(p_relation);
  command text;
begin
  for command in
    select format('alter table %s alter column %I drop not null', v_table, a.attname)
    from pg_catalog.pg_attribute a
    where a.attrelid = v_table and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef
      and a.attidentity = '' and not exists (
        select 1 from pg_catalog.pg_index i where i.indrelid = v_table and i.indisprimary and a.attnum = any (i.indkey))
    union all
    select format('alter table %s drop constraint %I cascade', v_table, c.conname)
    from pg_catalog.pg_constraint c
    where c.conrelid = v_table and (c.contype in ('u', 'f') or (c.contype = 'c' and exists (
      select 1 from pg_catalog.pg_attribute a where a.attrelid = v_table and a.attnum = any (c.conkey)
        and a.attname in ('sync_type', 'status', 'event_status'))))
    union all
    select format('drop index %s', i.indexrelid::regclass)
    from pg_catalog.pg_index i
    where i.indrelid = v_table and i.indisunique and not i.indisprimary and i.indexprs is null
      and not exists (select 1 from pg_catalog.pg_constraint c where c.conindid = i.indexrelid and c.conrelid = v_table)
    union all
    select format('alter table %s alter column id set default gen_random_uuid()', v_table)
    from pg_temp.preflight_column(p_relation, 'id') c where c.type = 'uuid'::regtype and c.fallback is null
    union all
    select format('grant select, insert, update, delete on %s to service_role', v_table)
    union all
    select format('grant usage on sequence %s to service_role', d.objid::regclass)
    from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjid = v_table
  loop
    execute command;
  end loop;
end
$$;

-- Inserts two rows of one user that differ by little, changes and deletes them, as the service's role. Raises PF000 when all
-- went well, PF001 when a row was swallowed, or what went wrong; so nothing of it ever stays.
create function pg_temp.preflight_write(p_relation text) returns void
language plpgsql set search_path = ''
as $$
declare
  v_user uuid;
  v record;
  v_rows bigint;
  v_table text := format('public.%I', p_relation);
  v_is_grant boolean := p_relation = 'google_credentials';
  v_values jsonb := '[]';
begin
  perform pg_temp.preflight_loosen(p_relation);
  -- A user without a grant, if there is one: each may have only one row there.
  execute format('select u.id from auth.users u order by exists (select 1 from %s t where t.user_id = u.id) limit 1', v_table)
    into v_user;
  v_user := coalesce(v_user, gen_random_uuid());
  for n in 1 .. 3 loop
    select * into v from pg_temp.preflight_values(p_relation, v_user, n);
    v_values := v_values || to_jsonb(v);
  end loop;
  -- With an empty search_path, as in all functions of the service: a trigger inherits it.
  perform set_config('role', 'service_role', true);
  for n in 0 .. 1 loop
    continue when v_is_grant and n = 1;
    -- A grant's row may be there already: then it is only changed.
    execute format('insert into %s (%s) values (%s)%s', v_table, v_values -> n ->> 'names', v_values -> n ->> 'list',
      case when v_is_grant then ' on conflict do nothing' else '' end);
    get diagnostics v_rows = row_count;
    if v_rows = 0 and not v_is_grant then
      raise exception 'a row was not inserted, and nobody said why' using errcode = 'PF001';
    end if;
  end loop;
  execute format('update %s set %s where user_id = %L', v_table, v_values -> 2 ->> 'assignments', v_user);
  get diagnostics v_rows = row_count;
  if v_rows = 0 then
    raise exception 'a row was not changed, and nobody said why' using errcode = 'PF001';
  end if;
  execute format('delete from %s where user_id = %L', v_table, v_user);
  raise exception 'done' using errcode = 'PF000';
end
$$;

-- The SQL that lets the service use what it was refused, from Postgres' words.
create function pg_temp.preflight_grant(p_message text) returns text
language sql set search_path = ''
as $$
  with said as (select regexp_match(p_message, '^permission denied for (.+) (\S+)$') as words)
  select string_agg(command, E'\n') from (
    select format('grant %s %s to service_role;',
      case when c.relkind = 'S' then 'usage, select on sequence' else 'select, insert, update, delete on' end,
      c.oid::regclass) as command
    from said, pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where words[1] in ('table', 'view', 'materialized view', 'sequence') and c.relname = words[2]
      and n.nspname !~ '^pg_|^auth$'
    union all
    select format('grant usage on schema %I to service_role;', words[2]) from said where words[1] = 'schema'
    union all
    select format('grant execute on function %s to service_role;', p.oid::regprocedure)
    from said, pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where words[1] = 'function' and p.proname = words[2] and n.nspname !~ '^pg_'
  ) grants
$$;

-- The mends of a write that failed, the mildest first: where a trigger looks for its tables, a grant that it needs, the rule,
-- the trigger, the table.
create function pg_temp.preflight_write_mends(
  p_relation text, p_state text, p_message text, p_constraint text, p_context text
) returns text[]
language sql set search_path = ''
as $$
  with target as (select to_regclass('public.' || p_relation) as relation)
  select array_agg(way order by rank) from (
    select 1 as rank, pg_temp.preflight_grant(p_message) as way where p_state = '42501'
    union all
    (select 1, format('alter function %s set search_path = public, extensions;', p.oid::regprocedure)
    from target, pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = target.relation and not t.tgisinternal and t.tgenabled in ('O', 'A')
      and p_state in ('42P01', '42883', '42704', '42703') and p_context ~ ('\m' || p.proname || '\M')
      and not exists (select 1 from unnest(p.proconfig) setting where setting ~ '^search_path=')
    order by t.tgname limit 1)
    union all
    select 2, format('alter table %s drop constraint %I;', c.conrelid::regclass, c.conname)
    from target, pg_catalog.pg_constraint c where c.conrelid = target.relation and c.conname = p_constraint
    union all
    (select 3, format('alter table %s disable trigger %I;', t.tgrelid::regclass, t.tgname)
    from target, pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
    where t.tgrelid = target.relation and not t.tgisinternal and t.tgenabled in ('O', 'A')
      and (p_state = 'PF001' or p_context ~ ('\m' || p.proname || '\M'))
    order by t.tgname limit 1)
    union all
    select 4, format('alter table %s rename to %I;', target.relation, p_relation || '_before_adoption') from target
  ) ways
  where way is not null and not exists (select 1 from pg_temp.preflight_findings f where f.mend = way)
$$;

-- Writes each table until it goes well, settling what stopped it.
create function pg_temp.preflight_check_writes() returns void
language plpgsql set search_path = ''
as $$
declare
  v_relation text;
  v_state text;
  v_message text;
  v_constraint text;
  v_context text;
begin
  foreach v_relation in array array['google_credentials', 'calendar_webhooks', 'meetings', 'calendar_sync_logs'] loop
    for attempt in 1 .. 20 loop
      exit when to_regclass('public.' || v_relation) is null;
      begin
        perform pg_temp.preflight_write(v_relation);
      exception when others then
        get stacked diagnostics v_state = returned_sqlstate, v_message = message_text,
          v_constraint = constraint_name, v_context = pg_exception_context;
      end;
      exit when v_state = 'PF000';
      exit when not pg_temp.preflight_settle(
        format('the service could not write public.%s: %s', v_relation, v_message),
        pg_temp.preflight_write_mends(v_relation, v_state, v_message, v_constraint, v_context));
    end loop;
  end loop;
end
$$;

-- 6. The verdict -------------------------------------------------------------------------------------------------

-- Raises the one error, as SQL that can be run as it stands: what is in the way, and the mend below each.
create function pg_temp.preflight() returns void
language plpgsql set search_path = ''
as $$
declare
  v_done text;
  v_report text;
begin
  -- These migrations have run here.
  if obj_description(to_regnamespace('calendar_internal'), 'pg_namespace') ~ '^Parts of the functions of public' then
    return;
  end if;
  if to_regclass('auth.users') is null or to_regrole('service_role') is null or to_regrole('authenticated') is null then
    raise exception 'This is no database of a Supabase project: auth.users or a role of the platform is missing. Nothing was changed.';
  end if;
  perform pg_temp.preflight_check_names();
  perform pg_temp.preflight_check_tables();
  perform pg_temp.preflight_check_strangers();
  perform pg_temp.preflight_check_rules();
  perform pg_temp.preflight_check_types(true);
  perform pg_temp.preflight_check_types(false);
  perform pg_temp.preflight_check_keys();
  perform pg_temp.preflight_check_defaults();
  perform pg_temp.preflight_check_writes();

  select string_agg(format(E'-- %s. %s.\n%s%s', place, problem,
      '-- Tried, and it failed: ' || complaint || E'. Mend that first.\n', mend), E'\n\n' order by place)
    into v_report
    from (select f.*, row_number() over (order by f.number) as place from pg_temp.preflight_findings f where f.asked) listed;
  if v_report is not null then
    raise exception using errcode = 'PF002', message = format(
      E'-- The calendar monitor cannot move in yet, and nothing was changed.\n'
      '-- Below is what is in its way, each with the SQL that mends it. Read it, run it, and push again.\n\n%s\n', v_report);
  end if;
  for v_done in select f.problem from pg_temp.preflight_findings f order by f.number loop
    raise notice 'Done: %', v_done;
  end loop;
end
$$;

select pg_temp.preflight();

drop table pg_temp.preflight_shared, pg_temp.preflight_names, pg_temp.preflight_findings;
drop function
  pg_temp.preflight_try,
  pg_temp.preflight_settle,
  pg_temp.preflight_column,
  pg_temp.preflight_dependents,
  pg_temp.preflight_expressions,
  pg_temp.preflight_retype,
  pg_temp.preflight_check_names,
  pg_temp.preflight_check_tables,
  pg_temp.preflight_check_strangers,
  pg_temp.preflight_aside,
  pg_temp.preflight_cast,
  pg_temp.preflight_set_rows_aside,
  pg_temp.preflight_check_types,
  pg_temp.preflight_new_id,
  pg_temp.preflight_writes,
  pg_temp.preflight_binds,
  pg_temp.preflight_check_keys,
  pg_temp.preflight_check_rules,
  pg_temp.preflight_check_defaults,
  pg_temp.preflight_values,
  pg_temp.preflight_loosen,
  pg_temp.preflight_write,
  pg_temp.preflight_grant,
  pg_temp.preflight_write_mends,
  pg_temp.preflight_check_writes,
  pg_temp.preflight;
