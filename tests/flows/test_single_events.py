"""Single events of every shape Google has, each as a change after the first sync and as part of a full list."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.world import JsonObject, Person, World


@pytest.fixture
def alice(world: World) -> Person:
    """A synced, empty calendar whose pushes are lost: each test polls when it wants to."""
    alice = world.person(time_zone="Europe/Zurich")
    world.google.add_calendar(alice.email, "team@example.com", time_zone="Europe/Zurich")
    world.connect(alice, ["primary", "team@example.com"])
    world.google.configure(push="drop")
    return alice


def check(world: World, alice: Person) -> JsonObject:
    """Polls, compares both calendars; then lists everything anew, which must change nothing."""
    answer = world.poll(alice)
    for calendar in ("primary", "team@example.com"):
        world.assert_equal(alice, calendar)
    world.db.execute("update calendar_webhooks set sync_token = null")
    again = world.poll(alice)
    assert (again["created"], again["updated"], again["deleted"]) == (0, 0, 0)
    return answer


def in_days(world: World, days: int) -> JsonObject:
    return {"date": (world.now.date() + dt.timedelta(days=days)).isoformat()}


NOW: dict[str, Any] = {}
SHAPES: dict[str, tuple[dict[str, Any], int]] = {
    "timed": (NOW, 1),
    "no_title": ({"summary": None}, 1),
    "empty_title": ({"summary": ""}, 1),
    "no_link": ({"location": "Room 5"}, 0),
    "no_place_at_all": ({"location": None}, 0),
    "link_in_description": ({"location": None, "description": "Join: https://zoom.us/j/5551234567 now"}, 1),
    "tentative": ({"status": "tentative"}, 1),
    "focus_time": ({"eventType": "focusTime", "focusTimeProperties": {}}, 0),
    "out_of_office": ({"eventType": "outOfOffice", "outOfOfficeProperties": {}}, 0),
    "from_gmail": ({"eventType": "fromGmail"}, 1),
    "private": ({"visibility": "private"}, 1),
    "very_long_title": ({"summary": "x" * 1000}, 1),
    "odd_characters": ({"summary": 'Zoë "quoted" \\ back\u2028slash 🎉'}, 1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_single_event_of_this_shape_becomes_the_right_row(world: World, alice: Person, name: str) -> None:
    more, rows = SHAPES[name]
    body = {key: value for key, value in world.event(**more).items() if value is not None}
    world.google.insert_event(alice.email, body)

    assert check(world, alice)["created"] == rows


@pytest.mark.parametrize("answer", ["accepted", "declined", "tentative", "needsAction"])
def test_the_users_own_answer_is_kept(world: World, alice: Person, answer: str) -> None:
    guests = [{"email": "host@example.com", "responseStatus": "accepted"}]
    guests.append({"email": alice.email, "responseStatus": answer})
    world.google.insert_event(alice.email, world.event(attendees=guests, organizer={"email": "host@example.com"}))

    check(world, alice)

    assert [row["event_status"] for row in world.meetings(alice)] == [answer]


def test_all_day_events_stand_at_the_calendars_midnight_across_the_clock_change(world: World, alice: Person) -> None:
    world.google.insert_event(
        alice.email, world.event("Offsite", start=in_days(world, 1), end=in_days(world, 3)), notify=False
    )
    world.google.insert_event(
        alice.email, world.event("One day", start=in_days(world, 50), end=in_days(world, 51)), notify=False
    )

    assert check(world, alice)["created"] == 2

    assert [row["is_all_day"] for row in world.meetings(alice)] == [True, True]


def test_what_is_over_or_beyond_the_horizon_has_no_row_until_it_moves_in(world: World, alice: Person) -> None:
    past = world.google.insert_event(alice.email, world.event("Past", hours=-24 * 5))
    far = world.google.insert_event(alice.email, world.event("Far", hours=24 * 90))
    assert check(world, alice)["created"] == 0

    for event in (past, far):
        moved = world.event(hours=3)
        world.google.patch_event(alice.email, event["id"], {"start": moved["start"], "end": moved["end"]})

    assert check(world, alice)["created"] == 2


def test_a_link_that_is_added_later_or_taken_away_makes_and_ends_the_meeting(world: World, alice: Person) -> None:
    event = world.google.insert_event(alice.email, world.event("Sync", location="Room 5"))
    assert check(world, alice)["created"] == 0

    world.google.complete_conference(alice.email, event["id"], "https://meet.google.com/abc-defg-hij")
    assert check(world, alice)["created"] == 1
    world.google.patch_event(alice.email, event["id"], {"conferenceData": None, "hangoutLink": None})
    assert check(world, alice)["deleted"] == 1

    assert [(row["status"], row["status_reason"]) for row in world.meetings(alice)] == [("cancelled", "no_link")]


@pytest.mark.parametrize("tombstones", ["documented", "sparse", "full"])
def test_a_deleted_event_is_cancelled_and_comes_back_as_the_same_row(
    world: World, alice: Person, tombstones: str
) -> None:
    world.google.configure(tombstones=tombstones)
    event = world.google.insert_event(alice.email, world.event("Here"))
    check(world, alice)
    world.google.delete_event(alice.email, event["id"])
    assert check(world, alice)["deleted"] == 1

    world.google.patch_event(alice.email, event["id"], {"status": "confirmed"})

    assert check(world, alice)["updated"] == 1
    assert [row["status"] for row in world.meetings(alice)] == ["confirmed"]


def test_an_event_that_was_never_seen_alive_leaves_no_row(world: World, alice: Person) -> None:
    event = world.google.insert_event(alice.email, world.event())
    world.google.delete_event(alice.email, event["id"])

    assert check(world, alice)["created"] == 0
    assert world.meetings(alice) == []


@pytest.mark.parametrize("first", ["primary", "team@example.com"])
def test_an_event_moved_to_another_calendar_is_live_once_whichever_syncs_first(
    world: World, alice: Person, first: str
) -> None:
    event = world.google.insert_event(alice.email, world.event("Moves"))
    check(world, alice)
    world.google.move_event(alice.email, event["id"], "team@example.com")

    world.db.execute(
        "update calendar_webhooks set due_at = now(), not_before = null where google_calendar_id = %s", (first,)
    )
    assert len(world.sweep().outcomes) == 1
    world.poll(alice)

    assert world.live_titles(alice) == ["Moves"]
    check(world, alice)


def test_only_rows_that_changed_count_as_updated(world: World, alice: Person) -> None:
    events = world.google.bulk_insert(alice.email, [world.event(f"M{n}", hours=n + 2) for n in range(3)])
    check(world, alice)
    stamps = {row["title"]: row["updated_at"] for row in world.meetings(alice)}

    world.google.patch_event(alice.email, events[0]["id"], {"summary": "Renamed"})
    world.google.patch_event(alice.email, events[1]["id"], {"colorId": "5"})  # nothing a meeting shows
    answer = check(world, alice)

    assert (answer["processed"], answer["updated"]) == (2, 1)
    assert {row["updated_at"] for row in world.meetings(alice) if row["title"] != "Renamed"} == {
        stamps["M1"],
        stamps["M2"],
    }


def test_a_plain_series_is_expanded_and_ends_with_its_deletion(world: World, alice: Person) -> None:
    body = world.event("Weekly", hours=5, time_zone="Europe/Zurich", recurrence=["RRULE:FREQ=WEEKLY"])
    series = world.google.insert_event(alice.email, body)
    assert check(world, alice)["created"] == 9
    world.google.delete_event(alice.email, series["id"])

    assert check(world, alice)["deleted"] == 9
