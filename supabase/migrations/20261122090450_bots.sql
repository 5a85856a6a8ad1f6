-- Bots: which meetings want one, and what a provider has been asked for.
--
-- Desired state, reconciled: every row says what is wanted and what the provider was last told, and is worked on until both
-- are one. Nothing is sent from a transaction, and no message is the only carrier of a wish.
--
--   meetings      -> bot_marks      triggers mark what changed, in the transaction that changed it; a mark waits for nobody
--   bot_marks     -> bot_wishes     the next claim makes each marked wish due
--   bot_wishes    -> bot_requests   the service decides (core/bots/wish), and meetings that share a room share a request
--   bot_requests  -> the provider   the service creates, changes and removes; leased, fenced, retried
--   the provider  -> bot_requests   its messages, and a slow listing that repairs what was lost
--   bot_requests  -> meetings       shown on the rows that users read; whoever holds a row is not waited for

-- Preferences --------------------------------------------------------------------------------------------------------

create table if not exists public.bot_preferences (
  user_id uuid primary key references auth.users (id) on delete cascade,
  join_rule text,
  calendar_rules jsonb not null default '{}',
  skip_all_day boolean not null default true,
  skip_private boolean not null default false,
  skip_alone boolean not null default false,
  attendance text not null default 'any',
  bot_name text,
  chat_message text,
  when_access_lost text not null default 'remove',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint bot_preferences_join_rule check (join_rule in ('all', 'accepted', 'organised', 'none')),
  constraint bot_preferences_calendar_rules check (
    jsonb_typeof(calendar_rules) = 'object' and not jsonb_path_exists(calendar_rules,
      'strict $.* ? (@.type() != "string" || !(@ == "all" || @ == "accepted" || @ == "organised" || @ == "none"))')),
  constraint bot_preferences_attendance check (attendance in ('any', 'external', 'internal')),
  constraint bot_preferences_bot_name check (length(bot_name) between 1 and 100),
  constraint bot_preferences_chat_message check (length(chat_message) between 1 and 4000),
  constraint bot_preferences_when_access_lost check (when_access_lost in ('keep', 'remove'))
);
comment on table public.bot_preferences is
  'Which of a user''s meetings a bot is to join, and how. Theirs to read and write; without a row the service''s rule holds.';
comment on column public.bot_preferences.user_id is 'Whose they are.';
comment on column public.bot_preferences.join_rule is
  'all, accepted (by the user), organised (by the user) or none; null: the service''s rule.';
comment on column public.bot_preferences.calendar_rules is
  'Join rules of single calendars, by the id of their row: {"<calendar id>": "none"}.';
comment on column public.bot_preferences.skip_all_day is 'No bot in what has dates instead of times.';
comment on column public.bot_preferences.skip_private is 'No bot in what is private at Google.';
comment on column public.bot_preferences.skip_alone is 'No bot where nobody else is invited.';
comment on column public.bot_preferences.attendance is
  'external: only with somebody from outside; internal: only among colleagues; any. What is not known is no reason.';
comment on column public.bot_preferences.bot_name is 'What the bot is called; null: the service''s name.';
comment on column public.bot_preferences.chat_message is 'What it writes when it has joined; null: nothing.';
comment on column public.bot_preferences.when_access_lost is
  'After the grace period of a lost access: keep bots that are scheduled, or remove them.';
comment on column public.bot_preferences.created_at is 'When they were first said.';
comment on column public.bot_preferences.updated_at is 'When they last changed.';

-- Whose meetings count as one household's: only the service says so, for it shares bots between people.
create table if not exists public.bot_tenants (
  user_id uuid primary key references auth.users (id) on delete cascade,
  tenant text not null
);
comment on table public.bot_tenants is
  'Users who share bots: one bot in a room for all users of a tenant. Without a row a user is alone. For the service alone.';
comment on column public.bot_tenants.user_id is 'The user.';
comment on column public.bot_tenants.tenant is 'Their tenant, in your words.';

-- The provider in use, as the processes declare it; its buckets, and its pause.
create table if not exists public.bot_providers (
  provider text primary key,
  is_chosen boolean not null default false,
  declared_at timestamptz not null default now(),
  chosen_at timestamptz,
  policy text,
  policy_said_at timestamptz,
  marked_at timestamptz,
  marking_after timestamptz,
  marking_after_id uuid,
  create_tokens double precision not null default 0,
  change_tokens double precision not null default 0,
  filled_at timestamptz not null default 'epoch',
  not_before timestamptz,
  last_error_code text,
  last_error_at timestamptz,
  listed_at timestamptz,
  constraint bot_providers_provider check (provider in ('attendee', 'recall', 'webhook'))
);
comment on table public.bot_providers is 'Providers of bots: which one is in use, and what may be asked of it now. For the service alone.';
comment on column public.bot_providers.provider is 'attendee, recall or webhook.';
comment on column public.bot_providers.is_chosen is 'Whether new bots are made there.';
comment on column public.bot_providers.declared_at is 'When a process last said so.';
comment on column public.bot_providers.chosen_at is 'Since when it has been in use, and wishes decided as `policy` says.';
comment on column public.bot_providers.policy is 'The settings that decide wishes, in one line.';
comment on column public.bot_providers.policy_said_at is 'When a process last said that policy.';
comment on column public.bot_providers.marked_at is 'When all meetings ahead that were there before had been marked.';
comment on column public.bot_providers.marking_after is 'How far meetings ahead are looked through: the end of the last.';
comment on column public.bot_providers.marking_after_id is 'And its id.';
comment on column public.bot_providers.create_tokens is 'Bots that may be created now.';
comment on column public.bot_providers.change_tokens is 'Other calls that may be made now.';
comment on column public.bot_providers.filled_at is 'When the tokens were last counted.';
comment on column public.bot_providers.not_before is 'It asked to be left alone until then.';
comment on column public.bot_providers.last_error_code is 'What it last failed with.';
comment on column public.bot_providers.last_error_at is 'When.';
comment on column public.bot_providers.listed_at is 'When all its bots were last compared with ours.';

-- What is asked of a provider: one row per bot. The row is the queue.
create table if not exists public.bot_requests (
  id uuid primary key default gen_random_uuid(),
  provider text not null,
  -- No foreign key: a bot outlives its user until it is removed.
  user_id uuid not null,
  scope text not null,
  room_key text not null,
  meeting_start timestamptz not null,
  meeting_end timestamptz not null,
  wanted boolean not null,
  meeting_url text not null,
  join_at timestamptz not null,
  bot_name text not null,
  chat_message text,
  revision bigint not null default 1,
  told_revision bigint not null default 0,
  generation integer not null default 1,
  attempt_series integer not null default 1,
  bot_id text,
  bot_key text,
  provider_state text,
  state_at timestamptz,
  status text not null default 'pending',
  maybe_created boolean not null default false,
  in_doubt boolean not null default false,
  is_left_behind boolean not null default false,
  is_shown boolean not null default true,
  due_at timestamptz,
  lease_expires_at timestamptz,
  fence bigint not null default 0,
  attempts integer not null default 0,
  last_error_code text,
  dead_at timestamptz,
  seen_at timestamptz,
  told_at timestamptz,
  told_join_at timestamptz,
  told_url text,
  is_unheard boolean not null default false,
  calls integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint bot_requests_status check (status in (
    'pending', 'bot_scheduled', 'bot_joined', 'transcribing', 'completed', 'failed', 'cancelled'))
);
comment on table public.bot_requests is
  'What is wanted of a provider, one row per bot, and what it was told. For the service alone.';
