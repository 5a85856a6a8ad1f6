"""Polling: the documented rule, the cron's answer and its budget, missed pushes."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.world import JsonObject, Person, World, wait_until

CRON = "/functions/v1/calendar-polling-cron"
# Google's notification may take a while; only a change older than this proves that push missed it.
LATER_SECONDS = 600.0


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar that a notification has just vouched for."""
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    world.google.configure(push="drop")
    world.reset_counters()
    return alice


def cron(world: World) -> JsonObject:
    answer = world.post(CRON)
    assert answer.status_code == 200, answer.text
    body: JsonObject = answer.json()
    return body


def test_a_recent_notification_makes_a_poll_needless_and_the_skip_is_logged(world: World, alice: Person) -> None:
    answer = world.poll(alice, force=False)

    assert (answer["skipped"], answer["reason"]) == (True, "recent_notification")
    assert world.google.counters()["calls"] == {}
    log = world.logs(alice)[-1]
    assert (log["sync_type"], log["status"], log["reason"]) == ("manual", "skipped", "recent_notification")
    # The next look is within minutes after the notification no longer vouches.
    row = world.calendar(alice)
    behind = row["due_at"] - row["last_webhook_received"] - dt.timedelta(hours=6)
    assert dt.timedelta(seconds=-5) < behind < dt.timedelta(seconds=305)


def test_force_polls_whatever_push_says(world: World, alice: Person) -> None:
    world.google.insert_event(alice.email, world.event("Unannounced", hours=4))

    answer = world.poll(alice, force=True)

    assert (answer["created"], answer["skipped"], answer["reason"]) == (1, False, "forced")
    assert world.logs(alice)[-1]["sync_type"] == "manual"
    world.assert_equal(alice)


@pytest.mark.parametrize("force", [False, True])
def test_a_pending_notification_is_never_skipped(world: World, alice: Person, force: bool) -> None:
    world.stop_service()  # its driver would be first
    world.google.insert_event(alice.email, world.event("Announced", hours=4))
    world.db.execute(
        "update calendar_webhooks set notifications_seen = notifications_seen + 1, last_webhook_received = now()"
    )

    answer = world.poll(alice, force=force)

    assert (answer["created"], answer["skipped"]) == (1, False)
    assert world.logs(alice)[-1]["sync_type"] == "webhook"


def test_an_old_notification_vouches_for_nothing(world: World, alice: Person) -> None:
    world.forget_notifications(alice)
    world.google.insert_event(alice.email, world.event("Unannounced", hours=4))

    answer = world.poll(alice, force=False)

    assert (answer["created"], answer["reason"]) == (1, "asked")


def test_the_crons_poll_keeps_the_rule_and_logs_why(world: World, alice: Person) -> None:
    world.make_due(alice)

    answer = cron(world)

    assert [(each["status"], each["reason"]) for each in answer["results"]] == [("skipped", "recent_notification")]
    assert (world.logs(alice)[-1]["sync_type"], world.logs(alice)[-1]["status"]) == ("incremental", "skipped")
    assert answer["total_skipped"] >= 1


