"""Who may do what: every table, view, sequence and function of the catalog against an explicit table of expectations.

What is not in the table fails, so that nothing new is forgotten. Tried with each role itself, on a project as hosted
today (grants nothing by default) and on an older one (granted everything to everybody).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql

from scripts.stack import migrate
from scripts.stack.supabase import LocalSupabase
from tests.sql.conftest import Scratch, emptied
from tests.sql.database import Connection, Database, connect, event, facts, meeting, part

DENIED = "denied"
# A view over several tables cannot be written by anybody.
REFUSALS = (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)
PEOPLE = ("anon", "nobody", "alice", "bob", "service")


@dataclass(frozen=True)
class Access:
    """`read`, `write`: by caller, whose rows ("alice", "bob") they reach; a caller not named is denied.

    `owner`: the column that tells whose row it is. `only_grows`: the service adds rows, and changes none.
    """

    read: dict[str, str]
    write: dict[str, str]
    owner: str = "user_id"
    only_grows: bool = False


ALL = "alice bob"
DAYS = {"alice": "2030-01-01", "bob": "2030-01-02"}
SERVICE_ALONE = Access(read={"service": ALL}, write={"service": ALL})
OWN_ROWS = Access(read={"nobody": "", "alice": "alice", "bob": "bob", "service": ALL}, write={"service": ALL})

# Theirs to read and to write.
THEIR_OWN = Access(read=OWN_ROWS.read, write=OWN_ROWS.read)

RELATIONS = {
    # Belong to nobody; the test's rows name their person in another column.
    "public.alerts": Access(read={"service": ALL}, write={"service": ALL}, owner="key"),
    "public.alert_destinations": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.alert_deliveries": Access(read={"service": ALL}, write={"service": ALL}, owner="destination"),
    "public.bot_marks": Access(read={"service": ALL}, write={"service": ALL}, owner="meeting_id"),
    "public.bot_messages": Access(read={"service": ALL}, write={"service": ALL}, owner="message_id"),
    "public.bot_providers": Access(read={"service": ALL}, write={"service": ALL}, owner="last_error_code"),
    "public.bot_preferences": THEIR_OWN,
    "public.bot_requests": SERVICE_ALONE,
    "public.bot_tenants": SERVICE_ALONE,
    "public.bot_wishes": SERVICE_ALONE,
    "public.calendar_channels": SERVICE_ALONE,
    "public.calendar_events": SERVICE_ALONE,
    "public.calendar_queue": SERVICE_ALONE,
    # Belong to a channel and to a process; the test's rows name their person in another column.
    "public.calendar_notifications": Access(read={"service": ALL}, write={"service": ALL}, owner="channel_id"),
    "public.service_jobs": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.user_turns": Access(read={"service": ALL}, write={"service": ALL}, owner="for_user"),
    # These two belong to a calendar; the test's rows name its person in another column.
    "public.calendar_set_aside": Access(read={"service": ALL}, write={"service": ALL}, owner="error_code"),
    "public.calendar_staged_items": Access(read={"service": ALL}, write={"service": ALL}, owner="base_event_id"),
    # Belong to nobody; the test's rows name their person.
    "public.settings_generations": Access(read={"service": ALL}, write={"service": ALL}, owner="declared_by"),
    "public.service_processes": Access(read={"service": ALL}, write={"service": ALL}, owner="worker_name"),
    "public.service_breakers": Access(read={"service": ALL}, write={"service": ALL}, owner="worker_name"),
    "public.plaintext_tokens_ended": Access(read={"service": ALL}, write={}, owner="ended_by", only_grows=True),
    "public.change_events": SERVICE_ALONE,
    # Belong to a subscription, or to nobody; the test's rows name their person in another column.
    "public.event_subscriptions": Access(read={"service": ALL}, write={"service": ALL}, owner="url"),
    "public.event_deliveries": Access(read={"service": ALL}, write={"service": ALL}, owner="order_key"),
    "public.event_marks": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.calendar_status": Access(read={"service": ALL}, write={}),
    "public.calendar_sync_logs": OWN_ROWS,
    "public.calendar_webhooks": OWN_ROWS,
    "public.google_credentials": SERVICE_ALONE,
    # Of all calendars together, so of nobody.
    "public.polling_plan": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.ingress_regions": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.google_requests": Access(read={"service": ALL}, write={"service": ALL}, owner="project"),
    # The test's rows name their person in another column.
    "public.lane_pauses": Access(read={"service": ALL}, write={"service": ALL}, owner="paused_by"),
    "public.operator_actions": Access(read={"service": ALL}, write={"service": ALL}, owner="operator"),
    "public.google_quota": Access(read={"service": ALL}, write={"service": ALL}, owner="scope"),
    "public.google_quota_leases": Access(read={"service": ALL}, write={"service": ALL}, owner="scope"),
    # Of all calendars together too; the test's rows name their person in another column.
    "public.calendar_census": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.overview_marks": Access(read={"service": ALL}, write={"service": ALL}, owner="name"),
    "public.sync_rollups": Access(read={"service": ALL}, write={"service": ALL}, owner="cause"),
    "public.freshness_rollups": Access(read={"service": ALL}, write={"service": ALL}, owner="starts_at"),
    "public.webhook_health": Access(read={"service": ALL}, write={}),
    "public.sync_performance": Access(read={"service": ALL}, write={}, owner="date"),
    "public.detection_rates": Access(read={"service": ALL}, write={}, owner="date"),
    "public.polling_efficiency": Access(read={"service": ALL}, write={}, owner="date"),
    "public.meetings": OWN_ROWS,
    # A user's own view; the service has calendar_status.
    "public.my_calendars": Access(read={"nobody": "", "alice": "alice", "bob": "bob"}, write={}),
    "public.upcoming_meetings": Access(read=OWN_ROWS.read, write={}),
    "public.oauth_flows": SERVICE_ALONE,
    # Belongs to nobody; the test's rows name their person as the kind.
    "public.security_events": Access(read={"service": ALL}, write={"service": ALL}, owner="kind"),
    # A user also marks their own as read: see below.
    "public.user_notifications": OWN_ROWS,
}

# Column by column what a signed-in user reads of their own rows. A new column is the service's until it is named here
# and granted in the migration.
USERS_READ = {
    "public.calendar_webhooks": {
        "id", "user_id", "google_calendar_id", "calendar_name", "is_active", "time_zone", "created_at",
        "updated_at", "last_webhook_received", "last_poll_at", "last_synced_at", "last_change_at",
        "expiration_time", "webhook_failures", "due_at", "due_reason", "poll_interval_seconds", "stale_bound_seconds",
        "horizon_until",
        "series_cut", "consecutive_failures", "last_error_code", "last_error_at", "claims_unended", "paused_reason",
        "paused_at", "access_lost_at", "retired_at", "initial_sync", "initial_events", "initial_meetings",
        "duplicate_of",
    },
    "public.meetings": {
        "id", "user_id", "calendar_id", "google_calendar_event_id", "title", "description", "meeting_url", "provider",
        "room_key", "start_time", "end_time", "is_all_day", "time_zone", "event_status", "status", "status_reason",
        "is_private", "is_organiser", "other_attendees", "has_outsiders", "bot_status", "created_at", "updated_at",
        "bot_override", "bot_reason", "bot_provider", "bot_id",
    },
    "public.bot_preferences": {
        "user_id", "join_rule", "calendar_rules", "skip_all_day", "skip_private", "skip_alone", "attendance",
        "bot_name", "chat_message", "when_access_lost", "created_at", "updated_at",
    },
    "public.calendar_sync_logs": {
        "id", "user_id", "calendar_id", "sync_type", "status", "reason", "is_full", "error_code", "events_processed",
        "meetings_created", "meetings_updated", "meetings_deleted", "duration_ms", "created_at", "syncs",
    },
    "public.user_notifications": {
        "id", "user_id", "kind", "reason", "message", "calendar_id", "created_at", "read_at", "resolved_at",
    },
    "public.my_calendars": {
        "id", "user_id", "google_calendar_id", "calendar_name", "time_zone", "state", "reason", "connected_at",
        "initial_sync", "initial_events", "initial_meetings", "last_synced_at", "last_change_at", "next_look_at",
        "next_look_reason", "poll_interval_seconds", "pushed_until", "meetings_until", "series_cut",
    },
    "public.upcoming_meetings": {
        "id", "user_id", "calendar_id", "google_calendar_event_id", "title", "description", "meeting_url", "provider",
        "start_time", "end_time", "is_all_day", "time_zone", "event_status", "status", "bot_status", "created_at",
        "updated_at",
    },
}  # fmt: skip
# And what of them they may change, or add.
PREFERENCES = USERS_READ["public.bot_preferences"] - {"created_at", "updated_at"}
USERS_WRITE = {
    "public.user_notifications": {"read_at"},
    "public.meetings": {"bot_override"},
    "public.bot_preferences": PREFERENCES,
}
USERS_ADD = {"public.bot_preferences": PREFERENCES}

# Number identity columns, which ask no right of who inserts.
SEQUENCES = {"public.change_events_id_seq", "public.alert_deliveries_id_seq"}

# Functions are for the service, one and all.
FUNCTIONS = {
    "calendar_internal.calendars_past_bound",
    "calendar_internal.lacks_migration",
    "public.alert_observations",
    "public.calendar_schema_version",
    "public.inspect_calendar_schema",
    "public.examine_service",
    "public.claim_alert_deliveries",
    "public.drop_old_alerts",
    "public.read_open_alerts",
    "public.record_alert_delivery",
    "public.record_alerts",
    "calendar_internal.apply_entries",
    "calendar_internal.events_named",
    "calendar_internal.events_of_families",
    "calendar_internal.meetings_named",
    "calendar_internal.meetings_of_families",
    "calendar_internal.census",
    "calendar_internal.count_calendars_between",
    "calendar_internal.fold_five_minutes",
    "calendar_internal.freshness",
    "calendar_internal.lane_overview",
    "calendar_internal.sync_figures",
    "public.calendar_timeline",
    "public.count_census",
    "public.failure_causes",
    "public.fold_idle_logs",
    "public.fold_sync_logs",
    "public.list_calendars",
    "public.service_figures",
    "public.service_overview",
    "calendar_internal.lay_out_deliveries",
    "calendar_internal.number_events",
    "calendar_internal.shown_event",
    "calendar_internal.shown_subscription",
    "calendar_internal.tell_added_meetings",
    "calendar_internal.tell_changed_calendar",
    "calendar_internal.tell_changed_meetings",
    "calendar_internal.tell_deleted_calendars",
    "calendar_internal.tell_deleted_meetings",
    "public.add_event_subscription",
    "public.change_event_subscription",
    "public.claim_event_deliveries",
    "public.drop_old_events",
    "public.event_endpoint",
    "public.read_event_secrets",
    "public.read_event_subscriptions",
    "public.read_events",
    "public.record_event_delivery",
    "public.remove_event_subscription",
    "public.replace_event_secrets",
    "public.replay_events",
    "calendar_internal.ask_for",
    "calendar_internal.is_paused",
    "calendar_internal.replay_range",
    "calendar_internal.revive_bots",
    "public.drop_old_actions",
    "public.operate",
    "public.service_history",
    "public.calendar_card",
    "public.list_bot_requests",
    "public.list_event_deliveries",
    "public.service_standing",
    "public.read_alerts",
    "public.read_operator_actions",
    "calendar_internal.drain_bot_marks",
    "calendar_internal.filled",
    "calendar_internal.further",
    "calendar_internal.leave_behind",
    # A user's own write fires these four, which add marks and do nothing else.
    "calendar_internal.mark_changed_meetings",
    "calendar_internal.mark_forsaken_requests",
    "calendar_internal.mark_new_meetings",
    "calendar_internal.mark_users_meetings",
    "calendar_internal.request_for",
    "calendar_internal.settle_request",
    "calendar_internal.show_bots",
    "public.claim_bot_requests",
    "public.claim_bot_wishes",
    "public.compare_bots",
    "public.declare_bots",
    "public.drop_old_bots",
    "public.begin_comparison",
    "public.end_comparison",
    "public.explain_bot",
    "public.record_bot_delivery",
    "public.record_bot_message",
    "public.record_bot_wishes",
    "public.show_bot_states",
    "calendar_internal.claimed",
    "calendar_internal.drain_notifications",
    "calendar_internal.keep_queue",
    "calendar_internal.mend_queue",
    "calendar_internal.pick_due",
    "calendar_internal.quota_lanes",
    "calendar_internal.quota_rate",
    "calendar_internal.hold_quota",
    "calendar_internal.lease_lane",
    "calendar_internal.lease_user",
    "calendar_internal.shrink_quota",
    "public.end_turn",
    "public.keep_leases",
    "public.cron_interval",
    "public.since_job",
    "public.take_job",
    "public.take_turn",
    "calendar_internal.apply_events",
    "calendar_internal.apply_meetings",
    "calendar_internal.doubt_calendars",
    "calendar_internal.explain_facts",
    "calendar_internal.hold_account",
    "calendar_internal.hold_free_user",
    "calendar_internal.hold_user",
    "calendar_internal.hold_user_of",
    "calendar_internal.identify_calendar",
    "calendar_internal.hides_private",
    "calendar_internal.is_of_other_code",
    "calendar_internal.is_outdated",
    "calendar_internal.keep_watch_due",
    "calendar_internal.leave_calendars",
    "calendar_internal.lock_with_twin",
    "calendar_internal.may_write",
    "calendar_internal.abandon_channels",
    "calendar_internal.resolve_told",
    "calendar_internal.resume_connection",
    "calendar_internal.sweep_unseen",
    "calendar_internal.take_calendars",
    "calendar_internal.tell_user",
    "public.accepts_plaintext_tokens",
    "public.end_plaintext_tokens",
    "public.activate_channel",
    "public.adoptable_channels",
    "public.add_calendars",
    "public.begin_channel",
    "public.begin_disconnect",
    "public.begin_oauth_flow",
    "public.begin_refresh",
    "public.calendars_of_user",
    "public.claim_dead_channels",
    "public.claim_due_calendars",
    "public.claim_expiring_watches",
    "public.claim_rolling_calendars",
    "public.hide_private_items",
    "public.hide_private_meetings",
    "public.read_private_items",
    "public.declare_settings",
    "public.report_breakers",
    "public.outages",
    "public.commit_roll",
    "public.commit_sync",
    "public.connect_calendars",
    "public.drop_left_items",
    "public.drop_old_channels",
    "public.drop_old_logs",
    "public.end_channel",
    "public.end_claim",
    "public.erase_user",
    "public.explain_event",
    "public.explain_meeting",
    "public.export_user",
    "public.fail_channel",
    "public.finish_disconnect",
    "public.first_starts",
    "public.lose_connection",
    "public.lost_connections",
    "public.regain_connection",
    "public.suspect_connection",
    "public.read_connection",
    "public.read_entering",
    "public.read_families",
    "public.read_staged_items",
    "public.read_tokens",
    "public.record_notification",
    "public.record_notifications",
    "public.claim_unmailed_notifications",
    "public.mark_mailed",
    "public.record_security_events",
    "public.report_polling",
    "public.read_polling_plan",
    "public.lease_google_quota",
    "public.report_google_refusal",
    "public.google_quota_status",
    "public.price_polling",
    "public.count_calendars",
    "public.count_late_polls",
    "public.spread_late_polls",
    "public.look_through_region",
    "public.push_findings",
    "public.read_ingress",
    "public.record_ingress",
    "public.report_ingress",
    "public.sample_ingress",
    "public.release_calendar",
    "public.release_refresh",
    "public.release_watches",
    "public.remove_calendars",
    "public.renew_moved_watches",
    "public.replace_ciphertext",
    "public.sample_for_audit",
    "public.retire_lost_calendars",
    "public.save_tokens",
    "public.stage_items",
    "public.stage_sync",
    "public.sweep_state",
    "public.park_oauth_flow",
    "public.complete_oauth_flow",
    "public.unfinished_disconnects",
    "public.watches_due",
}

ROLLED_UP = (
    "syncs", "syncs_with_changes", "duration_ms", "timed_syncs", "events_processed", "events_changed",
    "meetings_created", "meetings_updated", "meetings_deleted", "google_calls", "notifications", "changes",
    "changes_announced", "changes_missed", "missed_pushes", "bounds_kept", "bounds_broken", "audited", "differing",
)  # fmt: skip

OLD_DEFAULTS = "".join(
    f"alter default privileges in schema public grant all on {kind} to anon, authenticated, service_role;"
    for kind in ("tables", "sequences", "functions")
)


@dataclass
class House:
    """A migrated database in which Alice and Bob have a row in every table."""

    db: Database
    people: dict[str, str]

    @cached_property
    def _connection(self) -> Connection:
        return self.db.another(role=None)

    @contextmanager
    def acting_as(self, caller: str) -> Iterator[Connection]:
        """A transaction as PostgREST begins it for a caller; nothing of it stays."""
        role = {"anon": "anon", "service": "service_role"}.get(caller, "authenticated")
        claims = {"sub": self.people[caller]} if caller in self.people else {}
        connection = self._connection
        with connection.transaction(force_rollback=True):
            connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
            connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
            yield connection

    def act(self, caller: str, action: str, relation: str) -> Any:
        """What came of it: DENIED, or the owners of the rows that were reached."""
        reached = {
            "select": "select {o} as owner from {r}",
            "update": "update {r} set {o} = {o} returning {o} as owner",
            "delete": "delete from {r} returning {o} as owner",
        }
        statement = reached[action].format(r=relation, o=RELATIONS[relation].owner)
        with self.acting_as(caller) as connection:
            try:
                rows = connection.execute(statement.encode()).fetchall()
            except REFUSALS:
                return DENIED
            return self.named(row["owner"] for row in rows)

    def named(self, owners: Iterable[Any]) -> str:
        """Whose rows these are: a user's id, or the day that is theirs where there is nothing else to tell by."""
        names = {user_id: name for name, user_id in self.people.items()} | {day: name for name, day in DAYS.items()}
        return " ".join(sorted({names.get(str(owner)) or names[str(owner)[:10]] for owner in owners}))


