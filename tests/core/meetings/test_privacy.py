"""What is kept of private events."""

from __future__ import annotations

from typing import Any

import pytest

from sync.core.meetings.meeting_rules import decide_meeting
from sync.core.meetings.privacy import PRIVATE_TITLE, without_private_content
from sync.core.meetings.translate import event_from_google

SECRET = "merger with Acme"
ITEM: dict[str, Any] = {
    "id": "abc",
    "status": "confirmed",
    "summary": SECRET,
    "description": f"{SECRET} https://zoom.us/j/5551234567?pwd=abc",
    "location": SECRET,
    "start": {"dateTime": "2026-03-02T10:00:00Z"},
    "end": {"dateTime": "2026-03-02T11:00:00Z"},
    "attendees": [
        {"email": "boss@acme.example", "responseStatus": "accepted"},
        {"email": "alice@example.com", "self": True, "responseStatus": "tentative"},
    ],
}


@pytest.mark.parametrize("visibility", ["private", "confidential"])
def test_a_private_event_keeps_time_answer_and_link_only(visibility: str) -> None:
    event = event_from_google(without_private_content({**ITEM, "visibility": visibility}))

    assert SECRET not in str(event)
    assert "boss" not in str(event)
    assert event.details["summary"] == PRIVATE_TITLE
    assert event.start == event_from_google(ITEM).start
    assert event.details["attendees"] == [{"self": True, "responseStatus": "tentative"}]
    link = decide_meeting(event).link
    assert link is not None
    assert link == decide_meeting(event_from_google(ITEM)).link or link.url == "https://zoom.us/j/5551234567?pwd=abc"


def test_a_private_event_without_a_link_stays_without_one() -> None:
    event = event_from_google(without_private_content({**ITEM, "description": SECRET, "visibility": "private"}))
    assert decide_meeting(event).link is None


@pytest.mark.parametrize("visibility", [None, "default", "public"])
def test_other_events_are_left_as_they_are(visibility: str | None) -> None:
    item = {**ITEM, "visibility": visibility}
    assert without_private_content(item) is item