comment on column public.bot_requests.id is 'The request''s id; with its generation it is the bot''s key.';
comment on column public.bot_requests.provider is 'Whom it is asked of.';
comment on column public.bot_requests.user_id is 'Whose meeting it was first wanted for.';
comment on column public.bot_requests.scope is 'Within which it is shared: tenant:…, user:… or meeting:….';
comment on column public.bot_requests.room_key is 'The room it joins.';
comment on column public.bot_requests.meeting_start is 'When the meeting begins.';
comment on column public.bot_requests.meeting_end is 'When it ends.';
comment on column public.bot_requests.wanted is 'Whether any meeting still wants it.';
comment on column public.bot_requests.meeting_url is 'The link it joins by.';
comment on column public.bot_requests.join_at is 'When it is to join.';
comment on column public.bot_requests.bot_name is 'What it is called.';
comment on column public.bot_requests.chat_message is 'What it writes when it has joined.';
comment on column public.bot_requests.revision is 'Grows with every change of what is wanted.';
comment on column public.bot_requests.told_revision is 'The revision that the provider has; 0: none.';
comment on column public.bot_requests.generation is 'Grows when a bot is made anew: another bot has another key.';
comment on column public.bot_requests.attempt_series is 'Grows when a provider wants an attempt under another key.';
comment on column public.bot_requests.bot_id is 'The provider''s id of the bot.';
comment on column public.bot_requests.bot_key is 'The key of a bot that was left behind, which another request made.';
comment on column public.bot_requests.provider_state is 'Its state in the provider''s own word.';
comment on column public.bot_requests.state_at is 'Since when, by the provider''s clock.';
comment on column public.bot_requests.status is 'How far it is, in ours; never backwards.';
comment on column public.bot_requests.maybe_created is 'An answer was lost: it is looked up before it is created again.';
comment on column public.bot_requests.in_doubt is 'A listing did not show it: it is looked up.';
comment on column public.bot_requests.is_left_behind is 'Another bot took its place; it is only to be removed.';
comment on column public.bot_requests.is_shown is 'Whether the meetings it answers show what became of it.';
comment on column public.bot_requests.due_at is 'When it next needs work; null: it needs none.';
comment on column public.bot_requests.lease_expires_at is 'Until when a process works on it.';
comment on column public.bot_requests.fence is 'Grows with every claim.';
comment on column public.bot_requests.attempts is 'Claims since it last succeeded.';
comment on column public.bot_requests.last_error_code is 'What it last failed with; null once it succeeded.';
comment on column public.bot_requests.dead_at is 'Since when it is given up: the provider refuses it for good.';
comment on column public.bot_requests.seen_at is 'When the provider last told of its bot.';
comment on column public.bot_requests.told_at is 'When the provider was last told what is wanted.';
comment on column public.bot_requests.told_join_at is 'The time it was told to join at.';
comment on column public.bot_requests.told_url is 'The link it was told to join by.';
comment on column public.bot_requests.is_unheard is 'A claim was made whose end is not heard of.';
comment on column public.bot_requests.calls is 'Calls made for it.';
comment on column public.bot_requests.created_at is 'When it was first wanted.';
comment on column public.bot_requests.updated_at is 'When the row last changed.';

create index if not exists bot_requests_due on public.bot_requests (provider, join_at) where due_at is not null;
create index if not exists bot_requests_unshown on public.bot_requests (id) where not is_shown;
create index if not exists bot_requests_slot on public.bot_requests (scope, room_key, meeting_start) where wanted;
create index if not exists bot_requests_bot on public.bot_requests (provider, bot_id);
create index if not exists bot_requests_over on public.bot_requests (meeting_end)
  where status in ('completed', 'failed', 'cancelled') and due_at is null;
create index if not exists bot_requests_forsaken on public.bot_requests (user_id)
  where status in ('completed', 'failed', 'cancelled') and due_at is null and not wanted;
create index if not exists bot_requests_alive on public.bot_requests (provider, meeting_end)
  where bot_id is not null and status not in ('completed', 'failed', 'cancelled');

-- What each meeting wishes. The row is the queue of what is to be decided.
create table if not exists public.bot_wishes (
  meeting_id uuid primary key references public.meetings (id) on delete cascade,
  user_id uuid not null,
  request_id uuid references public.bot_requests (id) on delete set null,
  wanted boolean not null default false,
  reason text,
  content jsonb,
  revision bigint not null default 1,
  due_at timestamptz,
  decided_at timestamptz,
  is_shown boolean not null default true
);
comment on table public.bot_wishes is 'Whether each meeting wants a bot, why, and the request that answers it. For the service alone.';
comment on column public.bot_wishes.meeting_id is 'The meeting.';
comment on column public.bot_wishes.user_id is 'Whose meeting it is.';
comment on column public.bot_wishes.request_id is 'The request that stands for it, shared with others of the same room.';
comment on column public.bot_wishes.wanted is 'Whether a bot is wanted.';
comment on column public.bot_wishes.reason is 'Why, or why not.';
comment on column public.bot_wishes.content is 'What it wishes of the bot: meeting_url, join_at, meeting_end, bot_name, chat_message.';
comment on column public.bot_wishes.revision is 'Grows whenever something it depends on changes.';
comment on column public.bot_wishes.due_at is 'When it is to be decided; null: it is.';
comment on column public.bot_wishes.decided_at is 'When it last was.';
comment on column public.bot_wishes.is_shown is 'Whether the meeting''s row shows what came of it.';

create index if not exists bot_wishes_due on public.bot_wishes (due_at) where due_at is not null;
create index if not exists bot_wishes_unshown on public.bot_wishes (meeting_id) where not is_shown;
create index if not exists bot_wishes_request on public.bot_wishes (request_id) where request_id is not null;
create index if not exists bot_wishes_user on public.bot_wishes (user_id);

-- What changed and is not taken note of yet. Rows are only added and taken away, so whoever commits, or writes their
-- preferences, waits for nobody's work on wishes, and nobody waits in a circle.
create table if not exists public.bot_marks (
  meeting_id uuid,
  request_id uuid,
  marked_at timestamptz not null default now(),
  constraint bot_marks_one check (num_nonnulls(meeting_id, request_id) = 1)
);
comment on table public.bot_marks is
  'Meetings of which it is to be decided anew whether a bot joins, and requests that lost a meeting. For the service alone.';
comment on column public.bot_marks.meeting_id is 'A meeting; it may be gone by now.';
comment on column public.bot_marks.request_id is 'A request one of whose meetings was deleted.';
comment on column public.bot_marks.marked_at is 'When.';
create index if not exists bot_marks_meeting on public.bot_marks (meeting_id) where meeting_id is not null;
create index if not exists bot_marks_request on public.bot_marks (request_id) where request_id is not null;

-- Messages that were taken, so that a repeated one is known. Attendee's carry no time that is signed.
create table if not exists public.bot_messages (
  provider text not null,
  message_id text not null,
  received_at timestamptz not null default now(),
  primary key (provider, message_id)
);
comment on table public.bot_messages is 'Messages of providers that were taken: a repeated one does nothing. For the service alone.';
comment on column public.bot_messages.provider is 'Whose.';
comment on column public.bot_messages.message_id is 'Its id there.';
comment on column public.bot_messages.received_at is 'When it came.';
create index if not exists bot_messages_old on public.bot_messages (received_at);

-- What users see of it, on their meetings.
alter table public.meetings
  add column if not exists bot_override text,
  add column if not exists bot_reason text,
  add column if not exists bot_provider text,
  add column if not exists bot_id text;
comment on column public.meetings.bot_override is
  'Its user''s own word: on, off, or null for their preferences. Theirs to write.';
comment on column public.meetings.bot_reason is 'Why a bot joins it, or why none does.';
comment on column public.meetings.bot_provider is 'Whose bot.';
comment on column public.meetings.bot_id is 'The bot''s id there.';

do $$
begin
  alter table public.meetings
    add constraint meetings_bot_override check (bot_override in ('on', 'off'));
exception when duplicate_object then null;
end
$$;

do $$
declare
  relation text;
begin
  foreach relation in array array[
    'bot_preferences', 'bot_tenants', 'bot_providers', 'bot_requests', 'bot_wishes', 'bot_marks', 'bot_messages']
  loop
    execute format('alter table public.%I enable row level security', relation);
    execute format('revoke all on table public.%I from public, anon, authenticated, service_role', relation);
    execute format('grant select, insert, update, delete on table public.%I to service_role', relation);
  end loop;
end
$$;

-- Each line stands in USERS_READ and USERS_WRITE of tests/sql/test_access.py too.
grant select (bot_override, bot_reason, bot_provider, bot_id), update (bot_override) on table public.meetings to authenticated;
grant delete on table public.bot_preferences to authenticated;
grant select (
  user_id, join_rule, calendar_rules, skip_all_day, skip_private, skip_alone, attendance, bot_name, chat_message,
  when_access_lost, created_at, updated_at
), insert (
  user_id, join_rule, calendar_rules, skip_all_day, skip_private, skip_alone, attendance, bot_name, chat_message,
  when_access_lost
), update (
  user_id, join_rule, calendar_rules, skip_all_day, skip_private, skip_alone, attendance, bot_name, chat_message,
  when_access_lost
) on table public.bot_preferences to authenticated;

drop policy if exists users_override_their_bots on public.meetings;
drop policy if exists users_have_bot_preferences on public.bot_preferences;
create policy users_override_their_bots on public.meetings
  for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy users_have_bot_preferences on public.bot_preferences
  for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
comment on policy users_override_their_bots on public.meetings is
  'Users say of their own meetings whether a bot joins: bot_override is all they may write.';
comment on policy users_have_bot_preferences on public.bot_preferences is 'Users read and write their own preferences.';

-- What makes a wish worth deciding -----------------------------------------------------------------------------------

-- Security definer, all of these: a user's own write adds marks, which only the service may touch, and does nothing else.

