-- Tables: the sync state, the push channels, the mirror, the meetings, the log and the connections.
--
-- Runs on an empty project and on a database that already holds the original calendar_webhooks, calendar_sync_logs,
-- meetings and google_credentials. It only ever adds or relaxes: no row and no value of an existing table is changed
-- except where a new column is filled from an old one. Every statement may run twice.
--
-- Locks, in all files. Supabase deletes a user by a plain "delete from auth.users", which nobody tries again. It holds the user,
-- and then waits for all that is theirs, in the order of its foreign keys. So that nobody waits for it in a circle:
--   * Whoever works for one user, and holds a row of theirs while they wait for another one or write one that refers to the user,
--     holds the user before (hold_user, hold_account). What goes with its calendar alone (its place in the queue, what a listing
--     staged) counts as part of the calendar's row.
--   * Whoever works for many users waits for none of their rows: what is locked is passed over, and is for the next call. Or they
--     hold the users that are free (hold_free_user), pass over the others, and then wait for calendars by id.
--   * For the feed nobody holds users: events are waited for by id, and then deliveries by their event's id. So does the deletion.
--   * A row that others refer to is locked "for no key update", unless it is to be deleted: then no foreign key waits for it.
--   * A row that is written twice in one transaction asks for what it refers to, as a new one does: its foreign keys are checked
--     again. Whoever works for many users writes no row twice, or asks may_write before.
-- Among themselves they come in the order: user, locks of no row (advisory), calendars by id, what hangs on a calendar.

-- 1. The four original tables, as a fresh project gets them -----------------------------------------------------

