"""PRIVATE_EVENTS=hide: the content of private events is stored nowhere, and the setting takes effect when it
changes."""

from __future__ import annotations

from sync.jobs.driving.poll_user import poll_user
from sync.jobs.services import Services, build_services
from sync.jobs.syncing.hide_private import hide_private
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


def hide(world: World) -> Services:
    """A process that hides, and no other one left."""
    world.db.execute("update service_processes set seen_at = seen_at - interval '2 minutes'")
    hiding = world.services_with(PRIVATE_EVENTS="hide")
    hiding.in_force.now()
    return hiding


def test_what_is_cancelled_or_over_is_hidden_and_what_was_public_keeps_its_title(world: World) -> None:
    alice = world.person()
    ids = {}
    for title, hours, visibility in [
        (f"{SECRET} gone", 3, "private"),
        ("Lunch gone", 4, "default"),
        (f"{SECRET} over", -20, "confidential"),
        ("Lunch over", -19, "default"),
    ]:
        body = world.event(title, hours=hours, visibility=visibility, description=f"agenda of {title}")
        ids[title] = world.google.insert_event(alice.email, body, notify=False)["id"]
    world.connect(alice)
    world.google.delete_event(alice.email, ids[f"{SECRET} gone"], notify=False)
    world.google.delete_event(alice.email, ids["Lunch gone"], notify=False)
    world.poll(alice)
    assert SECRET in stored_text(world)

    hide_private(hide(world))

    assert SECRET not in stored_text(world)
    titles = sorted(meeting["title"] for meeting in world.meetings(alice))
    assert titles == ["Lunch gone", "Lunch over", "Private", "Private"]
    described = {meeting["description"] for meeting in world.meetings(alice)}
    assert described == {None, "agenda of Lunch gone", "agenda of Lunch over"}
    assert {meeting["meeting_url"] for meeting in world.meetings(alice)} == {"https://zoom.us/j/5551234567"}


def test_a_calendar_that_cannot_be_listed_is_hidden_too_and_shown_again_when_it_can(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    for person in (alice, bob):
        body = world.event(SECRET, visibility="private", description="Room https://zoom.us/j/999", location="")
        world.google.insert_event(person.email, body, notify=False)
        world.connect(person)
    world.db.execute("update calendar_webhooks set paused_reason = 'needs_reauth' where user_id = %s", (alice.user_id,))
    left = world.post("/connect/google/disconnect", {"userId": bob.user_id, "meetings": "keep"})
    assert left.status_code == 200, left.text
    assert world.rows("select 1 from calendar_events where details ->> 'summary' = %s", SECRET)
    rooms = [meeting["meeting_url"] for meeting in world.meetings(alice)]

    hiding = hide(world)
    assert hide_private(hiding) == 3
    assert hide_private(hiding) == 0

    assert SECRET not in stored_text(world)
    assert [meeting["title"] for person in (alice, bob) for meeting in world.meetings(person)] == ["Private"] * 2
    assert [meeting["meeting_url"] for meeting in world.meetings(alice)] == rooms

    world.db.execute("update calendar_webhooks set paused_reason = null")
    outcome = poll_user(hiding, alice.user_id, forced=True).outcomes[0]
    assert (outcome.reason, outcome.updated) == ("settings_changed", 0)
    world.db.execute("update service_processes set seen_at = seen_at - interval '2 minutes'")
    world.services.in_force.refreshed()
    poll_user(world.services, alice.user_id, forced=True)
    world.assert_equal(alice)
    assert hide_private(world.services) == 0


def test_what_a_dead_listing_left_staged_is_dropped(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    for name, visibility, fence in [("dead", "private", -1), ("public", "default", -1), ("alive", "private", 0)]:
        world.db.execute(
            "insert into calendar_staged_items (calendar_id, google_event_id, base_event_id, fence, details)"
            " select id, %s, %s, fence + %s, jsonb_build_object('visibility', %s::text) from calendar_webhooks",
            (name, name, fence, visibility),
        )
    world.db.execute("update calendar_webhooks set lease_expires_at = now() + interval '1 minute'")

    hide_private(hide(world))

    left = world.rows("select google_event_id as id from calendar_staged_items order by 1")
    assert [row["id"] for row in left] == ["alive", "public"]


def test_an_event_that_turns_private_is_known_to_be(world: World) -> None:
    alice = world.person()
    event = world.google.insert_event(alice.email, world.event(SECRET), notify=False)
    world.connect(alice)
    world.google.patch_event(alice.email, event["id"], {"visibility": "private"}, notify=False)
    world.poll(alice)
    world.google.delete_event(alice.email, event["id"], notify=False)
    world.poll(alice)

    hide_private(hide(world))

    assert SECRET not in stored_text(world)


def test_nothing_is_hidden_while_the_settings_in_force_show(world: World) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event(SECRET, visibility="private"), notify=False)
    world.connect(alice)
    store = world.services_with(PRIVATE_EVENTS="hide").store

    assert (store.privacy.hide_meetings(10), store.privacy.shown_items(10)) == (0, [])
    assert world.live_titles(alice) == [SECRET]