def furnish_bots(db: Database, people: dict[str, str]) -> None:
    for provider, user_id in zip(("recall", "webhook"), people.values(), strict=True):
        mine = db.row("select id from meetings where user_id = %s", user_id)["id"]
        times = dict.fromkeys(("meeting_start", "meeting_end", "join_at"), "2030-01-01")
        texts = {"scope": "user:", "room_key": "zoom:1", "meeting_url": "https://zoom.us/j/1", "bot_name": "Bot"}
        db.insert("bot_requests", user_id=user_id, provider=provider, wanted=True, **times, **texts)
        db.insert("bot_wishes", meeting_id=mine, user_id=user_id)
        db.insert("bot_preferences", user_id=user_id)
        db.insert("bot_tenants", user_id=user_id, tenant="acme")
        db.insert("bot_messages", provider=provider, message_id=user_id)
        db.insert("bot_providers", provider=provider, last_error_code=user_id)
    # What the rows before have marked is not what is looked for.
    db.admin.execute("delete from bot_marks")
    for user_id in people.values():
        db.insert("bot_marks", meeting_id=user_id)


def furnish_alerts(db: Database, user_id: str) -> None:
    told = {"severity": "warning", "title": "t", "body": "b", "written_at": "2030-01-01"}
    said = {"kind": "drift", "severity": "warning", "sentence": "s", "runbook": "r"}
    db.insert("alerts", key=user_id, **said, opened_at="2030-01-01", seen_at="2030-01-01")
    db.insert("alert_destinations", name=user_id, declared_at="2030-01-01")
    db.insert("alert_deliveries", destination=user_id, **told)