create table if not exists public.google_credentials (
  user_id uuid primary key references auth.users (id) on delete cascade,
  access_token text,
  refresh_token text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists public.calendar_webhooks (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  google_calendar_id text not null default 'primary',
  webhook_id text,
  resource_id text,
  expiration_time timestamptz,
  sync_token text,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists public.meetings (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  google_calendar_event_id text,
  title text,
  description text,
  meeting_url text,
  start_time timestamptz not null,
  end_time timestamptz,
  event_status text,
  bot_status text default 'pending',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists public.calendar_sync_logs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  sync_type text not null,
  status text not null,
  events_processed integer not null default 0,
  meetings_created integer not null default 0,
  meetings_updated integer not null default 0,
  meetings_deleted integer not null default 0,
  error_message text,
  duration_ms integer,
  created_at timestamptz not null default now()
);

-- 2. What an original database may lack, and what the service adds ----------------------------------------------

-- Tokens are ciphertext ("v2." and base64; older ones "v1."). A value without a mark is a plaintext of the original system:
-- it is encrypted when it is first used, and refused once none is left (plaintext_tokens_ended).
alter table public.google_credentials
  add column if not exists access_token text,
  add column if not exists refresh_token text,
  add column if not exists access_token_expires_at timestamptz,
  add column if not exists scopes text[],
  add column if not exists status text not null default 'connected',
  add column if not exists status_reason text,
  add column if not exists status_at timestamptz not null default now(),
  add column if not exists refresh_token_expires_at timestamptz,
  -- The address of the Google account, where the grant lets us read it.
  add column if not exists google_account text,
  add column if not exists former_account text,
  -- Who refreshes the access token now: two workers do not refresh at once.
  add column if not exists refresh_lease_until timestamptz,
  add column if not exists suspected_at timestamptz,
  add column if not exists oauth_client text,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now();
comment on column public.google_credentials.suspected_at is
  'When Google first refused the refresh token. A second refusal, a pause later, ends the connection; a token clears this.';

alter table public.calendar_webhooks
  add column if not exists google_calendar_id text not null default 'primary',
  add column if not exists webhook_id text,
  add column if not exists resource_id text,
  add column if not exists expiration_time timestamptz,
  add column if not exists sync_token text,
  add column if not exists is_active boolean not null default true,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists last_webhook_received timestamptz,
  add column if not exists last_poll_at timestamptz,
  add column if not exists webhook_failures integer not null default 0,
  -- The row is the queue: when it next needs work, why, and who works on it.
  add column if not exists due_at timestamptz not null default now(),
  add column if not exists due_reason text not null default 'new',
  add column if not exists not_before timestamptz,
  add column if not exists lease_expires_at timestamptz,
  add column if not exists fence bigint not null default 0,
  add column if not exists committed_fence bigint not null default 0,
  add column if not exists claimed_at timestamptz,
  add column if not exists claimed_by text,
  -- The call that claimed it, so that one whose answer was lost can be asked again.
  add column if not exists claim_id uuid,
  -- Claims in a row that were neither committed, ended nor given back: each may have killed its process.
  add column if not exists claims_unended integer not null default 0,
  add column if not exists notifications_seen bigint not null default 0,
  add column if not exists notifications_synced bigint not null default 0,
  add column if not exists notified_since timestamptz,
  -- What the sync token stands for: under which settings the calendar was last listed whole, and its zone then.
  add column if not exists settings_generation bigint,
  add column if not exists time_zone text,
  add column if not exists calendar_name text,
  add column if not exists horizon_until timestamptz,
  add column if not exists next_entry_at timestamptz,
  add column if not exists series_cut integer not null default 0,
  add column if not exists audited_at timestamptz,
  -- Evidence for the plan.
  add column if not exists poll_interval_seconds integer,
  -- What is believed of the calendar and its channel (core/polling/belief); 0 of a new one: it is then what all are.
  add column if not exists belief_changes double precision not null default 0,
  add column if not exists belief_change_days double precision not null default 0,
  add column if not exists belief_announced double precision not null default 0,
  add column if not exists belief_missed double precision not null default 0,
  add column if not exists belief_doubt double precision not null default 0,
  add column if not exists belief_unproven_days double precision not null default 0,
  add column if not exists belief_delay_seconds double precision not null default 0,
  add column if not exists reopened_in_vain integer not null default 0,
  add column if not exists stale_bound_seconds double precision,
  add column if not exists bounds_broken integer not null default 0,
  -- How its push stood at its last look, and when silence since then becomes improbable.
  add column if not exists push_state text
    constraint calendar_webhooks_push_state_known check (push_state in ('failing', 'suspect', 'quiet', 'healthy')),
  add column if not exists push_reason text,
  add column if not exists push_since timestamptz,
  add column if not exists silence_odd_at timestamptz,
  add column if not exists last_synced_at timestamptz,
  add column if not exists last_change_at timestamptz,
  add column if not exists consecutive_failures integer not null default 0,
  add column if not exists last_error_code text,
  add column if not exists last_error_at timestamptz,
  add column if not exists paused_reason text
    constraint calendar_webhooks_paused_reason_known check (paused_reason in ('needs_reauth', 'user_gone')),
  add column if not exists paused_at timestamptz,
  -- Since when Google refuses this calendar alone. It is still asked for, rarely, and nothing of it is wiped.
  add column if not exists access_lost_at timestamptz,
  add column if not exists retired_at timestamptz,
  -- The watch: expiration_time says when its channel lapses; watch_retry_at is its lease and its backoff.
  add column if not exists watch_retry_at timestamptz,
  add column if not exists watch_lead_seconds double precision not null default 129600,
  add column if not exists watch_due_at timestamptz not null default now(),
  add column if not exists watch_failures integer not null default 0,
  add column if not exists watch_error_code text,
  -- How far the first listing is, for the front end to show: mirrored events and live meetings, as they stood at its end.
  add column if not exists initial_sync text not null default 'pending'
    constraint calendar_webhooks_initial_sync_known check (initial_sync in ('pending', 'running', 'done', 'failed')),
  add column if not exists initial_events integer not null default 0,
  add column if not exists initial_meetings integer not null default 0,
  -- Original rows for a calendar that has a newer row. They stay as they are and are never synced.
  add column if not exists duplicate_of uuid references public.calendar_webhooks (id) on delete set null;

comment on column public.calendar_webhooks.next_entry_at is
  'The first start in the mirror that may have no meeting yet, because it lay behind the horizon; null: there is none.';

comment on column public.calendar_webhooks.series_cut is
  'Series that recur more often than a limit allows: of each only the first occurrences in the horizon have meetings.';

alter table public.meetings
  add column if not exists google_calendar_event_id text,
  add column if not exists title text,
  add column if not exists description text,
  add column if not exists meeting_url text,
  add column if not exists start_time timestamptz,
  add column if not exists end_time timestamptz,
  add column if not exists event_status text,
  add column if not exists bot_status text default 'pending',
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists updated_at timestamptz not null default now(),
  add column if not exists calendar_id uuid references public.calendar_webhooks (id) on delete set null,
  add column if not exists base_event_id text,
  add column if not exists status text not null default 'confirmed',
  add column if not exists status_reason text,
  add column if not exists is_all_day boolean not null default false,
  add column if not exists time_zone text,
  add column if not exists provider text,
  add column if not exists room_key text,
  add column if not exists sync_id uuid,
  add column if not exists entered_horizon_at timestamptz,
  add column if not exists is_private boolean not null default false,
  -- For whoever decides by them, as bots do. Null: Google does not tell.
  add column if not exists is_organiser boolean,
  add column if not exists other_attendees integer,
  add column if not exists has_outsiders boolean;

alter table public.calendar_sync_logs
  add column if not exists id uuid default gen_random_uuid(),
  add column if not exists sync_type text,
  add column if not exists status text,
  add column if not exists events_processed integer not null default 0,
  add column if not exists meetings_created integer not null default 0,
  add column if not exists meetings_updated integer not null default 0,
  add column if not exists meetings_deleted integer not null default 0,
  add column if not exists error_message text,
  add column if not exists duration_ms integer,
  add column if not exists created_at timestamptz not null default now(),
  add column if not exists sync_id uuid default gen_random_uuid(),
  add column if not exists calendar_id uuid,
  add column if not exists fence bigint,
  add column if not exists reason text,
  add column if not exists is_full boolean not null default false,
  add column if not exists google_calls integer not null default 0,
  add column if not exists notifications integer not null default 0,
  add column if not exists events_changed integer not null default 0,
  -- An audit's figures: meetings compared with the calendar, those that differed, those put right.
  add column if not exists audited integer,
  add column if not exists differing integer,
  add column if not exists repaired integer,
  add column if not exists latency_ms integer,
  -- What an incremental sync found out about push, and how old its changes had become.
  add column if not exists changes_announced integer,
  add column if not exists changes_missed integer,
  add column if not exists freshness_ms integer[],
  add column if not exists is_past_bound boolean,
  -- Idle looks of one week become one row (fold_idle_logs).
  add column if not exists syncs integer not null default 1,
  add column if not exists error_code text;

create table if not exists public.calendar_channels (
  id text primary key,
  calendar_id uuid not null references public.calendar_webhooks (id) on delete cascade,
  user_id uuid not null,
  resource_id text,
  state text not null default 'opening',
  address text,
  expires_at timestamptz,
  opened_at timestamptz,
  last_notification_at timestamptz,
  last_message_number bigint,
  notifications bigint not null default 0,
  refused bigint not null default 0,
  stop_after timestamptz,
  stop_attempts integer not null default 0,
  error_code text,
  moved_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint calendar_channels_id_length check (char_length(id) between 1 and 64),
  constraint calendar_channels_state check (state in ('opening', 'live', 'superseded', 'stopped', 'failed', 'expired'))
);

comment on column public.calendar_channels.moved_at is
  'When it was seen to point to an address that is ours no more; its calendar is then watched anew.';

create table if not exists public.calendar_events (
  calendar_id uuid not null references public.calendar_webhooks (id) on delete cascade,
  google_event_id text not null,
  user_id uuid not null,
  base_event_id text not null,
  recurring_event_id text,
  kind text not null,
  status text not null,
  starts_at timestamptz,
  ends_at timestamptz,
  original_start_at timestamptz,
  enters_at timestamptz,
  is_cut boolean not null default false,
  google_updated_at timestamptz,
  details jsonb not null,
  generation bigint not null default 0,
  sync_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (calendar_id, google_event_id),
  constraint calendar_events_kind check (kind in ('single', 'series', 'exception')),
  constraint calendar_events_status check (status in ('confirmed', 'tentative', 'cancelled'))
);

comment on column public.calendar_events.enters_at is
  'The first start of this item at or after the horizon''s end that its family was last derived under; null: there is none.';

comment on column public.calendar_events.is_cut is
  'Whether a limit cuts this series: it recurs so often that only its first occurrences in the horizon have meetings.';

comment on table public.calendar_webhooks is
  'One row per watched calendar: its sync state, and the queue of work (due_at). The name is the original system''s. Written by the service alone.';
comment on column public.calendar_webhooks.id is 'The calendar''s id in this database.';
comment on column public.calendar_webhooks.user_id is 'Whose connection reads it.';
comment on column public.calendar_webhooks.google_calendar_id is 'Google''s id of the calendar; ''primary'' for a user''s own.';
comment on column public.calendar_webhooks.webhook_id is 'The current push channel (calendar_channels.id).';
comment on column public.calendar_webhooks.resource_id is
  'Google''s id of what the current channel watches: equal for channels of one calendar of one account.';
comment on column public.calendar_webhooks.expiration_time is 'When the current channel lapses.';
comment on column public.calendar_webhooks.sync_token is
  'Google''s token of what was last committed; null: the calendar is to be listed whole.';
comment on column public.calendar_webhooks.is_active is 'False: its user watches it no more.';
comment on column public.calendar_webhooks.created_at is 'When it was first connected.';
comment on column public.calendar_webhooks.updated_at is 'When the row last changed.';
comment on column public.calendar_webhooks.last_webhook_received is 'When the last accepted notification came.';
comment on column public.calendar_webhooks.last_poll_at is 'When it was last synced without a notification.';
comment on column public.calendar_webhooks.webhook_failures is
  'Missed pushes in a row: changes that a poll found and no notification had announced.';
comment on column public.calendar_webhooks.due_at is 'When it next needs work: the queue. While it is leased, the end of the lease.';
comment on column public.calendar_webhooks.due_reason is 'Why it is due then.';
comment on column public.calendar_webhooks.not_before is
  'No work before this: the pause between two syncs, a failure''s backoff, what Google asked for. No notification shortens it.';
comment on column public.calendar_webhooks.lease_expires_at is 'Until when somebody works on it; null: nobody does.';
comment on column public.calendar_webhooks.fence is 'Grows with every claim. What was begun under an older one is refused.';
comment on column public.calendar_webhooks.committed_fence is 'The last claim that was ended.';
comment on column public.calendar_webhooks.claimed_at is 'When it was last claimed.';
comment on column public.calendar_webhooks.claimed_by is 'By which process (service_processes).';
comment on column public.calendar_webhooks.claim_id is 'The call that claimed it, so that one whose answer was lost can be asked again.';
comment on column public.calendar_webhooks.claims_unended is
  'Claims in a row that were neither committed, ended nor given back: each may have killed its process.';
comment on column public.calendar_webhooks.notifications_seen is 'Notifications accepted so far.';
comment on column public.calendar_webhooks.notifications_synced is
  'Of these, how many a sync has answered. Fewer than seen: a sync is owed.';
comment on column public.calendar_webhooks.notified_since is 'When the first unanswered notification came.';
comment on column public.calendar_webhooks.settings_generation is
  'The generation of settings it was last listed whole under (settings_generations).';
comment on column public.calendar_webhooks.time_zone is
  'The calendar''s IANA zone when it was last synced; all-day events stand at its midnight.';
comment on column public.calendar_webhooks.calendar_name is 'What its user calls it at Google, as last listed; null: not listed yet.';
comment on column public.calendar_webhooks.horizon_until is 'The furthest end of the horizon that rows were derived for.';
comment on column public.calendar_webhooks.audited_at is 'When its meetings were last compared with a whole listing.';
comment on column public.calendar_webhooks.belief_changes is 'Changes counted, faded over a month.';
comment on column public.calendar_webhooks.belief_change_days is 'Days in which they were counted, by the week''s rhythm; fades alike.';
comment on column public.calendar_webhooks.belief_announced is 'Of the last changes those that push announced.';
comment on column public.calendar_webhooks.belief_missed is 'Of the last changes those that a living channel missed.';
comment on column public.calendar_webhooks.belief_doubt is 'How probable it is that its channel was dead at the last look.';
comment on column public.calendar_webhooks.belief_unproven_days is 'Days, at the last look, since its channel proved that it lives.';
comment on column public.calendar_webhooks.belief_delay_seconds is 'How long a push takes, in the mean.';
comment on column public.calendar_webhooks.reopened_in_vain is 'Channels opened for a missed push since the last push.';
comment on column public.calendar_webhooks.stale_bound_seconds is 'The next look comes within this of the last, at the latest.';
comment on column public.calendar_webhooks.bounds_broken is 'How often it did not.';
comment on column public.calendar_webhooks.push_state is 'How its push stood at its last look; calendar_status.push_state says how it stands now.';
comment on column public.calendar_webhooks.push_reason is 'Why so.';
comment on column public.calendar_webhooks.push_since is 'Since which look.';
comment on column public.calendar_webhooks.silence_odd_at is
  'Without a notification until then, a living channel would be as silent in less than one case of twenty; null: not before its next look.';
comment on column public.calendar_webhooks.poll_interval_seconds is 'The plan''s present interval between polls, in seconds.';
comment on column public.calendar_webhooks.last_synced_at is 'When a sync last committed.';
comment on column public.calendar_webhooks.last_change_at is 'When a sync last found a change.';
comment on column public.calendar_webhooks.consecutive_failures is 'Failed syncs in a row.';
comment on column public.calendar_webhooks.last_error_code is 'What the last failed sync failed of.';
comment on column public.calendar_webhooks.last_error_at is 'When that was.';
comment on column public.calendar_webhooks.paused_reason is 'Why nothing is asked of Google for it.';
comment on column public.calendar_webhooks.paused_at is 'Since when.';
comment on column public.calendar_webhooks.access_lost_at is
  'Since when Google refuses this calendar alone. It is asked for rarely; nothing of it is wiped.';
comment on column public.calendar_webhooks.retired_at is
  'Since when its meetings ahead are cancelled because it could not be read for days.';
comment on column public.calendar_webhooks.watch_retry_at is 'No try for its watch before this: a lease, or a backoff.';
comment on column public.calendar_webhooks.watch_lead_seconds is 'How long before it lapses the current channel is renewed, in seconds.';
comment on column public.calendar_webhooks.watch_due_at is 'When its watch is to be opened or renewed.';
comment on column public.calendar_webhooks.watch_failures is 'Failed tries for its watch in a row.';
comment on column public.calendar_webhooks.watch_error_code is 'What the last of them failed of.';
comment on column public.calendar_webhooks.initial_sync is 'How the first listing stands.';
comment on column public.calendar_webhooks.initial_events is 'Events mirrored by the first listing so far.';
comment on column public.calendar_webhooks.initial_meetings is 'Meetings it made so far.';
comment on column public.calendar_webhooks.duplicate_of is 'An original row for a calendar that has a newer row; never synced.';

comment on table public.calendar_channels is
  'Push channels at Google, one or more per calendar: a renewal overlaps. For the service alone.';
comment on column public.calendar_channels.id is 'The channel''s id, ours to choose.';
comment on column public.calendar_channels.calendar_id is 'The calendar it speaks for.';
comment on column public.calendar_channels.user_id is 'Whose tokens opened it.';
comment on column public.calendar_channels.resource_id is 'Google''s id of what it watches; needed to stop it.';
comment on column public.calendar_channels.state is 'See docs/states.md.';
comment on column public.calendar_channels.address is 'Where Google sends its notifications.';
comment on column public.calendar_channels.expires_at is 'When it lapses by itself.';
comment on column public.calendar_channels.opened_at is 'When Google opened it.';
comment on column public.calendar_channels.last_notification_at is 'When it last spoke.';
comment on column public.calendar_channels.last_message_number is 'The greatest message number it sent.';
comment on column public.calendar_channels.notifications is 'Notifications accepted from it.';
comment on column public.calendar_channels.refused is 'Notifications refused, for they named another resource.';
comment on column public.calendar_channels.stop_after is 'Not to be stopped before this; null: it need not be.';
comment on column public.calendar_channels.stop_attempts is 'Tries to stop it.';
comment on column public.calendar_channels.error_code is 'Why it failed.';
comment on column public.calendar_channels.created_at is 'When it was stored, before Google was asked.';
comment on column public.calendar_channels.updated_at is 'When the row last changed.';

comment on table public.calendar_events is
  'The mirror of Google''s events: singles, series, exceptions and tombstones. Other people''s addresses stay at Google. For the service alone.';
comment on column public.calendar_events.calendar_id is 'The calendar it stands in.';
comment on column public.calendar_events.google_event_id is 'Google''s id of the item.';
comment on column public.calendar_events.user_id is 'Whose calendar it is.';
comment on column public.calendar_events.base_event_id is 'Its family: a series, those split off it, and all their exceptions.';
comment on column public.calendar_events.recurring_event_id is 'The series it is an exception of.';
comment on column public.calendar_events.kind is 'single, series or exception.';
comment on column public.calendar_events.status is 'confirmed, tentative or cancelled (a tombstone).';
comment on column public.calendar_events.starts_at is 'When it begins; of a series, its first occurrence.';
comment on column public.calendar_events.ends_at is 'When it ends.';
comment on column public.calendar_events.original_start_at is 'The start that an exception replaces.';
comment on column public.calendar_events.google_updated_at is 'When it was last changed at Google.';
comment on column public.calendar_events.details is 'Google''s JSON of it, trimmed to what can matter.';
comment on column public.calendar_events.generation is 'The full listing (its fence) that saw it last.';
comment on column public.calendar_events.sync_id is 'The sync that changed it last.';
comment on column public.calendar_events.created_at is 'When it was first mirrored.';
comment on column public.calendar_events.updated_at is 'When the row last changed.';

comment on table public.calendar_sync_logs is
  'One row per sync that was committed, skipped or failed. Users read their own; old rows are dropped (LOG_RETENTION_DAYS).';
comment on column public.calendar_sync_logs.id is 'The row''s id.';
comment on column public.calendar_sync_logs.user_id is 'Whose calendar it was.';
comment on column public.calendar_sync_logs.sync_type is 'What asked for it.';
comment on column public.calendar_sync_logs.status is 'How it ended.';
comment on column public.calendar_sync_logs.events_processed is 'Items Google listed.';
comment on column public.calendar_sync_logs.meetings_created is 'Rows inserted.';
comment on column public.calendar_sync_logs.meetings_updated is 'Rows changed.';
comment on column public.calendar_sync_logs.meetings_deleted is 'Rows that became cancelled.';
comment on column public.calendar_sync_logs.error_message is 'What it failed of, without contents or secrets.';
comment on column public.calendar_sync_logs.duration_ms is 'From the claim to the commit, in milliseconds.';
comment on column public.calendar_sync_logs.created_at is 'When it ended.';
comment on column public.calendar_sync_logs.sync_id is 'The sync''s id, which the rows it wrote carry.';
comment on column public.calendar_sync_logs.calendar_id is 'The calendar.';
comment on column public.calendar_sync_logs.fence is 'The claim.';
comment on column public.calendar_sync_logs.reason is 'Why it ran, or was skipped.';
comment on column public.calendar_sync_logs.is_full is 'Whether the whole calendar was listed.';
comment on column public.calendar_sync_logs.google_calls is 'Requests sent to Google.';
comment on column public.calendar_sync_logs.notifications is 'Notifications it answered.';
comment on column public.calendar_sync_logs.events_changed is 'Rows of the mirror that changed.';
comment on column public.calendar_sync_logs.audited is 'Meetings an audit compared.';
comment on column public.calendar_sync_logs.differing is 'Of these, how many were wrong.';
comment on column public.calendar_sync_logs.repaired is 'Of these, how many were put right.';
comment on column public.calendar_sync_logs.latency_ms is 'From the first unanswered notification to the commit, in milliseconds.';
comment on column public.calendar_sync_logs.changes_announced is 'Changes (what was changed together is one) that a notification announced.';
comment on column public.calendar_sync_logs.changes_missed is 'Changes that a live channel should have announced and did not.';
comment on column public.calendar_sync_logs.freshness_ms is
  'Of each change the milliseconds from Google''s `updated` to this commit; null: it listed no changes, or the whole calendar.';
comment on column public.calendar_sync_logs.is_past_bound is
  'Whether it came later than the calendar''s bound; null: none was promised yet.';
comment on column public.calendar_sync_logs.syncs is
  'Syncs that this row stands for. More than 1: idle ones of one calendar and week, folded after IDLE_LOG_RETENTION_DAYS.';
comment on column public.calendar_sync_logs.error_code is 'The failure''s stable code.';

comment on table public.google_credentials is
  'One row per user: the grant that reads their calendars. Tokens are ciphertext. For the service alone.';
comment on column public.google_credentials.user_id is 'Whose grant it is.';
comment on column public.google_credentials.access_token is 'Ciphertext of the access token.';
comment on column public.google_credentials.refresh_token is 'Ciphertext of the refresh token.';
comment on column public.google_credentials.created_at is 'When it was first stored.';
comment on column public.google_credentials.updated_at is 'When the row last changed.';
comment on column public.google_credentials.access_token_expires_at is 'When the access token ends.';
comment on column public.google_credentials.scopes is 'What the user granted.';
comment on column public.google_credentials.status is 'See docs/states.md.';
comment on column public.google_credentials.status_reason is 'Why it has this status.';
comment on column public.google_credentials.status_at is 'Since when it has it.';
comment on column public.google_credentials.refresh_token_expires_at is 'When the grant ends by itself, where Google said so.';
comment on column public.google_credentials.google_account is 'The Google account''s address, where the grant lets us read it.';
comment on column public.google_credentials.former_account is
  'The address before the last reconnection, while it is unproven that the account is the same.';
comment on column public.google_credentials.refresh_lease_until is
  'Until when somebody refreshes the access token: two workers do not at once.';
comment on column public.google_credentials.oauth_client is 'The OAuth client that the grant was given to, as a fingerprint or id.';

comment on table public.meetings is
  'One row per occurrence inside the horizon that has a join link. A row is never deleted by a sync: what vanished becomes cancelled. Users read their own.';
comment on column public.meetings.id is 'The row''s id, kept for the occurrence''s life.';
comment on column public.meetings.user_id is 'Whose calendar it stands in.';
comment on column public.meetings.google_calendar_event_id is
  'Google''s id of the single event, or {series}_{original start} of an occurrence.';
comment on column public.meetings.title is 'The event''s title.';
comment on column public.meetings.description is 'As Google has it, which may be HTML written by anybody: show it as text.';
comment on column public.meetings.meeting_url is 'The link to join by.';
comment on column public.meetings.start_time is 'When it begins.';
comment on column public.meetings.end_time is 'When it ends.';
comment on column public.meetings.event_status is 'The user''s own answer.';
comment on column public.meetings.bot_status is 'How far a bot is; not the calendar''s to say.';
comment on column public.meetings.created_at is 'When it came into the horizon.';
comment on column public.meetings.updated_at is 'When the row last changed.';
comment on column public.meetings.calendar_id is 'The calendar it stands in; null: an original row without one.';
comment on column public.meetings.base_event_id is 'Its family in the mirror.';
comment on column public.meetings.status is 'confirmed, tentative or cancelled.';
comment on column public.meetings.status_reason is 'Why it is cancelled.';
comment on column public.meetings.is_all_day is 'Whether it has dates instead of times.';
comment on column public.meetings.time_zone is 'The IANA zone it was written in.';
comment on column public.meetings.provider is 'The meeting service, as a slug.';
comment on column public.meetings.room_key is 'Equal for two links into one room.';
comment on column public.meetings.sync_id is 'The sync that changed it last (calendar_sync_logs).';
comment on column public.meetings.entered_horizon_at is 'When the rolling horizon, not a change in the calendar, brought this row in.';
comment on column public.meetings.is_private is 'Whether its event is private at Google.';
comment on column public.meetings.is_organiser is 'Whether it is the user''s own meeting.';
comment on column public.meetings.other_attendees is 'How many other people are invited; null: Google does not tell.';
comment on column public.meetings.has_outsiders is
  'Whether any of them is of another organisation, by their addresses; null: that is not known.';

-- 3. Original constraints that no longer fit --------------------------------------------------------------------

-- A column that this service does not write must not stop its inserts, and a calendar exists before its channel does.
do $$
declare
  stray record;
begin
  for stray in
    select a.attrelid::regclass as relation, a.attname as name
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public'
      and c.relname in ('google_credentials', 'calendar_webhooks', 'meetings', 'calendar_sync_logs')
      and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef and a.attidentity = ''
      and a.attname not in ('id', 'user_id', 'sync_type', 'status', 'start_time')
      and not exists (
        select 1 from pg_catalog.pg_index i
        where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)
      )
  loop
    execute format('alter table %s alter column %I drop not null', stray.relation, stray.name);
  end loop;
  for stray in
    select a.attrelid::regclass as relation
    from pg_catalog.pg_attribute a
    join pg_catalog.pg_class c on c.oid = a.attrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public'
      and c.relname in ('google_credentials', 'calendar_webhooks', 'meetings', 'calendar_sync_logs')
      and a.attname = 'id' and not a.attisdropped and not a.atthasdef and a.atttypid = 'uuid'::regtype
  loop
    execute format('alter table %s alter column id set default gen_random_uuid()', stray.relation);
  end loop;
end
$$;

-- One row per user becomes one row per calendar; one meeting per (event, user) becomes one per (event, calendar):
-- the same event stands in two calendars of one user when both are invited, under the same Google id. What else was
-- unique over nothing but these columns would stop a sync for ever.
do $$
declare
  old record;
begin
  for old in
    select i.indexrelid::regclass as index, i.indrelid::regclass as relation, con.conname as name
    from pg_catalog.pg_index i
    join lateral (
      select array_agg(a.attname::text) as names
      from pg_catalog.pg_attribute a
      where a.attrelid = i.indrelid and a.attnum = any (i.indkey)
    ) cols on true
    left join pg_catalog.pg_constraint con on con.conindid = i.indexrelid and con.contype = 'u'
    where i.indisunique and not i.indisprimary and i.indexprs is null
      and i.indexrelid is distinct from to_regclass('public.calendar_webhooks_one_per_calendar')
      and (
        (i.indrelid = 'public.calendar_webhooks'::regclass and cols.names <@ array[
          'user_id', 'google_calendar_id', 'is_active', 'resource_id'])
        or (i.indrelid = 'public.meetings'::regclass and cols.names <@ array[
          'user_id', 'google_calendar_event_id', 'title', 'meeting_url', 'start_time', 'end_time'])
      )
  loop
    if old.name is null then
      execute format('drop index %s', old.index);
    else
      execute format('alter table %s drop constraint %I', old.relation, old.name);
    end if;
  end loop;
end
$$;

-- The original check knew four sync types; polling now says whether it was incremental or full. Checks are added
-- "not valid": they bind every new row and leave old rows as they are.
do $$
declare
  old record;
begin
  for old in
    select distinct con.conname as name
    from pg_catalog.pg_constraint con
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attname in ('sync_type', 'status')
    where con.conrelid = 'public.calendar_sync_logs'::regclass and con.contype = 'c' and a.attnum = any (con.conkey)
  loop
    execute format('alter table public.calendar_sync_logs drop constraint %I', old.name);
  end loop;
  alter table public.calendar_sync_logs add constraint calendar_sync_logs_sync_type_known
    check (sync_type in ('initial', 'webhook', 'incremental', 'full', 'manual')) not valid;
  alter table public.calendar_sync_logs add constraint calendar_sync_logs_status_known
    check (status in ('completed', 'failed', 'skipped')) not valid;
end
$$;

-- An original check on meetings may know other words than the contract's, and so may its rows. A check that is "not
-- valid" still refuses every later update of an old row, so these bind the rows that the service has written, which all
-- have a room key.
do $$
declare
  old record;
begin
  for old in
    select distinct con.conname as name
    from pg_catalog.pg_constraint con
    join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attname in ('event_status', 'status')
    where con.conrelid = 'public.meetings'::regclass and con.contype = 'c' and a.attnum = any (con.conkey)
  loop
    execute format('alter table public.meetings drop constraint %I', old.name);
  end loop;
  alter table public.meetings add constraint meetings_event_status_known
    check (room_key is null or event_status in ('accepted', 'declined', 'tentative', 'needsAction')) not valid;
  alter table public.meetings add constraint meetings_status_known
    check (room_key is null or status in ('confirmed', 'tentative', 'cancelled')) not valid;
  alter table public.google_credentials drop constraint if exists google_credentials_status_known;
  alter table public.google_credentials add constraint google_credentials_status_known
    check (status in ('connected', 'needs_reauth', 'disconnected')) not valid;
end
$$;

-- 4. Old rows find their place ----------------------------------------------------------------------------------

alter table public.calendar_webhooks alter column google_calendar_id set default 'primary';

-- Triggers of the original system sleep meanwhile: one that sets updated_at would overwrite what the rows say, and nobody
-- knows what another one would set off.
do $$
declare
  command text;
  disable text[];
  enable text[];
begin
  select
    coalesce(array_agg(format('alter table %s disable trigger %I', t.tgrelid::regclass, t.tgname)), '{}'),
    coalesce(array_agg(format('alter table %s enable %s trigger %I', t.tgrelid::regclass,
      case when t.tgenabled = 'A' then 'always' else '' end, t.tgname)), '{}')
  into disable, enable
  from pg_catalog.pg_trigger t
  where t.tgrelid in ('public.calendar_webhooks'::regclass, 'public.meetings'::regclass)
    and not t.tgisinternal and t.tgenabled in ('O', 'A');
  foreach command in array disable loop
    execute command;
  end loop;

  update public.calendar_webhooks set google_calendar_id = 'primary' where google_calendar_id is null;

  -- Of several rows for one calendar the active, then the newest, is the calendar; the others point to it.
  with ranked as (
    select id, first_value(id) over (
      partition by user_id, google_calendar_id
      order by (is_active is true) desc, created_at desc nulls last, id
    ) as keeper
    from public.calendar_webhooks
    where duplicate_of is null
  )
  update public.calendar_webhooks w set duplicate_of = ranked.keeper
  from ranked where ranked.id = w.id and ranked.keeper <> w.id;

  -- A row may have outlived its user, where no foreign key forbade it. Nothing could be stored for it.
  update public.calendar_webhooks w set paused_reason = 'user_gone', paused_at = now()
  where w.paused_reason is null and not exists (select 1 from auth.users u where u.id = w.user_id);

  -- Channels of the original system carry no token of ours, so their notifications are refused. As "superseded" they
  -- are stopped, with the id and resource id that the row holds, once a channel of ours is open.
  insert into public.calendar_channels (id, calendar_id, user_id, resource_id, state, expires_at, stop_after, error_code)
  select distinct on (w.webhook_id)
    w.webhook_id, coalesce(w.duplicate_of, w.id), w.user_id, w.resource_id, 'superseded', w.expiration_time, now(), 'original_channel'
  from public.calendar_webhooks w
  where w.webhook_id is not null and char_length(w.webhook_id) between 1 and 64 and w.resource_id is not null
    and w.expiration_time > now() and w.settings_generation is null
    and exists (select 1 from auth.users u where u.id = w.user_id)
  order by w.webhook_id, w.created_at desc
  on conflict (id) do nothing;

  update public.meetings m set calendar_id = w.id
  from public.calendar_webhooks w
  where m.calendar_id is null and m.google_calendar_event_id is not null
    and w.user_id = m.user_id and w.google_calendar_id = 'primary' and w.duplicate_of is null
    -- Two original rows for one event (no constraint forbade it): the newest is the calendar's, the other stays apart.
    and not exists (
      select 1 from public.meetings n
      where n.user_id = m.user_id and n.google_calendar_event_id = m.google_calendar_event_id
        and (n.calendar_id = w.id
          or (n.calendar_id is null and (n.created_at, n.id::text) > (m.created_at, m.id::text)))
    );

  update public.meetings set base_event_id = regexp_replace(
    regexp_replace(google_calendar_event_id, '_[0-9]{8}(T[0-9]{6}Z)?$', ''), '(_R[0-9]{8}(T[0-9]{6}Z?)?)+$', '')
  where base_event_id is null and google_calendar_event_id is not null;

  foreach command in array enable loop
    execute command;
  end loop;
end
$$;

-- A user who is deleted takes everything along, in original tables too unless they have a rule of their own. "Not valid":
-- a row that outlived its user may stay. Only now: a row that a transaction writes twice is checked again, valid or not.
do $$
declare
  relation text;
begin
  foreach relation in array array[
    'google_credentials', 'calendar_webhooks', 'meetings', 'calendar_sync_logs', 'calendar_channels', 'calendar_events']
  loop
    if not exists (
      select 1
      from pg_catalog.pg_constraint con
      join pg_catalog.pg_attribute a on a.attrelid = con.conrelid and a.attname = 'user_id'
      where con.conrelid = format('public.%I', relation)::regclass and con.contype = 'f' and con.conkey = array[a.attnum]
    ) then
      execute format(
        'alter table public.%I add constraint %I foreign key (user_id) references auth.users (id) on delete cascade not valid',
        relation, relation || '_user_id_fkey');
    end if;
  end loop;
end
$$;

-- 5. Indexes, each for a named query -----------------------------------------------------------------------------

-- One grant per user. The primary key says so already, unless an original table has another one.
do $$
begin
  if not exists (
    select 1
    from pg_catalog.pg_index i
    join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attname = 'user_id'
    where i.indrelid = 'public.google_credentials'::regclass and i.indisunique and i.indpred is null
      and i.indnatts = 1 and i.indkey[0] = a.attnum
  ) then
    create unique index google_credentials_one_per_user on public.google_credentials (user_id);
  end if;
end
$$;
create unique index if not exists calendar_webhooks_one_per_calendar
  on public.calendar_webhooks (user_id, google_calendar_id) where duplicate_of is null;
create unique index if not exists meetings_one_per_calendar_event
  on public.meetings (calendar_id, google_calendar_event_id);

-- What changes with every notification, claim or sync of a calendar stands in none of these indexes, so that its row is
-- updated in its page and no index is written (a heap-only tuple). What is due is asked of calendar_queue.
-- claim_expiring_watches, watches_due
create index if not exists calendar_webhooks_watch_due on public.calendar_webhooks (watch_due_at)
  where is_active and paused_reason is null and duplicate_of is null and retired_at is null;
-- claim_rolling_calendars
create index if not exists calendar_webhooks_next_entry on public.calendar_webhooks (next_entry_at)
  where is_active and paused_reason is null and duplicate_of is null and access_lost_at is null;
-- sample_for_audit: those that were listed once
create index if not exists calendar_webhooks_audit on public.calendar_webhooks (audited_at nulls first)
  where is_active and paused_reason is null and duplicate_of is null and initial_sync = 'done';
-- retire_lost_calendars
create index if not exists calendar_webhooks_lost on public.calendar_webhooks (coalesce(access_lost_at, paused_at))
  where is_active and duplicate_of is null and retired_at is null
    and (access_lost_at is not null or paused_reason = 'needs_reauth');
create index if not exists calendar_webhooks_duplicates on public.calendar_webhooks (duplicate_of)
  where duplicate_of is not null;

-- connect_calendars, lose_connection, and the deletion of a user: duplicates too
create index if not exists calendar_webhooks_of_user on public.calendar_webhooks (user_id);

-- which calendars have a live channel: claims, renewals, and what may be stopped
create index if not exists calendar_channels_live on public.calendar_channels (calendar_id) where state = 'live';
-- renew_moved_watches: the addresses that live channels point to, and who points to one
create index if not exists calendar_channels_pointing on public.calendar_channels (address)
  where state = 'live' and moved_at is null;
create index if not exists calendar_channels_of_calendar on public.calendar_channels (calendar_id);
create index if not exists calendar_channels_of_user on public.calendar_channels (user_id);
-- claim_dead_channels: what is to be stopped, and openings that were never finished
create index if not exists calendar_channels_to_stop on public.calendar_channels (stop_after)
  where stop_after is not null and resource_id is not null;
-- adoptable_channels: those that may have been opened though Google's answer was lost
create index if not exists calendar_channels_adoptable on public.calendar_channels (stop_after)
  where state = 'failed' and stop_after is not null and resource_id is not null;
-- drop_old_channels
create index if not exists calendar_channels_over on public.calendar_channels (updated_at)
  where state in ('superseded', 'stopped', 'failed', 'expired');
create index if not exists calendar_channels_opening on public.calendar_channels (created_at) where state = 'opening';

-- read_families
-- In this order it serves a family wherever it stands too.
create index if not exists calendar_events_family on public.calendar_events (base_event_id, calendar_id);
-- read_entering, and a calendar's next_entry_at
create index if not exists calendar_events_entering on public.calendar_events (calendar_id, enters_at)
  where enters_at is not null;
-- a calendar's series_cut
create index if not exists calendar_events_cut on public.calendar_events (calendar_id) where is_cut;
-- explain_event without a user
create index if not exists calendar_events_of_user on public.calendar_events (user_id);
create index if not exists meetings_family on public.meetings (calendar_id, base_event_id);
-- a user's upcoming meetings (front ends, and the sweep of a full sync)
create index if not exists meetings_of_user_by_start on public.meetings (user_id, start_time);
create index if not exists meetings_of_calendar_by_start on public.meetings (calendar_id, start_time);
-- the dashboard's questions to the log
create index if not exists calendar_sync_logs_by_time on public.calendar_sync_logs (created_at);
create index if not exists calendar_sync_logs_of_user on public.calendar_sync_logs (user_id, created_at desc);
create index if not exists calendar_sync_logs_of_calendar on public.calendar_sync_logs (calendar_id, created_at desc);

-- A day's rows are a small share of ninety days': what is planned by what the table held a week ago is planned wrong.
alter table public.calendar_sync_logs set (
  autovacuum_analyze_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.05);

-- 6. Access ----------------------------------------------------------------------------------------------------------

-- Access: who may touch which table. Hosted projects grant nothing by default any more, not even to service_role, and
-- older ones granted everything to everybody: both end here.
--
-- service_role  everything the functions do (they run as their caller)
-- authenticated reads of its own calendars, meetings and sync logs the columns meant for it
-- anon          nothing
-- Tokens, channels and the mirror are for the service alone.

do $$
declare
  relation text;
  old record;
begin
  foreach relation in array array[
    'google_credentials', 'calendar_webhooks', 'calendar_channels', 'calendar_events', 'meetings', 'calendar_sync_logs']
  loop
    execute format('alter table public.%I enable row level security', relation);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', relation);
    execute format('grant select, insert, update, delete on table public.%I to service_role', relation);
    -- A policy of the original system could let a user write what only the calendar may say.
    for old in
      select policyname from pg_catalog.pg_policies where schemaname = 'public' and tablename = relation
    loop
      execute format('drop policy %I on public.%I', old.policyname, relation);
    end loop;
  end loop;
end
$$;

-- An original table may number its rows from a sequence, which had grants of its own.
do $$
declare
  owned record;
begin
  for owned in
    select d.objid::regclass as sequence
    from pg_catalog.pg_depend d
    join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S'
    where d.classid = 'pg_catalog.pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjid in (
      'public.google_credentials'::regclass, 'public.calendar_webhooks'::regclass, 'public.meetings'::regclass,
      'public.calendar_sync_logs'::regclass)
  loop
    execute format('revoke all on sequence %s from public, anon, authenticated, service_role', owned.sequence);
    execute format('grant usage on sequence %s to service_role', owned.sequence);
  end loop;
