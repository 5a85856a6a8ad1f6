"""The worker and the renewal cron drop what is old, in steps within a budget."""

from __future__ import annotations

import pytest

from sync.jobs.operations.retention import ROWS_PER_STEP, Dropped, drop_old
from tests.world import Person, World


@pytest.fixture
def alice(world: World) -> Person:
    """With more old logs than one step takes."""
    alice = world.person()
    world.connect(alice)
    world.db.execute(
        "insert into calendar_sync_logs (user_id, calendar_id, sync_type, status, created_at)"
        " select user_id, id, 'full', 'completed', now() - interval '100 days' from calendar_webhooks,"
        " generate_series(1, %s)",
        (ROWS_PER_STEP * 2 + 1,),
    )
    return alice


def old_logs(world: World) -> int:
    return len(world.rows("select 1 from calendar_sync_logs where created_at < now() - interval '90 days'"))


def test_all_that_is_old_goes_in_steps(world: World, alice: Person) -> None:
    recent = len(world.logs(alice)) - old_logs(world)
    world.reset_counters()

    assert drop_old(world.services, budget_seconds=30) == Dropped(
        logs=ROWS_PER_STEP * 2 + 1, channels=0, items=0, events=0
    )

    assert world.rpcs()["drop_old_logs"] == 3
    assert len(world.logs(alice)) == recent
    assert drop_old(world.services, budget_seconds=30) == Dropped(0, 0, 0, 0)


def test_a_used_up_budget_and_a_stop_leave_the_rest_for_later(world: World, alice: Person) -> None:
    before = len(world.logs(alice))

    assert drop_old(world.services, budget_seconds=0) == Dropped(0, 0, 0, 0)
    assert drop_old(world.services, budget_seconds=30, should_stop=lambda: True) == Dropped(0, 0, 0, 0)

    assert len(world.logs(alice)) == before


def test_the_renewal_cron_drops_what_is_old_and_fails_by_nothing_of_it(world: World, alice: Person) -> None:
    world.supabase.fault("drop_old_logs", "http_500", times=100)
    answer = world.post("/functions/v1/renew-calendar-watches")
    assert (answer.status_code, old_logs(world)) == (200, ROWS_PER_STEP * 2 + 1)
    world.supabase.clear_faults()

    assert world.post("/functions/v1/renew-calendar-watches").status_code == 200

    assert old_logs(world) == 0