-- Marks the meetings that a statement has added, if bots are made and they are ahead.
create or replace function calendar_internal.mark_new_meetings() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select 1 from public.bot_providers p where p.is_chosen) then
    insert into public.bot_marks (meeting_id)
    select n.id from new_rows n
    where n.status is distinct from 'cancelled' and coalesce(n.end_time, n.start_time) > clock_timestamp();
  end if;
  return null;
end
$$;
comment on function calendar_internal.mark_new_meetings is 'Has it decided whether new meetings want a bot.';

-- Marks the meetings that a statement has changed in what decides about a bot, if they have a wish or are ahead.
create or replace function calendar_internal.mark_changed_meetings() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  -- Null: bots were never made here, so there is no wish either.
  v_is_chosen boolean := (select bool_or(p.is_chosen) from public.bot_providers p);
begin
  if v_is_chosen is not null then
    insert into public.bot_marks (meeting_id)
    select n.id
    from new_rows n join old_rows o on o.id = n.id
    where (n.start_time, n.end_time, n.meeting_url, n.room_key, n.status, n.status_reason, n.event_status, n.is_all_day,
        n.is_private, n.is_organiser, n.other_attendees, n.has_outsiders, n.bot_override, n.calendar_id)
      is distinct from
        (o.start_time, o.end_time, o.meeting_url, o.room_key, o.status, o.status_reason, o.event_status, o.is_all_day,
        o.is_private, o.is_organiser, o.other_attendees, o.has_outsiders, o.bot_override, o.calendar_id)
      and (
        (v_is_chosen and n.status is distinct from 'cancelled' and coalesce(n.end_time, n.start_time) > clock_timestamp())
        or exists (select 1 from public.bot_wishes k where k.meeting_id = n.id));
  end if;
  return null;
end
$$;
comment on function calendar_internal.mark_changed_meetings is
  'Has it decided anew whether meetings want a bot, where something that decides it has changed.';

-- A user's preferences, or what their calendars can be read of, concern all their meetings ahead.
create or replace function calendar_internal.mark_users_meetings() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.bot_marks (meeting_id)
  select k.meeting_id from public.bot_wishes k join public.meetings m on m.id = k.meeting_id
  where k.user_id in (old.user_id, new.user_id) and coalesce(m.end_time, m.start_time) > clock_timestamp();
  if tg_op = 'DELETE' then
    return old;
  end if;
  if tg_table_name = 'bot_preferences' and tg_op = 'UPDATE' then
    new.updated_at := clock_timestamp();
  end if;
  return new;
end
$$;
comment on function calendar_internal.mark_users_meetings is 'Has it decided anew for all meetings ahead of a user.';

-- A request whose wish was deleted may have none any more: then it is to be removed.
create or replace function calendar_internal.mark_forsaken_requests() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.bot_marks (request_id) select distinct o.request_id from old_rows o where o.request_id is not null;
  return null;
end
$$;
comment on function calendar_internal.mark_forsaken_requests is 'Has bots removed whose last meeting is gone.';

drop trigger if exists bots_follow_new on public.meetings;
create trigger bots_follow_new after insert on public.meetings
  referencing new table as new_rows for each statement execute function calendar_internal.mark_new_meetings();
comment on trigger bots_follow_new on public.meetings is 'Bots follow what a transaction adds.';
drop trigger if exists bots_follow_changes on public.meetings;
create trigger bots_follow_changes after update on public.meetings
  referencing old table as old_rows new table as new_rows
  for each statement execute function calendar_internal.mark_changed_meetings();
comment on trigger bots_follow_changes on public.meetings is 'Bots follow what a transaction changes.';
drop trigger if exists bots_follow_preferences on public.bot_preferences;
create trigger bots_follow_preferences before insert or update or delete on public.bot_preferences
  for each row execute function calendar_internal.mark_users_meetings();
comment on trigger bots_follow_preferences on public.bot_preferences is 'Bots follow their user''s preferences.';
drop trigger if exists bots_follow_tenants on public.bot_tenants;
create trigger bots_follow_tenants before insert or update or delete on public.bot_tenants
  for each row execute function calendar_internal.mark_users_meetings();
comment on trigger bots_follow_tenants on public.bot_tenants is 'Bots follow who shares them.';
drop trigger if exists bots_follow_access on public.calendar_webhooks;
create trigger bots_follow_access after update of access_lost_at, paused_reason on public.calendar_webhooks
  for each row when (old.access_lost_at is distinct from new.access_lost_at or old.paused_reason is distinct from new.paused_reason)
  execute function calendar_internal.mark_users_meetings();
comment on trigger bots_follow_access on public.calendar_webhooks is 'Bots follow whether a calendar can be read.';
drop trigger if exists bots_follow_ends on public.bot_wishes;
create trigger bots_follow_ends after delete on public.bot_wishes
  referencing old table as old_rows for each statement execute function calendar_internal.mark_forsaken_requests();
comment on trigger bots_follow_ends on public.bot_wishes is 'Bots follow meetings that are deleted with their user.';

-- Wishes -------------------------------------------------------------------------------------------------------------

-- What a process is configured with: bots are made by p_provider from now on (null: by none), and wishes are decided as
-- p_policy says. When either is new, meetings ahead are looked through, p_limit a call, and those marked that nobody has decided
-- of since, or whose bot is another provider's; from then on the trigger marks each. Answers how many it looked at. Said every
-- few seconds; a repeated call changes nothing. Another policy takes force once nobody has said the former one for a while, so that processes that
-- differ do not take turns. While no bots are made, wishes that there are already still become due.
create or replace function public.declare_bots(p_provider text, p_limit integer, p_policy text default null) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_limit integer := least(greatest(p_limit, 0), 5000);
  v_provider public.bot_providers;
  v_says_policy boolean;
  v_is_new boolean;
  v_after timestamptz;
  v_upto timestamptz;
  v_looked_at uuid[];
  v_seen integer;
begin
  select * into v_provider from public.bot_providers p where p.provider = p_provider and p.is_chosen;
  if v_provider.declared_at is null or v_provider.declared_at < v_now - interval '30 seconds'
    or v_provider.policy_said_at < v_now - (case when v_provider.policy = p_policy then interval '30 seconds'
      else interval '90 seconds' end)
  then
    -- Another one stays until no process has named it for a while: two that differ do not take turns.
    update public.bot_providers p set is_chosen = false, marked_at = null
    where p.provider is distinct from p_provider and p.is_chosen and p.declared_at < v_now - interval '90 seconds';
    if p_provider is not null then
      insert into public.bot_providers (provider) values (p_provider) on conflict (provider) do nothing;
      select * into v_provider from public.bot_providers p where p.provider = p_provider for update;
      v_says_policy := p_policy is not null and (not v_provider.is_chosen or v_provider.policy is null
        or v_provider.policy = p_policy or v_provider.policy_said_at < v_now - interval '90 seconds');
      v_is_new := not v_provider.is_chosen or (v_says_policy and v_provider.policy <> p_policy);
      update public.bot_providers p set
        is_chosen = true, declared_at = v_now,
        policy = case when v_says_policy then p_policy else p.policy end,
        policy_said_at = case when v_says_policy then v_now else p.policy_said_at end,
        chosen_at = case when coalesce(v_is_new, false) then v_now else p.chosen_at end,
        marked_at = case when coalesce(v_is_new, false) then null else p.marked_at end,
        marking_after = case when coalesce(v_is_new, false) then null else p.marking_after end
      where p.provider = p_provider
      returning * into v_provider;
    end if;
  end if;
  if p_provider is null then
    perform calendar_internal.drain_bot_marks(v_limit);
  end if;
  -- Once more after a while: a transaction that began before it was chosen marks nothing.
  if v_provider.provider is null
    or (v_provider.marked_at is not null
      and (v_provider.marked_at > v_provider.chosen_at + interval '5 minutes'
        or v_now < v_provider.chosen_at + interval '5 minutes'))
  then
    return 0;
  end if;
  -- Each is looked at once, however many are not to be marked.
  v_after := greatest(v_provider.marking_after, v_now);
  select array_agg(l.id order by l.end_time, l.id), max(l.end_time) into v_looked_at, v_upto from (
    select m.id, m.end_time from public.meetings m
    where m.end_time >= v_after and (m.end_time > v_after or m.id > v_provider.marking_after_id)
      and m.status is distinct from 'cancelled'
    order by m.end_time, m.id limit v_limit) l;
  insert into public.bot_marks (meeting_id)
  select m.id from public.meetings m
  where m.id = any (v_looked_at) and m.end_time > v_now and m.status is distinct from 'cancelled' and m.calendar_id is not null
    -- Decided of since then, and its bot is not another provider's that has yet to join.
    and not exists (
      select 1 from public.bot_wishes w left join public.bot_requests r on r.id = w.request_id
      where w.meeting_id = m.id and (w.decided_at is null or w.decided_at >= v_provider.chosen_at)
        and (not w.wanted or r.provider = p_provider or r.status not in ('pending', 'bot_scheduled')))
    and not exists (select 1 from public.bot_marks b where b.meeting_id = m.id);
  v_seen := coalesce(cardinality(v_looked_at), 0);
  update public.bot_providers p set
    marked_at = case when v_seen < v_limit then clock_timestamp() end,
    marking_after = case when v_seen = v_limit then v_upto end,
    marking_after_id = v_looked_at[v_seen]
  -- Chosen anew meanwhile: then it begins anew.
  where p.provider = p_provider and p.chosen_at = v_provider.chosen_at;
  return v_seen;
