"""Who is told of what, when, in which order, and how often."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.sql.database import Database, Row, at_once, meeting, part
from tests.sql.events.feed import claim, end, last, subscribe


@pytest.fixture
def calendar(db: Database) -> Row:
    calendar = db.calendar()
    db.sync(calendar, part([meeting("a"), meeting("b")]))
    return calendar


def change(db: Database, title: str, event_id: str = "a") -> None:
    db.service.execute("update public.meetings set title = %s where google_calendar_event_id = %s", (title, event_id))


def kinds(claimed: list[Row]) -> list[str]:
    return [each["event"]["type"] for each in claimed]


def test_a_new_subscription_hears_of_what_comes_from_now_on(db: Database, calendar: Row) -> None:
    subscribe(db)
    assert claim(db) == []

    change(db, "New")

    assert kinds(claim(db)) == ["meeting.updated"]


def test_one_may_begin_at_the_beginning_or_at_a_point(db: Database, calendar: Row) -> None:
    subscribe(db, 0)
    assert len(claim(db)) == 3
    subscribe(db, 2)
    assert len(claim(db)) == 1


def test_where_nothing_is_known_no_subscription_begins(db: Database, calendar: Row) -> None:
    def outcome(after: int, most: int = 100) -> Any:
        arguments = {"p_url": "https://a.example", "p_types": None, "p_content": "ids", "p_secret": "v2.s"}
        return db.value(
            "add_event_subscription", p_subscription_id=uuid.uuid4(), **arguments, p_after=after, p_most=most
        )["outcome"]

    assert outcome(last(db) + 1) == "ahead"
    assert outcome(1, most=0) == "too_many"
    db.insert("event_marks", name="dropped", position=2)
    assert (outcome(1), outcome(2), outcome(0)) == ("dropped", "made", "made")


def test_only_the_types_that_were_asked_for_are_sent(db: Database, calendar: Row) -> None:
    subscribe(db, 0, types=["calendar.connected"])
    assert kinds(claim(db)) == ["calendar.connected"]


def test_of_one_meeting_the_next_waits_for_the_one_before(db: Database, calendar: Row) -> None:
    subscribe(db)
    for title in ("One", "Two"):
        change(db, title)
    change(db, "Other", "b")

    first, other = claim(db)
    assert {first["event"]["meeting_id"], other["event"]["meeting_id"]} == {
        str(row["id"]) for row in db.meetings(calendar)
    }
    assert claim(db) == []
    end(db, first, "pending", next_seconds=0)
    (again,) = claim(db)
    assert (again["event_id"], again["attempt"], again["tries"]) == (first["event_id"], 2, 2)
    end(db, again)
    (second,) = claim(db)
    assert second["event"]["position"] > first["event"]["position"]


def test_what_waits_behind_a_failed_one_waits_as_long_and_is_due_with_it(db: Database, calendar: Row) -> None:
    subscription = subscribe(db)
    for title in ("One", "Two"):
        change(db, title)
    (first,) = claim(db)
    end(db, first, "pending", next_seconds=600)
    change(db, "Three")
    assert claim(db) == []

    due = db.rows("select distinct next_attempt_at from public.event_deliveries")
    assert len(due) == 1
    # The operator has mended the endpoint.
    db.value("change_event_subscription", p_subscription_id=subscription, p_changes={"state": "enabled"})
    for _ in range(3):
        (each,) = claim(db)
        end(db, each)
    assert each["event"]["position"] == first["event"]["position"] + 2


def test_what_comes_while_one_is_under_way_follows_it_at_once(db: Database, calendar: Row) -> None:
    subscribe(db)
    change(db, "One")
    (first,) = claim(db)
    change(db, "Two")
    assert claim(db) == []
    end(db, first)
    assert len(claim(db)) == 1


def test_a_dead_one_holds_the_next_no_more(db: Database, calendar: Row) -> None:
    subscribe(db)
    for title in ("One", "Two"):
        change(db, title)
    (first,) = claim(db)
    end(db, first, "dead", error_code="http_500")

    assert len(claim(db)) == 1


def test_no_two_get_one_delivery_and_a_lapsed_lease_is_anybodys(db: Database, calendar: Row) -> None:
    subscribe(db, 0)
    others = [db.another() for _ in range(4)]
    claimed = [each for some in at_once(*[lambda o=other: claim(db, by=o) for other in others]) for each in some]
    assert sorted(each["event"]["position"] for each in claimed) == [1, 2, 3]
    db.admin.execute("update public.event_deliveries set next_attempt_at = now() - interval '1 second'")

    assert [each["attempt"] for each in claim(db)] == [2, 2, 2]


def test_what_another_is_just_claiming_is_passed_over_and_not_waited_for(db: Database, calendar: Row) -> None:
    subscribe(db, 0)
    end(db, claim(db, p_limit=1)[0], "pending", next_seconds=0)
    first, second = db.another(), db.another()
    second.execute("set lock_timeout = '2s'")
    with first.transaction():
        assert len(claim(db, by=first, p_limit=2)) == 2
        assert len(claim(db, by=second)) == 1


def test_an_end_is_recorded_once_and_of_the_present_attempt(db: Database, calendar: Row) -> None:
    subscription = subscribe(db, 2)
    (first,) = claim(db)
    assert end(db, first, "pending", next_seconds=0)
    assert end(db, first, "pending", next_seconds=600)
    (second,) = claim(db)
    assert end(db, first, "dead")
    # That it arrived is true whoever brought it.
    assert end(db, second)
    assert end(db, second, "dead")
    (shown,) = db.value("read_event_subscriptions", p_subscription_id=subscription)
    assert (shown["pending"], shown["dead"], shown["failures_in_a_row"]) == (0, 0, 0)
    assert "secret" not in shown


def test_what_came_of_an_attempt_whose_lease_lapsed_counts_if_it_arrived(db: Database, calendar: Row) -> None:
    subscribe(db, 2)
    (late,) = claim(db, p_lease_seconds=0)
    (present,) = claim(db)
    assert end(db, late, "delivered") is True
    assert end(db, present, "pending", next_seconds=0) is False
    assert claim(db) == []


def test_what_kills_who_sends_it_is_given_up(db: Database, calendar: Row) -> None:
    subscribe(db, 2)
    for _ in range(3):
        assert len(claim(db, p_lease_seconds=0, p_most_tries=3)) == 1

    assert claim(db, p_most_tries=3) == []
    assert db.row("select state, last_error_code from public.event_deliveries") == {
        "state": "dead",
        "last_error_code": "never_ended",
    }


def test_one_that_asked_to_slow_down_is_left_alone_and_the_others_are_not(db: Database, calendar: Row) -> None:
    slow, other = subscribe(db, 0), subscribe(db, 0)
    claimed = claim(db, p_limit=2, p_per_subscription=1)
    assert {each["subscription_id"] for each in claimed} == {slow, other}
    for each in claimed:
        more = {"next_seconds": 0, "pause_seconds": 600}
        end(db, each, "pending", **more) if each["subscription_id"] == slow else end(db, each)

    assert {each["subscription_id"] for each in claim(db)} == {other}


def test_those_that_fail_share_a_part_of_the_room(db: Database, calendar: Row) -> None:
    failing, slow, good = subscribe(db, 0), subscribe(db, 0), subscribe(db, 0)
    for each in claim(db, p_per_subscription=1):
        if each["subscription_id"] == failing:
            end(db, each, "pending", next_seconds=0)
        else:
            end(db, each, duration_ms=5000 if each["subscription_id"] == slow else 5)

    second = claim(db, p_doubtful_limit=1)
    doubtful = [each for each in second if each["subscription_id"] != good]
    assert (len(doubtful), all(each["is_doubtful"] for each in doubtful)) == (1, True)
    assert len(second) == 3


def test_one_answer_of_410_disables_and_being_enabled_goes_on_where_it_stopped(db: Database, calendar: Row) -> None:
    subscription = subscribe(db)
    change(db, "One")
    (first,) = claim(db)
    end(db, first, "pending", next_seconds=0, disable_reason="gone_410")
    change(db, "Two")
    assert claim(db) == []
    (shown,) = db.value("read_event_subscriptions", p_subscription_id=subscription)
    assert (shown["state"], shown["state_reason"]) == ("disabled", "gone_410")

    db.value("change_event_subscription", p_subscription_id=subscription, p_changes={"state": "enabled"})

    (again,) = claim(db)
    assert again["event_id"] == first["event_id"]
    end(db, again)
    assert kinds(claim(db)) == ["meeting.updated"]


def test_a_replay_sends_again_what_matches_and_nothing_that_is_under_way(db: Database, calendar: Row) -> None:
    subscription = subscribe(db, 0)
    first, second, _ = claim(db)
    end(db, first)
    end(db, second, "dead")

    answer = db.value("replay_events", p_subscription_id=subscription, p_after=0, p_upto=10**9, p_limit=1000)

    assert answer == {"replayed": 2, "last": None}
    again = claim(db)
    assert [each["event_id"] for each in again] == [first["event_id"], second["event_id"]]
    assert [(each["attempt"], each["tries"]) for each in again] == [(2, 1), (2, 1)]
    assert db.value("replay_events", p_subscription_id=uuid.uuid4(), p_after=0, p_upto=1, p_limit=1) is None


def test_replays_go_step_by_step_and_reach_back_before_the_subscription(db: Database, calendar: Row) -> None:
    subscription = subscribe(db)
    steps, after = [], 0
    while after is not None:
        step = db.value("replay_events", p_subscription_id=subscription, p_after=after, p_upto=10**9, p_limit=2)
        steps.append(step["replayed"])
        after = step["last"]

    assert steps == [2, 1]
    assert len(claim(db)) == 3


def test_a_new_secret_leaves_the_one_before_for_a_while(db: Database, calendar: Row) -> None:
    subscription = subscribe(db)
    for _ in range(2):  # An answer that was lost is asked for again.
        db.value(
            "change_event_subscription",
            p_subscription_id=subscription,
            p_changes={"secret": "v2.new"},
            p_overlap_seconds=3600,
        )
    found = db.value("event_endpoint", p_subscription_id=subscription)
    assert (found["secret"], found["previous_secret"]) == ("v2.new", "v2.s")
    db.admin.execute("update public.event_subscriptions set previous_secret_until = now() - interval '1 second'")
    assert db.value("event_endpoint", p_subscription_id=subscription)["previous_secret"] is None


def test_full_content_is_the_row_at_the_time_of_the_attempt(db: Database, calendar: Row) -> None:
    subscription = subscribe(db)
    db.value("change_event_subscription", p_subscription_id=subscription, p_changes={"content": "full"})
    change(db, "One")
    change(db, "Two")

    assert claim(db)[0]["row"]["title"] == "Two"


def test_a_removed_subscription_takes_what_waits_along(db: Database, calendar: Row) -> None:
    subscription = subscribe(db, 0)
    claim(db)

    assert db.value("remove_event_subscription", p_subscription_id=subscription) is True
    assert db.value("remove_event_subscription", p_subscription_id=subscription) is False
    assert db.rows("select 1 from public.event_deliveries") == []
