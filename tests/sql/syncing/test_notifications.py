"""record_notification: no notification is lost, and none disturbs what goes on."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from tests.sql.database import Database, Row, at_once, call


def test_notification_makes_its_calendar_due_now(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600, webhook_failures=2)
    answer = db.notify(db.channel(calendar))
    assert (answer["outcome"], answer["calendar_id"], answer["due_in_seconds"]) == ("due", calendar["id"], 0)
    after = db.calendar_row(calendar["id"])
    assert after["due_in"] <= 0
    assert (after["notifications_seen"], after["due_reason"], after["webhook_failures"]) == (1, "notified", 0)
    assert after["last_webhook_received"] is not None
    assert after["notified_since"] == after["last_webhook_received"]


def test_handshake_before_the_answer_to_watch_stores_the_resource_id(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    channel = db.channel(calendar, "opening", resource_id=None)
    answer = db.notify(channel, 1, state="sync", resource="told-first")
    assert answer["outcome"] == "handshake"
    assert db.channel_row(channel["id"])["resource_id"] == "told-first"
    after = db.calendar_row(calendar["id"])
    assert after["notifications_seen"] == 0
    assert after["due_in"] > 3000


def test_notification_with_another_resource_is_refused_and_counted(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    channel = db.channel(calendar)
    assert db.notify(channel, resource="forged")["outcome"] == "refused"
    after = db.channel_row(channel["id"])
    assert (after["refused"], after["notifications"], after["resource_id"]) == (1, 0, "resource")
    assert db.calendar_row(calendar["id"])["notifications_seen"] == 0


def test_notification_of_an_unknown_channel_does_nothing(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    answer = db.notify({"id": "nobody's"})
    assert (answer["outcome"], answer["calendar_id"]) == ("unknown_channel", None)
    assert db.calendar_row(calendar["id"])["notifications_seen"] == 0
    assert db.rows("select 1 from public.calendar_channels") == []


@pytest.mark.parametrize(("state", "is_stoppable"), [("failed", True), ("expired", True), ("stopped", False)])
def test_dead_channel_that_speaks_does_no_work_and_is_to_be_stopped(
    db: Database, state: str, is_stoppable: bool
) -> None:
    calendar = db.calendar(after_seconds=3600)
    channel = db.channel(calendar, state, resource_id=None)
    assert db.notify(channel)["outcome"] == "dead_channel"
    after = db.channel_row(channel["id"])
    assert (after["resource_id"], after["stop_after"] is not None) == ("resource", is_stoppable)
    assert db.calendar_row(calendar["id"])["notifications_seen"] == 0


@pytest.mark.parametrize("state", ["opening", "live", "superseded"])
def test_channel_speaks_for_its_calendar_until_it_is_stopped(db: Database, state: str) -> None:
    calendar = db.calendar(after_seconds=3600)
    assert db.notify(db.channel(calendar, state))["outcome"] == "due"


def test_channel_of_a_calendar_that_is_watched_no_more_is_dead(db: Database) -> None:
    channel = db.channel(db.calendar(is_active=False))
    assert db.notify(channel)["outcome"] == "dead_channel"
    assert db.channel_row(channel["id"])["stop_after"] is not None


def test_no_message_number_is_skipped_whatever_its_order(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    channel = db.channel(calendar)
    outcomes = [db.notify(channel, number)["outcome"] for number in (1, 10, 7, None)]
    assert outcomes == ["due"] * 4
    after = db.channel_row(channel["id"])
    assert (after["notifications"], after["last_message_number"]) == (4, 10)
    assert db.calendar_row(calendar["id"])["notifications_seen"] == 4


def test_notification_during_a_lease_waits_for_its_end(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    leased_until = db.calendar_row(db.claim_one(calendar)["calendar_id"])["lease_expires_at"]
    answer = db.notify(channel)
    after = db.calendar_row(calendar["id"])
    assert (after["lease_expires_at"], after["due_at"]) == (leased_until, leased_until)
    assert 50 < answer["due_in_seconds"] <= 60
    assert db.claim() == []


def test_notification_during_a_sync_leaves_the_calendar_due(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    claim = db.claim_one(calendar)
    db.notify(channel)
    answer = db.commit(claim)
    assert (answer["committed"], answer["notified"], answer["due_in_seconds"]) == (True, True, 0)
    (again,) = db.claim()
    assert (again["calendar_id"], again["due_reason"]) == (calendar["id"], "notified")
    assert again["notifications_seen"] > again["notifications_synced"]


def test_notification_that_waits_for_a_commit_is_counted_after_it(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    claim, other = db.claim_one(calendar), db.another()
    with db.service.transaction():
        db.commit(claim)
        assert db.notify(channel, by=other)["outcome"] == "due"
    (again,) = db.claim()
    assert (again["notifications_seen"], again["notifications_synced"]) == (1, 0)
    assert db.rows("select 1 from public.calendar_notifications") == []


@pytest.mark.parametrize("held", ["calendar_webhooks", "calendar_channels"])
def test_notifications_wait_for_no_lock_and_are_counted_exactly(db: Database, held: str) -> None:
    calendar = db.calendar(after_seconds=3600)
    channel, other = db.channel(calendar), db.another()
    other.execute("set lock_timeout = '10s'")
    db.notify(channel)
    with db.admin.transaction():
        db.admin.execute(f"select 1 from public.{held} for update".encode())
        answers = [db.notify(channel, number, by=other) for number in range(3, 50)]
        assert db.notify(channel, resource="forged", by=other)["outcome"] == "refused"
    assert {(answer["outcome"], answer["due_in_seconds"]) for answer in answers} == {("due", 0.0)}
    assert [row["calendar_id"] for row in db.claim()] == [calendar["id"]]
    after, spoken = db.calendar_row(calendar["id"]), db.channel_row(channel["id"])
    assert after["notifications_seen"] == 48
    assert (spoken["notifications"], spoken["refused"], spoken["last_message_number"]) == (48, 1, 49)


def test_notifications_of_a_calendar_that_is_gone_are_forgotten(db: Database) -> None:
    calendar, other = db.calendar(), db.another()
    channel = db.channel(calendar)
    with db.admin.transaction():
        db.admin.execute("select 1 from public.calendar_webhooks for update")
        db.notify(channel, by=other)
        db.admin.execute("delete from public.calendar_webhooks")
    assert db.claim() == []
    assert db.rows("select 1 from public.calendar_notifications") == []


def left_behind(db: Database, channel: Row) -> None:
    """A notification that could not be counted when it came."""
    told = {"calendar_id": channel["calendar_id"], "channel_id": channel["id"], "resource_id": "resource"}
    db.insert("calendar_notifications", **told, outcome="due", received_at=dt.datetime.now(dt.UTC))


def drained(db: Database) -> int:
    """By one claim for which there is room for one calendar's."""
    return int(db.admin.execute("select calendar_internal.drain_notifications(1) as counted").fetchall()[0]["counted"])