end
$$;

-- Of each table what a front end shows, by name: a column that is not named here stays the service's, whoever adds it and
-- whatever it holds. Realtime sends a user the columns they may select, and no other. Each line stands in USERS_READ of
-- tests/sql/test_access.py too.

-- Kept back: the sync token, the ids of channel and resource, leases and fences, who works on it.
grant select (
  id, user_id, google_calendar_id, calendar_name, is_active, time_zone, created_at, updated_at,
  last_webhook_received, last_poll_at, last_synced_at, last_change_at, expiration_time, webhook_failures,
  due_at, due_reason, poll_interval_seconds, stale_bound_seconds, horizon_until, series_cut, consecutive_failures, last_error_code, last_error_at,
  claims_unended, paused_reason, paused_at, access_lost_at, retired_at,
  initial_sync, initial_events, initial_meetings, duplicate_of
) on table public.calendar_webhooks to authenticated;

-- Kept back: the family and the sync it came by.
grant select (
  id, user_id, calendar_id, google_calendar_event_id, title, description, meeting_url, provider, room_key,
  start_time, end_time, is_all_day, time_zone, event_status, status, status_reason, is_private,
  is_organiser, other_attendees, has_outsiders,
  bot_status, created_at, updated_at
) on table public.meetings to authenticated;

