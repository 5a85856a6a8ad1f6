"""With two hundred thousand calendars no function reads a whole table, and each hot one has its index."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from scripts.stack import many_calendars
from tests.sql.bots import at_scale as bots
from tests.sql.conftest import Scratch
from tests.sql.database import Connection, Database, call, facts, meeting, part
from tests.world import wait_until

# Two hundred thousand calendars are laid out before the first of them.
pytestmark = pytest.mark.timeout(400)

BIG = (
    "calendar_webhooks",
    "calendar_queue",
    "calendar_channels",
    "calendar_events",
    "meetings",
    "calendar_sync_logs",
    "google_credentials",
    "change_events",
    "event_deliveries",
    "bot_wishes",
    "bot_requests",
    "bot_messages",
)
# Everything that waits behind the horizon has entered by then.
FAR = "2100-01-01T00:00:00+00:00"
# The index that each hot function stands on, and how many rows it may fetch of all tables.
HOT = {
    "record_notification": ("calendar_channels_pkey", 20),
    "claim_due_calendars": ("calendar_queue_due", 1500),
    "sweep_state": ("calendar_queue_due", 2500),
    "count_late_polls": ("calendar_queue_due", 600),
    "spread_late_polls": ("calendar_queue_due", 4000),
    "sample_ingress": ("calendar_webhooks_pkey", 600),
    "look_through_region": ("calendar_channels_pointing", 1200),
    "push_findings": ("calendar_webhooks_watch_failing", 50),
    "claim_rolling_calendars": ("calendar_webhooks_next_entry", 500),
    "read_entering": ("calendar_events_entering", 20),
    "commit_roll": ("calendar_events_entering", 50),
    "commit_sync": ("calendar_events_family", 60),
    "claim_expiring_watches": ("calendar_webhooks_watch_due", 1500),
    "watches_due": ("calendar_webhooks_watch_due", 2500),
    "adoptable_channels": ("calendar_channels_adoptable", 20),
    "claim_dead_channels": ("calendar_channels_to_stop", 2500),
    "sample_for_audit": ("calendar_webhooks_audit", 20),
    "lost_connections": ("google_credentials_lost", 10),
    "hide_private_meetings": ("calendar_staged_items_private", 10),
    "drop_old_logs": ("calendar_sync_logs_by_time", 6000),
    "drop_old_channels": ("calendar_channels_over", 5000),
    "claim_event_deliveries": ("event_deliveries_due", 8000),
    "record_event_delivery": ("event_deliveries_pkey", 10),
    "read_events": ("change_events_position_key", 20_000),
    "alert_observations": ("calendar_webhooks_lapsing", 2000),
    "replay_events": ("change_events_position_key", 6000),
    "drop_old_events": ("change_events_pkey", 6000),
    "service_overview": ("calendar_queue_due", 1000),
    "calendar_timeline": ("calendar_sync_logs_of_calendar", 20),
    "list_calendars": ("calendar_webhooks_troubled", 20),
    "count_census": ("calendar_webhooks_pkey", 7000),
    "fold_sync_logs": ("calendar_sync_logs_by_time", 100),
    "fold_idle_logs": ("calendar_sync_logs_by_time", 4000),
    **bots.HOT,
}
# Buffers, not milliseconds: what a busy machine cannot blur. Reading every calendar takes thousands.
MOST_BUFFERS = 400
NOTHING_DUE = {
    "claim_expiring_watches": "select * from public.claim_expiring_watches(50, 120)",
    "watches_due": "select public.watches_due()",
    "renew_moved_watches": f"select public.renew_moved_watches(array['{many_calendars.HOOK}'], 0, 500)",
    "retire_lost_calendars": "select public.retire_lost_calendars(604800, 20)",
}
# Asked for nothing, each costs next to nothing: what is planned at each call reads the head of every index.
PLANNED_ONCE = {
    "spread_late_polls": "select public.spread_late_polls(1e9, 60, 50)",
    "claim_expiring_watches": "select * from public.claim_expiring_watches(0, 120)",
    "renew_moved_watches": "select public.renew_moved_watches(array['https://host/hook'], 0, 0)",
    "claim_bot_wishes": "select * from public.claim_bot_wishes(0, 20)",
    "show_bot_states": "select public.show_bot_states(0)",
    "drop_old_bots": "select public.drop_old_bots(30, 0)",
    "drop_old_channels": "select public.drop_old_channels(30, 0)",
    "drop_old_events": "select * from public.drop_old_events(30, 0)",
    "calendars_past_bound": "select * from calendar_internal.calendars_past_bound(0)",
    "count_calendars": "select public.count_calendars('ffffffff-ffff-ffff-ffff-ffffffffffff', 1000, 1, 1, 0.5, 0.9)",
    "look_through_region": "select public.look_through_region('https://nobody/hook', 20)",
}
MOST_PAGES_OF_NOTHING = 12
ONE = "select id, user_id, 'live-' || id as channel, fence from public.calendar_webhooks where id = md5('77')::uuid"


@pytest.fixture(scope="module")
def crowd(scratch: Scratch) -> Iterator[Database]:
    db = Database(*scratch.create(migrate=True))
    many_calendars.fill(db.admin, with_bots=True)
    db.insert("overview_marks", name="rollups", at=dt.datetime.now(dt.UTC) - dt.timedelta(days=10))
    yield db
    db.close()


def calls(db: Database) -> dict[str, dict[str, Any]]:
    """Every call that a notification, a sweep, a sync or a renewal makes."""
    (one,) = db.rows(ONE)
    calendar = {"p_calendar_id": one["id"]}
    calendar_json = {"calendar_id": str(one["id"])}
    claim = {**calendar, "p_fence": one["fence"]}
    channel = {"p_channel_id": one["channel"]}
    user = {"p_user_id": one["user_id"]}
    (told,) = db.rows(
        "select event_id as p_event_id, subscription_id as p_subscription_id from event_deliveries"
        " where position = 5000"
    )
    rows = part([meeting()])
    sync = {**facts(is_full=True, generation=1), **rows}
    notification = {"p_resource_id": "resource", "p_resource_state": "exists", "p_message_number": 2}
    return {
        **bots.calls(db),
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
        "sweep_state": {"p_stale_hours": 6.0},
        "count_late_polls": {"p_late_seconds": -1e6, "p_limit": 500},
        "spread_late_polls": {"p_late_seconds": -1e6, "p_over_seconds": 60, "p_limit": 100},
        "sample_ingress": {"p_from": str(uuid.UUID(int=2**126)), "p_limit": 100, "p_now": "2026-01-01"},
        "look_through_region": {"p_address": many_calendars.HOOK, "p_limit": 20},
        "push_findings": {},
        "calendars_of_user": user,
        "lost_connections": {"p_after": str(uuid.UUID(int=0)), "p_limit": 200},
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
        "claim_rolling_calendars": {
            "p_worker": "w",
            "p_until": FAR,
            "p_lag_seconds": 0.0,
            "p_limit": 40,
            "p_lease_seconds": 60,
        },
        "read_entering": {**calendar, "p_until": FAR, "p_after": "", "p_limit": 200},
        "commit_roll": {
            **claim,
            "p_part": {**part(families=["series"]), "entering": {"series": FAR}},
            "p_horizon_until": FAR,
            "p_is_last": True,
            "p_lease_seconds": 60,
            "p_generation": 1,
        },
        "sample_for_audit": {"p_limit": 1},
        "service_overview": {},
        "failure_causes": {"p_hours": 24},
        "calendar_timeline": calendar,
        "list_calendars": {"p_states": ["retrying"]},
        "count_census": {"p_limit": 1000},
        "fold_sync_logs": {"p_limit": 1},
        "fold_idle_logs": {"p_keep_days": 7, "p_limit": 1000},
        "alert_observations": {
            "p_day": "2030-01-01",
            "p_lapsing_seconds": 43200.0,
            "p_with_mail": True,
            "p_newest": "1",
        },
        "examine_service": {"p_lapsing_seconds": 43200.0, "p_oauth_client": "c", "p_scopes": ["s"]},
        "drop_old_alerts": {"p_keep_days": 90, "p_limit": 1000},
        "drop_old_logs": {"p_keep_days": 90, "p_limit": 1000},
        "drop_old_channels": {"p_keep_days": 30, "p_limit": 1000},
        "drop_left_items": {"p_limit": 1000},
        "claim_event_deliveries": {
            "p_limit": 8,
            "p_doubtful_limit": 4,
            "p_per_subscription": 4,
            "p_lease_seconds": 60,
            "p_slow_ms": 3000,
            "p_most_tries": 10,
        },
        "record_event_delivery": {**told, "p_attempt": 1, "p_end": {"state": "delivered", "duration_ms": 1}},
        "read_events": {"p_after": 5000, "p_limit": 1000},
        "replay_events": {
            "p_subscription_id": told["p_subscription_id"],
            "p_after": 5000,
            "p_upto": 15_000,
            "p_limit": 1000,
        },
        "drop_old_events": {"p_keep_days": 30, "p_limit": 1000},
        "watches_due": {},
        "claim_expiring_watches": {"p_limit": 50, "p_lease_seconds": 60},
        "begin_channel": {"p_channel_id": "new", **calendar, "p_address": "https://h"},
        "activate_channel": {**channel, "p_resource_id": "resource", "p_expires_at": "2040-01-01"},
        "fail_channel": {**channel, "p_error_code": "x", "p_retry_seconds": 5.0},
        "adoptable_channels": {"p_abandoned_seconds": 300},
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


def index_scans(db: Database) -> dict[str, int]:
    """How often each index was used so far, by anybody."""
    rows = db.rows("select indexrelname::text as name, idx_scan from pg_stat_user_indexes where schemaname = 'public'")
    return {row["name"]: row["idx_scan"] for row in rows}


@pytest.mark.parametrize("plan", ["custom", "generic"])
def test_no_function_reads_a_whole_table(crowd: Database, plan: str) -> None:
    connection = crowd.another()
    connection.execute(f"set plan_cache_mode = force_{plan}_plan".encode())
    whole = {}
    for function, arguments in calls(crowd).items():
        found = scans(connection, function, arguments)
        whole[function] = [table for table, (sequential, _) in found.items() if sequential]
    assert {function: tables for function, tables in whole.items() if tables} == {}


@pytest.mark.parametrize("plan", ["custom", "generic"])
@pytest.mark.parametrize("function", HOT)
def test_hot_functions_fetch_few_rows_by_the_index_made_for_them(crowd: Database, function: str, plan: str) -> None:
    index, most_rows = HOT[function]
    connection = crowd.another()
    connection.execute(f"set plan_cache_mode = force_{plan}_plan".encode())
    before = index_scans(crowd)
    found = scans(connection, function, calls(crowd)[function])
    connection.execute("select pg_stat_force_next_flush()")
    after = index_scans(crowd)

    assert sum(fetched for _, fetched in found.values()) <= most_rows
    assert index in {name for name in after if after[name] > before[name]}


def test_claim_of_a_limited_batch_is_quick(crowd: Database) -> None:
    """As measured by the database itself; the platform's limit is 8 s."""
    statement = "explain (analyze, timing off, format json) select * from public.claim_due_calendars('w', 200, 60)"
    taken = []
    for _ in range(5):
        with crowd.service.transaction(force_rollback=True):
            (row,) = crowd.service.execute(statement).fetchall()
        taken.append(row["QUERY PLAN"][0]["Execution Time"])
    # Others may have the machine during one of them, or the disk.
    assert min(taken) < 1000