def test_notification_of_a_channel_that_is_gone_is_counted_and_holds_up_none(db: Database) -> None:
    poisoned, other = db.calendar(after_seconds=3600), db.calendar(after_seconds=3600)
    channels = db.channel(poisoned), db.channel(other)
    for channel in channels:
        left_behind(db, channel)
    db.admin.execute("delete from public.calendar_channels where id = %s", [channels[0]["id"]])
    assert [drained(db) for _ in range(3)] == [1, 1, 0]
    assert {row["calendar_id"] for row in db.claim()} == {poisoned["id"], other["id"]}


@pytest.mark.parametrize("table", ["calendar_webhooks", "calendar_channels"])
@pytest.mark.parametrize("outcome", ["due", "refused"])
def test_notification_that_somebody_holds_holds_up_none(db: Database, table: str, outcome: str) -> None:
    held, other = (db.channel(db.calendar(after_seconds=3600)) for _ in range(2))
    left_behind(db, held)
    left_behind(db, other)
    db.admin.execute("update calendar_notifications set outcome = %s", [outcome])
    key = {"calendar_webhooks": "calendar_id", "calendar_channels": "id"}[table]
    with db.service.transaction():
        db.service.execute(f"select 1 from public.{table} where id = %s for update".encode(), [held[key]])
        drained(db)
        drained(db)
        assert other["id"] not in {
            row["channel_id"] for row in db.rows("select channel_id from calendar_notifications")
        }


