"""Situations 8 to 11 (tokens and pages): a listing that breaks leaves nothing half-done, and nothing is done twice."""

from __future__ import annotations

import pytest

from tests.situations.quiet import Quiet, beside, row_versions, sync_all, timed, written
from tests.world import World, wait_until


@pytest.fixture
def changed(quiet: Quiet) -> Quiet:
    """Five unsynced new meetings and one deleted; two items a page."""
    (gone,) = quiet.insert(timed("Gone", "2028-02-12T09:00"))
    quiet.sync()
    quiet.delete(gone)
    quiet.insert(*(timed(f"New {day}", f"2028-02-{day}T09:00") for day in range(13, 18)))
    quiet.world.google.add_fault("small_pages", size=2)
    quiet.world.reset_counters()
    return quiet


def lists(world: World) -> tuple[int, int]:
    """(incremental, full) list calls, pages counted."""
    return world.google_calls("events.list.incremental"), world.google_calls("events.list.full")


@pytest.mark.parametrize("why", ["gone", "corrupt: gone", "corrupt: bad_request"])
@pytest.mark.parametrize("order", ["changed", "reversed"])
def test_situation_08_410_on_page_three_half_applies_nothing_and_finds_deletions(
    changed: Quiet, why: str, order: str
) -> None:
    world = changed.world
    world.google.configure(list_order=order)
    old_token = world.calendar(changed.alice)["sync_token"]
    incremental = 3
    if why == "gone":
        world.google.add_fault("gone", method="events.list", mode="incremental", page=3)
    else:
        incremental = 1
        world.google.configure(corrupt_token=why.removeprefix("corrupt: "))
        world.db.execute("update calendar_webhooks set sync_token = 'corrupt'")
    hold = world.google.add_fault("hold", method="events.list", mode="full", page=1)
    before = row_versions(world)
    world.make_due()
    services = world.services
    with beside(world, lambda: world.sweep(services)) as sweep:
        assert world.google.wait_held(hold)
        # The incremental run is broken, the full one has not begun: nothing of it is to be seen.
        assert row_versions(world) == before
        world.google.release(hold)
    assert [outcome.status for outcome in sweep.result().outcomes] == ["completed"]

    assert lists(world) == (incremental, 3)
    log = world.logs(changed.alice)[-1]
    assert (log["is_full"], log["meetings_created"], log["meetings_deleted"]) == (True, 5, 1)
    assert world.calendar(changed.alice)["sync_token"] not in (old_token, "corrupt")
    world.google.clear_faults()
    changed.assert_equal()
    assert changed.sync().processed == 0


@pytest.mark.parametrize("page", [2, 3])
def test_situation_09_a_rejected_page_token_restarts_from_the_committed_sync_token(changed: Quiet, page: int) -> None:
    changed.world.google.add_fault("page_token_rejected", page=page, times=1)

    outcome = changed.sync()

    assert (outcome.processed, written(outcome)) == (6, (5, 0, 1))
    assert lists(changed.world) == (3 + page, 0)
    changed.settled()


@pytest.mark.parametrize("lost", ["hold", "drop_after"])
def test_situation_10_a_crash_before_the_commit_is_replayed_and_changes_nothing_twice(
    changed: Quiet, lost: str
) -> None:
    """The commit of a dead worker never arrives, or arrives unheard; another worker's sync takes its place."""
    world = changed.world
    world.supabase.fault("commit_sync", "drop_after" if lost == "drop_after" else "hold")
    if lost == "drop_after":
        assert written(changed.sync()) == (5, 0, 1)
        after = row_versions(world)
    else:
        with beside(world, lambda: sync_all_whatever(changed)) as ghost:
            pending = world.supabase.switchboard.pending
            wait_until(lambda: any(fault["holding"] for fault in pending()), "the commit is held")
            world.make_due()
            assert written(changed.sync()) == (5, 0, 1)
            after = row_versions(world)
            world.supabase.clear_faults()
        assert ghost.result() == ["lost"]

    changed.assert_equal()
    assert row_versions(world) == after
    completed = [log for log in world.logs(changed.alice) if log["meetings_created"] == 5]
    assert len(completed) == 1
    assert written(changed.sync()) == (0, 0, 0)
    assert row_versions(world) == after


def sync_all_whatever(quiet: Quiet) -> list[str]:
    """A sweep by another process; how it ended."""
    quiet.world.make_due()
    return [outcome.status for outcome in quiet.world.sweep(quiet.world.services_with()).outcomes]


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("pages", [(1,), (2,), (1, 2, 3)])
def test_situation_11_empty_pages_with_a_next_page_token_are_gone_through(
    changed: Quiet, full: bool, pages: tuple[int, ...]
) -> None:
    for page in pages:
        changed.world.google.add_fault("empty_page", mode="full" if full else "incremental", page=page, times=1)
    if full:
        changed.world.google.expire_sync_tokens(changed.email)

    assert written(changed.sync()) == (5, 0, 1)

    assert sum(lists(changed.world)) == 3 + len(pages) + full
    changed.settled()


@pytest.mark.parametrize("same", [True, False])
def test_a_listing_without_changes_keeps_working_with_the_same_or_a_new_token(quiet: Quiet, same: bool) -> None:
    quiet.world.google.configure(same_token_when_unchanged=same)
    token = quiet.world.calendar(quiet.alice)["sync_token"]
    for _ in range(3):
        assert written(sync_all(quiet.world, quiet.alice)[0]) == (0, 0, 0)
    assert (quiet.world.calendar(quiet.alice)["sync_token"] == token) is same
    quiet.insert(timed("New", "2028-02-12T09:00"))
    assert quiet.settled().created == 1
