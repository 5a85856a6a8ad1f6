"""When watches are renewed: by the lifetime Google gave them, within the budget, and after the service has moved."""

from __future__ import annotations

import pytest

from sync.jobs.watching.renew_watches import renew_watches
from tests.world import World, wait_until


@pytest.mark.parametrize("lifetime_seconds", [24 * 3600, 3600, 30])
def test_a_channel_that_lives_shorter_than_the_lead_is_not_renewed_again_and_again(
    world: World, lifetime_seconds: int
) -> None:
    world.google.configure(channel_max_ttl_seconds=lifetime_seconds)
    world.connect(world.person())
    world.reset_counters()

    for _ in range(3):
        assert world.renew().outcomes == ()

    assert world.google_calls("events.watch") == 0


def test_a_channel_that_lives_shorter_than_the_lead_is_renewed_in_its_last_third(world: World) -> None:
    world.google.configure(channel_max_ttl_seconds=3 * 3600)
    alice = world.person()
    world.connect(alice)
    lead = world.calendar(alice)["watch_lead_seconds"]
    assert lead == pytest.approx(3600, abs=30)
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '59 minutes'")

    assert [outcome.error_code for outcome in world.renew().outcomes] == [None]


def test_a_renewal_keeps_its_budget_inside_a_batch_and_gives_back_what_it_did_not_get_to(world: World) -> None:
    alice = world.person()
    names = [f"team{number}@example.com" for number in range(16)]
    for name in names:
        world.google.add_calendar(alice.email, name)
    world.google.add_fault("unwatchable", times=len(names))
    world.connect(alice, names, synced=False)
    world.db.execute("update calendar_webhooks set watch_retry_at = null")
    world.google.add_fault("slow", method="events.watch", seconds=3.0)

    renewal = renew_watches(world.services_with(SYNC_THREADS="4"), budget_seconds=5)

    assert 0 < len(renewal.outcomes) < len(names)
    assert renewal.remaining == len(names) - len(renewal.outcomes)
    world.google.clear_faults()
    assert len(world.renew().outcomes) == renewal.remaining


def test_a_service_that_has_moved_has_its_channels_point_to_it(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    before = world.settings.webhook_base_urls.values()
    world.restart_service(WEBHOOK_BASE_URL=f"http://localhost:{world.environment['PORT']}")
    moved = world.services_with()
    assert list(before) != list(moved.settings.webhook_base_urls.values())
    assert world.service.url

    assert len(world.renew(moved).outcomes) == 1
    assert world.renew(moved).outcomes == ()

    (channel,) = world.rows("select address from calendar_channels where state = 'live'")
    assert channel["address"].startswith("http://localhost:")
    world.google.insert_event(alice.email, world.event("Pushed"))
    wait_until(lambda: "Pushed" in world.live_titles(alice), "push comes to the new address")


def test_one_more_region_moves_nobody(world: World) -> None:
    world.connect(world.person())
    here = next(iter(world.settings.webhook_base_urls.values()))
    port = world.environment["PORT"]

    both = world.services_with(WEBHOOK_BASE_URL=f"eu={here},us=http://localhost:{port}")

    assert world.renew(both).outcomes == ()
