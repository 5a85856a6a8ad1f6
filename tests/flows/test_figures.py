"""What a sync costs, counted: calls to Google, calls to the store."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from sync.core.polling.plan import COALESCE_SECONDS
from sync.core.polling.purse import Lane
from tests.world import World, wait_until


def test_an_idle_poll_costs_one_google_call_and_two_store_calls(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.make_due(alice)
    world.services.in_force.now()  # once in half a minute, however many polls
    world.services.quota.take(Lane.POLL, alice.user_id)  # leased for many at once
    world.reset_counters()

    world.sweep()

    assert world.google.counters()["calls"] == {"events.list": 1, "events.list.incremental": 1}
    # `sweep_state` is the cron's closing figure, one a sweep and none a calendar.
    assert world.rpcs() == {"claim_due_calendars": 1, "commit_sync": 1, "sweep_state": 1}


def test_an_unchanged_calendar_has_nothing_written_but_its_own_row_and_log(world: World) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Once"), notify=False)
    world.google.insert_event(alice.email, world.event("Daily", recurrence=["RRULE:FREQ=DAILY"]), notify=False)
    world.connect(alice)
    meetings = "select id, xmin::text from meetings order by id"
    mirror = "select google_event_id, xmin::text from calendar_events order by 1"
    before = world.rows(meetings), world.rows(mirror)

    assert world.poll(alice)["processed"] == 0
    assert (world.rows(meetings), world.rows(mirror)) == before
    # The same again as a full list: everything is seen, and no meeting is touched.
    world.db.execute("update calendar_webhooks set sync_token = null")
    answer = world.poll(alice)

    assert (answer["processed"], answer["created"], answer["updated"], answer["deleted"]) == (2, 0, 0, 0)
    assert world.rows(meetings) == before[0]


def test_a_notification_costs_one_store_call_before_its_answer(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.reset_counters()
    # Whatever follows the answer waits here, so what is counted before was before.
    world.supabase.fault("claim_due_calendars", "hold")

    world.google.insert_event(alice.email, world.event())
    wait_until(
        lambda: [each["outcome"] for each in world.google.deliveries() if each["state"] == "exists"] == ["delivered"],
        "the notification's answer",
    )

    assert {name: count for name, count in world.rpcs().items() if name != "claim_due_calendars"} == {
        "record_notification": 1
    }
    world.supabase.clear_faults()
    world.await_equal(alice)


def test_250_new_events_cost_one_list_call_and_three_store_calls(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.google.configure(push="drop")
    world.google.bulk_insert(alice.email, [world.event(f"Meeting {n}", hours=n) for n in range(1, 251)])
    world.services.in_force.now()
    world.services.quota.take(Lane.POLL, alice.user_id)
    world.reset_counters()
    world.make_due(alice)

    sweep = world.sweep()

    assert sweep.outcomes[0].created == 250
    assert world.google_calls("events.list") == 1
    assert world.rpcs() == {"claim_due_calendars": 1, "read_families": 1, "commit_sync": 1, "sweep_state": 1}
    world.assert_equal(alice)


def test_fifty_notifications_within_two_seconds_cost_two_list_calls_at_most(world: World) -> None:
    """Those that a busy machine draws out cost one more for each pause that passes while they come."""
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.reset_counters()

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: world.google.insert_event(alice.email, world.event(f"Burst {n}", hours=n)), range(50)))
    assert world.google.wait_push_idle()
    pauses = int((time.monotonic() - began) / COALESCE_SECONDS)
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    assert len([each for each in world.google.deliveries() if each["state"] == "exists"]) == 50
    assert world.google_calls("events.list") <= 2 + pauses
    assert world.rpcs()["record_notification"] == 50
    assert world.google.counters()["max_concurrent_lists"] == {alice.email: 1}