end
$$;
create index if not exists meetings_by_end on public.meetings (end_time) where status is distinct from 'cancelled';

-- Takes up to p_limit marks of either kind: wishes of marked meetings become due, what begins within the hour first; requests
-- become what the wishes that are left want of them.
-- Guarantee: waits for nobody; what is locked stays marked for the next call.
create or replace function calendar_internal.drain_bot_marks(p_limit integer) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_marked uuid[];
  v_there uuid[];
  v_free uuid[];
  v_request_id uuid;
begin
  -- One process at a time, or two would wait for each other's new rows.
  if not exists (select 1 from public.bot_marks)
    or not pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('bots:marks', 0))
  then
    return;
  end if;
  v_marked := array(select distinct k.meeting_id from (
    select b.meeting_id from public.bot_marks b where b.meeting_id is not null limit p_limit) k);
  delete from public.bot_marks b where b.meeting_id = any (v_marked)
    and not exists (select 1 from public.meetings m where m.id = b.meeting_id);
  -- One that is being deleted is passed over.
  select array_agg(k.id) into v_there from (
    select m.id from public.meetings m where m.id = any (v_marked) order by m.id for key share skip locked) k;
  insert into public.bot_wishes (meeting_id, user_id)
  select m.id, m.user_id from public.meetings m
  where m.id = any (v_there) and not exists (select 1 from public.bot_wishes w where w.meeting_id = m.id)
  order by m.id;
  select array_agg(k.meeting_id) into v_free from (
    select w.meeting_id from public.bot_wishes w where w.meeting_id = any (v_there) for update skip locked) k;
  -- What is marked from here on stays marked: its transaction may not be seen here.
  with taken as (
    delete from public.bot_marks b where b.meeting_id = any (v_free) returning b.meeting_id
  )
  update public.bot_wishes w set due_at = least(v_now, m.start_time - interval '1 hour'), revision = w.revision + 1
  from public.meetings m
  where w.meeting_id = any (v_free) and m.id = w.meeting_id and w.meeting_id in (select t.meeting_id from taken t);

  for v_request_id in
    select r.id from public.bot_requests r
    where r.id = any (array(select b.request_id from public.bot_marks b where b.request_id is not null limit p_limit))
    order by r.id for no key update skip locked
  loop
    perform calendar_internal.settle_request(v_request_id);
    delete from public.bot_marks b where b.request_id = v_request_id;
  end loop;
  delete from public.bot_marks b
  where b.request_id is not null and not exists (select 1 from public.bot_requests r where r.id = b.request_id);
end
$$;
comment on function calendar_internal.drain_bot_marks is 'Has wishes and requests worked on that were marked.';

-- Leases up to p_limit wishes that are to be decided, the longest due first: what decides each.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.claim_bot_wishes(p_limit integer, p_lease_seconds integer)
returns table (
  meeting_id uuid, revision bigint, user_id uuid, calendar_id uuid, tenant text, bot_start timestamptz,
  meeting_url text, room_key text, start_time timestamptz, end_time timestamptz, status text, status_reason text,
  event_status text, is_all_day boolean, is_private boolean, is_organiser boolean, other_attendees integer,
  has_outsiders boolean, bot_override text, access_lost_at timestamptz, preferences jsonb
)
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_ids uuid[];
begin
  perform calendar_internal.drain_bot_marks(5000);
  v_now := clock_timestamp();
  select array_agg(k.meeting_id) into v_ids from (
    select w.meeting_id from public.bot_wishes w
    where w.due_at <= v_now order by w.due_at
    limit least(greatest(p_limit, 0), 500)
    for update skip locked) k;
  return query
  with claimed as (
    update public.bot_wishes w set due_at = v_now + make_interval(secs => p_lease_seconds)
    where w.meeting_id = any (v_ids)
    returning w.*
  )
  select m.id, w.revision, m.user_id, m.calendar_id, t.tenant, r.meeting_start,
    m.meeting_url, m.room_key, m.start_time, m.end_time, m.status, m.status_reason,
    m.event_status::text, m.is_all_day, m.is_private, m.is_organiser, m.other_attendees, m.has_outsiders, m.bot_override,
    case when c.paused_reason = 'needs_reauth' then coalesce(c.access_lost_at, c.paused_at) else c.access_lost_at end,
    to_jsonb(p)
  from claimed w
  join public.meetings m on m.id = w.meeting_id and m.id = any (v_ids)
  left join public.calendar_webhooks c on c.id = m.calendar_id
  left join public.bot_preferences p on p.user_id = m.user_id
  left join public.bot_tenants t on t.user_id = m.user_id
  left join public.bot_requests r on r.id = w.request_id;
end
$$;
comment on function public.claim_bot_wishes is
  'Leases wishes that are to be decided, and tells what decides each.';

-- The request that is to answer a wish: the one that stands in its slot, or its own moved there, or a new one. Its own moves if
-- nobody who shares it stays: of p_decisions, which are kept together, some may go the same way.
create or replace function calendar_internal.request_for(p_wish public.bot_wishes, p_decision jsonb, p_decisions jsonb)
returns uuid
language plpgsql security invoker set search_path = ''
as $$
declare
  v_mine public.bot_requests;
  v_id uuid;
  v_start timestamptz := (p_decision ->> 'meeting_start')::timestamptz;
  v_end timestamptz := (p_decision ->> 'meeting_end')::timestamptz;
begin
  select r.id into v_id from public.bot_requests r
  where r.wanted and r.scope = p_decision ->> 'scope'
    and r.room_key = p_decision ->> 'room_key' and r.meeting_start = v_start
    -- A bot that is in the call stays, whoever makes them now.
    and (r.provider = p_decision ->> 'provider' or r.status not in ('pending', 'bot_scheduled'))
  order by r.status in ('pending', 'bot_scheduled'), r.created_at limit 1;
  if v_id is not null then
    return v_id;
  end if;
  select * into v_mine from public.bot_requests r where r.id = p_wish.request_id;
  if v_mine.wanted and v_mine.provider = p_decision ->> 'provider' and v_mine.dead_at is null
    -- One that has been in a meeting has had its time.
    and (v_mine.status in ('pending', 'bot_scheduled') or v_mine.meeting_start = v_start)
    and not exists (
      select 1 from public.bot_wishes w
      where w.request_id = v_mine.id and w.wanted and w.meeting_id <> p_wish.meeting_id and not exists (
        select 1 from jsonb_to_recordset(p_decisions) as d (
          meeting_id uuid, wanted boolean, provider text, scope text, room_key text, meeting_start timestamptz)
        where d.meeting_id = w.meeting_id and (not d.wanted or (d.provider, d.scope, d.room_key, d.meeting_start)
          = (p_decision ->> 'provider', p_decision ->> 'scope', p_decision ->> 'room_key', v_start))))
  then
    update public.bot_requests r set
      scope = p_decision ->> 'scope', room_key = p_decision ->> 'room_key', meeting_start = v_start
    where r.id = v_mine.id;
    return v_mine.id;
  end if;
  insert into public.bot_requests (
    provider, user_id, scope, room_key, meeting_start, meeting_end, wanted, meeting_url, join_at, bot_name, chat_message,
    due_at)
  values (
    p_decision ->> 'provider', p_wish.user_id, p_decision ->> 'scope', p_decision ->> 'room_key', v_start, v_end, true,
    p_decision ->> 'meeting_url', (p_decision ->> 'join_at')::timestamptz, p_decision ->> 'bot_name',
    p_decision ->> 'chat_message', clock_timestamp())
  returning id into v_id;
  return v_id;
end
$$;
comment on function calendar_internal.request_for is 'The request that is to answer a wish, moved or made if need be.';

-- Makes a request what its wishes want: nothing without wishes; else what the first of them says, so that two who share it do
-- not take turns.
create or replace function calendar_internal.settle_request(p_request_id uuid) returns void
language plpgsql security invoker set search_path = ''
as $$
declare
  v_content jsonb;
  v_now timestamptz := clock_timestamp();
