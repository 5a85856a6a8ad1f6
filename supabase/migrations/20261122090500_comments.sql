-- Comments: what every table, view and column is for, in the database itself. Functions: the part below, which
-- `scripts/document_sql` writes from the lines above each function.

comment on table public.calendar_webhooks is 'One row per watched calendar: its sync state, and the queue of work (due_at). The name is the original system''s. Written by the service alone.';
comment on column public.calendar_webhooks.id is 'The calendar''s id in this database.';
comment on column public.calendar_webhooks.user_id is 'Whose connection reads it.';
comment on column public.calendar_webhooks.google_calendar_id is 'Google''s id of the calendar; ''primary'' for a user''s own.';
comment on column public.calendar_webhooks.webhook_id is 'The current push channel (calendar_channels.id).';
comment on column public.calendar_webhooks.resource_id is 'Google''s id of what the current channel watches: equal for channels of one calendar of one account.';
comment on column public.calendar_webhooks.expiration_time is 'When the current channel lapses.';
comment on column public.calendar_webhooks.sync_token is 'Google''s token of what was last committed; null: the calendar is to be listed whole.';
comment on column public.calendar_webhooks.is_active is 'False: its user watches it no more.';
comment on column public.calendar_webhooks.created_at is 'When it was first connected.';
comment on column public.calendar_webhooks.updated_at is 'When the row last changed.';
comment on column public.calendar_webhooks.last_webhook_received is 'When the last accepted notification came.';
comment on column public.calendar_webhooks.last_poll_at is 'When it was last synced without a notification.';
comment on column public.calendar_webhooks.webhook_failures is 'Missed pushes in a row: changes that a poll found and no notification had announced.';
comment on column public.calendar_webhooks.due_at is 'When it next needs work: the queue. While it is leased, the end of the lease.';
comment on column public.calendar_webhooks.due_reason is 'Why it is due then.';
comment on column public.calendar_webhooks.not_before is 'No work before this: the pause between two syncs, a failure''s backoff, what Google asked for. No notification shortens it.';
comment on column public.calendar_webhooks.lease_expires_at is 'Until when somebody works on it; null: nobody does.';
comment on column public.calendar_webhooks.fence is 'Grows with every claim. What was begun under an older one is refused.';
comment on column public.calendar_webhooks.committed_fence is 'The last claim that was ended.';
comment on column public.calendar_webhooks.claimed_at is 'When it was last claimed.';
comment on column public.calendar_webhooks.claimed_by is 'By which process (service_processes).';
comment on column public.calendar_webhooks.claim_id is 'The call that claimed it, so that one whose answer was lost can be asked again.';
comment on column public.calendar_webhooks.claims_unended is 'Claims in a row that were neither committed, ended nor given back: each may have killed its process.';
comment on column public.calendar_webhooks.notifications_seen is 'Notifications accepted so far.';
comment on column public.calendar_webhooks.notifications_synced is 'Of these, how many a sync has answered. Fewer than seen: a sync is owed.';
comment on column public.calendar_webhooks.notified_since is 'When the first unanswered notification came.';
comment on column public.calendar_webhooks.settings_generation is 'The generation of settings it was last listed whole under (settings_generations).';
comment on column public.calendar_webhooks.time_zone is 'The calendar''s IANA zone when it was last synced; all-day events stand at its midnight.';
comment on column public.calendar_webhooks.horizon_until is 'The furthest end of the horizon that rows were derived for.';
comment on column public.calendar_webhooks.next_entry_at is 'When the next occurrence beyond the horizon begins; null: unknown, or none.';
comment on column public.calendar_webhooks.audited_at is 'When its meetings were last compared with a whole listing.';
comment on column public.calendar_webhooks.poll_interval_seconds is 'The plan''s present interval between polls, in seconds.';
comment on column public.calendar_webhooks.last_synced_at is 'When a sync last committed.';
comment on column public.calendar_webhooks.last_change_at is 'When a sync last found a change.';
comment on column public.calendar_webhooks.consecutive_failures is 'Failed syncs in a row.';
comment on column public.calendar_webhooks.last_error_code is 'What the last failed sync failed of.';
comment on column public.calendar_webhooks.last_error_at is 'When that was.';
comment on column public.calendar_webhooks.paused_reason is 'Why nothing is asked of Google for it.';
comment on column public.calendar_webhooks.paused_at is 'Since when.';
comment on column public.calendar_webhooks.access_lost_at is 'Since when Google refuses this calendar alone. It is asked for rarely; nothing of it is wiped.';
comment on column public.calendar_webhooks.retired_at is 'Since when its meetings ahead are cancelled because it could not be read for days.';
comment on column public.calendar_webhooks.watch_retry_at is 'No try for its watch before this: a lease, or a backoff.';
comment on column public.calendar_webhooks.watch_lead_seconds is 'How long before it lapses the current channel is renewed, in seconds.';
comment on column public.calendar_webhooks.watch_due_at is 'When its watch is to be opened or renewed.';
comment on column public.calendar_webhooks.watch_failures is 'Failed tries for its watch in a row.';
comment on column public.calendar_webhooks.watch_error_code is 'What the last of them failed of.';
comment on column public.calendar_webhooks.initial_sync is 'How the first listing stands.';
comment on column public.calendar_webhooks.initial_events is 'Events mirrored by the first listing so far.';
comment on column public.calendar_webhooks.initial_meetings is 'Meetings it made so far.';
comment on column public.calendar_webhooks.duplicate_of is 'An original row for a calendar that has a newer row; never synced.';

