"""A worker killed with SIGKILL at any point of a sync: nothing lost, nothing doubled, a late ghost changes nothing.

The lease of the dead worker is ended by SQL instead of waited for; whoever sweeps next takes over.
"""

from __future__ import annotations

import pytest

from scripts.stack.faults import Kind
from sync.jobs.access_tokens import REFRESH_LEASE_SECONDS
from tests.flows.processes import Process, worker
from tests.world import Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    """A synced calendar with changes that nobody announced: new, changed, moved, deleted, a series with exceptions."""
    alice = world.person(time_zone="Europe/Zurich")
    google = world.google
    kept, gone = (google.insert_event(alice.email, world.event(title, hours=5))["id"] for title in ("Kept", "Gone"))
    series = google.insert_event(
        alice.email, world.event("Daily", hours=30, time_zone="Europe/Zurich", recurrence=["RRULE:FREQ=DAILY;COUNT=9"])
    )
    world.connect(alice)
    google.configure(push="drop")
    google.patch_event(alice.email, kept, world.event("Moved", hours=8))
    google.delete_event(alice.email, gone)
    instances = google.instances(alice.email, world.now.isoformat(), world.ahead(days=365))
    daily = [event["id"] for event in instances if event.get("recurringEventId") == series["id"]]
    google.patch_event(alice.email, daily[2], {"summary": "Renamed once"})
    google.delete_event(alice.email, daily[4])
    google.insert_event(alice.email, world.event("New", hours=3))
    world.reset_counters()
    return alice


def await_hold(world: World) -> None:
    """Until a store call is held (one whose answer is only lost, or late, does not count)."""
    pending = world.supabase.switchboard.pending
    wait_until(lambda: any(each["kind"] == "hold" and each["holding"] for each in pending()), "a store call is held")


def take_over(world: World, alice: Person) -> None:
    """Another worker, after the lease."""
    world.make_due(alice)
    # What the dead one's last call still holds for a moment is passed over.
    outcomes = wait_until(lambda: world.sweep().outcomes, "it is taken over")
    assert [outcome.status for outcome in outcomes] == ["completed"]
    world.assert_equal(alice)


def ghost_changes_nothing(world: World, alice: Person) -> None:
    """What the dead worker had sent arrives now, and further changes still come through."""
    rows, state = world.meetings(alice), sync_state(world, alice)
    world.supabase.clear_faults()
    world.google.clear_faults()
    wait_until(lambda: not world.supabase.switchboard.pending(), "the held calls are through")
    assert world.meetings(alice) == rows
    assert sync_state(world, alice) == state
    world.google.insert_event(alice.email, world.event("Afterwards", hours=20))
    take_over(world, alice)
    assert "Afterwards" in world.live_titles(alice)


def sync_state(world: World, alice: Person) -> tuple[object, ...]:
    calendar = world.calendar(alice)
    completed = [log["id"] for log in world.logs(alice) if log["status"] == "completed"]
    return calendar["sync_token"], calendar["last_synced_at"], completed


def completed_logs(world: World, alice: Person) -> int:
    return len([log for log in world.logs(alice) if log["status"] == "completed"])


@pytest.mark.parametrize("page", [1, 2, 3])
def test_killed_while_google_lists(world: World, alice: Person, page: int) -> None:
    world.google.add_fault("small_pages", size=2)
    hold = world.google.add_fault("hold", method="events.list", page=page, times=1)
    before = world.meetings(alice), sync_state(world, alice)
    world.make_due(alice)
    with worker(world) as process:
        assert world.google.wait_held(hold)
        process.kill()

    assert (world.meetings(alice), sync_state(world, alice)) == before
    take_over(world, alice)
    ghost_changes_nothing(world, alice)


def test_killed_while_a_token_is_refreshed(world: World, alice: Person) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    hold = world.google.add_fault("hold", method="token", times=1)
    world.make_due(alice)
    with worker(world) as process:
        assert world.google.wait_held(hold)
        process.kill()

    asked = world.rpcs()["begin_refresh"]
    (row,) = world.rows("select refresh_lease_until - clock_timestamp() as left from google_credentials")
    assert row["left"].total_seconds() <= REFRESH_LEASE_SECONDS
    # However slow the next one is, it comes while the lease lasts.
    world.db.execute("update google_credentials set refresh_lease_until = now() + interval '1 hour'")
    with world.in_background(lambda: take_over(world, alice)):
        wait_until(lambda: world.rpcs()["begin_refresh"] >= asked + 2, "it is told to wait, and asks again")
        world.db.execute("update google_credentials set refresh_lease_until = now()")
    ghost_changes_nothing(world, alice)