def furnish(db: Database) -> House:
    people = {name: db.user(name) for name in ("alice", "bob")}
    for user_id in people.values():
        db.credentials(user_id)
        calendar = db.calendar(user_id)
        db.channel(calendar)
        db.sync(calendar, part([meeting()]), set_aside=[{"base_id": "odd", "reason": "refused", "code": user_id}])
        item = {"google_event_id": "one", "base_event_id": user_id, "fence": 9, "details": "{}"}
        db.insert("calendar_staged_items", calendar_id=calendar["id"], **item)
        noted = {"channel_id": user_id, "outcome": "due", "received_at": "2030-01-01"}
        db.insert("calendar_notifications", calendar_id=calendar["id"], **noted)
        db.insert("service_jobs", name=user_id, taken_at="2030-01-01", taken_by="worker")
        db.insert("user_turns", for_user=user_id, holder=user_id, expires_at="2030-01-01")
        db.insert("oauth_flows", nonce_hash=user_id, user_id=user_id, verifier="v1.v", expires_at="2040-01-01")
        db.insert("security_events", hour="2030-01-01", kind=user_id, address_prefix="*")
        db.insert("user_notifications", user_id=user_id, kind="calendar_lost", reason="gone", message="It is gone.")
    # Of each meeting and each calendar that was just made there is an event.
    for user_id in people.values():
        told = db.row("select max(id) as id from change_events where user_id = %s", user_id)
        subscription = db.insert("event_subscriptions", url=user_id, secret="v2.s", state="disabled")
        delivery = {"event_id": told["id"], "subscription_id": subscription["id"], "position": 1}
        db.insert("event_deliveries", **delivery, order_key=user_id)
        db.insert("event_marks", name=user_id, position=1)
        db.insert("polling_plan", name=user_id)
        db.insert("ingress_regions", name=user_id, address="https://example.com")
        db.insert("google_requests", project=user_id, day="2030-01-01")
        db.insert("google_quota", scope=user_id, most=600, rate=600, refused_rate=0)
        db.insert("google_quota_leases", scope=user_id, lane="all", ends_at="2030-01-01")
        db.insert("operator_actions", id=user_id, operator=user_id, door="cli", action="poll", outcome="done")
    for lane, user_id in zip(("poll", "first", "audit"), people.values(), strict=False):
        db.insert("lane_pauses", lane=lane, paused_by=user_id)
        furnish_alerts(db, user_id)
    for name, user_id in people.items():
        figures = dict.fromkeys(ROLLED_UP, 1)
        hour = {"seconds": 3600, "starts_at": DAYS[name]}
        told = {"sync_type": "full", "status": "failed", "cause": user_id, "first_at": "now", "last_at": "now"}
        db.insert("sync_rollups", **hour, **told, **figures)
        db.insert("freshness_rollups", **hour, found_by="push", step=1, changes=1)
        db.insert("overview_marks", name=user_id, at="2030-01-01")
        db.insert("calendar_census", kind="state", name=user_id)
    db.admin.execute("delete from plaintext_tokens_ended")
    for generation, user_id in enumerate(people.values(), 1):
        db.insert("settings_generations", generation=generation, meaning="{}", declared_by=user_id)
        db.insert("plaintext_tokens_ended", ended_by=user_id)
        db.insert("service_processes", worker_name=user_id, meaning="{}")
        breaker = {"state": "open", "since": "2030-01-01", "times_opened": 1}
        db.insert("service_breakers", worker_name=user_id, upstream="google_api", **breaker)
    furnish_bots(db, people)
    return House(db, people)