comment on table public.calendar_channels is 'Push channels at Google, one or more per calendar: a renewal overlaps. For the service alone.';
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
comment on column public.calendar_channels.moved_at is 'When it was found to point to an address that is no longer ours.';
comment on column public.calendar_channels.created_at is 'When it was stored, before Google was asked.';
comment on column public.calendar_channels.updated_at is 'When the row last changed.';

comment on table public.calendar_events is 'The mirror of Google''s events: singles, series, exceptions and tombstones. Other people''s addresses stay at Google. For the service alone.';
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
comment on column public.calendar_events.enters_at is 'When its next occurrence beyond the horizon begins, as of its last derivation.';
comment on column public.calendar_events.google_updated_at is 'When it was last changed at Google.';
comment on column public.calendar_events.details is 'Google''s JSON of it, trimmed to what can matter.';
comment on column public.calendar_events.generation is 'The full listing (its fence) that saw it last.';
comment on column public.calendar_events.sync_id is 'The sync that changed it last.';
comment on column public.calendar_events.created_at is 'When it was first mirrored.';
comment on column public.calendar_events.updated_at is 'When the row last changed.';

comment on table public.calendar_notifications is 'Notifications that could not be counted at once, for somebody held their calendar or channel. Every claim drains them. For the service alone.';
comment on column public.calendar_notifications.id is 'The notification''s id in this database.';
comment on column public.calendar_notifications.calendar_id is 'Its channel''s calendar.';
comment on column public.calendar_notifications.channel_id is 'The channel that sent it.';
comment on column public.calendar_notifications.outcome is 'What it came to.';
comment on column public.calendar_notifications.resource_id is 'The resource it named.';
comment on column public.calendar_notifications.message_number is 'Google''s number of it.';
comment on column public.calendar_notifications.received_at is 'When it came.';

comment on table public.calendar_set_aside is 'Families of events that could not be read or written. Their mirror and meetings stay as they were; the next full listing tries them again. For the service alone.';
comment on column public.calendar_set_aside.calendar_id is 'The calendar they stand in.';
comment on column public.calendar_set_aside.base_event_id is 'The family.';
comment on column public.calendar_set_aside.reason is 'unreadable: nothing can be made of it; refused: the database cannot take it.';
comment on column public.calendar_set_aside.error_code is 'What broke; unknown_tombstone: nothing tells what was deleted.';
comment on column public.calendar_set_aside.sync_id is 'The sync that set it aside.';
comment on column public.calendar_set_aside.created_at is 'When it was first set aside.';

comment on table public.calendar_staged_items is 'What a listing named, until its last page: of a listing too large for one process'' memory. For the service alone.';
comment on column public.calendar_staged_items.calendar_id is 'The calendar that is listed.';
comment on column public.calendar_staged_items.google_event_id is 'Google''s id of the item.';
comment on column public.calendar_staged_items.base_event_id is 'Its family.';
comment on column public.calendar_staged_items.fence is 'The claim that lists.';
comment on column public.calendar_staged_items.details is 'Google''s JSON of it, trimmed.';

