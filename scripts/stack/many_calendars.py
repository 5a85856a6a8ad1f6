"""Fills a migrated database with very many calendars at once, as they stand in the middle of a day: what plans and
timings are taken at. Called by the tests of plans and by `scripts/bench`."""

from __future__ import annotations

from typing import Any

import psycopg

CALENDARS = 200_000
# Where the live channels send to.
HOOK = "https://host/hook"

# Every calendar has its user, a live channel, a single and a series that is to enter within a day, and one log row; one
# in ten has a meeting, had other channels before, left an item of a listing behind, and is in the feed of changes, of
# which one subscriber has heard half. In order of their ids, which are random: so the indexes grow at their ends.
_ROWS = """
insert into auth.users (id, email)
select md5(n::text)::uuid, n || '@example.com' from generate_series(1, %(calendars)s) n order by 1;
insert into google_credentials (user_id, refresh_token) select id, 'v1.r' from auth.users;
insert into calendar_events (calendar_id, user_id, google_event_id, base_event_id, kind, status, details, enters_at)
select id, id, kind, kind, kind, 'confirmed', '{}',
  case when kind = 'series' then now() + interval '60 days' + random() * interval '1 day' end
from auth.users, unnest(array['series', 'single']) kind;
insert into calendar_webhooks (id, user_id, google_calendar_id, webhook_id, resource_id, expiration_time, watch_due_at,
  due_at, notifications_seen, last_webhook_received, last_synced_at, sync_token, horizon_until, next_entry_at,
  audited_at, fence, initial_sync, due_reason, time_zone)
select calendar_id, calendar_id, 'primary', 'live-' || calendar_id, 'resource', renewed_at + interval '36 hours',
  renewed_at,
  now() + interval '%(ahead)s' + (random() - %(due)s) * interval '6 hours',
  (random() < %(due)s)::int, now() - random() * interval '12 hours', now(), 'token', now() + interval '60 days',
  enters_at, now() - random() * interval '1 year', 1, 'done', 'poll_interval', 'UTC'
from (
  select *, now() + interval '%(ahead)s' + (0.01 + random()) * interval '4 days' as renewed_at
  from calendar_events where kind = 'series') e;
insert into calendar_queue (calendar_id, user_id, lane, due_at)
select w.id, w.user_id, w.queue_lane, w.due_at from calendar_webhooks w;
insert into calendar_channels (id, calendar_id, user_id, resource_id, address, state, expires_at, opened_at)
select 'live-' || id, id, id, 'resource', '%(hook)s', 'live', now() + interval '5 days', now() from auth.users;
insert into calendar_channels (id, calendar_id, user_id, resource_id, state, expires_at, stop_after, updated_at)
select state || '-' || id, id, id, 'resource', state, touched_at + interval '7 days',
  case when state = 'superseded' and random() < 10 * %(due)s then now() end, touched_at
from (
  select id, state, now() - random() * interval '100 days' as touched_at
  from auth.users, unnest(array['superseded', 'stopped']) state
  where id > 'e6666666-6666-6666-6666-666666666666') former;
insert into calendar_staged_items (calendar_id, google_event_id, base_event_id, fence, details)
select id, 'single', 'single', 1, '{}' from auth.users where id > 'e6666666-6666-6666-6666-666666666666';
insert into meetings (
  calendar_id, user_id, google_calendar_event_id, base_event_id, start_time, end_time, meeting_url, room_key)
select id, id, 'single', 'single', starts_at, starts_at + interval '1 hour', 'https://h', 'h' from (
  select id, now() + random() * interval '60 days' as starts_at from auth.users
  where id > '%(meetings_after)s') u;
insert into calendar_sync_logs (id, calendar_id, user_id, sync_type, status, created_at)
select id, id, id, 'full', 'completed', now() - random() * interval '100 days' from auth.users;
insert into change_events (position, type, user_id, calendar_id, order_key, occurred_at)
select row_number() over (), 'calendar.connected', id, id, id, now() - interval '1 hour'
from auth.users where id > 'e6666666-6666-6666-6666-666666666666';
insert into change_events (type, user_id, calendar_id, order_key)
select 'calendar.lost', id, id, id from auth.users where id > 'fd000000-0000-0000-0000-000000000000' and %(due)s > 0;
insert into event_marks (name, position) select 'numbered', max(position) from change_events;
insert into event_subscriptions (url, secret, after_position)
select 'https://hooks.example.com', 'v2.s', position from event_marks;
insert into event_deliveries (event_id, subscription_id, order_key, position, state)
select e.id, s.id, e.order_key, e.position,
  case when e.position %% 2 = 0 and %(due)s > 0 then 'pending' else 'delivered' end
from change_events e, event_subscriptions s where e.position is not null;
insert into settings_generations (generation, meaning, declared_by) values (1, '{"hide_private": true}', 'w');
"""
# One calendar in four has a request for a bot, every meeting a wish: most told and shown, a few due, some long over.
_BOTS = """
insert into bot_providers (provider, is_chosen, chosen_at, marked_at) values
  ('recall', true, now(), case when %(due)s = 0 then now() end);
insert into bot_requests (id, provider, user_id, scope, room_key, meeting_start, meeting_end, wanted, meeting_url,
  join_at, bot_name, bot_id, status, due_at, is_shown, told_revision, told_at)
select id, 'recall', id, 'user:' || id, 'h', starts_at, starts_at + interval '1 hour', true, 'https://h',
  starts_at, 'b', 'bot of ' || id, case when starts_at > now() then 'bot_scheduled' else 'completed' end,
  case when random() < %(due)s and starts_at > now() then now() end, random() >= %(due)s, 1, now() - interval '1 day'
from (
  select id, now() + (random() - 0.4) * interval '100 days' as starts_at from auth.users
  where id > 'c0000000-0000-0000-0000-000000000000') u;
insert into bot_wishes (meeting_id, user_id, request_id, wanted, due_at, is_shown)
select id, user_id, user_id, true, case when random() < %(due)s then now() end, random() >= %(due)s from meetings;
insert into bot_messages (provider, message_id, received_at)
select 'recall', user_id, now() - random() * interval '40 days' from bot_requests;
delete from bot_wishes w using bot_requests r where r.id = w.request_id and r.meeting_end < now() - interval '30 days';
"""
# Logs of ninety days, in the order of time: seven of ten found nothing, one was spared, two answered a notification and
# found a change, and one of fifty failed.
_LOGS = """
insert into calendar_sync_logs (calendar_id, user_id, sync_type, status, reason, error_code, events_processed,
  meetings_updated, google_calls, notifications, changes_announced, freshness_ms, duration_ms, created_at)
select md5(d.owner::text)::uuid, md5(d.owner::text)::uuid, case when d.kind = 2 then 'webhook' else 'incremental' end,
  case d.kind when 1 then 'skipped' when 3 then 'failed' else 'completed' end,
  case d.kind when 1 then 'recent_notification' when 2 then 'notified' else 'poll_interval' end,
  case when d.kind = 3 then 'backendError' end, (d.kind = 2)::int, (d.kind = 2)::int, (d.kind <> 1)::int,
  (d.kind = 2)::int, case when d.kind = 2 then 1 end,
  case when d.kind = 2 then array[(500 * exp(2 * random()))::int] end, 20 + (random() * 100)::int,
  now() - (%(logs)s - d.n) * interval '90 days' / %(logs)s
from (
  select n, 1 + (random() * (%(calendars)s - 1))::int as owner,
    case when n %% 50 = 0 then 3 when n %% 10 = 1 then 1 when n %% 10 in (2, 3) then 2 else 0 end as kind
  from generate_series(1, %(logs)s) n) d;
"""
# An index that is neither ready nor valid is neither written nor read, until it is made anew.
_INDEXES_SLEEP = """
update pg_index set indisready = false, indisvalid = false
where indrelid in (select oid from pg_class where relnamespace in ('public'::regnamespace, 'auth'::regnamespace));
"""