begin
  select w.content into v_content from public.bot_wishes w
  where w.request_id = p_request_id and w.wanted order by w.meeting_id limit 1;
  if v_content is null then
    update public.bot_requests r set wanted = false, revision = r.revision + 1, due_at = v_now, updated_at = v_now
    where r.id = p_request_id and r.wanted;
    return;
  end if;
  update public.bot_requests r set
    wanted = true,
    meeting_url = v_content ->> 'meeting_url', join_at = (v_content ->> 'join_at')::timestamptz,
    meeting_end = (v_content ->> 'meeting_end')::timestamptz, bot_name = v_content ->> 'bot_name',
    chat_message = v_content ->> 'chat_message', revision = r.revision + 1, due_at = v_now, updated_at = v_now,
    -- Something else is wanted now: what was refused before may not be.
    dead_at = null, attempts = 0
  where r.id = p_request_id and (
      r.wanted, r.meeting_url, r.join_at, r.meeting_end, r.bot_name, r.chat_message
    ) is distinct from (
      true, v_content ->> 'meeting_url', (v_content ->> 'join_at')::timestamptz,
      (v_content ->> 'meeting_end')::timestamptz, v_content ->> 'bot_name', v_content ->> 'chat_message');
end
$$;
comment on function calendar_internal.settle_request is 'Makes a request what its wishes want.';

-- What was decided: [{meeting_id, revision, wanted, reason, look_again_at, provider, scope, room_key, meeting_start,
-- meeting_end, meeting_url, join_at, bot_name, chat_message}]; wanted null: it is over, and its bot is left to itself.
-- What has changed since it was claimed, or is locked, is passed over: it is due again. Answers how many were kept. A repeated
-- call changes nothing.
create or replace function public.record_bot_wishes(p_decisions jsonb) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_wish public.bot_wishes;
  v_decision jsonb;
  v_request_id uuid;
  v_ids uuid[] := array(select (d ->> 'meeting_id')::uuid from jsonb_array_elements(p_decisions) d);
  v_locked uuid[];
  v_kept integer := 0;
begin
  -- Whoever shares a scope decides one after the other, or one room would get two bots; also in a scope that is left.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('bots:' || s.scope, 0))
  from (
    select d ->> 'scope' as scope from jsonb_array_elements(p_decisions) d where d ->> 'scope' is not null
    union
    select r.scope from public.bot_wishes w join public.bot_requests r on r.id = w.request_id
    where w.meeting_id = any (v_ids)
    order by 1) s;
  -- Requests are locked in one order, whoever waits for several. No foreign key waits for this lock: whoever has written a wish
  -- in this transaction and writes it again asks for its request by it, in any order.
  select coalesce(array_agg(k.id), '{}') into v_locked from (
    select r.id from public.bot_requests r
    where r.id in (
      select w.request_id from public.bot_wishes w where w.meeting_id = any (v_ids)
      union
      select s.id
      from jsonb_to_recordset(p_decisions) as d (scope text, room_key text, meeting_url text, meeting_start timestamptz)
      join public.bot_requests s on s.wanted and s.scope = d.scope and s.room_key = coalesce(d.room_key, d.meeting_url)
        and s.meeting_start = d.meeting_start)
    order by r.id for no key update) k;
  for v_decision in select d from jsonb_array_elements(p_decisions) d order by (d ->> 'meeting_id')::uuid
  loop
    -- Whoever deletes a wish may wait for more: it is not waited for.
    select * into v_wish from public.bot_wishes w
    where w.meeting_id = (v_decision ->> 'meeting_id')::uuid for update skip locked;
    continue when not found or v_wish.revision <> (v_decision ->> 'revision')::bigint
      or (v_wish.request_id is not null and v_wish.request_id <> all (v_locked))
      or exists (select 1 from public.bot_marks b where b.meeting_id = v_wish.meeting_id);
    v_kept := v_kept + 1;
    -- A row of an original database may lack either.
    if (v_decision ->> 'wanted')::boolean and v_decision ->> 'meeting_url' is null then
      v_decision := v_decision || '{"wanted": false, "reason": "no_link"}';
    elsif v_decision ->> 'room_key' is null then
      v_decision := v_decision || jsonb_build_object('room_key', v_decision ->> 'meeting_url');
    end if;
    v_request_id := v_wish.request_id;
    if (v_decision ->> 'wanted')::boolean then
      v_request_id := calendar_internal.request_for(v_wish, v_decision, p_decisions);
    end if;
    update public.bot_wishes w set
      request_id = v_request_id,
      wanted = coalesce((v_decision ->> 'wanted')::boolean, w.wanted),
      reason = case when (v_decision ->> 'wanted') is null and w.reason is not null then w.reason
        else v_decision ->> 'reason' end,
      content = case when (v_decision ->> 'wanted')::boolean then jsonb_build_object(
        'meeting_url', v_decision ->> 'meeting_url', 'join_at', v_decision ->> 'join_at',
        'meeting_end', v_decision ->> 'meeting_end', 'bot_name', v_decision ->> 'bot_name',
        'chat_message', v_decision ->> 'chat_message') else w.content end,
      due_at = (v_decision ->> 'look_again_at')::timestamptz, decided_at = clock_timestamp(), is_shown = false
    where w.meeting_id = v_wish.meeting_id;
    if (v_decision ->> 'wanted') is not null then
      if v_wish.request_id is not null and v_wish.request_id is distinct from v_request_id then
        perform calendar_internal.settle_request(v_wish.request_id);
      end if;
      if v_request_id is not null then
        perform calendar_internal.settle_request(v_request_id);
      end if;
    end if;
  end loop;
  return v_kept;
end
$$;

-- Writes bot_status, bot_reason, bot_provider and bot_id of these meetings.
create or replace function calendar_internal.show_bots(p_meeting_ids uuid[]) returns void
language sql security invoker set search_path = ''
as $$
  update public.meetings m set
    bot_status = coalesce(s.status, m.bot_status), bot_reason = s.reason, bot_provider = s.provider, bot_id = s.bot_id,
    updated_at = clock_timestamp()
  from (
    select w.meeting_id, r.provider, r.bot_id,
      case when r.dead_at is not null and w.wanted then 'refused_by_provider' else w.reason end as reason,
      case when r.id is null then null
        when r.dead_at is not null and r.wanted then 'failed'
        -- Its bot is on its way out, or another meeting keeps the bot that this one shared.
        when not w.wanted and (r.wanted or r.status in ('pending', 'bot_scheduled')) then 'cancelled'
        else r.status end as status
    from public.bot_wishes w left join public.bot_requests r on r.id = w.request_id
    where w.meeting_id = any (p_meeting_ids)
  ) s
  where m.id = s.meeting_id
    and (m.bot_status, m.bot_reason, m.bot_provider, m.bot_id)
      is distinct from (coalesce(s.status, m.bot_status), s.reason, s.provider, s.bot_id)
$$;
comment on function calendar_internal.show_bots is 'Writes bot_status, bot_reason, bot_provider and bot_id of these meetings.';

-- Shows on meetings what came of their wishes and requests, up to p_limit of each. Waits for nobody: what somebody holds is
-- shown by the next call. Answers how many meetings were looked at.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.show_bot_states(p_limit integer) returns integer
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_limit integer := least(greatest(p_limit, 0), 1000);
  v_wishes uuid[];
  v_requests uuid[];
  v_all uuid[];
  v_held uuid[];
  v_id uuid;
begin
  select array_agg(k.meeting_id) into v_wishes from (
    select w.meeting_id from public.bot_wishes w where not w.is_shown order by w.meeting_id limit v_limit
    for update skip locked) k;
  select array_agg(k.id) into v_requests from (
    select r.id from public.bot_requests r where not r.is_shown order by r.id limit v_limit
    for no key update skip locked) k;
  v_all := v_wishes || array(select w.meeting_id from public.bot_wishes w where w.request_id = any (v_requests));
  select array_agg(k.id) into v_held from (
    select m.id from public.meetings m where m.id = any (v_all) for no key update skip locked) k;
  begin
    perform calendar_internal.show_bots(v_held);
  exception when check_violation or raise_exception or invalid_text_representation or string_data_right_truncation then
    -- A check, a type or a trigger of the company's own refuses one: the others are shown, and that one stays as it is.
    foreach v_id in array v_held loop
      begin
        perform calendar_internal.show_bots(array[v_id]);
      exception when check_violation or raise_exception or invalid_text_representation or string_data_right_truncation then
        null;
      end;
    end loop;
  end;
  update public.bot_wishes w set is_shown = true where w.meeting_id = any (v_wishes) and w.meeting_id = any (v_held);
  update public.bot_requests r set is_shown = true where r.id = any (v_requests) and not exists (
    select 1 from public.bot_wishes w where w.request_id = r.id and w.meeting_id <> all (coalesce(v_held, '{}')));
  return coalesce(cardinality(v_held), 0);
end
$$;

-- Requests -----------------------------------------------------------------------------------------------------------