comment on table public.calendar_sync_logs is 'One row per sync that was committed, skipped or failed. Users read their own; old rows are dropped (LOG_RETENTION_DAYS).';
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
comment on column public.calendar_sync_logs.error_code is 'The failure''s stable code.';

comment on table public.google_credentials is 'One row per user: the grant that reads their calendars. Tokens are ciphertext. For the service alone.';
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
comment on column public.google_credentials.former_account is 'The address before the last reconnection, while it is unproven that the account is the same.';
comment on column public.google_credentials.refresh_lease_until is 'Until when somebody refreshes the access token: two workers do not at once.';
comment on column public.google_credentials.suspected_at is 'When Google refused the grant once: a second refusal later counts.';
comment on column public.google_credentials.oauth_client is 'The OAuth client that the grant was given to, as a fingerprint or id.';

comment on table public.meetings is 'One row per occurrence inside the horizon that has a join link. A row is never deleted by a sync: what vanished becomes cancelled. Users read their own.';
comment on column public.meetings.id is 'The row''s id, kept for the occurrence''s life.';
comment on column public.meetings.user_id is 'Whose calendar it stands in.';
comment on column public.meetings.google_calendar_event_id is 'Google''s id of the single event, or {series}_{original start} of an occurrence.';
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

comment on table public.oauth_flows is 'One row per way through Google''s consent page. Who reads the table can neither forge a return nor redeem a code. For the service alone.';
comment on column public.oauth_flows.nonce_hash is 'SHA-256 of the state''s nonce.';
comment on column public.oauth_flows.user_id is 'Who began it.';
comment on column public.oauth_flows.verifier is 'The PKCE verifier, as ciphertext bound to user and nonce.';
comment on column public.oauth_flows.expires_at is 'When it ends unused.';
comment on column public.oauth_flows.taken_by is 'The return that took it.';
comment on column public.oauth_flows.created_at is 'When it was begun.';

comment on table public.security_events is 'What the doors refused, counted by hour, kind and coarse address. For the service alone.';
comment on column public.security_events.hour is 'The hour it is counted in.';
comment on column public.security_events.kind is 'The kind of refusal.';
comment on column public.security_events.address_prefix is 'The caller''s network, or * for all.';
comment on column public.security_events.count is 'How many.';
comment on column public.security_events.last_at is 'The last of them.';
comment on column public.security_events.batches is 'Batches counted in, so that a repeated one counts once.';
comment on column public.security_events.alerted_at is 'When it was told as an alert.';
comment on column public.security_events.alert_batch is 'The batch that told it.';

comment on table public.service_jobs is 'Jobs that one process does for all. For the service alone.';
comment on column public.service_jobs.name is 'The job.';
comment on column public.service_jobs.taken_at is 'When it was last taken up.';
comment on column public.service_jobs.every_seconds is 'Of a cron: seconds between its last two runs.';
comment on column public.service_jobs.taken_by is 'By which process.';

comment on table public.service_processes is 'The processes seen lately, and the meaning each is configured with. For the service alone.';
comment on column public.service_processes.worker_name is 'The process.';
comment on column public.service_processes.meaning is 'What its settings would make of rows.';
comment on column public.service_processes.seen_at is 'When it last spoke.';

comment on table public.settings_generations is 'What settings make of rows, as a fact of this database that only moves forward. For the service alone.';
comment on column public.settings_generations.generation is 'Grows with every change.';
comment on column public.settings_generations.meaning is 'hide_private, horizon_past_days, horizon_future_days, sync_format.';
comment on column public.settings_generations.declared_by is 'The process that declared it.';
comment on column public.settings_generations.declared_at is 'When.';

comment on table public.user_notifications is 'What users are told, once. Users read their own and mark them as read.';
comment on column public.user_notifications.id is 'The notification''s id.';
comment on column public.user_notifications.user_id is 'Who is told.';
comment on column public.user_notifications.kind is 'What it is about.';
comment on column public.user_notifications.reason is 'Its stable code.';
comment on column public.user_notifications.message is 'A sentence for the user.';
comment on column public.user_notifications.calendar_id is 'The calendar it is about, if one.';
comment on column public.user_notifications.created_at is 'When it was told.';
comment on column public.user_notifications.read_at is 'When its user read it.';
comment on column public.user_notifications.resolved_at is 'When it held no more.';
comment on column public.user_notifications.mail_after is 'When its mail may be sent: a lease and a backoff.';
comment on column public.user_notifications.mailed_at is 'When it was mailed.';