@pytest.mark.parametrize("rpc", ["claim_due_calendars", "save_tokens", "read_families", "commit_sync"])
def test_killed_before_a_store_call_arrives(world: World, alice: Person, rpc: str) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    world.supabase.fault(rpc, "hold")
    before = world.meetings(alice), sync_state(world, alice)
    world.make_due(alice)
    with worker(world) as process:
        await_hold(world)
        process.kill()

    assert (world.meetings(alice), sync_state(world, alice)) == before
    # The refresh's lease too.
    world.db.execute("update google_credentials set refresh_lease_until = null")
    take_over(world, alice)
    ghost_changes_nothing(world, alice)


@pytest.mark.parametrize("rpc", ["claim_due_calendars", "save_tokens", "read_families", "commit_sync"])
def test_killed_after_a_store_call_before_its_answer(world: World, alice: Person, rpc: str) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")
    # The answer is lost, and the call's repetition is held: the worker dies knowing nothing.
    world.supabase.fault(rpc, "drop_after")
    world.supabase.fault(rpc, "hold")
    world.make_due(alice)
    with worker(world) as process:
        await_hold(world)
        process.kill()

    if rpc == "commit_sync":
        world.assert_equal(alice)
        assert completed_logs(world, alice) == 2
    take_over(world, alice)
    ghost_changes_nothing(world, alice)


def test_killed_and_restarted_the_worker_itself_goes_on(world: World, alice: Person) -> None:
    world.supabase.fault("commit_sync", "hold")
    world.make_due(alice)
    with worker(world) as first:
        await_hold(world)
        first.kill()
    world.make_due(alice)

    with worker(world) as second:
        world.await_equal(alice)
        assert second.is_running
    world.supabase.clear_faults()
    assert completed_logs(world, alice) == 2


@pytest.mark.parametrize(
    ("rpc", "kinds"),
    [
        ("stage_sync", ["hold"]),  # before the first part
        ("stage_sync", ["drop_after", "hold"]),  # after the first part, which nobody was told of
        ("stage_sync", ["delay", "hold"]),  # before the second part
        ("commit_sync", ["hold"]),  # all but the last part are staged
        ("commit_sync", ["drop_after", "hold"]),
    ],
)
def test_killed_within_a_full_sync_of_several_parts(world: World, rpc: str, kinds: list[Kind]) -> None:
    alice = world.person()
    world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n % 900 + 1) for n in range(1100)], notify=False)
    world.connect(alice)
    world.google.configure(push="drop")
    victims = world.google.instances(alice.email, world.now.isoformat(), world.ahead(days=365))[:3]
    for victim in victims:
        world.google.delete_event(alice.email, victim["id"])
    world.google.insert_event(alice.email, world.event("New", hours=3))
    world.google.expire_sync_tokens(alice.email)
    token = world.calendar(alice)["sync_token"]
    for kind in kinds:
        world.supabase.fault(rpc, kind, seconds=0.01 if kind == "delay" else 0)
    world.make_due(alice)
    with worker(world) as process:
        await_hold(world)
        process.kill()

    if (rpc, kinds) != ("commit_sync", ["drop_after", "hold"]):
        # Staged rows are true already; what is gone, and the token, wait for the commit.
        assert world.calendar(alice)["sync_token"] == token
        assert {victim["summary"] for victim in victims} <= set(world.live_titles(alice))
    take_over(world, alice)
    ghost_changes_nothing(world, alice)


def test_a_killed_webhook_process_leaves_its_calendar_to_others(world: World, alice: Person) -> None:
    """Two workers: one is killed in the middle, the other needs no restart."""
    world.supabase.fault("commit_sync", "hold")
    with worker(world) as doomed:
        world.make_due(alice)
        await_hold(world)
        with worker(world, SWEEP_SECONDS="1") as survivor:
            started(survivor)
            doomed.kill()
            world.make_due(alice)
            world.await_equal(alice)


def started(process: Process) -> None:
    wait_until(lambda: "worker_started" in process.log, "the worker is up")