-- What may be asked of a provider now, of p_per_minute at most in any minute: a sixth of it at once (but one), and the rest of it
-- over time.
create or replace function calendar_internal.filled(p_tokens double precision, p_since interval, p_per_minute double precision)
returns double precision
language sql immutable security invoker set search_path = ''
as $$
  select least(b.most, p_tokens + greatest(0, least(extract(epoch from p_since), 3600))
      * case when p_per_minute > b.most then p_per_minute - b.most else p_per_minute end / 60)
  from (select greatest(1, p_per_minute / 6) as most) b
$$;
comment on function calendar_internal.filled is 'A bucket''s tokens after some time.';

-- Leases up to p_limit requests of a provider that need work, the meeting that begins soonest first, as far as the provider's
-- rates allow: p_creates_per_minute of new bots, p_changes_per_minute of everything else. Counted before the work. A request
-- that is leased moves on only once the lease has lapsed. Waits only for another process' claim.
create or replace function public.claim_bot_requests(
  p_provider text, p_limit integer, p_lease_seconds integer,
  p_creates_per_minute double precision, p_changes_per_minute double precision
) returns setof public.bot_requests
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_provider public.bot_providers;
  v_limit integer := least(greatest(p_limit, 0), 500);
  v_creates uuid[];
  v_others uuid[];
begin
  -- "Not null" tells the planner that few are due, whatever the time is.
  if calendar_internal.is_paused('bots') or not exists (
    select 1 from public.bot_requests r where r.provider = p_provider and r.due_at is not null and r.due_at <= v_now
      and (r.lease_expires_at is null or r.lease_expires_at <= v_now))
  then
    return;
  end if;
  insert into public.bot_providers (provider) values (p_provider) on conflict (provider) do nothing;
  select * into v_provider from public.bot_providers p where p.provider = p_provider for update;
  if v_provider.not_before > v_now then
    return;
  end if;
  v_provider.create_tokens := calendar_internal.filled(
    v_provider.create_tokens, v_now - v_provider.filled_at, p_creates_per_minute);
  v_provider.change_tokens := calendar_internal.filled(
    v_provider.change_tokens, v_now - v_provider.filled_at, p_changes_per_minute);
  select array_agg(k.id) into v_creates from (
    select r.id from public.bot_requests r
    where r.provider = p_provider and r.due_at is not null and r.due_at <= v_now
      and (r.lease_expires_at is null or r.lease_expires_at <= v_now)
      and r.wanted and r.bot_id is null
    order by r.join_at limit least(v_limit, floor(v_provider.create_tokens)::integer)
    for no key update skip locked) k;
  select array_agg(k.id) into v_others from (
    select r.id from public.bot_requests r
    where r.provider = p_provider and r.due_at is not null and r.due_at <= v_now
      and (r.lease_expires_at is null or r.lease_expires_at <= v_now)
      and not (r.wanted and r.bot_id is null)
    order by r.join_at limit least(v_limit, floor(v_provider.change_tokens)::integer)
    for no key update skip locked) k;
  -- Soonest first of both kinds together.
  select array_agg(k.id) filter (where k.is_create), array_agg(k.id) filter (where not k.is_create) into v_creates, v_others
  from (
    select r.id, r.bot_id is null and r.wanted as is_create from public.bot_requests r
    where r.id = any (v_creates || v_others) order by r.join_at limit v_limit) k;
  update public.bot_providers p set
    create_tokens = v_provider.create_tokens - coalesce(cardinality(v_creates), 0),
    change_tokens = v_provider.change_tokens - coalesce(cardinality(v_others), 0),
    filled_at = v_now
  where p.provider = p_provider;
  return query
  update public.bot_requests r set
    lease_expires_at = v_now + make_interval(secs => p_lease_seconds), fence = r.fence + 1, attempts = r.attempts + 1,
    -- Whoever had it last may have died between asking and hearing.
    maybe_created = r.maybe_created or (r.is_unheard and r.bot_id is null),
    told_join_at = case when not r.is_unheard then r.told_join_at end,
    told_url = case when not r.is_unheard then r.told_url end, is_unheard = true
  where r.id = any (v_creates || v_others)
  returning r.*;
end
$$;

-- A bot that another one took the place of: it gets a request of its own, to be removed.
create or replace function calendar_internal.leave_behind(p_request public.bot_requests, p_bot_id text, p_bot_key text) returns void
language sql security invoker set search_path = ''
as $$
  insert into public.bot_requests (
    provider, user_id, scope, room_key, meeting_start, meeting_end, wanted, meeting_url, join_at, bot_name, generation,
    bot_id, bot_key, status, is_left_behind, told_join_at, due_at)
  select p_request.provider, p_request.user_id, 'left:' || p_request.id, p_request.room_key, p_request.meeting_start,
    p_request.meeting_end, false, p_request.meeting_url, p_request.join_at, p_request.bot_name, p_request.generation,
    p_bot_id, p_bot_key, 'bot_scheduled', true, p_request.told_join_at, clock_timestamp()
  where not exists (
    select 1 from public.bot_requests r where r.provider = p_request.provider and r.bot_id = p_bot_id and r.is_left_behind)
$$;
comment on function calendar_internal.leave_behind is 'Has a bot removed that another one took the place of.';

-- What came of working on a request: {outcome, bot_id, revision, join_at, url, status, provider_state, error_code,
-- retry_seconds, maybe_created, maybe_changed, pause_seconds, calls}.
--   told      the provider has the bot as wanted at `revision`
--   make_new  this bot cannot be changed: it is left behind (or is_gone), and the next generation is made
--   found     the bot is there; what is wanted of it is compared next
--   removed   there is no bot any more
--   not_now   nothing can be done in this state: again after retry_seconds, or when the next state is told
--   retry     it failed, and is tried again after retry_seconds; new_key: under another key; is_outage: the provider answers
--             nobody and was not asked, which is no attempt
--   dead      refused for good
-- False: somebody else has it by now. What has changed meanwhile leaves it due.
create or replace function public.record_bot_delivery(p_request_id uuid, p_fence bigint, p_result jsonb) returns boolean
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_request public.bot_requests;
  v_outcome text := p_result ->> 'outcome';
  v_again timestamptz := v_now + make_interval(secs => coalesce((p_result ->> 'retry_seconds')::double precision, 0));
  v_is_outdated boolean;
begin
  select * into v_request from public.bot_requests r where r.id = p_request_id for no key update;
  if not found or v_request.fence <> p_fence or v_request.lease_expires_at is null then
    return false;
  end if;
  v_is_outdated := v_request.revision > coalesce((p_result ->> 'revision')::bigint, v_request.revision);
  if v_outcome = 'make_new' and v_request.bot_id is not null and not coalesce((p_result ->> 'is_gone')::boolean, false) then
    perform calendar_internal.leave_behind(
      v_request, v_request.bot_id, coalesce(v_request.bot_key, v_request.id || '.' || v_request.generation));
  end if;
  update public.bot_requests r set
    lease_expires_at = null, is_unheard = false,
    calls = r.calls + case when (p_result ->> 'is_outage')::boolean then 0
      else coalesce((p_result ->> 'calls')::integer, 1) end,
    bot_id = case v_outcome when 'make_new' then null else coalesce(p_result ->> 'bot_id', r.bot_id) end,
    generation = r.generation + (case when v_outcome = 'make_new' then 1 else 0 end),
    attempt_series = r.attempt_series + (case when (p_result ->> 'new_key')::boolean then 1 else 0 end),
    told_revision = case v_outcome when 'told' then (p_result ->> 'revision')::bigint when 'make_new' then 0
      else r.told_revision end,
    told_at = case v_outcome when 'told' then v_now else r.told_at end,
    told_join_at = case v_outcome when 'told' then (p_result ->> 'join_at')::timestamptz when 'make_new' then null
      else case when not coalesce((p_result ->> 'maybe_changed')::boolean, false) then r.told_join_at end end,
    told_url = case v_outcome when 'told' then p_result ->> 'url' when 'make_new' then null
      else case when not coalesce((p_result ->> 'maybe_changed')::boolean, false) then r.told_url end end,
    seen_at = case when v_outcome in ('told', 'found', 'not_now') then v_now else r.seen_at end,
    maybe_created = case when v_outcome in ('told', 'found', 'make_new', 'removed') then false
      when p_result ? 'maybe_created' then (p_result ->> 'maybe_created')::boolean else r.maybe_created end,
    in_doubt = case when v_outcome in ('told', 'found', 'make_new', 'removed', 'not_now') then false else r.in_doubt end,
    provider_state = coalesce(p_result ->> 'provider_state', case when v_outcome = 'make_new' then null else r.provider_state end),
    state_at = case when v_outcome = 'make_new' then null else r.state_at end,
    status = case
      when v_outcome = 'make_new' then 'pending'
      when v_outcome = 'removed' and r.status not in ('completed', 'failed') then 'cancelled'
      else calendar_internal.further(r.status, p_result ->> 'status') end,
    attempts = case when v_outcome in ('told', 'found', 'make_new', 'removed', 'not_now') then 0
      when (p_result ->> 'is_outage')::boolean then greatest(r.attempts - 1, 0) else r.attempts end,
    last_error_code = case when v_outcome in ('told', 'make_new', 'removed') then null
      else coalesce(p_result ->> 'error_code', r.last_error_code) end,
    dead_at = case when v_outcome = 'dead' and not v_is_outdated then v_now else null end,
    due_at = case
      when v_outcome in ('told', 'dead') then case when v_is_outdated then v_now end
      when v_outcome = 'found' then case when not r.wanted or r.told_revision < r.revision then v_now end
      when v_outcome = 'make_new' then v_now
      when v_outcome = 'removed' then null
      else v_again end,
    is_shown = false, updated_at = v_now
  where r.id = p_request_id;
  if p_result ? 'pause_seconds' then
    update public.bot_providers p set
      not_before = greatest(p.not_before, v_now + make_interval(secs => (p_result ->> 'pause_seconds')::double precision)),
      last_error_code = p_result ->> 'error_code', last_error_at = v_now
    where p.provider = v_request.provider;
  end if;
  return true;
