"""The figures that operators look at follow what syncs do, by a duty and by the cron; idle logs are folded too."""

from __future__ import annotations

import pytest

from sync.jobs.operations.keep_overview import keep_overview
from sync.jobs.operations.retention import drop_old
from tests.world import Person, World


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person()
    world.connect(alice)
    return alice


def test_a_changes_way_by_push_shows_in_the_overview(world: World, alice: Person) -> None:
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])

    keep_overview(world.services, budget_seconds=10)

    found = world.services.store.overview.read()
    assert (found["calendars"]["total"], found["bounds"]["within"]) == (1, 1)
    assert found["last_hour"]["syncs"] == len(world.logs(alice))
    assert (found["last_hour"]["changes_by_push"], found["freshness"]["push"]["changes"]) == (1, 1)
    assert 0 < found["freshness"]["push"]["p99_seconds"] < 60


def test_the_polling_cron_keeps_them_where_no_process_lives_long(world: World, alice: Person) -> None:
    assert world.post("/functions/v1/calendar-polling-cron").status_code == 200
    found = world.services.store.overview.read()
    assert (found["calendars"]["total"], found["last_hour"]["syncs"] > 0) == (1, True)


def test_a_used_up_budget_leaves_the_rest_for_later(world: World, alice: Person) -> None:
    keep_overview(world.services, budget_seconds=0)
    assert world.services.store.overview.read()["counted_at"] is None


def test_a_calendar_is_found_and_its_story_read(world: World, alice: Person) -> None:
    store = world.services.store.overview
    calendar = world.calendar(alice)
    (found,), after = store.calendars(user_id=alice.user_id)
    assert (found["calendar_id"], after) == (str(calendar["id"]), None)
    story = store.timeline(found["calendar_id"], None, 50)
    assert {entry["kind"] for entry in story} >= {"look", "renewal"}
    assert store.failure_causes(24) == []


def test_idle_logs_are_folded_with_what_is_dropped(world: World, alice: Person) -> None:
    world.db.execute(
        "insert into calendar_sync_logs (user_id, calendar_id, sync_type, status, created_at)"
        " select user_id, id, 'incremental', 'completed', now() - interval '20 days' from calendar_webhooks,"
        " generate_series(1, 5)"
    )
    keep_overview(world.services, budget_seconds=10)
    assert drop_old(world.services, budget_seconds=10).idle_logs == 4
