"""What of an event makes a meeting, by tables."""

from __future__ import annotations

from typing import Any

import pytest

from sync.core.meetings.meeting_rules import UNTITLED, decide_meeting, own_answer, title_of
from sync.core.meetings.translate import event_from_google
from tests.core.items import LINK, single


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, "meeting"),
        ({"eventType": "default"}, "meeting"),
        ({"eventType": "fromGmail"}, "meeting"),
        ({"eventType": "focusTime"}, "event_type"),
        ({"eventType": "outOfOffice"}, "event_type"),
        ({"eventType": "workingLocation"}, "event_type"),
        ({"eventType": "birthday"}, "event_type"),
        ({"location": "Room 12"}, "no_link"),
        ({"location": None}, "no_link"),
        ({"location": None, "description": f"Join: {LINK}"}, "meeting"),
        ({"location": None, "hangoutLink": "https://meet.google.com/abc-defg-hij"}, "meeting"),
        (
            {
                "location": None,
                "conferenceData": {
                    "entryPoints": [{"entryPointType": "video", "uri": "https://meet.google.com/abc-defg-hij"}]
                },
            },
            "meeting",
        ),
        (
            {"location": None, "conferenceData": {"entryPoints": [{"entryPointType": "phone", "uri": "tel:+41"}]}},
            "no_link",
        ),
        ({"location": None, "conferenceData": {}}, "no_link"),
    ],
)
def test_a_meeting_has_a_link_and_is_no_mere_entry(more: dict[str, Any], reason: str) -> None:
    verdict = decide_meeting(event_from_google(single(**more)))

    assert verdict.reason == reason
    assert (verdict.link is not None) is (reason == "meeting")


@pytest.mark.parametrize(("summary", "title"), [("Standup", "Standup"), ("", UNTITLED), (None, UNTITLED)])
def test_a_meeting_without_a_title_is_called_as_google_does(summary: str | None, title: str) -> None:
    assert title_of(event_from_google(single(summary=summary))) == title


@pytest.mark.parametrize(
    ("more", "answer"),
    [
        ({}, "accepted"),
        ({"attendees": []}, "accepted"),
        ({"attendees": [{"self": True, "responseStatus": "accepted"}]}, "accepted"),
        ({"attendees": [{"self": True, "responseStatus": "declined"}]}, "declined"),
        ({"attendees": [{"self": True, "responseStatus": "tentative"}]}, "tentative"),
        ({"attendees": [{"self": True, "responseStatus": "needsAction"}]}, "needsAction"),
        ({"attendees": [{"self": True}]}, "needsAction"),
        ({"attendees": [{"self": True, "responseStatus": "invented"}]}, "needsAction"),
        ({"attendees": [{"email": "b@example.com", "responseStatus": "declined"}]}, "needsAction"),
        ({"attendees": [{"email": "b@example.com"}], "organizer": {"self": True}}, "accepted"),
        ({"attendees": [{"self": True, "responseStatus": "declined"}], "organizer": {"self": True}}, "declined"),
        ({"attendeesOmitted": True}, "needsAction"),
        ({"attendeesOmitted": True, "organizer": {"self": True}}, "accepted"),
        ({"organizer": {"email": "b@example.com"}}, "accepted"),
    ],
)
def test_the_answer_is_the_readers_own(more: dict[str, Any], answer: str) -> None:
    event = event_from_google(single(**more))

    assert own_answer(event) == answer
    assert own_answer(event_from_google(event.details)) == answer
