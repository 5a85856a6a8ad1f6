"""Deleting a user while something of theirs is written: one waits for the other, and neither fails."""

from __future__ import annotations

import pytest

from tests.sql.accounts.deleting import Work, begun_to_be_deleted, delete
from tests.sql.bots.following import impatient
from tests.sql.database import Connection, Database, Row, call, event, facts, in_background, meeting, part


def test_a_user_deleted_during_a_commit_is_gone_after_it(db: Database) -> None:
    """The commit has its calendar and waits for a row when the user is deleted; its inserts come after that."""
    alice = db.user()
    calendar = db.calendar(alice)
    db.sync(calendar, part([meeting("busy", title="Before")]))
    claim = db.claim_one(calendar, lease=600)
    committing, blocker = db.another(), db.another()
    events = [event("busy", status="tentative"), event("new")]
    sync = {**facts(is_full=False), **part([meeting("busy"), meeting("new")], events)}
    arguments = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"], "p_sync": sync}
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.calendar_events where google_event_id = 'busy' for update")
        committed = in_background(lambda: call(committing, "commit_sync", **arguments))
        db.await_waiting()
        deleted = in_background(lambda: delete(db, alice))
        db.await_waiting(2)

    assert committed.result(60)[0]["committed"] is True
    deleted.result(60)
    for table in ("calendar_webhooks", "meetings", "calendar_sync_logs"):
        assert db.rows(f"select 1 from public.{table} where user_id = %s", alice) == []


def test_a_user_deleted_while_a_channel_of_theirs_opens_is_gone_after_it(db: Database) -> None:
    """The channel tells that the calendar is another one: its row is written twice."""
    alice = db.user()
    calendar = db.calendar(alice, resource_id="before")
    former, new = db.channel(calendar)["id"], db.channel(calendar, "opening")["id"]
    opening, blocker = db.another(), db.another()
    arguments = {"p_channel_id": new, "p_resource_id": "after", "p_expires_at": "2040-01-01"}
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.calendar_channels where id = %s for update", (former,))
        opened = in_background(lambda: call(opening, "activate_channel", **arguments))
        db.await_waiting()
        deleted = in_background(lambda: delete(db, alice))
        db.await_waiting(2)
    assert [row["channel_id"] for row in opened.result(60)] == [former]
    deleted.result(60)


def test_a_user_deleted_while_they_begin_to_connect_is_gone_after_it(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    flow = {"p_verifier": "v", "p_seconds": 60}
    db.insert("oauth_flows", nonce_hash="expired", user_id=alice, verifier="v", expires_at="2020-01-01")
    beginning, blocker = db.another(), db.another()
    with blocker.transaction(force_rollback=True):
        call(blocker, "begin_oauth_flow", p_nonce_hash="same", p_user_id=bob, **flow)
        db.insert("oauth_flows", nonce_hash="another", user_id=alice, verifier="v", expires_at="2020-01-01")
        begun = in_background(lambda: call(beginning, "begin_oauth_flow", p_nonce_hash="same", p_user_id=alice, **flow))
        db.await_waiting()
        deleted = in_background(lambda: delete(db, alice))
        db.await_waiting(2)
    begun.result(60)
    deleted.result(60)


def test_a_user_erased_during_a_commit_is_erased_after_it(db: Database) -> None:
    """The commit waits for an event and then writes meetings; whoever erases takes the meetings first."""
    alice = db.user()
    calendar = db.calendar(alice)
    db.sync(calendar, part([meeting("busy", title="Before")]))
    claimed = db.claim_one(calendar, lease=600)
    committing, erasing, blocker = db.another(), db.another(), db.another()
    sync = {**facts(), **part([meeting("busy")], [event("busy", status="tentative")])}
    arguments = {"p_calendar_id": calendar["id"], "p_fence": claimed["fence"], "p_sync": sync}
    with blocker.transaction(force_rollback=True):
        blocker.execute("select 1 from public.calendar_events where google_event_id = 'busy' for update")
        committed = in_background(lambda: call(committing, "commit_sync", **arguments))
        db.await_waiting()
        erased = in_background(lambda: call(erasing, "erase_user", p_user_id=alice))
        db.await_waiting(2)
    assert committed.result(60)[0]["committed"] is True
    assert erased.result(60)[0]["erase_user"]["meetings"] == 1
    assert db.rows("select 1 from public.calendar_webhooks") == []


def test_a_channel_begun_while_its_calendar_is_erased_is_none(db: Database) -> None:
    """Whoever opens it hears nothing of a foreign key: the calendar is gone, as for every other call."""
    calendar = db.calendar()
    erasing, beginning = db.another(), db.another()
    channel = {"p_channel_id": "new", "p_calendar_id": calendar["id"], "p_address": "https://a.example"}
    with erasing.transaction():
        call(erasing, "erase_user", p_user_id=calendar["user_id"])
        begun = in_background(lambda: call(beginning, "begin_channel", **channel))
        db.await_waiting()
    # Google is not asked for one that nobody could stop.
    assert begun.result(60)[0]["begin_channel"] is False
    assert db.rows("select 1 from public.calendar_channels") == []


def erase(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "erase_user", p_user_id=calendar["user_id"])


def lose(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "lose_connection", p_user_id=calendar["user_id"], p_reason="r", p_used_refresh_token="v1.r")


def fail(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "fail_channel", p_channel_id="opening", p_error_code="e", p_retry_seconds=0.0)


def activate(by: Connection, calendar: Row) -> list[Row]:
    return call(by, "activate_channel", p_channel_id="opening", p_resource_id="r", p_expires_at="2040-01-01")


def end(by: Connection, calendar: Row) -> list[Row]:
    claimed = {"p_calendar_id": calendar["id"], "p_fence": calendar["fence"], "p_next_seconds": 60.0}
    return call(by, "end_claim", **claimed, p_status="skipped", p_sync_type="incremental", p_reason="r")


@pytest.mark.parametrize("work", [erase, lose, fail, activate, end])
def test_who_works_for_a_user_holds_nothing_while_they_wait_for_the_deletion(db: Database, work: Work) -> None:
    calendar = db.calendar()
    db.channel(calendar, "opening", id="opening")
    working = db.another()
    with begun_to_be_deleted(db, calendar["user_id"]):
        worked = in_background(lambda: work(working, calendar))
        db.await_waiting()
        assert len(db.rows("select 1 from public.calendar_webhooks for update skip locked")) == 1
        assert len(db.rows("select 1 from public.calendar_channels for update skip locked")) == 1
    worked.result(60)


def test_who_refers_to_a_calendar_does_not_wait_for_who_writes_it(db: Database) -> None:
    calendar = db.calendar()
    claiming = db.another()
    channel = {"p_channel_id": "new", "p_calendar_id": calendar["id"], "p_address": "https://a.example"}
    with claiming.transaction():
        assert call(claiming, "claim_due_calendars", p_worker="w", p_limit=1, p_lease_seconds=60) != []
        call(impatient(db), "begin_channel", **channel)
