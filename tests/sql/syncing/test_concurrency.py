"""Many at once: whatever meets on one calendar, nobody waits in a circle, and the counts are right afterwards."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import psycopg

from tests.sql.database import Connection, Database, Row, at_once, call, facts, meeting, part

ROUNDS = 40


def notify(connection: Connection, calendar: Row, channel: Row) -> None:
    call(
        connection,
        "record_notification",
        p_channel_id=channel["id"],
        p_resource_id="resource",
        p_resource_state="exists",
        p_message_number=1,
    )


def sync(connection: Connection, calendar: Row, channel: Row) -> None:
    claimed = call(
        connection,
        "claim_due_calendars",
        p_worker="w",
        p_limit=5,
        p_lease_seconds=5,
        p_calendar_ids=[calendar["id"]],
        p_even_if_not_due=True,
    )
    for claim in claimed:
        rows = part([meeting(title=str(uuid.uuid4()))])
        known = {"notifications_read": claim["notifications_seen"]}
        arguments = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"]}
        keeping = {"p_calendar_ids": [calendar["id"]], "p_fences": [claim["fence"]]}
        call(connection, "keep_leases", **keeping, p_lease_seconds=5)
        call(connection, "commit_sync", **arguments, p_sync={**facts(**known), **rows})


def renew(connection: Connection, calendar: Row, channel: Row) -> None:
    new = str(uuid.uuid4())
    call(connection, "begin_channel", p_channel_id=new, p_calendar_id=calendar["id"], p_address="https://h")
    call(connection, "activate_channel", p_channel_id=new, p_resource_id="resource", p_expires_at="2040-01-01")


def fail(connection: Connection, calendar: Row, channel: Row) -> None:
    new = str(uuid.uuid4())
    call(connection, "begin_channel", p_channel_id=new, p_calendar_id=calendar["id"], p_address="https://h")
    call(connection, "fail_channel", p_channel_id=new, p_error_code="x", p_retry_seconds=0.0)


def stop(connection: Connection, calendar: Row, channel: Row) -> None:
    dead = call(connection, "claim_dead_channels", p_limit=9, p_lease_seconds=5, p_abandoned_seconds=0)
    for row in dead:
        if row["channel_id"] != channel["id"]:
            call(connection, "end_channel", p_channel_id=row["channel_id"])


def watch(connection: Connection, calendar: Row, channel: Row) -> None:
    call(connection, "claim_expiring_watches", p_limit=9, p_lease_seconds=0)


def lose(connection: Connection, calendar: Row, channel: Row) -> None:
    user = {"p_user_id": calendar["user_id"]}
    call(connection, "lose_connection", **user, p_reason="r", p_used_refresh_token="v1.new")


def reconnect(connection: Connection, calendar: Row, channel: Row) -> None:
    call(
        connection,
        "connect_calendars",
        p_user_id=calendar["user_id"],
        p_google_calendar_ids=["team", calendar["google_calendar_id"], "other"],
        p_refresh_token="v1.new",
        p_access_token=None,
        p_access_token_expires_at=None,
        p_scopes=None,
        p_watch_seconds=0,
    )


Job = Callable[[Connection, Row, Row], None]


def repeat(db: Database, job: Job, calendar: Row, channel: Row) -> Counter[str]:
    """The job in a connection of its own, again and again; how often which error came."""
    errors: Counter[str] = Counter()
    with db.service_connection() as connection:
        for _ in range(ROUNDS):
            try:
                job(connection, calendar, channel)
            except psycopg.Error as error:
                errors[f"{job.__name__}: {error.sqlstate} {error}"] += 1
    return errors


def test_nothing_that_meets_on_one_calendar_waits_in_a_circle(db: Database) -> None:
    alice = db.user()
    db.credentials(alice, "v1.new")
    calendar = db.calendar(alice)
    channel = db.channel(calendar)
    jobs: list[Job] = [notify, notify, notify, sync, sync, renew, renew, fail, stop, stop, watch, lose, reconnect]
    errors = at_once(*(lambda job=job: repeat(db, job, calendar, channel) for job in jobs))
    assert sum(errors, Counter()) == Counter()
    notified = 3 * ROUNDS
    assert db.channel_row(channel["id"])["notifications"] == notified
    assert db.calendar_row(calendar["id"])["notifications_seen"] <= notified


def test_every_notification_of_a_busy_calendar_is_synced_in_the_end(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    sent = threading.Event()

    def work() -> int:
        syncs, deadline = 0, time.monotonic() + 100
        with db.service_connection() as connection:
            while time.monotonic() < deadline:
                done = sent.is_set()
                claims = db.claim(by=connection)
                for claim in claims:
                    known = facts(notifications_read=claim["notifications_seen"], sync_type="webhook")
                    arguments: dict[str, Any] = {"p_calendar_id": claim["calendar_id"], "p_fence": claim["fence"]}
                    call(connection, "commit_sync", **arguments, p_sync={**known, **part()})
                    syncs += 1
                if done and not claims and not db_has_waiting(connection):
                    return syncs
        raise AssertionError("some notification was never synced")

    def send() -> None:
        with db.service_connection() as connection:
            for _ in range(100):
                notify(connection, calendar, channel)
        sent.set()

    *_, first, second = at_once(send, work, work)
    after = db.calendar_row(calendar["id"])
    assert (after["notifications_seen"], after["notifications_synced"]) == (100, 100)
    assert sum(log["notifications"] for log in db.logs(calendar)) == 100
    assert len(db.logs(calendar)) == first + second


def db_has_waiting(connection: Connection) -> bool:
    waiting = "select 1 from public.calendar_webhooks where notifications_seen > notifications_synced"
    return connection.execute(waiting).fetchone() is not None