def fill(
    admin: psycopg.Connection[Any],
    calendars: int = CALENDARS,
    logs: int = 0,
    due: float = 0.01,
    with_bots: bool = False,
    with_meetings: float = 0.1,
) -> None:
    """Fills an empty database over an autocommitting connection of the superuser. `logs`: sync logs beside the one of
    each calendar. `due`: the share of calendars, and of bots, that is due; 0: nothing is, for three hours.
    `with_meetings`: the share of calendars that has a meeting. Ends as autovacuum leaves tables: index-only scans pay
    only where the visibility map is set."""
    # No foreign key checks, no triggers of the platform, and indexes made at once: a quarter of the time.
    admin.execute("set session_replication_role = replica")
    admin.execute("set synchronous_commit = off")
    admin.execute(_INDEXES_SLEEP)
    values = {"calendars": calendars, "hook": HOOK, "due": due, "ahead": "0" if due else "3 hours"}
    # Ids are random, so their first 32 bits are even.
    values["meetings_after"] = f"{int((1 - with_meetings) * 2**32):08x}-0000-0000-0000-000000000000"
    for statement in ((_ROWS + _BOTS if with_bots else _ROWS) % values).split(";")[:-1]:
        admin.execute(statement.encode())
    if logs:
        add_logs(admin, calendars, logs)
    admin.execute("reindex schema auth")
    admin.execute("reindex schema public")
    # Not through a ring of few buffers, whose every page would be written before the next is read.
    admin.execute(b"vacuum (analyze%s)" % (b", buffer_usage_limit 0" if admin.info.server_version >= 160000 else b""))
    admin.execute("reset synchronous_commit")
    admin.execute("reset session_replication_role")


def add_logs(admin: psycopg.Connection[Any], calendars: int, logs: int) -> None:
    """Sync logs of ninety days beside the one that each calendar has."""
    admin.execute((_LOGS % {"logs": logs, "calendars": calendars}).encode())