comment on table public.user_turns is 'Whose turn it is to have a user''s calendars polled, connected or listed. For the service alone.';
comment on column public.user_turns.for_user is 'The user.';
comment on column public.user_turns.holder is 'The asker.';
comment on column public.user_turns.expires_at is 'When the turn ends by itself.';

comment on view public.calendar_status is 'One row per calendar: how it stands, why, and when at the latest it is looked at again. For operators.';
comment on column public.calendar_status.calendar_id is 'The calendar.';
comment on column public.calendar_status.user_id is 'Its user.';
comment on column public.calendar_status.google_calendar_id is 'Google''s id of it.';
comment on column public.calendar_status.state is 'See docs/states.md.';
comment on column public.calendar_status.reason is 'Why it has this state.';
comment on column public.calendar_status.last_synced_at is 'When a sync last committed.';
comment on column public.calendar_status.last_webhook_received is 'When the last notification came.';
comment on column public.calendar_status.last_poll_at is 'When it was last polled.';
comment on column public.calendar_status.next_look_at is 'When it is looked at next.';
comment on column public.calendar_status.next_look_reason is 'Why then.';
comment on column public.calendar_status.poll_interval_seconds is 'The plan''s interval, in seconds.';
comment on column public.calendar_status.notifications_waiting is 'Notifications that no sync has answered.';
comment on column public.calendar_status.webhook_failures is 'Missed pushes in a row.';
comment on column public.calendar_status.consecutive_failures is 'Failed syncs in a row.';
comment on column public.calendar_status.channel_id is 'Its live push channel.';
comment on column public.calendar_status.channel_expires_at is 'When that lapses.';
comment on column public.calendar_status.watch_failures is 'Failed tries for a watch in a row.';