def test_the_cron_answers_with_the_original_keys(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New", hours=5))
    world.google.add_fault("lost_access_403", calendar=bob.email)
    world.forget_notifications(alice)
    world.make_due()

    answer = cron(world)

    original = {
        "success": True,
        "total_processed": 1,
        "total_created": 1,
        "total_updated": 0,
        "total_deleted": 0,
        "total_skipped": 0,
        "total_failed": 1,
        "remaining": 0,
    }
    assert {key: answer[key] for key in original} == original
    assert [each["error"] for each in answer["results"]] == ["forbidden", None]


def test_the_cron_keeps_its_budget_and_says_what_remains(world: World) -> None:
    world.restart_service(CRON_BUDGET_SECONDS="1", SYNC_THREADS="2")
    alice = world.person()
    calendars = [f"team{number}@example.com" for number in range(12)]
    for calendar in calendars:
        world.google.add_calendar(alice.email, calendar)
    world.connect(alice, calendars)
    world.google.configure(push="drop")
    for calendar in calendars:
        world.google.insert_event(calendar, world.event("New"))
    world.google.add_fault("slow", method="events.list", seconds=0.2)
    world.make_due(alice)

    calls = 0
    remaining = 1
    while remaining:
        answer = cron(world)
        calls, remaining = calls + 1, answer["remaining"]
        assert len(answer["results"]) + remaining <= len(calendars)

    assert 2 <= calls <= len(calendars)
    # What a cron has begun it brings to its end, if need be after its answer.
    leased = "select 1 from calendar_webhooks where lease_expires_at is not null"
    wait_until(lambda: not world.rows(leased), "nothing is under way")
    for calendar in calendars:
        world.assert_equal(alice, calendar)
    logs = world.rows("select calendar_id, count(*) from calendar_sync_logs group by 1")
    assert {row["count"] for row in logs} == {2}


def test_calendars_are_synced_side_by_side(world: World) -> None:
    alice = world.person()
    calendars = [f"team{number}@example.com" for number in range(4)]
    for calendar in calendars:
        world.google.add_calendar(alice.email, calendar)
    world.connect(alice, calendars)
    world.google.configure(push="drop")
    world.reset_counters()
    hold = world.google.add_fault("hold", method="events.list")
    world.make_due(alice)

    with world.in_background(world.sweep):
        wait_until(lambda: len(world.google.counters()["max_concurrent_lists"]) == 4, "four listings at once")
        world.google.release(hold)


def test_a_missed_push_counts_and_opens_another_channel_which_is_no_cure_if_it_is_silent_too(
    world: World, alice: Person
) -> None:
    late = world.services_with(clock_off_seconds=LATER_SECONDS)
    channels = [world.calendar(alice)["webhook_id"]]
    for missed in (1, 2, 3):
        world.google.insert_event(alice.email, world.event(f"Missed {missed}", hours=missed + 3))
        world.forget_notifications(alice)
        # The channel has been open for days, and it is as long since anybody looked.
        world.db.execute("update calendar_channels set opened_at = opened_at - interval '3 days'")
        world.db.execute("update calendar_webhooks set last_synced_at = last_synced_at - interval '2 days'")
        world.make_due(alice)
        assert [outcome.status for outcome in world.sweep(late).outcomes] == ["completed"]
        world.renew()
        assert world.calendar(alice)["webhook_failures"] == missed
        channels.append(world.calendar(alice)["webhook_id"])

    assert channels[1] != channels[0]
    assert world.calendar(alice)["reopened_in_vain"] >= 1
    world.google.configure(push="deliver")
    world.google.insert_event(alice.email, world.event("Heard again", hours=9))
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    row = world.calendar(alice)
    assert (row["webhook_failures"], row["reopened_in_vain"], row["belief_doubt"]) == (0, 0, 0.0)


def test_a_quiet_calendar_and_a_change_that_may_still_be_announced_are_no_missed_push(
    world: World, alice: Person
) -> None:
    for body in (None, world.event("Just now", hours=4)):
        if body:
            world.google.insert_event(alice.email, body)
        world.forget_notifications(alice)
        world.make_due(alice)
        world.sweep()

    assert world.calendar(alice)["webhook_failures"] == 0


def test_the_next_look_is_stored_within_the_promised_bound(world: World, alice: Person) -> None:
    world.poll(alice)

    row = world.calendar(alice)
    wait, bound = row["due_at"] - row["last_synced_at"], dt.timedelta(seconds=row["stale_bound_seconds"])
    assert dt.timedelta(minutes=1) < wait < bound <= dt.timedelta(hours=24)
    assert row["due_reason"] in ("poll_interval", "imminent")


def test_a_look_that_comes_after_its_bound_is_counted(world: World, alice: Person) -> None:
    world.forget_notifications(alice)
    for days, broken in ((0, 0), (2, 1), (0, 1)):
        world.db.execute(
            "update calendar_webhooks set last_synced_at = last_synced_at - %s * interval '1 day'", (days,)
        )
        world.make_due(alice)
        world.sweep()
        assert world.calendar(alice)["bounds_broken"] == broken


def test_a_meeting_ahead_is_looked_at_again_shortly_before_it_begins(world: World, alice: Person) -> None:
    world.db.execute("update calendar_webhooks set belief_changes = 400, belief_change_days = 4, belief_missed = 60")
    world.google.insert_event(alice.email, world.event("Soon", hours=0.5))
    for _ in range(2):
        world.forget_notifications(alice)
        world.make_due(alice)
        world.sweep()

    row = world.calendar(alice)
    assert (row["due_reason"], world.calendar(alice)["due_at"] < world.now + dt.timedelta(minutes=20)) == (
        "imminent",
        True,
    )


def test_the_store_away_makes_the_cron_red(world: World, alice: Person) -> None:
    world.supabase.fault("claim_due_calendars", "drop_before", times=4)

    answer = world.post(CRON)

    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


def test_a_horizon_that_cannot_be_moved_does_not_hide_what_the_sweep_did(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("New"))
    world.make_due(alice)
    world.supabase.fault("claim_rolling_calendars", "http_500", times=100)

    answer = world.post("/functions/v1/calendar-polling-cron")

    assert answer.status_code == 200
    assert answer.json()["total_created"] == 1