def explained(db: Database, statement: str, connection: Connection | None = None) -> dict[str, Any]:
    with (asked := connection or db.service).transaction(force_rollback=True):
        row = asked.execute(f"explain (analyze, buffers, format json) {statement}".encode()).fetchone()
    assert row is not None
    plan: dict[str, Any] = row["QUERY PLAN"][0]["Plan"]
    return plan


def buffers(*plans: dict[str, Any]) -> int:
    """Those of the plan that read the fewest. A connection's first call reads the catalogue too, and so does one after
    autovacuum has looked at a table."""
    return min(int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]) for plan in plans)


@pytest.mark.parametrize("function", NOTHING_DUE)
def test_asking_when_no_watch_is_due_reads_almost_nothing(crowd: Database, function: str) -> None:
    assert buffers(*[explained(crowd, NOTHING_DUE[function]) for _ in range(3)]) <= MOST_BUFFERS


def test_named_watch_is_claimed_by_its_id_however_many_are_due(crowd: Database) -> None:
    """Among all that is due a kept plan would look for it: of a million, after an outage, for seconds."""
    admin = crowd.admin
    with admin.transaction(force_rollback=True):
        admin.execute("set local session_replication_role = replica")
        admin.execute(
            "update calendar_webhooks set watch_due_at = now() - random() * interval '1 day'"
            " where id in (select id from calendar_webhooks order by id limit 3000)"
        )
        admin.execute("set local session_replication_role = origin")
        newest = "select id from calendar_webhooks where watch_due_at < now() order by watch_due_at desc limit 3"
        plans = [
            explained(crowd, f"select * from claim_expiring_watches(1, 60, array['{row['id']}'::uuid])", admin)
            for row in admin.execute(newest).fetchall()
        ]
    assert [plan["Actual Rows"] for plan in plans] == [1, 1, 1]
    assert buffers(*plans) <= MOST_BUFFERS