@pytest.fixture(scope="module", params=["as hosted today", "an older project"])
def house(request: pytest.FixtureRequest, scratch: Scratch) -> Iterator[House]:
    admin_url, owner_url = scratch.create()
    if request.param == "an older project":
        with connect(owner_url) as owner:
            owner.execute(OLD_DEFAULTS.encode())
    migrate.apply(owner_url)
    db = Database(admin_url, owner_url)
    yield furnish(db)
    db.close()


def test_every_table_view_and_sequence_has_its_expectation(house: House) -> None:
    found = house.db.rows(
        "select format('%s.%s', relnamespace::regnamespace, relname) as name from pg_class"
        " where relnamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)"
        " and relkind in ('r', 'p', 'v', 'm', 'f', 'S')"
    )
    assert {row["name"] for row in found} == {*RELATIONS, *SEQUENCES}


def test_nobody_has_any_right_to_a_sequence(house: House) -> None:
    granted = house.db.rows(
        "select c.oid::regclass::text as sequence, r.role from pg_class c,"
        " unnest(array['anon', 'authenticated', 'service_role']) r (role)"
        " where relnamespace = 'public'::regnamespace and relkind = 'S'"
        " and has_sequence_privilege(r.role, c.oid, 'usage, select, update')"
    )
    assert granted == []