end
$$;

-- The further of two statuses: what is told late never takes one back.
create or replace function calendar_internal.further(p_status text, p_told text) returns text
language sql immutable security invoker set search_path = ''
as $$
  select case
    when p_told is null or p_status in ('completed', 'failed', 'cancelled') then p_status
    when array_position(array['pending', 'bot_scheduled', 'bot_joined', 'transcribing', 'completed', 'failed', 'cancelled'], p_told)
      > array_position(array['pending', 'bot_scheduled', 'bot_joined', 'transcribing', 'completed', 'failed', 'cancelled'], p_status)
    then p_told
    else p_status end
$$;
comment on function calendar_internal.further is 'The further of two bot statuses.';

-- A provider told of a bot. p_key: as the bot carries it, the request''s id and its generation. Answers outcome:
-- taken | repeated | unknown. A bot that is not wanted is worked on at once: it may be in a state now in which it can leave.
create or replace function public.record_bot_message(
  p_provider text, p_message_id text, p_bot_id text, p_key text, p_status text, p_provider_state text, p_at timestamptz
) returns table (outcome text)
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_request public.bot_requests;
begin
  insert into public.bot_messages (provider, message_id) values (p_provider, p_message_id) on conflict do nothing;
  if not found then
    return query select 'repeated'::text;
    return;
  end if;
  select * into v_request from public.bot_requests r
  where r.provider = p_provider and r.bot_id = p_bot_id order by r.is_left_behind limit 1 for no key update;
  if not found and p_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,9}$' then
    -- It may tell of itself before the answer that made it is heard.
    select * into v_request from public.bot_requests r
    where r.id = split_part(p_key, '.', 1)::uuid and r.provider = p_provider
      -- A bot whose id was not heard is known by its key.
      and (r.bot_id is null or r.bot_id = p_key) and r.generation = split_part(p_key, '.', 2)::integer
    for no key update;
  end if;
  if v_request.id is null then
    return query select 'unknown'::text;
    return;
  end if;
  update public.bot_requests r set
    bot_id = p_bot_id, seen_at = v_now,
    provider_state = case when r.state_at is null or p_at is null or p_at >= r.state_at
      then coalesce(p_provider_state, r.provider_state) else r.provider_state end,
    state_at = greatest(r.state_at, p_at),
    status = case when not r.wanted and p_status = 'completed' then calendar_internal.further(r.status, 'cancelled')
      else calendar_internal.further(r.status, p_status) end,
    due_at = case when (not r.wanted or r.told_revision < r.revision) and r.status not in ('completed', 'failed', 'cancelled')
      then v_now else r.due_at end,
    is_shown = false, updated_at = v_now
  where r.id = v_request.id;
  return query select 'taken'::text;
end
$$;

-- What a provider's listing showed: p_bots [{id, key, status, provider_state, is_alive, meeting_url, join_at}]. Repairs what
-- was lost: a bot whose creation was not heard of is taken, one too many (or that is not gone) is removed, one that is otherwise than it was told is told
-- again, a status that was not told is taken. What a process works on just now is passed over. Answers the counts.
create or replace function public.compare_bots(p_provider text, p_bots jsonb) returns jsonb
language plpgsql security invoker set search_path = ''
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_bot record;
  v_request public.bot_requests;
  v_taken integer := 0;
  v_doubled integer := 0;
  v_differing integer := 0;
  v_back integer;
begin
  for v_bot in
    select b.*, split_part(b.key, '.', 1)::uuid as request_id, split_part(b.key, '.', 2)::integer as generation
    from jsonb_to_recordset(p_bots) as b (
      id text, key text, status text, provider_state text, is_alive boolean, meeting_url text, join_at timestamptz)
    where b.key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.[0-9]{1,9}$'
    order by b.id
  loop
    select * into v_request from public.bot_requests r where r.id = v_bot.request_id and r.provider = p_provider
    for no key update skip locked;
    continue when not found or v_request.lease_expires_at > v_now;
    if v_bot.is_alive then
      -- It was taken to be gone, and is there.
      update public.bot_requests r set status = 'bot_scheduled', due_at = v_now
      where r.id in (
        select o.id from public.bot_requests o
        where o.provider = p_provider and o.bot_id = v_bot.id and not o.wanted and o.status = 'cancelled'
          and (o.lease_expires_at is null or o.lease_expires_at <= v_now)
        for no key update skip locked);
      get diagnostics v_back = row_count;
      v_doubled := v_doubled + v_back;
    end if;
    if v_request.bot_id is null and v_bot.generation = v_request.generation and v_bot.is_alive then
      update public.bot_requests r set
        bot_id = v_bot.id, told_revision = 0, maybe_created = false, is_shown = false, due_at = v_now
      where r.id = v_request.id;
      v_request.bot_id := v_bot.id;
      v_taken := v_taken + 1;
    elsif v_request.bot_id is distinct from v_bot.id then
      if v_bot.is_alive and not exists (
        select 1 from public.bot_requests r where r.provider = p_provider and r.bot_id = v_bot.id)
      then
        perform calendar_internal.leave_behind(v_request, v_bot.id, v_bot.key);
        v_doubled := v_doubled + 1;
      end if;
      continue;
    end if;
    if v_bot.is_alive and v_request.wanted and v_request.status = 'bot_scheduled' and v_request.told_revision = v_request.revision
      and (v_bot.meeting_url <> v_request.meeting_url
        -- Providers keep seconds; what lay behind was joined at once.
        or abs(extract(epoch from v_bot.join_at - v_request.join_at)) >= 1 and v_request.join_at > v_request.told_at)
    then
      update public.bot_requests r set told_revision = 0, due_at = v_now where r.id = v_request.id;
      v_differing := v_differing + 1;
    end if;
    update public.bot_requests r set
      seen_at = v_now, in_doubt = false, provider_state = v_bot.provider_state,
      is_shown = r.is_shown and r.bot_id is not distinct from v_request.bot_id
        and calendar_internal.further(r.status, v_bot.status) = r.status,
      status = case when not r.wanted and v_bot.status = 'completed' then calendar_internal.further(r.status, 'cancelled')
        else calendar_internal.further(r.status, v_bot.status) end,
      due_at = case when not r.wanted and v_bot.is_alive then least(r.due_at, v_now) else r.due_at end
    where r.id = v_request.id;
  end loop;
  return jsonb_build_object('taken', v_taken, 'doubled', v_doubled, 'differing', v_differing);
end
$$;

-- {at}: when a listing that begins now begins, by the clock that everything it is compared with stands by.
create or replace function public.begin_comparison() returns jsonb
language sql volatile security invoker set search_path = ''
as $$
  select jsonb_build_object('at', clock_timestamp())
$$;
comment on function public.begin_comparison is 'When a listing begins, by the database''s clock.';

-- A whole listing that began at p_since is through: bots that should be there and were not shown are looked up. Answers how many.
create or replace function public.end_comparison(p_provider text, p_since timestamptz) returns integer
language plpgsql security invoker set search_path = ''
as $$
declare
  v_missing integer;
begin
  update public.bot_requests r set in_doubt = true, due_at = clock_timestamp(), updated_at = clock_timestamp()
  where r.id in (
    select o.id from public.bot_requests o
    where o.provider = p_provider and o.bot_id is not null and o.status not in ('completed', 'failed', 'cancelled')
      and o.meeting_end > clock_timestamp() - interval '7 days' and coalesce(o.seen_at, '-infinity') < p_since
      and coalesce(o.told_at, o.created_at) < p_since and o.due_at is null
    for no key update skip locked);
  get diagnostics v_missing = row_count;
  update public.bot_providers p set listed_at = p_since where p.provider = p_provider;
  return v_missing;