def test_burst_is_one_more_sync_after_the_pause(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    db.notify(channel)
    db.sync(calendar, coalesce_seconds=30.0)
    answers = [db.notify(channel, number) for number in (3, 4, 5)]
    assert all(20 < answer["due_in_seconds"] <= 30 for answer in answers)
    assert db.claim() == []


def test_notification_in_the_middle_of_a_notified_sync_waits_for_the_pause(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    db.notify(channel)
    claim = db.claim_one(calendar)
    db.notify(channel)
    assert 20 < db.commit(claim, coalesce_seconds=30.0)["due_in_seconds"] <= 30


def test_notification_during_a_poll_that_is_skipped_waits_for_the_pause(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    claim = db.claim_one(calendar)
    db.set(calendar, not_before="now() + interval '30 seconds'")
    db.notify(channel)
    db.skip(claim)
    assert 20 < db.calendar_row(calendar["id"])["due_in"] <= 30


def test_notification_does_not_shorten_a_backoff(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    db.fail(db.claim_one(calendar), p_next_seconds=600.0)
    assert 590 < db.notify(channel)["due_in_seconds"] <= 600
    assert db.claim() == []


def test_released_calendar_keeps_its_backoff(db: Database) -> None:
    calendar = db.calendar()
    asked = db.claim_one(calendar)
    db.set(calendar, not_before="now() + interval '600 seconds'")
    assert db.value("release_calendar", p_calendar_id=calendar["id"], p_fence=asked["fence"]) is True
    assert 590 < db.calendar_row(calendar["id"])["due_in"] <= 600


def test_notifications_at_the_same_time_are_all_counted(db: Database) -> None:
    calendar = db.calendar()
    channels = [db.channel(calendar), db.channel(calendar, "superseded")]

    def many(channel: str) -> None:
        connection = db.service_connection()
        with connection:
            for number in range(25):
                connection.execute("select public.record_notification(%s, 'resource', 'exists', %s)", (channel, number))

    at_once(*(lambda channel=channel: many(channel["id"]) for channel in [*channels, *channels]))
    assert db.calendar_row(calendar["id"])["notifications_seen"] == 100
    assert {db.channel_row(channel["id"])["notifications"] for channel in channels} == {50}


def told(
    channel_id: str, number: object = 2, *, state: str = "exists", resource: str = "resource"
) -> dict[str, object]:
    return {
        "channel_id": channel_id,
        "resource_id": resource,
        "resource_state": state,
        "message_number": number,
        "expires_at": None,
    }


def test_notifications_recorded_together_come_to_what_each_comes_to_alone(db: Database) -> None:
    alive, gone, closed = (db.calendar(after_seconds=3600, is_active=active) for active in (True, True, False))
    one, dead, watched_no_more = db.channel(alive), db.channel(gone, "failed"), db.channel(closed)
    together = [
        told(one["id"], 7),
        told("nobody's"),
        told(one["id"], 5),
        told(dead["id"]),
        told(one["id"], resource="another"),
        told(watched_no_more["id"]),
        told(one["id"], state="sync"),
    ]
    answers = call(db.service, "record_notifications", p_notifications=json.dumps(together))
    assert [(row["outcome"], row["calendar_id"], row["due_in_seconds"]) for row in answers] == [
        ("due", alive["id"], 0),
        ("unknown_channel", None, None),
        ("due", alive["id"], 0),
        ("dead_channel", gone["id"], 0),
        ("refused", None, None),
        ("dead_channel", closed["id"], 0),
        ("handshake", alive["id"], 0),
    ]
    after = db.channel_row(one["id"])
    assert (after["notifications"], after["refused"], after["last_message_number"]) == (3, 1, 7)
    assert db.calendar_row(alive["id"])["notifications_seen"] == 2
    assert db.rows("select 1 from public.calendar_notifications") == []


def test_the_first_of_a_channel_tells_its_resource_for_those_after_it(db: Database) -> None:
    channel = db.channel(db.calendar(), "opening", resource_id=None)
    together = [told(channel["id"], 1, state="sync", resource="first"), told(channel["id"], 2, resource="other")]
    answers = call(db.service, "record_notifications", p_notifications=json.dumps(together))
    assert [row["outcome"] for row in answers] == ["handshake", "refused"]
    assert db.channel_row(channel["id"])["resource_id"] == "first"


def test_together_too_they_wait_for_no_lock(db: Database) -> None:
    held, free = db.calendar(after_seconds=3600), db.calendar(after_seconds=3600)
    channels, other = [db.channel(held), db.channel(free)], db.another()
    together = json.dumps([told(channel["id"]) for channel in channels])
    with db.service.transaction():
        db.service.execute("select 1 from public.calendar_webhooks where id = %s for update", (held["id"],))
        answers = call(other, "record_notifications", p_notifications=together)
        assert [row["outcome"] for row in answers] == ["due", "due"]
    assert db.calendar_row(free["id"])["notifications_seen"] == 1
    assert len(db.claim()) == 2


def test_none_recorded_are_none(db: Database) -> None:
    assert call(db.service, "record_notifications", p_notifications="[]") == []