def test_every_function_has_its_expectation(house: House) -> None:
    found = house.db.rows(
        "select format('%s.%s', pronamespace::regnamespace, proname) as name from pg_proc"
        " where pronamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)"
    )
    assert {row["name"] for row in found} == FUNCTIONS
    assert len(found) == len(FUNCTIONS), "an overload PostgREST could not tell apart"


def test_there_is_no_other_schema_of_ours(house: House) -> None:
    found = house.db.rows(
        "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"
    )
    assert {row["nspname"] for row in found} == {
        "auth", "calendar_internal", "extensions", "public", "supabase_migrations",
    }  # fmt: skip


@pytest.mark.parametrize("relation", RELATIONS)
def test_everyone_reaches_exactly_the_rows_meant_for_them(house: House, relation: str) -> None:
    access = RELATIONS[relation]
    came = {
        (caller, action): house.act(caller, action, relation)
        for caller in PEOPLE
        for action in ("select", "update", "delete")
    }
    assert came == {
        (caller, action): (access.read if action == "select" else access.write).get(caller, DENIED)
        for caller in PEOPLE
        for action in ("select", "update", "delete")
    }


@pytest.mark.parametrize("relation", RELATIONS)
def test_only_the_service_inserts(house: House, relation: str) -> None:
    for caller in PEOPLE:
        with house.acting_as(caller) as connection:
            access = RELATIONS[relation]
            may = caller == "service" and ("service" in access.write or access.only_grows)
            # A row of defaults lacks something: as far as that only the service comes.
            with pytest.raises(psycopg.errors.IntegrityError if may else REFUSALS):
                connection.execute(f"insert into {relation} default values".encode())