-- Kept back: the claim, what it cost, an audit's figures, and the message of a failure, which is for operators.
grant select (
  id, user_id, calendar_id, sync_type, status, reason, is_full, error_code,
  events_processed, meetings_created, meetings_updated, meetings_deleted, duration_ms, created_at, syncs
) on table public.calendar_sync_logs to authenticated;

create policy users_read_their_calendars on public.calendar_webhooks
  for select to authenticated using ((select auth.uid()) = user_id);
create policy users_read_their_meetings on public.meetings
  for select to authenticated using ((select auth.uid()) = user_id);
create policy users_read_their_sync_logs on public.calendar_sync_logs
  for select to authenticated using ((select auth.uid()) = user_id);
comment on policy users_read_their_calendars on public.calendar_webhooks is
  'Users see their own calendars, of these the columns granted to them.';
comment on policy users_read_their_meetings on public.meetings is
  'Users see their own meetings, of these the columns granted to them.';
comment on policy users_read_their_sync_logs on public.calendar_sync_logs is
  'Users see the logs of their own calendars, of these the columns granted to them.';

-- Helpers of the sync functions live where PostgREST does not look.
create schema if not exists calendar_internal;
revoke all on schema calendar_internal from public, anon, authenticated;
grant usage on schema calendar_internal to service_role;
comment on schema calendar_internal is
  'Parts of the functions of public, out of reach of the API. Only the service may use it.';
