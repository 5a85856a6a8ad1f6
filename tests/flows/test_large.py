"""Calendars larger than one payload: written in parts, swept once, the token stored last."""

from __future__ import annotations

from tests.world import World


def test_2500_events_over_many_pages_come_in_parts_and_go_in_one_sweep(world: World) -> None:
    alice = world.person()
    bodies = [world.event(f"M{n}", hours=n % 1300 + 1) for n in range(2500)]
    events = world.google.bulk_insert(alice.email, bodies, notify=False)

    world.connect(alice)

    assert world.google_calls("events.list.full") == 10
    assert world.rpcs()["stage_sync"] >= 4
    world.assert_equal(alice)
    log = world.logs(alice)[-1]
    assert (log["events_processed"], log["meetings_created"]) == (2500, 2500)

    world.google.configure(push="drop")
    for event in events[:20]:
        world.google.delete_event(alice.email, event["id"])
    world.google.expire_sync_tokens()
    answer = world.poll(alice)

    assert (answer["created"], answer["updated"], answer["deleted"]) == (0, 0, 20)
    world.assert_equal(alice)
    assert len(world.rows("select 1 from calendar_events")) == 2480


def test_a_delta_of_a_thousand_changes_is_one_commit(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n % 1300 + 1) for n in range(1500)])
    world.reset_counters()

    assert world.poll(alice)["created"] == 1500

    assert (world.google_calls("events.list"), world.rpcs()["commit_sync"]) == (6, 1)
    world.assert_equal(alice)


def test_a_listing_longer_than_a_crons_time_is_finished_after_the_answer(world: World) -> None:
    """Else each cron would begin it anew and none would end it."""
    world.restart_service(CRON_BUDGET_SECONDS="4")
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n + 1) for n in range(6)])
    world.google.add_fault("small_pages", size=1)
    world.google.add_fault("slow", method="events.list", seconds=1.0)
    world.make_due(alice)
    calls = world.google_calls("events.list")

    answer = world.post("/functions/v1/calendar-polling-cron").json()

    assert (answer["results"], answer["remaining"]) == ([], 0)
    world.await_equal(alice)
    assert world.google_calls("events.list") - calls == 6
