"""Deleting a user while somebody works for many: they pass over what is being deleted, and wait for nobody."""

from __future__ import annotations

import uuid

import pytest
from psycopg.types.json import Jsonb

from tests.sql.accounts.deleting import Work, begun_to_be_deleted, being_deleted, delete
from tests.sql.bots.following import impatient
from tests.sql.database import Connection, Database, Row, call, in_background, meeting, part
from tests.sql.events.feed import last, subscribe


def notify(by: Connection, calendar: Row) -> Row:
    together = [{"channel_id": "live", "resource_id": "resource", "resource_state": "exists", "message_number": 2}]
    (answer,) = call(by, "record_notifications", p_notifications=Jsonb(together))
    return answer


def claim(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "claim_due_calendars", p_worker="w", p_limit=9, p_lease_seconds=60)


def adopt(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "adoptable_channels", p_abandoned_seconds=0)


def stop(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "claim_dead_channels", p_limit=9, p_lease_seconds=60, p_abandoned_seconds=0)


def move(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "renew_moved_watches", p_addresses=["https://new"], p_delay_seconds=0.0, p_limit=9)


def release(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "release_watches", p_calendar_ids=[calendar["id"]])


def keep(by: Connection, calendar: Row) -> list[Row]:
    arguments = {"p_calendar_ids": [calendar["id"]], "p_fences": [calendar["fence"]], "p_lease_seconds": 60}
    return call(by, "keep_leases", **arguments, p_turns=[calendar["id"]])


def retry(by: Connection, calendar: Row) -> list[Row]:
    deed = {"p_id": uuid.uuid4(), "p_operator": "o", "p_door": "cli", "p_action": "retry_cause", "p_target": "boom"}
    return call(by, "operate", **deed, p_params=Jsonb({}), p_limit=9)


def send_events(by: Connection, calendar: Row) -> list[Row]:
    limits = {"p_limit": 9, "p_doubtful_limit": 9, "p_per_subscription": 9, "p_slow_ms": 3000, "p_most_tries": 9}
    return call(by, "claim_event_deliveries", **limits, p_lease_seconds=60)


def drop_events(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "drop_old_events", p_keep_days=1, p_limit=100)


def drop_logs(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "drop_old_logs", p_keep_days=1, p_limit=100)


def fold_logs(by: Connection, calendar: Row) -> list[Row]:
    call(by, "fold_sync_logs", p_limit=9)
    return call(by, "fold_idle_logs", p_keep_days=1, p_limit=100)


def drop_channels(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "drop_old_channels", p_keep_days=1, p_limit=100)


def drop_items(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "drop_left_items", p_limit=100)


def retire(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "retire_lost_calendars", p_after_seconds=0.0, p_limit=9)


def furnished(db: Database) -> Row:
    """A calendar with something of each kind that somebody works on for all users."""
    calendar = db.calendar()
    db.sync(calendar, part([meeting()]), next_poll_seconds=0)
    own = {"calendar_id": calendar["id"], "user_id": calendar["user_id"]}
    db.channel(calendar, id="live", address="https://old", opened_at="2020-01-01")
    for state in ("opening", "failed", "stopped"):
        db.channel(calendar, state, id=state, stop_after=None if state == "opening" else "2020-01-01")
    db.channel(calendar, "expired", id="old", created_at="2020-01-01", updated_at="2020-01-01", expires_at="2020-01-01")
    for day in (1, 2, 3):
        log = {"sync_type": "incremental", "status": "completed", "created_at": f"2020-01-0{day}"}
        db.insert("calendar_sync_logs", **own, **log)
    item = {"google_event_id": "e", "base_event_id": "e", "fence": 0, "details": Jsonb({})}
    db.insert("calendar_staged_items", calendar_id=calendar["id"], **item)
    db.insert("user_turns", for_user=calendar["user_id"], holder=calendar["id"], expires_at="2040-01-01")
    db.set(calendar, last_error_code="'boom'", consecutive_failures="1", access_lost_at="'2020-01-01'")
    db.admin.execute("update public.change_events set occurred_at = '2020-01-01'")
    last(db)
    return db.calendar_row(calendar["id"])


FOR_MANY: list[Work] = [notify, claim, adopt, stop, move, release, keep, retry, retire, send_events]
RETENTION: list[Work] = [drop_events, drop_logs, fold_logs, drop_channels, drop_items]


@pytest.mark.parametrize("work", [*FOR_MANY, *RETENTION])
def test_nobody_who_works_for_many_waits_for_a_deletion(db: Database, work: Work) -> None:
    """Not for a moment: a heartbeat that waited would lose the leases of all its process' calendars."""
    calendar = furnished(db)
    if work is send_events:
        subscribe(db, after=0)
    with being_deleted(db, calendar["user_id"]):
        work(impatient(db), calendar)


@pytest.mark.parametrize(("first", "then"), [(notify, notify), (notify, claim), (adopt, stop)])
def test_a_deletion_waits_for_who_works_for_many_and_goes_on(db: Database, first: Work, then: Work) -> None:
    """What is written twice in a transaction asks for its user, whom the deletion holds while it waits for the row."""
    calendar = furnished(db)
    db.admin.execute("update public.calendar_channels set created_at = '2020-01-01'")
    working = db.another()
    with working.transaction():
        first(working, calendar)
        deleted = in_background(lambda: delete(db, calendar["user_id"]))
        db.await_waiting()
        then(working, calendar)
    deleted.result(60)
    assert db.rows("select 1 from public.calendar_webhooks") == []


@pytest.mark.parametrize("work", [move, release, retry, retire])
def test_who_may_have_to_wait_for_rows_of_a_user_passes_over_who_is_being_deleted(db: Database, work: Work) -> None:
    furnished(db)
    watched = "update public.calendar_webhooks set watch_retry_at = '2020-01-01', expiration_time = '2040-01-01'"
    db.admin.execute(watched)
    query = "select xmin::text, * from public.calendar_webhooks"
    before = db.row(query)
    with begun_to_be_deleted(db, str(before["user_id"])):
        work(impatient(db), before)
    assert db.row(query) == before
    work(db.service, before)
    assert db.row(query) != before