def test_nobody_may_truncate_or_tie_anything_to_a_table(house: House) -> None:
    granted = house.db.rows(
        "select c.oid::regclass::text as relation, r.role, p.privilege from pg_class c,"
        " unnest(array['anon', 'authenticated', 'service_role']) r (role),"
        " unnest(array['truncate', 'references', 'trigger']) p (privilege)"
        " where relnamespace = 'public'::regnamespace and relkind in ('r', 'v')"
        " and has_table_privilege(r.role, c.oid, p.privilege)"
    )
    assert granted == []


def columns_open_to(house: House, role: str, privilege: str) -> dict[str, set[str]]:
    """By relation the columns on which a role has a privilege, however it was granted."""
    rows = house.db.rows(
        "select format('%%s.%%s', c.relnamespace::regnamespace, c.relname) as relation,"
        " array_agg(a.attname::text) as columns"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)"
        " and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_column_privilege(%s, c.oid, a.attnum, %s) group by c.oid",
        role,
        privilege,
    )
    return {row["relation"]: set(row["columns"]) for row in rows}


def test_each_role_reaches_exactly_the_columns_meant_for_it(house: House) -> None:
    everything = columns_open_to(house, "postgres", "select")
    assert set(everything) == set(RELATIONS)
    served = {name for name, access in RELATIONS.items() if "service" in access.read}
    found = {
        (role, privilege): columns_open_to(house, role, privilege)
        for role in ("anon", "authenticated", "service_role")
        for privilege in ("select", "insert", "update", "references")
    }
    writes = {name for name, access in RELATIONS.items() if "service" in access.write}
    grows = {name for name, access in RELATIONS.items() if access.only_grows}
    expected: dict[tuple[str, str], dict[str, set[str]]] = {key: {} for key in found}
    expected["authenticated", "select"] = USERS_READ
    expected["authenticated", "update"] = USERS_WRITE
    expected["authenticated", "insert"] = USERS_ADD
    expected["service_role", "select"] = {name: everything[name] for name in served}
    expected["service_role", "update"] = {name: everything[name] for name in writes}
    expected["service_role", "insert"] = {name: everything[name] for name in writes | grows}
    assert found == expected


