"""operate: each deed with its audit row, once, and with the effect it names; a paused lane gives nothing."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sql.database import Database, Row

ROOM = '{"notified": 9, "first": 9, "poll": 9, "suspect": 1}'


def act(db: Database, action: str, target: object = "", *, deed: str | None = None, **params: Any) -> tuple[str, int]:
    answer = db.value(
        "operate",
        p_id=deed or str(uuid.uuid4()),
        p_operator="anna",
        p_door="dashboard",
        p_action=action,
        p_target=str(target),
        p_params=params,
        p_limit=1000,
    )
    return answer["outcome"], answer["affected"]


def claimed(db: Database, limit: int = 9) -> set[object]:
    rows = db.rows("select * from public.claim_due_calendars('w', %s, 60, p_room => %s::jsonb)", limit, ROOM)
    return {row["calendar_id"] for row in rows}


def row_of(db: Database, calendar: Row) -> Row:
    (row,) = db.rows("select *, now() as now from public.calendar_webhooks where id = %s", calendar["id"])
    return row


@pytest.fixture
def resting(db: Database) -> Row:
    """A calendar that failed, and waits for an hour."""
    calendar = db.calendar(sync_token="t")
    later = "now() + interval '1 hour'"
    db.set(
        calendar, due_at=later, not_before=later, consecutive_failures="3", last_error_code="'backend_error'",
        last_error_at="now()", claims_unended="5", watch_retry_at=later, expiration_time="'2040-01-01'",
    )  # fmt: skip
    return calendar


def test_a_poll_is_due_at_once_whatever_it_waited_for(db: Database, resting: Row) -> None:
    assert act(db, "poll", resting["id"]) == ("done", 1)
    assert claimed(db) == {resting["id"]}
    (noted,) = db.rows("select operator, door, action, target, outcome, affected from public.operator_actions")
    assert noted == {
        "operator": "anna", "door": "dashboard", "action": "poll", "target": str(resting["id"]), "outcome": "done",
        "affected": 1,
    }  # fmt: skip


def test_a_resync_forgets_the_token_also_while_a_sync_runs(db: Database) -> None:
    calendar = db.calendar(sync_token="t")
    db.set(calendar, due_at="now()")
    assert claimed(db) == {calendar["id"]}
    fence = row_of(db, calendar)["fence"]
    assert act(db, "resync", calendar["id"]) == ("done", 1)
    row = row_of(db, calendar)
    assert (row["sync_token"], row["fence"], row["lease_expires_at"]) == (None, fence + 1, None)
    assert claimed(db) == {calendar["id"]}


def test_a_reopened_channel_is_due_and_the_calendar_is_not(db: Database, resting: Row) -> None:
    assert act(db, "reopen", resting["id"]) == ("done", 1)
    watches = db.rows("select calendar_id from public.claim_expiring_watches(9, 60)")
    assert [row["calendar_id"] for row in watches] == [resting["id"]]
    assert claimed(db) == set()


def test_a_calendar_that_is_paused_or_not_there_is_left_alone(db: Database, resting: Row) -> None:
    db.set(resting, paused_reason="'needs_reauth'")
    assert act(db, "poll", resting["id"]) == ("nothing_to_do", 0)
    assert act(db, "poll", uuid.uuid4()) == ("not_found", 0)
    assert len(db.rows("select 1 from public.operator_actions")) == 2


def test_what_failed_of_one_cause_is_looked_at_within_a_minute(db: Database) -> None:
    for cause in ("backend_error", "backend_error", "store_rejected"):
        calendar = db.calendar(sync_token="t")
        db.set(
            calendar,
            consecutive_failures="1",
            last_error_code=f"'{cause}'",
            last_error_at="now()",
            due_at="'2040-01-01'",
        )
    assert act(db, "retry_cause", "backend_error") == ("done", 2)
    (row,) = db.rows(
        "select count(*) as n, max(due_at) - now() < '1 min' as soon from calendar_webhooks where due_at < '2040-01-01'"
    )
    assert row == {"n": 2, "soon": True}
    assert act(db, "retry_cause", "no_such_cause") == ("nothing_to_do", 0)


def test_a_deed_whose_answer_was_lost_is_not_done_twice(db: Database, resting: Row) -> None:
    deed = str(uuid.uuid4())
    assert act(db, "poll", resting["id"], deed=deed) == ("done", 1)
    db.set(resting, due_at="'2040-01-01'")
    assert act(db, "poll", resting["id"], deed=deed) == ("done", 1)
    assert claimed(db) == set()


@pytest.mark.parametrize("lane", ["notified", "first", "poll"])
def test_of_a_paused_lane_nothing_is_claimed_until_it_is_resumed(db: Database, lane: str) -> None:
    facts = {
        "notified": {"notifications_seen": "1"},
        "first": {"sync_token": "null"},
        "poll": {},
    }
    calendars = {name: db.calendar(sync_token="t") for name in facts}
    for name, calendar in calendars.items():
        db.set(calendar, **{"due_at": "now() - interval '1 hour'", **facts[name]})
    assert act(db, "pause_lane", lane) == ("done", 1)
    assert act(db, "pause_lane", lane) == ("nothing_to_do", 0)
    assert claimed(db) == {row["id"] for name, row in calendars.items() if name != lane}
    named = db.rows("select 1 from public.claim_due_calendars('w', 1, 60, array[%s])", calendars[lane]["id"])
    assert len(named) == 1, "whom a person waits for is claimed all the same"
    db.set(calendars[lane], lease_expires_at="null", due_at="now() - interval '1 hour'", claims_unended="0")
    assert act(db, "resume_lane", lane) == ("done", 1)
    assert claimed(db) == {calendars[lane]["id"]}


def test_no_audit_is_sampled_while_the_lane_is_paused(db: Database) -> None:
    calendar = db.calendar(sync_token="t", initial_sync="done")
    act(db, "pause_lane", "audit")
    assert db.rows("select * from public.sample_for_audit(5)") == []
    assert len(db.rows("select * from public.sample_for_audit(5, array[%s])", calendar["id"])) == 1


def test_an_unknown_lane_or_action_is_refused_and_leaves_nothing(db: Database) -> None:
    for action, target in (("pause_lane", "all"), ("drop_tables", "")):
        with pytest.raises(Exception, match=r"lane_pauses_lane_known|there is no action"):
            act(db, action, target)
    assert db.rows("select 1 from public.operator_actions") == []


def test_given_up_bots_are_asked_for_again_unless_their_meeting_is_over(db: Database) -> None:
    user = db.user()
    common = {
        "provider": "attendee", "user_id": user, "scope": "s", "room_key": "r", "wanted": True, "meeting_url": "https://x.test",
        "join_at": "2040-01-01", "bot_name": "b", "meeting_start": "2040-01-01", "dead_at": "2026-01-01", "attempts": 9,
    }  # fmt: skip
    ahead = db.insert("bot_requests", **common, meeting_end="2040-01-02")
    db.insert("bot_requests", **common, meeting_end="2026-01-02")
    assert act(db, "retry_bot", ahead["id"]) == ("done", 1)
    assert act(db, "retry_bots") == ("nothing_to_do", 0)
    (row,) = db.rows(
        "select dead_at, attempts, due_at <= now() as due from public.bot_requests where id = %s", ahead["id"]
    )
    assert row == {"dead_at": None, "attempts": 0, "due": True}


def test_given_up_deliveries_and_ranges_of_the_feed_are_sent_again(db: Database) -> None:
    user = db.user()
    subscription = db.insert("event_subscriptions", url="https://x.test", secret="v2.s", after_position=9)
    for position in range(1, 5):
        event = db.insert(
            "change_events", type="bot.status_changed", user_id=user, order_key=user, position=position, data="{}"
        )
        delivery = {"event_id": event["id"], "subscription_id": subscription["id"], "order_key": user}
        ended = {"attempts": 1, "attempts_ended": 1, "state": "dead" if position == 1 else "delivered"}
        db.insert("event_deliveries", **delivery, **ended, position=position)
    assert act(db, "retry_deliveries", subscription["id"]) == ("done", 1)
    assert act(db, "replay", subscription["id"], after=2, upto=4) == ("done", 2)
    states = db.rows("select state from public.event_deliveries order by position")
    assert [row["state"] for row in states] == ["pending", "delivered", "pending", "pending"]
    assert act(db, "replay", uuid.uuid4(), after=0, upto=4) == ("not_found", 0)


def test_actions_are_read_backwards_page_by_page_and_dropped_when_old(db: Database) -> None:
    for number in range(5):
        db.insert("operator_actions", id=str(uuid.UUID(int=number)), at="2026-01-01", operator="anna", door="cli",
                  action="poll", outcome="done")  # fmt: skip
    first = db.rows("select * from public.read_operator_actions(null, null, 3)")
    rest = db.rows("select * from public.read_operator_actions(%s, %s, 3)", first[-1]["at"], first[-1]["id"])
    assert [row["id"].int for row in (*first, *rest)] == [4, 3, 2, 1, 0]
    assert db.row("select public.drop_old_actions(30, 3) as n")["n"] == 3