-- Functions, as the comments above them say. Written by scripts/document_sql.
comment on function calendar_internal.tell_user is 'Tells a user; what they were told already and is still so is not told again.';
comment on function calendar_internal.resolve_told is 'Ends what a user was told of a kind. True if they had been told.';
comment on function public.claim_unmailed_notifications is 'Leases up to p_limit notifications that still hold, ask something of the user, and were not mailed. What is older than
p_oldest_seconds is not mailed any more: mail that was switched on today is not about last month.';
comment on function public.mark_mailed is 'It was sent. A mail whose process died before this is sent once more: better twice than never.';
comment on function calendar_internal.take_calendars is 'Takes calendars into watching, as a step of connecting or of choosing: new ones, and those that were watched no more. They wait
p_watch_seconds for their watch.';
comment on function public.connect_calendars is 'Connects a user (again): stores the grant, takes the named calendars into watching, ends every pause that the lost
grant caused. The calendars wait p_watch_seconds for their watch to be opened before anyone lists them: a change
between a listing and a later watch would be announced by nobody.';
comment on function public.begin_refresh is 'Leave to refresh, for one worker at a time. may_refresh false with an access token: another worker has brought a new one
since p_seen_access_token; without one: another worker is at it, ask again soon. A worker that dies holds others up for
p_lease_seconds only.';
comment on function public.release_refresh is 'Gives the leave to refresh back: the token endpoint did not answer, and the next one may try.';
comment on function public.save_tokens is 'Keeps a fresh access token for all processes, a refresh token that Google rotated, and the OAuth client they were given to.
They are kept only if the refresh token still is the one that was used: a reconnection in between wins. Whatever was
suspected of the grant is over.';
comment on function public.read_tokens is 'Tokens of up to p_limit users after p_after, for sealing them anew under another key.';
comment on function public.replace_ciphertext is 'Replaces ciphertexts by ciphertexts of the same tokens, unless somebody replaced the tokens meanwhile.';
comment on function public.lose_connection is 'The grant is dead: syncing, polling and renewing stop for this user until they reconnect. True only the first time; then
they are told, by p_message. A reconnection since p_used_refresh_token was read wins: then nothing changes.';
comment on function public.begin_oauth_flow is 'Remembers a flow for p_seconds. Expired flows go at this occasion, and all but the newest 19 of this user: nobody comes back
from more consent pages than that. A repeated call changes nothing.';
comment on function public.take_oauth_flow is 'A flow comes back: ''ok'' with its verifier, to one return only; else ''expired'', or ''used'' (also when nobody knows it).
Guarantee: of any number of returns at once one gets ''ok''; it gets it again when it asks again.';
comment on function public.read_connection is 'A user''s connection and all their calendars with their watches and first syncs, as one object (PostgREST cuts row sets).
Tokens leave as ciphertext, for the service alone.';
comment on function calendar_internal.leave_calendars is 'Stops watching calendars, as one step of the transaction that decided it. Their mirror goes, their sync state begins anew, their
channels are to be stopped. p_meetings: ''delete'' their rows, or ''keep'' them: then what is not over yet is cancelled for
p_reason, because nobody keeps it true any more.
Guarantee: a sync, a roll or a watch that runs meanwhile commits nothing: the fence moved on.';
comment on function public.add_calendars is 'More calendars of a connected user. Nothing (and no row) for one who is not connected.';
comment on function public.remove_calendars is 'Calendars the user wants watched no more: their names, and the channels that are to be stopped. A repeated call answers the
same and changes nothing.';
comment on function public.begin_disconnect is 'Ends a user''s connection: from here on nothing is claimed, synced, watched or refreshed for them. Answers what is still to be
done at Google: the tokens to revoke, and the channels to stop with them. The tokens stay until finish_disconnect, so that a
process that dies in between loses nothing: a repeated call gives them again, and unfinished_disconnects finds them.';
comment on function public.finish_disconnect is 'What had to be done at Google was tried: the tokens go. Not if the user has connected again meanwhile.';
comment on function public.unfinished_disconnects is 'Users whose disconnecting was begun p_after_seconds ago or longer, and never finished: its process died.';
comment on function public.erase_user is 'Deletes every row of a user but the one in auth.users, which is Supabase Auth''s. Answers how many of each table. What hangs on
a calendar goes with it.';
comment on function public.export_user is 'A user''s rows of one table, in pages: {rows, last}. p_after: the last key of the page before ('''' for the first). Tokens and
what else only the service may know are left out.';
comment on function calendar_internal.drain_notifications is 'Counts notifications that wait in calendar_notifications, of up to p_limit calendars (of these, if named): the calendar
becomes due, its channel''s figures grow. Answers how many notifications were counted.
Guarantee: waits for nobody; what is locked stays for the next call. Each notification is counted once.';
comment on function public.record_notification is 'A notification is a hint without data: it raises a counter and makes the calendar due. One call, whatever happens.
Guarantee: an accepted notification is never lost, also while a sync of the calendar runs; none shortens a lease, the
pause between two syncs of a burst, or the backoff of a failing calendar; none waits for a lock: what cannot be counted
at once is left in calendar_notifications, which every claim drains.
Answers outcome: due | handshake | dead_channel | unknown_channel | refused.';
comment on function calendar_internal.claimed is 'What a claim gives of these calendars, in this order.';
comment on function calendar_internal.pick_due is 'Due calendars of one lane, locked, the longest due first. Spread over users: at most p_per_user of each.';
comment on function public.claim_due_calendars is 'Leases up to p_limit calendars, the longest due of each lane first:
  notified   a notification waits            first      never synced, or to be listed whole
  poll       the plan''s own date has come    suspect    its last claims were never ended: they may have killed who held them
p_room: how many of each lane at most ({"notified": 3, …}; a lane that is not named gets none); without it polls and first
syncs keep a third of p_limit, however many notifications wait, and suspects are left. A suspect is never claimed together
with another calendar. With p_calendar_ids only among these, of every lane; with p_even_if_not_due also those that are not
due (an operator asked), but never one that is leased or in its backoff. At most p_per_user calendars of one user.
p_ahead_seconds: also what becomes due within that time, but for what is in its backoff (a cron that nobody relieves looks
ahead to its next run).
p_claim_id names the call: asked again, it gives the same leases and takes no more.
Guarantee: no two callers hold a lease on one calendar; a claim that is never finished lapses with its lease, and is
counted (claims_unended): from the fourth on the calendar waits longer and longer before it is claimed again.';
comment on function public.keep_leases is 'Keeps all leases of a process at once, and its users'' turns: what its heartbeat calls. Answers the calendars of which the
lease is still its own; of the others it was lost, and their work must stop.';
comment on function public.release_calendar is 'Gives a claim back untouched (a worker that stops): the calendar is due for somebody else as soon as its backoff and
the pause between two syncs allow.';
comment on function public.take_turn is 'One user''s turn: of polls, connects and listings that somebody asked for one runs at a time. False: another one does.
p_holder names the asker: asked again, it has its turn still.';
comment on function public.end_turn is 'Ends a turn. A repeated call changes nothing.';
comment on function public.cron_interval is 'Notes a run of a cron, and answers the seconds between its last two; null: there was none before. Calls that follow each
other within p_same_run_seconds of the first are one run.';
comment on function public.since_job is 'Seconds since a job was last taken up; null: never.';
comment on function public.take_job is 'Whether the caller is to do a job that one process does for all, every so many seconds. True at most once in that time.';
comment on function public.end_claim is 'Ends a claim without a sync, for a reason: ''skipped'' (the plan found no need) or ''failed''. Writes the log row. A failure
counts and sets the backoff that no notification shortens. p_lost_message: Google refuses this
calendar; what its user is told then.
Guarantee: nothing of the calendar''s events, meetings or token changes; a repeated call changes nothing.';
comment on function public.sweep_state is 'What a sweep leaves behind: calendars still due, and calendars a notification within p_stale_hours vouches for, so that they
need no poll. Both are counted to 1000: the answer costs the same however many there are.';
comment on function public.calendars_of_user is 'The calendars of one user that a poll is about, and how long each is not to be asked for yet.';
comment on function calendar_internal.apply_events is 'Upserts mirror rows of one calendar. A row is written only when it differs, or when the generation must mark it seen; the
count is of those that differ.';
comment on function calendar_internal.apply_meetings is 'Makes the meetings of whole event families equal to what was derived for them.
p_part: families [{base_event_id, known_from}] that were derived anew and are named here to their end; meetings, every
  occurrence they have, with its placement:
    inside   in the horizon: inserted or updated
    before   ended before the horizon: history, only updated
    beyond   starts after the horizon: a row it already has is withdrawn, and comes back when the horizon reaches it
  present: occurrences of theirs that earlier parts wrote; withheld and ended: occurrences that are no meetings, and why.
A row of these families that is not named is gone if it ends after absent_from; one that is over already, only if the
family is known since before it (known_from), or if it is withheld or ended.
Guarantee: a row is written only when its content differs; the counts are rows written.';
comment on function calendar_internal.apply_entries is 'When what lies behind the horizon is to enter it: on every mirror row of the families that a part closes (p_part: families,
entering {event id: first start at or after the horizon''s end}). Answers the first of all the calendar''s.';
comment on function calendar_internal.sweep_unseen is 'What a full sync''s generation did not see is gone: mirror rows are dropped, live meetings ahead end. What is over stays as it
was, and what was set aside too: nothing is known of it.';
comment on function public.read_families is 'Whole families of the mirror, by their base ids and by the ids of members (a bare tombstone may not tell its family), and
by base id the start of the first meeting of each that has any: what a delta is merged into. One jsonb, for PostgREST cuts
row sets at 1000.';
comment on function public.first_starts is 'By base id the start of the first meeting before an instant, of those families that have any.';
comment on function public.stage_items is 'Keeps items of a listing until its last page, the latest version of each. p_is_first: what an earlier listing left goes.
False: the fence moved on. A repeated call changes nothing.';
comment on function public.read_staged_items is 'Staged items of the families that follow a base id, in order: whole families, together about p_limit items, at least one
family. {items, last}: ask again after `last`, until it is null.';
comment on function public.stage_sync is 'A part of a sync that is too large for one payload: complete families, of a full sync under the fence as generation.
Idempotent. It only writes what is true of the calendar already; what is gone unseen, and the token, wait for commit_sync.';
comment on function public.commit_sync is 'The one commit of a sync: mirror, meetings, token, counters, next due time and log row, together.
p_sync: sync_id, sync_type, reason, is_full, sync_token, generation, time_zone, notifications_read, horizon_until,
  next_poll_seconds, next_reason, coalesce_seconds, missed_push, reopen_watch, events_processed, google_calls, duration_ms,
  staged {created, updated, deleted, events}, audited (meetings compared; for an audit only), and the part itself:
  calendar_back_message, set_aside [{base_id, reason, code}], events, forgotten, and what apply_meetings takes.
Guarantees: refused when the fence moved on (another worker has the calendar), or when other settings are in force than
those it was made under (generation); a second call of the same fence changes
nothing and gives the first one''s answer; a notification that came since the claim leaves the calendar due.';
comment on function public.claim_rolling_calendars is 'Leases up to p_limit calendars that something enters, what waits the longest first: p_until is the horizon''s end, of which
the last p_lag_seconds may wait, so that what enters together is written together. The lease is the one of a sync, so no
sync of the calendar runs meanwhile; due_at stays, so a roller that dies delays nothing but itself.';
comment on function public.read_entering is 'The families that have something to enter before an instant, as Google''s trimmed JSON, and `since`: they have meetings for
all that starts before it. At most p_limit families, in order; the caller asks again after the last base id it got.';
comment on function public.commit_roll is 'Writes what entered, part by part; the last part ends the claim. A repeated call changes nothing. An empty last part gives the
claim back; without p_horizon_until nothing was derived up to there.
Answers whether a notification came meanwhile: then the calendar is due at once.';
comment on function calendar_internal.explain_facts is 'A calendar''s part of the facts: the mirror''s family as Google''s trimmed JSON, the row, and the sync that wrote the row last.';
comment on function public.explain_meeting is 'By the id of a row of meetings: null when there is none.';
comment on function public.explain_event is 'By Google''s id, in each watched calendar (of one user, if given) that knows the event''s family or has its row; up to 20.';
comment on function public.sample_for_audit is 'The p_limit calendars whose last audit is the longest ago, if at all; marked at once, so that two samplers do not take the
same ones. With p_calendar_ids these and no others.';
comment on function public.claim_expiring_watches is 'Leases up to p_limit calendars whose watch is due: its channel lapses soon, or it has none. watch_retry_at is the lease and,
after a failure, the backoff.';
comment on function public.watches_due is 'How many watches claim_expiring_watches would find (counted to 1000): what a renewal leaves behind.';
comment on function public.begin_channel is 'Stores a channel before Google is asked for it, so that no notification can come from one we do not know.';
comment on function public.activate_channel is 'Google opened the channel: it becomes the calendar''s current one, all earlier ones are superseded and stoppable. If
there was no other live channel, changes may have gone unannounced: the calendar becomes due. A channel of a calendar that is
watched no more never becomes live. Of two names of one calendar `primary` stays, and the other one is let go.
Answers the channels to stop. A repeated call changes nothing.';
comment on function public.fail_channel is 'The watch was not opened, or nobody knows whether it was. Everything else stays as it is; a calendar never synced
becomes due, for it has waited for its watch. A repeated call changes nothing, nor one that comes after the channel was
activated or given up.';
comment on function public.claim_dead_channels is 'Leases channels that should be dead and can be stopped. A channel whose opening was never finished (its process died)
counts as failed after p_abandoned_seconds; one that has lapsed by itself need not be stopped any more.
Guarantee: a channel that speaks for a watched calendar is never among them.';
comment on function public.end_channel is 'The end of a channel: stopped by us, unknown to Google, or (p_retry_seconds given) still to be stopped later.';
comment on function public.record_security_events is 'Adds a process''s batch ([{hour, kind, address_prefix, count}], 1000 at most) and drops hours older than p_keep_days.
Answers the kinds that reached p_alert_at in an hour by it.
Guarantee: a batch counts once and alerts once, however often it is sent; each hour and kind alerts once; an hour never
has more than p_hour_rows rows beside the ''*'' of each kind.';
comment on function public.drop_old_logs is 'One step through the sync logs older than p_keep_days, in order from after the row (p_after_at, p_after_id): looks at p_limit
rows and drops them, but for the newest of each calendar. `seen` below p_limit: there is no more.
Guarantee: the newest log of a calendar stays, however old; who goes on from `last_at` and `last_id` sees each row once.';
comment on function public.drop_old_channels is 'Drops up to p_limit channels that are over and were touched last p_keep_days ago. Answers how many.
Guarantee: none that is opening or live, and none that Google may still speak through: where nobody knows when it lapses, a
month more than the longest life of a channel has passed.
In its index''s order, or a step would read and sort all that is old.';
comment on function public.drop_left_items is 'Drops up to p_limit items that a listing kept and nobody will read: its claim is over, or was left a day ago. Answers how many.';