end
$$;
comment on function public.end_comparison is
  'Has bots looked up that a whole listing did not show.';

-- Drops requests that ended p_keep_days ago, at once those that no meeting refers to any more (their user is gone), and messages
-- as old: up to p_limit of each.
-- Planned once by each connection: planning would cost more than the call does where nothing is due.
create or replace function public.drop_old_bots(p_keep_days integer, p_limit integer) returns integer
language plpgsql security invoker set search_path = '' set plan_cache_mode = force_generic_plan
as $$
declare
  v_limit integer := least(greatest(p_limit, 0), 5000);
  v_before timestamptz := clock_timestamp() - make_interval(days => p_keep_days);
  v_old uuid[];
  v_dropped integer;
  v_messages integer;
begin
  select array_agg(k.id) into v_old from (
    (select o.id from public.bot_requests o
    where o.status in ('completed', 'failed', 'cancelled') and o.due_at is null and o.meeting_end < v_before
      -- A count, so that it is looked up for each, by its index.
      and (
        select count(*) from public.bot_wishes w join public.meetings m on m.id = w.meeting_id
        where w.request_id = o.id and m.end_time > clock_timestamp()) = 0
    order by o.meeting_end limit v_limit)
    union
    (select o.id from public.bot_requests o
    where o.status in ('completed', 'failed', 'cancelled') and o.due_at is null and not o.wanted
      and (select count(*) from public.bot_wishes w where w.request_id = o.id) = 0
    limit v_limit)
    limit v_limit) k;
  -- Wishes before requests, as whoever decides has them; a request whose wish is locked stays for the next call.
  update public.bot_wishes w set request_id = null where w.meeting_id in (
    select o.meeting_id from public.bot_wishes o where o.request_id = any (v_old) for update skip locked);
  delete from public.bot_requests r where r.id in (
    select o.id from public.bot_requests o
    where o.id = any (v_old) and not exists (select 1 from public.bot_wishes w where w.request_id = o.id)
    for update skip locked);
  get diagnostics v_dropped = row_count;
  delete from public.bot_messages b where b.ctid = any (array(
    select o.ctid from public.bot_messages o where o.received_at < v_before order by o.received_at limit v_limit));
  get diagnostics v_messages = row_count;
  return v_dropped + v_messages;
end
$$;

-- Why a bot joins a meeting, or why none does: the wish, the request, and what the provider last said. Null where nothing is
-- to be decided.
create or replace function public.explain_bot(p_meeting_id uuid) returns jsonb
language sql stable security invoker set search_path = ''
as $$
  select coalesce((select jsonb_build_object(
    'wanted', w.wanted, 'reason', w.reason, 'decided_at', w.decided_at, 'is_decided', w.decided_at is not null,
    'shared_with', (
      select count(*) from public.bot_wishes o
      where o.request_id = w.request_id and o.wanted and o.meeting_id <> w.meeting_id),
    'request', case when r.id is not null then jsonb_build_object(
      'provider', r.provider, 'wanted', r.wanted, 'bot_id', r.bot_id, 'status', r.status,
      'provider_state', r.provider_state, 'join_at', r.join_at,
      'is_told', r.told_revision = r.revision, 'told_at', r.told_at, 'due_at', r.due_at, 'attempts', r.attempts,
      'last_error_code', r.last_error_code, 'is_dead', r.dead_at is not null, 'generation', r.generation) end,
    'provider_paused_until', (
      select p.not_before from public.bot_providers p where p.provider = r.provider and p.not_before > clock_timestamp()))
  from public.bot_wishes w left join public.bot_requests r on r.id = w.request_id
  where w.meeting_id = p_meeting_id), (
    select jsonb_build_object('is_decided', false) from public.bot_marks b where b.meeting_id = p_meeting_id limit 1))
$$;
comment on function public.explain_bot is 'Why a bot joins a meeting, or why none does.';

-- For the service alone.
revoke all on function
  calendar_internal.mark_new_meetings,
  calendar_internal.mark_changed_meetings,
  calendar_internal.mark_users_meetings,
  calendar_internal.mark_forsaken_requests,
  calendar_internal.drain_bot_marks,
  calendar_internal.request_for,
  calendar_internal.settle_request,
  calendar_internal.show_bots,
  calendar_internal.filled,
  calendar_internal.further,
  calendar_internal.leave_behind,
  public.declare_bots,
  public.claim_bot_wishes,
  public.record_bot_wishes,
  public.show_bot_states,
  public.claim_bot_requests,
  public.record_bot_delivery,
  public.record_bot_message,
  public.compare_bots,
  public.begin_comparison,
  public.end_comparison,
  public.drop_old_bots,
  public.explain_bot
from public, anon, authenticated;
grant execute on function
  calendar_internal.mark_new_meetings,
  calendar_internal.mark_changed_meetings,
  calendar_internal.mark_users_meetings,
  calendar_internal.mark_forsaken_requests,
  calendar_internal.drain_bot_marks,
  calendar_internal.request_for,
  calendar_internal.settle_request,
  calendar_internal.show_bots,
  calendar_internal.filled,
  calendar_internal.further,
  calendar_internal.leave_behind,
  public.declare_bots,
  public.claim_bot_wishes,
  public.record_bot_wishes,
  public.show_bot_states,
  public.claim_bot_requests,
  public.record_bot_delivery,
  public.record_bot_message,
  public.compare_bots,
  public.begin_comparison,
  public.end_comparison,
  public.drop_old_bots,
  public.explain_bot
to service_role;

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function public.declare_bots is 'What a process is configured with: bots are made by p_provider from now on (null: by none), and wishes are decided as
p_policy says. When either is new, meetings ahead are looked through, p_limit a call, and those marked that nobody has decided
of since, or whose bot is another provider''s; from then on the trigger marks each. Answers how many it looked at. Said every
few seconds; a repeated call changes nothing. Another policy takes force once nobody has said the former one for a while, so that processes that
differ do not take turns. While no bots are made, wishes that there are already still become due.';
comment on function public.record_bot_wishes is 'What was decided: [{meeting_id, revision, wanted, reason, look_again_at, provider, scope, room_key, meeting_start,
meeting_end, meeting_url, join_at, bot_name, chat_message}]; wanted null: it is over, and its bot is left to itself.
What has changed since it was claimed, or is locked, is passed over: it is due again. Answers how many were kept. A repeated
call changes nothing.';
comment on function public.show_bot_states is 'Shows on meetings what came of their wishes and requests, up to p_limit of each. Waits for nobody: what somebody holds is
shown by the next call. Answers how many meetings were looked at.
Planned once by each connection: planning would cost more than the call does where nothing is due.';
comment on function public.claim_bot_requests is 'Leases up to p_limit requests of a provider that need work, the meeting that begins soonest first, as far as the provider''s
rates allow: p_creates_per_minute of new bots, p_changes_per_minute of everything else. Counted before the work. A request
that is leased moves on only once the lease has lapsed. Waits only for another process'' claim.';
comment on function public.record_bot_delivery is 'What came of working on a request: {outcome, bot_id, revision, join_at, url, status, provider_state, error_code,
retry_seconds, maybe_created, maybe_changed, pause_seconds, calls}.
  told      the provider has the bot as wanted at `revision`
  make_new  this bot cannot be changed: it is left behind (or is_gone), and the next generation is made
  found     the bot is there; what is wanted of it is compared next
  removed   there is no bot any more
  not_now   nothing can be done in this state: again after retry_seconds, or when the next state is told
  retry     it failed, and is tried again after retry_seconds; new_key: under another key; is_outage: the provider answers
            nobody and was not asked, which is no attempt
  dead      refused for good
False: somebody else has it by now. What has changed meanwhile leaves it due.';
comment on function public.record_bot_message is 'A provider told of a bot. p_key: as the bot carries it, the request''''s id and its generation. Answers outcome:
taken | repeated | unknown. A bot that is not wanted is worked on at once: it may be in a state now in which it can leave.';
comment on function public.compare_bots is 'What a provider''s listing showed: p_bots [{id, key, status, provider_state, is_alive, meeting_url, join_at}]. Repairs what
was lost: a bot whose creation was not heard of is taken, one too many (or that is not gone) is removed, one that is otherwise than it was told is told
again, a status that was not told is taken. What a process works on just now is passed over. Answers the counts.';
comment on function public.drop_old_bots is 'Drops requests that ended p_keep_days ago, at once those that no meeting refers to any more (their user is gone), and messages
as old: up to p_limit of each.
Planned once by each connection: planning would cost more than the call does where nothing is due.';