def is_known_to_be_visible(db: Database, table: str) -> bool:
    """Vacuums it. What an analyze could still see when that began is left for the next one."""
    db.admin.execute(f"vacuum (index_cleanup on) {table}".encode())
    found = db.row("select relallvisible >= relpages as is_all from pg_class where relname = %s", table)
    return bool(found["is_all"])


def test_calendars_that_are_late_are_counted_by_the_index_alone(crowd: Database) -> None:
    """After an outage all of them are, and ten thousand rows would be fetched every minute."""
    late = "calendar_id in (select calendar_id from calendar_queue where lane = 'poll' order by calendar_id limit 3000)"
    # Else vacuum does not know yet that the update is durable, and marks no page.
    crowd.admin.execute("set synchronous_commit = on")
    try:
        crowd.admin.execute(f"update calendar_queue set due_at = due_at - interval '1 day' where {late}".encode())
        wait_until(lambda: is_known_to_be_visible(crowd, "calendar_queue"), "the vacuum of all that was written")
        statement = "select * from calendar_internal.calendars_past_bound(10000)"
        assert {row["cause"]: row["calendars"] for row in crowd.rows(statement)} == {"not_looked_at": 3000}
        assert buffers(*[explained(crowd, statement) for _ in range(3)]) <= MOST_BUFFERS
    finally:
        crowd.admin.execute(f"update calendar_queue set due_at = due_at + interval '1 day' where {late}".encode())
        crowd.admin.execute("vacuum (index_cleanup on) calendar_queue")
        crowd.admin.execute("reset synchronous_commit")


@pytest.mark.parametrize("function", PLANNED_ONCE)
def test_asking_for_nothing_is_not_planned_again(crowd: Database, function: str) -> None:
    # Left to itself, Postgres keeps a plan from the sixth call on, or never, as among a million calendars.
    connection = crowd.another()
    connection.execute("set plan_cache_mode = force_custom_plan")
    _, *others = [explained(crowd, PLANNED_ONCE[function], connection) for _ in range(8)]
    assert buffers(*others) <= MOST_PAGES_OF_NOTHING
