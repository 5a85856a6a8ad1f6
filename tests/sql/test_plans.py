"""With fifty thousand calendars no function of the service reads a whole table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from scripts.stack import migrate
from tests.sql.conftest import Scratch
from tests.sql.database import Connection, Database, call, facts, meeting, part

CALENDARS = 50_000
BIG = (
    "calendar_webhooks",
    "calendar_channels",
    "calendar_events",
    "meetings",
    "calendar_sync_logs",
    "google_credentials",
)
CROWD = f"""
set session_replication_role = replica; -- no foreign key checks: half of the time
insert into auth.users (id, email)
select md5(n::text)::uuid, n || '@example.com' from generate_series(1, {CALENDARS}) n;
insert into google_credentials (user_id, refresh_token) select id, 'v1.r' from auth.users;
insert into calendar_webhooks (id, user_id, google_calendar_id, webhook_id, expiration_time, due_at, notifications_seen,
  last_webhook_received, last_synced_at)
select id, id, 'primary', 'live-' || id, now() + interval '5 days' + random() * interval '1 day',
  now() + (random() - 0.01) * interval '6 hours', (random() < 0.01)::int, now() - random() * interval '12 hours', now()
from auth.users;
insert into calendar_channels (id, calendar_id, user_id, resource_id, state, expires_at, opened_at, stop_after)
select state || '-' || id, id, id, 'resource', state, now() + interval '5 days', now(),
  case when state = 'superseded' and random() < 0.01 then now() end
