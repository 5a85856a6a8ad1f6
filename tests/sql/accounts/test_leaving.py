"""Flows, choosing and leaving in SQL: each flow is taken once, and whoever leaves is left, whatever runs meanwhile."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sql.database import Connection, Database, Row, at_once, call, event, facts, in_background, meeting, part


def begin(db: Database, user_id: str, nonce: str = "nonce", seconds: int = 600) -> None:
    db.call("begin_oauth_flow", p_nonce_hash=nonce, p_user_id=user_id, p_verifier="v1.v", p_seconds=seconds)


def take(
    db: Database, user_id: str, nonce: str = "nonce", by: Connection | None = None, again: str | None = None
) -> Any:
    arguments = {"p_nonce_hash": nonce, "p_user_id": user_id, "p_return": again or str(uuid.uuid4())}
    parked = {"p_handle_hash": f"handle of {nonce}", "p_code": "v1.c", "p_seconds": 300}
    (row,) = call(by or db.service, "park_oauth_flow", **arguments, **parked)
    return row["outcome"]


def complete(
    db: Database, user_id: str, nonce: str = "nonce", by: Connection | None = None, again: str | None = None
) -> Any:
    arguments = {"p_handle_hash": f"handle of {nonce}", "p_user_id": user_id, "p_call": again or str(uuid.uuid4())}
    (row,) = call(by or db.service, "complete_oauth_flow", **arguments)
    return row["outcome"], row["code"]


def leave(db: Database, calendar: Row, meetings: str = "keep", by: Connection | None = None) -> Any:
    (row,) = call(
        by or db.service,
        "remove_calendars",
        p_user_id=calendar["user_id"],
        p_google_calendar_ids=[calendar["google_calendar_id"]],
        p_meetings=meetings,
    )
    return row["remove_calendars"]


def test_a_flow_is_taken_once_and_again_only_by_the_one_who_took_it(db: Database) -> None:
    alice, ours = db.user(), str(uuid.uuid4())
    begin(db, alice)
    begin(db, alice)
    assert take(db, alice, again=ours) == "ok"
    assert take(db, alice, again=ours) == "ok"
    assert take(db, alice) == "used"


def test_a_flow_is_completed_once_and_again_only_by_the_call_that_completed_it(db: Database) -> None:
    alice, ours = db.user(), str(uuid.uuid4())
    begin(db, alice)
    assert complete(db, alice) == ("used", None)
    take(db, alice)
    assert complete(db, alice, again=ours) == ("ok", "v1.c")
    assert complete(db, alice, again=ours) == ("ok", "v1.c")
    assert complete(db, alice) == ("used", None)


def test_of_two_connections_that_complete_a_flow_one_gets_it(db: Database) -> None:
    alice, other = db.user(), db.another()
    begin(db, alice)
    take(db, alice)
    with db.service.transaction():
        first = complete(db, alice)
        second = in_background(lambda: complete(db, alice, by=other))
        db.await_waiting()
    assert [first, second.result(60)] == [("ok", "v1.c"), ("used", None)]


def test_a_flow_that_another_user_tried_to_complete_is_completed_by_nobody(db: Database) -> None:
    alice, bob, theirs = db.user(), db.user("bob"), str(uuid.uuid4())
    begin(db, alice)
    take(db, alice)
    assert complete(db, bob, again=theirs) == ("other_user", None)
    assert complete(db, bob, again=theirs) == ("other_user", None)
    assert complete(db, alice) == ("used", None)
    assert db.rows("select code from public.oauth_flows") == [{"code": None}]


def test_of_two_connections_that_take_a_flow_one_gets_it(db: Database) -> None:
    alice, other = db.user(), db.another()
    begin(db, alice)
    with db.service.transaction():
        first = take(db, alice)
        second = in_background(lambda: take(db, alice, by=other))
        db.await_waiting()
    assert [first, second.result(60)] == ["ok", "used"]


def test_an_expired_flow_and_one_of_another_user_are_not_taken(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    begin(db, alice, seconds=0)
    assert take(db, alice) == "expired"
    begin(db, alice, "other")
    assert take(db, bob, "other") == "used"
    assert take(db, alice, "other") == "ok"
    assert [row["nonce_hash"] for row in db.rows("select nonce_hash from public.oauth_flows")] == ["other"]


@pytest.mark.parametrize("write", ["commit_sync", "stage_sync", "end_claim", "release_calendar"])
def test_no_claim_of_before_writes_anything_once_the_calendar_is_left(db: Database, write: str) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    leave(db, calendar)
    before = db.calendar_row(calendar["id"]) | {"due_in": 0}
    arguments: dict[str, Any] = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"]}
    rows = part([meeting()], [event()])
    more: dict[str, dict[str, Any]] = {
        "commit_sync": {"p_sync": {**facts(is_full=True), **rows}},
        "stage_sync": {"p_sync_id": str(uuid.uuid4()), "p_part": rows, "p_lease_seconds": 60},
        "end_claim": {"p_status": "failed", "p_sync_type": "full", "p_reason": "x", "p_next_seconds": 1.0},
    }

    (answer,) = db.call(write, **arguments, **more.get(write, {}))

    assert next(iter(answer.values())) is False
    assert db.calendar_row(calendar["id"]) | {"due_in": 0} == before
    assert (db.meetings(calendar), db.logs(calendar)) == ([], [])


def test_a_commit_that_runs_while_its_user_leaves_is_undone_by_it(db: Database) -> None:
    """Whoever comes first, the end is the same."""
    calendar, other = db.calendar(), db.another()
    claim = db.claim_one(calendar)
    with db.service.transaction():
        assert db.commit(claim, part([meeting()]))["committed"] is True
        leaving = in_background(lambda: leave(db, calendar, by=other))
        db.await_waiting()
    leaving.result(60)
    after = db.calendar_row(calendar["id"])
    assert (after["is_active"], after["sync_token"], after["initial_sync"]) == (False, None, "pending")
    assert [(row["status"], row["status_reason"]) for row in db.meetings(calendar)] == [
        ("cancelled", "calendar_removed")
    ]
    assert db.rows("select 1 from public.calendar_events") == []


def test_a_channel_that_opens_after_its_calendar_was_left_is_to_be_stopped(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar, "opening", resource_id=None, expires_at=None)
    leave(db, calendar)
    activation = {"p_channel_id": channel["id"], "p_resource_id": "r", "p_expires_at": "2040-01-01"}
    for _ in range(2):
        assert db.call("activate_channel", **activation) == [{"channel_id": channel["id"], "resource_id": "r"}]
    after = db.channel_row(channel["id"])
    assert (after["state"], after["stop_after"] is not None) == ("superseded", True)
    assert db.calendar_row(calendar["id"])["webhook_id"] is None
    (dead,) = db.call("claim_dead_channels", p_limit=9, p_lease_seconds=60, p_abandoned_seconds=300)
    assert dead["channel_id"] == channel["id"]


def test_a_notification_for_a_left_calendar_does_no_work(db: Database) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar)
    leave(db, calendar)
    assert db.notify(channel)["outcome"] == "dead_channel"
    assert db.claim() == []


def test_two_who_leave_at_once_do_not_wait_in_a_circle(db: Database) -> None:
    alice, other = db.user(), db.another()
    calendars = [db.calendar(alice) for _ in range(6)]
    db.credentials(alice)
    names = [row["google_calendar_id"] for row in calendars]
    removal = {"p_user_id": alice, "p_meetings": "keep"}
    at_once(
        lambda: call(db.service, "remove_calendars", p_google_calendar_ids=names, **removal),
        lambda: call(other, "begin_disconnect", **removal),
    )
    assert db.rows("select 1 from public.calendar_webhooks where is_active") == []


def test_calendars_are_not_added_to_a_user_who_left(db: Database) -> None:
    alice, other = db.user(), db.another()
    db.credentials(alice)
    adding = {"p_user_id": alice, "p_google_calendar_ids": ["team"], "p_watch_seconds": 0}
    with db.service.transaction():
        db.call("begin_disconnect", p_user_id=alice, p_meetings="keep")
        late = in_background(lambda: call(other, "add_calendars", **adding))
        db.await_waiting()
    assert late.result(60) == []
    assert db.rows("select 1 from public.calendar_webhooks") == []


def test_another_google_account_begins_anew_and_the_same_one_goes_on(db: Database) -> None:
    alice = db.user()

    def connect(account: str | None) -> Row:
        (row,) = db.call(
            "connect_calendars",
            p_user_id=alice,
            p_google_calendar_ids=["primary"],
            p_refresh_token="v1.r",
            p_access_token=None,
            p_access_token_expires_at=None,
            p_scopes=["s"],
            p_watch_seconds=0,
            p_google_account=account,
        )
        return db.calendar_row(row["calendar_id"])

    calendar = connect("alice@example.com")
    db.channel(calendar)
    db.sync(calendar, part([meeting(start_time="2035-01-01T00:00:00Z", end_time="2035-01-01T01:00:00Z")]))
    assert connect("alice@example.com")["sync_token"] == "token"
    # Nobody knows whose it is: it is listed anew, and the address that was known is not shown meanwhile.
    assert connect(None)["sync_token"] is None
    accounts = "select google_account, former_account from public.google_credentials"
    assert db.row(accounts) == {"google_account": None, "former_account": "alice@example.com"}
    assert [row["status"] for row in db.meetings(calendar)] == ["confirmed"]
    assert connect("alice@example.com")["is_active"] is True
    assert db.row(accounts) == {"google_account": "alice@example.com", "former_account": None}
    assert [row["status"] for row in db.meetings(calendar)] == ["confirmed"]
    connect(None)
    after = connect("private@example.com")
    assert (after["id"], after["sync_token"], after["is_active"]) == (calendar["id"], None, True)
    assert [row["status_reason"] for row in db.meetings(calendar)] == ["account_changed"]
    assert db.rows("select state from public.calendar_channels") == [{"state": "superseded"}]


def test_the_first_sync_says_how_it_stands(db: Database) -> None:
    calendar = db.calendar()

    def progress() -> Any:
        row = db.calendar_row(calendar["id"])
        return row["initial_sync"], row["initial_events"], row["initial_meetings"]

    assert progress() == ("pending", 0, 0)
    claim = db.claim_one(calendar)
    assert progress() == ("running", 0, 0)
    db.call("release_calendar", p_calendar_id=calendar["id"], p_fence=claim["fence"])
    assert progress() == ("pending", 0, 0)
    db.fail(db.claim_one(calendar))
    assert progress() == ("failed", 0, 0)
    db.set(calendar, not_before="null")
    db.skip(db.claim_one(calendar))
    assert progress() == ("pending", 0, 0)
    claim = db.claim_one(calendar)
    staged = part([meeting("a"), meeting("b", placement="beyond")])
    staging = {"p_calendar_id": calendar["id"], "p_sync_id": str(uuid.uuid4()), "p_lease_seconds": 60}
    for _ in range(2):
        db.call("stage_sync", p_fence=claim["fence"], p_part=staged, **staging)
        assert progress() == ("running", 2, 1)
    # Its worker died: the next one counts anew.
    db.set(calendar, lease_expires_at="clock_timestamp() - interval '1 second'")
    claim = db.claim_one(calendar)
    assert progress() == ("running", 0, 0)
    db.call("stage_sync", p_fence=claim["fence"], p_part=staged, **staging)
    assert progress() == ("running", 2, 1)
    db.commit(claim, part([meeting("c")]), is_full=True)
    assert progress() == ("done", 3, 2)
    db.sync(calendar, part([meeting("d")]))
    db.fail(db.claim_one(calendar))
    assert progress() == ("done", 3, 2)
