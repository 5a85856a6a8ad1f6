"""PRIVATE_EVENTS=hide: the content of private events is stored nowhere, and the setting takes effect when it
changes."""

from __future__ import annotations

from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import build_services
from sync.settings import load
from tests.world import World

SECRET = "Merger talks"


def stored_text(world: World) -> str:
    return str(world.rows("select m::text from meetings m")) + str(world.rows("select e::text from calendar_events e"))


def test_hiding_removes_content_that_was_stored_and_keeps_the_meeting(world: World) -> None:
    alice = world.person()
    for visibility in ("private", "default"):
        body = world.event(f"{SECRET} {visibility}", description=f"{visibility} agenda", visibility=visibility)
        world.google.insert_event(alice.email, body, notify=False)
    world.connect(alice)
    assert f"{SECRET} private" in stored_text(world)

    hiding = build_services(load({**world.environment, "PRIVATE_EVENTS": "hide"}))
    outcome = poll_user(hiding, alice.user_id, forced=True).outcomes[0]

    assert (outcome.status, outcome.reason) == ("completed", "settings_changed")
    text = stored_text(world)
    assert f"{SECRET} private" not in text
    assert "private agenda" not in text
    assert f"{SECRET} default" in text
    assert sorted(world.live_titles(alice)) == [f"{SECRET} default", "Private"]
    assert {meeting["meeting_url"] for meeting in world.meetings(alice)} == {"https://zoom.us/j/5551234567"}


def test_showing_again_brings_the_content_back(world: World) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event(SECRET, visibility="private"), notify=False)
    world.connect(alice)
    poll_user(build_services(load({**world.environment, "PRIVATE_EVENTS": "hide"})), alice.user_id, forced=True)
    assert world.live_titles(alice) == ["Private"]

    # The process that hid them is gone.
    world.db.execute("update service_processes set seen_at = seen_at - interval '2 minutes'")
    world.services.in_force.refreshed()
    poll_user(world.services, alice.user_id, forced=True)

    world.assert_equal(alice)