from auth.users, unnest(array['live', 'superseded', 'stopped']) state;
insert into calendar_events (calendar_id, user_id, google_event_id, base_event_id, kind, status, details)
select id, id, 'event', 'event', 'single', 'confirmed', '{{}}' from auth.users;
insert into meetings (calendar_id, user_id, google_calendar_event_id, base_event_id, start_time, end_time)
select id, id, 'event', 'event', now(), now() from auth.users;
insert into calendar_sync_logs (calendar_id, user_id, sync_type, status)
select id, id, 'full', 'completed' from auth.users;
insert into settings_generations (generation, meaning, declared_by) values (1, '{{"hide_private": true}}', 'w');
"""
ONE = "select id, user_id, 'live-' || id as channel, fence from public.calendar_webhooks where id = md5('77')::uuid"


@pytest.fixture(scope="module")
def crowd(scratch: Scratch) -> Iterator[Database]:
    admin_url, owner_url = scratch.create()
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    db.admin.execute(CROWD.encode())
    # As autovacuum leaves a table: index-only scans pay only where the visibility map is set.
    db.admin.execute("vacuum analyze")
    db.admin.execute("reset session_replication_role")
    yield db
    db.close()


def calls(db: Database) -> dict[str, dict[str, Any]]:
    """Every call that a notification, a sweep, a sync or a renewal makes."""
    (one,) = db.rows(ONE)
    calendar = {"p_calendar_id": one["id"]}
    calendar_json = {"calendar_id": str(one["id"])}
    claim = {**calendar, "p_fence": 0}
    channel = {"p_channel_id": one["channel"]}
    user = {"p_user_id": one["user_id"]}
    rows = part([meeting()])
    sync = {**facts(is_full=True, generation=1), **rows}
    notification = {"p_resource_id": "resource", "p_resource_state": "exists", "p_message_number": 2}
    return {
        "record_notification": {**channel, **notification},
        "claim_due_calendars": {"p_worker": "w", "p_limit": 50, "p_lease_seconds": 60},
        "keep_leases": {"p_calendar_ids": [one["id"]], "p_fences": [0], "p_lease_seconds": 60},
        "release_calendar": claim,
        "end_claim": {
            **claim,
            "p_status": "failed",
            "p_sync_type": "full",
            "p_reason": "r",
            "p_next_seconds": 5.0,
        },
        "calendars_of_user": user,
        "read_families": {**calendar, "p_base_event_ids": ["event"]},
        "stage_sync": {**claim, "p_sync_id": None, "p_part": rows, "p_lease_seconds": 60, "p_generation": 1},
        "hide_private_meetings": {"p_limit": 1000},
        "read_private_items": {"p_limit": 200},
        "hide_private_items": {
            "p_items": Jsonb(
                [{**calendar_json, "google_event_id": "event", "before": {}, "after": {"summary": "Private"}}]
            )
        },
        "declare_settings": {"p_worker": "w", "p_meaning": {"hide_private": False}},
        "commit_sync": {**claim, "p_sync": sync},
        "claim_expiring_watches": {"p_limit": 50, "p_lease_seconds": 60},
        "begin_channel": {"p_channel_id": "new", **calendar, "p_address": "https://h"},
        "activate_channel": {**channel, "p_resource_id": "resource", "p_expires_at": "2040-01-01"},
        "fail_channel": {**channel, "p_error_code": "x", "p_retry_seconds": 5.0},
        "claim_dead_channels": {"p_limit": 50, "p_lease_seconds": 60, "p_abandoned_seconds": 300},
        "end_channel": channel,
        "save_tokens": {
            **user,
            "p_used_refresh_token": "v1.r",
            "p_access_token": "a",
            "p_access_token_expires_at": None,
        },
        "suspect_connection": {
            **user,
            "p_used_refresh_token": "v1.r",
            "p_oauth_client": "c",
            "p_confirm_seconds": 60.0,
        },
        "lose_connection": {**user, "p_reason": "r", "p_used_refresh_token": "v1.r"},
        "connect_calendars": {
            **user,
            "p_google_calendar_ids": ["primary", "team"],
            "p_refresh_token": "v1.r",
            "p_access_token": None,
            "p_access_token_expires_at": None,
            "p_scopes": None,
            "p_watch_seconds": 0,
        },
    }


def scans(connection: Connection, function: str, arguments: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """What a call read of each big table: (sequential scans, rows fetched through indexes)."""
    # Not yet flushed counts of the session: they may hold earlier transactions' too, so only the difference counts.
    read = (
        "select relname::text, seq_scan, coalesce(idx_tup_fetch, 0) as fetched from pg_stat_xact_user_tables"
        " where relname = any(%s)"
    )
    with connection.transaction(force_rollback=True):
        before = {row["relname"]: row for row in connection.execute(read, [list(BIG)])}
        call(connection, function, **arguments)
        after = {row["relname"]: row for row in connection.execute(read, [list(BIG)])}
    return {
        table: tuple(after[table][figure] - before[table][figure] for figure in ("seq_scan", "fetched"))
        for table in BIG
    }


@pytest.mark.parametrize("plan", ["custom", "generic"])
def test_no_function_reads_a_whole_table(crowd: Database, plan: str) -> None:
    connection = crowd.another()
    connection.execute(f"set plan_cache_mode = force_{plan}_plan".encode())
    whole = {}
    for function, arguments in calls(crowd).items():
        found = scans(connection, function, arguments)
        whole[function] = [table for table, (sequential, _) in found.items() if sequential]
    assert {function: tables for function, tables in whole.items() if tables} == {}


@pytest.mark.parametrize(
    ("function", "most_rows"),
    [("record_notification", 20), ("claim_due_calendars", 1500), ("commit_sync", 50), ("claim_dead_channels", 2500)],
)
def test_hot_functions_fetch_few_rows(crowd: Database, function: str, most_rows: int) -> None:
    found = scans(crowd.another(), function, calls(crowd)[function])
    assert sum(fetched for _, fetched in found.values()) <= most_rows


def test_claim_of_a_limited_batch_is_quick(crowd: Database) -> None:
    """As measured by the database itself; the platform's limit is 8 s."""
    statement = "explain (analyze, timing off, format json) select * from public.claim_due_calendars('w', 200, 60)"
    with crowd.service.transaction(force_rollback=True):
        row = crowd.service.execute(statement).fetchone()
    assert row is not None
    assert row["QUERY PLAN"][0]["Execution Time"] < 1000
