"""A push may come before its change can be listed: then the calendar is looked at again, soon, and not for ever."""

from __future__ import annotations

import datetime as dt

from tests.world import JsonObject, Person, World, wait_until

PLANNED = {"poll_interval", "probe"}


def notified_in_vain(world: World) -> Person:
    """A calendar whose last notified sync found nothing: the change that was announced cannot be listed yet."""
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    world.db.execute(
        "update calendar_webhooks set notifications_seen = notifications_seen + 1, last_webhook_received = now(),"
        " due_at = now(), due_reason = 'notified'"
    )
    world.stop_service()
    assert [outcome.reason for outcome in world.sweep().outcomes] == ["notified"]
    return alice


def next_look(world: World, alice: Person) -> tuple[str, dt.timedelta]:
    row: JsonObject = world.calendar(alice)
    return row["due_reason"], row["due_at"] - row["last_synced_at"]


def test_a_notified_sync_that_finds_nothing_looks_again_within_a_minute(world: World) -> None:
    alice = notified_in_vain(world)
    reason, wait = next_look(world, alice)
    assert (reason, wait < dt.timedelta(seconds=30)) == ("another_look", True)

    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("Late in the list"))
    world.make_due(alice)
    assert [outcome.created for outcome in world.sweep().outcomes] == [1]

    assert next_look(world, alice)[0] in PLANNED
    assert world.calendar(alice)["webhook_failures"] == 0


def test_looking_again_ends_after_two_looks_within_the_minute(world: World) -> None:
    alice = notified_in_vain(world)
    found = [next_look(world, alice)]
    while found[-1][0] not in PLANNED:
        assert len(found) < 4
        world.make_due(alice)
        assert len(world.sweep().outcomes) == 1
        found.append(next_look(world, alice))

    assert [reason for reason, _ in found[:-1]] == ["another_look", "last_look"]
    assert found[-1][0] in PLANNED
    assert found[0][1] < found[1][1] < dt.timedelta(minutes=1)


def test_a_process_that_was_notified_looks_again_by_itself(world: World) -> None:
    """Without a sweep from elsewhere."""
    alice = notified_in_vain(world)
    world.db.execute("update calendar_webhooks set notifications_seen = notifications_seen + 1, due_at = now()")

    (outcome,) = world.sweep().outcomes

    assert outcome.again_in_seconds is not None
    assert outcome.again_in_seconds < 60
    wait_until(lambda: next_look(world, alice)[0] == "another_look", "it is due again soon")
