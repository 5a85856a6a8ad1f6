"""Instances whose ids say nothing: what newer series have at Google."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.instance_ids import OPAQUE_MARK, instance_id, stamp_in
from tests.stack.google_clients import ALICE, WINDOW, list_all, official, refused, single, weekly


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.configure(opaque_instance_ids=True)
    google.add_account(ALICE, time_zone="Europe/Zurich")
    return google


def starts(google: GoogleControl) -> list[str]:
    """What a user sees, by start."""
    return [item["start"]["dateTime"] for item in google.instances(ALICE, *WINDOW)]


@pytest.mark.parametrize("stamp", ["20260302T080000Z", "20260302"])
def test_an_opaque_id_is_read_with_its_own_series_only(stamp: str) -> None:
    master, other = {"id": "one", OPAQUE_MARK: True}, {"id": "other", OPAQUE_MARK: True}
    event_id = instance_id(master, stamp)
    assert len(event_id) == 26
    assert not set(event_id) & set("_RTZ")
    assert stamp_in(master, event_id) == stamp
    assert stamp_in(other, event_id) is None
    assert stamp_in({"id": "one"}, event_id) is None
    assert stamp_in(master, "v" * 26) is None


def test_instances_and_exceptions_are_linked_by_start_not_by_id(google: GoogleControl) -> None:
    master = google.insert_event(ALICE, weekly())
    service = official(google)
    instances = service.events().instances(calendarId="primary", eventId=master["id"]).execute()["items"]
    assert not any("_" in item["id"] for item in instances)
    second = instances[1]
    assert service.events().get(calendarId="primary", eventId=second["id"]).execute()["start"] == second["start"]
    service.events().patch(calendarId="primary", eventId=second["id"], body={"summary": "moved"}).execute()
    exception = next(item for item in list_all(service)[0] if item.get("recurringEventId"))
    assert (exception["id"], exception["recurringEventId"]) == (second["id"], master["id"])
    assert exception["originalStartTime"] == second["originalStartTime"]
    assert len(starts(google)) == 8


def test_the_named_form_is_an_address_for_tests_and_unknown_to_the_api(google: GoogleControl) -> None:
    master = google.insert_event(ALICE, weekly())
    named = f"{master['id']}_20260309T080000Z"
    with refused(404, "notFound"):
        official(google).events().get(calendarId="primary", eventId=named).execute()
    changed = google.patch_event(ALICE, named, {"summary": "by address"})
    assert changed["id"] != named
    assert google.get_event(ALICE, named)["summary"] == "by address"
    google.delete_event(ALICE, named)
    assert google.get_event(ALICE, named) == google.get_event(ALICE, changed["id"])
    assert len(starts(google)) == 7


def test_a_sparse_tombstone_tells_nothing_but_get_still_does(google: GoogleControl) -> None:
    google.configure(cancelled_exceptions="sparse")
    master = google.insert_event(ALICE, weekly())
    _, token = list_all(official(google))
    google.delete_event(ALICE, f"{master['id']}_20260309T080000Z")
    (tombstone,) = list_all(official(google), syncToken=token)[0]
    assert tombstone.keys() == {"id", "status"}
    assert master["id"] not in tombstone["id"]
    answer = official(google).events().get(calendarId="primary", eventId=tombstone["id"]).execute()
    assert (answer["status"], answer["recurringEventId"]) == ("cancelled", master["id"])


@pytest.mark.parametrize("style", ["web", "client"])
def test_a_split_loses_and_doubles_nothing(google: GoogleControl, style: Any) -> None:
    master = google.insert_event(ALICE, weekly())
    google.patch_event(ALICE, f"{master['id']}_20260406T070000Z", {"summary": "exception"})
    before = starts(google)
    google.split_series(ALICE, master["id"], "20260323T080000Z", style=style)
    assert starts(google) == before


def test_a_split_of_an_older_series_names_only_the_new_part_anew(google: GoogleControl) -> None:
    google.configure(opaque_instance_ids=False)
    master = google.insert_event(ALICE, weekly())
    kept = google.patch_event(ALICE, f"{master['id']}_20260406T070000Z", {"summary": "exception"})
    google.configure(opaque_instance_ids=True)
    google.patch_event(ALICE, master["id"], {"summary": "still the older series"})
    google.split_series(ALICE, master["id"], "20260323T080000Z")
    shown = google.instances(ALICE, *WINDOW)
    assert len(shown) == 8
    assert [item["id"].startswith(f"{master['id']}_") for item in shown] == [True] * 3 + [False] * 2 + [True] + [
        False
    ] * 2
    assert google.get_event(ALICE, kept["id"])["summary"] == "exception"


def test_an_event_that_becomes_a_series_has_opaque_instances_and_moves_with_them(google: GoogleControl) -> None:
    event = google.insert_event(ALICE, single())
    google.patch_event(ALICE, event["id"], {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]})
    before = [item["id"] for item in google.instances(ALICE, *WINDOW)]
    google.add_calendar(ALICE, "team@group.calendar.google.com", time_zone="Europe/Zurich")
    google.move_event(ALICE, event["id"], "team@group.calendar.google.com")
    after = google.instances("team@group.calendar.google.com", *WINDOW)
    assert [item["id"] for item in after] == before
    assert not any("_" in event_id for event_id in before)
    assert OPAQUE_MARK not in google.get_event("team@group.calendar.google.com", event["id"])
