"""The main job: a change in Google Calendar becomes a row in `meetings`, by push and by polling."""

from __future__ import annotations

from tests.world import World, wait_until


def test_connecting_watches_and_syncs_the_calendar(world: World) -> None:
    alice = world.person(time_zone="Europe/Zurich")
    world.google.insert_event(alice.email, world.event("Standup"), notify=False)
    world.google.insert_event(
        alice.email,
        world.event("Daily", hours=4, time_zone="Europe/Zurich", recurrence=["RRULE:FREQ=DAILY"]),
        notify=False,
    )

    world.connect(alice)

    world.assert_equal(alice)
    assert len(world.meetings(alice)) > 50
    assert [channel["state"] for channel in world.google.channels()] == ["live"]
    assert [(log["sync_type"], log["status"]) for log in world.logs(alice)] == [("initial", "completed")]


def test_a_change_arrives_by_push(world: World) -> None:
    alice = world.person()
    world.connect(alice)

    event = world.google.insert_event(alice.email, world.event("Pushed"))
    wait_until(lambda: "Pushed" in world.live_titles(alice), "the new meeting")
    world.google.patch_event(alice.email, event["id"], {"summary": "Renamed"})
    wait_until(lambda: world.live_titles(alice) == ["Renamed"], "the new title")
    world.google.delete_event(alice.email, event["id"])
    wait_until(lambda: world.live_titles(alice) == [], "the deletion")

    world.assert_equal(alice)
    assert {log["sync_type"] for log in world.logs(alice)} == {"initial", "webhook"}
    assert world.meetings(alice)[0]["status"] == "cancelled"


def test_what_push_missed_is_found_by_the_poll(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("Unannounced"))

    answer = world.poll(alice, force=False)

    assert (answer["processed"], answer["created"], answer["skipped"]) == (1, 1, False)
    world.assert_equal(alice)