def test_a_column_that_is_added_is_no_users_until_somebody_names_it(house: House) -> None:
    tables = [name for name in USERS_READ if name not in {"public.my_calendars", "public.upcoming_meetings"}]
    with connect(house.db.postgres_url) as owner, owner.transaction(force_rollback=True):
        for table in tables:
            owner.execute(f"alter table {table} add column added text".encode())
        owner.execute("set local role authenticated")
        for table in tables:
            for statement in (f"select added from {table}", f"update {table} set added = ''"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
                    owner.execute(statement.encode())


def test_a_user_changes_their_own_rows_alone(house: House) -> None:
    with house.acting_as("alice") as connection:
        marked = connection.execute("update public.user_notifications set read_at = now() returning user_id").fetchall()
        assert [str(row["user_id"]) for row in marked] == [house.people["alice"]]
        overridden = connection.execute("update public.meetings set bot_override = 'on' returning user_id").fetchall()
        assert [str(row["user_id"]) for row in overridden] == [house.people["alice"]]


def test_a_user_writes_their_own_preferences_and_nobody_elses(house: House) -> None:
    bob = house.people["bob"]
    with house.acting_as("alice") as connection:
        connection.execute("delete from public.bot_preferences")
        connection.execute("insert into public.bot_preferences (user_id) values (auth.uid())")
        connection.execute("update public.bot_preferences set join_rule = 'accepted', bot_name = 'Ada'")
        for statement in (
            "insert into public.bot_preferences (user_id) values (%s)",
            "update public.bot_preferences set user_id = %s",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement.encode(), [bob])
        connection.execute("set local role service_role")
        found = connection.execute("select join_rule from public.bot_preferences order by 1 nulls last").fetchall()
        assert [row["join_rule"] for row in found] == ["accepted", None]


def test_functions_are_executed_by_the_service_alone(house: House) -> None:
    functions = house.db.rows(
        "select format('%s(%s)', oid::regproc, (select string_agg(format('null::%s', t::regtype), ', ' order by n)"
        " from unnest(proargtypes::oid[]) with ordinality a (t, n))) as call, oid::regproc::text as name from pg_proc"
        " where pronamespace in ('public'::regnamespace, 'calendar_internal'::regnamespace)"
    )
    assert len(functions) == len(FUNCTIONS)
    executed: dict[str, set[str]] = {caller: set() for caller in PEOPLE}
    for caller in PEOPLE:
        for function in functions:
            with house.acting_as(caller) as connection:
                try:
                    connection.execute(f"select {function['call']}".encode())
                except psycopg.Error as error:
                    # Any other complaint comes from inside: it was executed.
                    if re.match("permission denied for (function|schema)", str(error)):
                        continue
                executed[caller].add(function["name"])
    everything = {function["name"] for function in functions}
    assert executed == {caller: everything if caller == "service" else set() for caller in PEOPLE}


def test_tables_are_closed_to_a_user_without_policies(house: House) -> None:
    unprotected = house.db.rows(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and not relrowsecurity"
    )
    assert unprotected == []


def request(supabase: LocalSupabase, method: str, path: str, *, jwt: str, body: Any = None) -> httpx.Response:
    key = supabase.anon_key if jwt != supabase.service_key else supabase.service_key
    with supabase.rest(key=key) as client:
        return client.request(method, path, json=body, headers={"Authorization": f"Bearer {jwt}"})


@pytest.fixture(scope="module")
def home(supabase: LocalSupabase) -> Iterator[House]:
    """The same in the database behind the API, for tests that change nothing in it."""
    with emptied(supabase) as db:
        yield furnish(db)


@pytest.mark.parametrize("relation", RELATIONS)
def test_api_gives_each_key_the_rows_meant_for_it(supabase: LocalSupabase, home: House, relation: str) -> None:
    keys = {
        "anon": supabase.anon_key,
        "service": supabase.service_key,
        **{name: supabase.user_jwt(user_id) for name, user_id in home.people.items()},
    }
    owner = RELATIONS[relation].owner
    for caller, key in keys.items():
        answer = request(supabase, "GET", f"{relation.removeprefix('public.')}?select={owner}", jwt=key)
        seen = DENIED
        if answer.status_code == 200:
            seen = home.named(row[owner] for row in answer.json())
        assert (caller, seen) == (caller, RELATIONS[relation].read.get(caller, DENIED))


@pytest.mark.parametrize("relation", USERS_READ)
def test_api_gives_a_user_the_columns_that_are_named_and_refuses_the_row(
    supabase: LocalSupabase, home: House, relation: str
) -> None:
    path, jwt = relation.removeprefix("public."), supabase.user_jwt(home.people["alice"])
    named = request(supabase, "GET", f"{path}?select={','.join(sorted(USERS_READ[relation]))}", jwt=jwt)
    assert [set(row) for row in named.json()] == [USERS_READ[relation]]
    whole = request(supabase, "GET", path, jwt=jwt)
    # These hold nothing but what is shown.
    holds_no_more = relation in {"public.my_calendars", "public.upcoming_meetings", "public.bot_preferences"}
    assert whole.status_code == (200 if holds_no_more else 403), whole.text


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("relation", sorted(set(RELATIONS) - {"public.bot_preferences"}))
def test_api_refuses_every_write_of_a_user(supabase: LocalSupabase, home: House, relation: str, method: str) -> None:
    owner = RELATIONS[relation].owner
    alice = DAYS["alice"] if owner in {"date", "starts_at"} else home.people["alice"]
    path = relation.removeprefix("public.")
    query = "" if method == "POST" else f"?{owner}=eq.{alice}"
    body = None if method == "DELETE" else {owner: alice}
    answer = request(supabase, method, path + query, jwt=supabase.user_jwt(alice), body=body)
    refusals = {"42501"} if RELATIONS[relation].write else {"42501", "55000"}
    assert answer.json()["code"] in refusals, answer.text


@pytest.mark.parametrize("caller", ["anon", "alice"])
def test_api_refuses_the_service_functions_to_everyone_else(supabase: LocalSupabase, home: House, caller: str) -> None:
    jwt = supabase.anon_key if caller == "anon" else supabase.user_jwt(home.people["alice"])
    claim = {"p_worker": "thief", "p_limit": 1, "p_lease_seconds": 1}
    assert request(supabase, "POST", "rpc/claim_due_calendars", jwt=jwt, body=claim).json()["code"] == "42501"
    sync = {"p_calendar_id": None, "p_fence": 1, "p_sync": facts(events=[event()])}
    assert request(supabase, "POST", "rpc/commit_sync", jwt=jwt, body=sync).json()["code"] == "42501"


def test_api_does_not_know_the_internal_functions(supabase: LocalSupabase, home: House) -> None:
    answer = request(supabase, "POST", "rpc/sweep_unseen", jwt=supabase.service_key, body={})
    assert answer.status_code == 404


def test_token_of_another_project_is_no_token(supabase: LocalSupabase, home: House) -> None:
    forged = supabase.user_jwt(home.people["alice"])[:-4] + "AAAA"
    assert request(supabase, "GET", "meetings", jwt=forged).status_code == 401
