"""Bodies are thin, small, and say where the row can be read."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from sync.core.events.bodies import MAX_BODY_BYTES, body_of, event_id, position_of
from sync.event_model import FeedEvent

API = "https://abc.supabase.co"
AT = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
EVENT = FeedEvent(7, "meeting.updated", "u", "c", "m", {"changed": ["title"]}, AT)


def test_a_thin_body() -> None:
    assert json.loads(body_of(EVENT, API, None)) == {
        "type": "meeting.updated",
        "timestamp": "2030-01-01T12:00:00Z",
        "data": {
            "user_id": "u",
            "calendar_id": "c",
            "meeting_id": "m",
            "changed": ["title"],
            "link": f"{API}/rest/v1/meetings?id=eq.m",
        },
    }


def test_of_a_calendar_that_is_gone_nobody_is_named() -> None:
    gone = FeedEvent(8, "calendar.lost", None, "c", None, {"reason": "deleted"}, AT)
    link = f"{API}/rest/v1/calendar_webhooks?id=eq.c"
    assert json.loads(body_of(gone, API, None))["data"] == {"calendar_id": "c", "reason": "deleted", "link": link}


def test_content_that_is_too_large_is_left_out_and_said_to_be() -> None:
    row = {"id": "m", "title": "Plan", "description": "ä" * MAX_BODY_BYTES}
    body = body_of(EVENT, API, row)
    assert len(body.encode()) < MAX_BODY_BYTES
    assert json.loads(body)["data"]["row"] == {"id": "m", "title": "Plan"}
    assert json.loads(body)["data"]["left_out"] == ["description"]


def test_content_that_fits_is_all_there_and_what_never_fits_is_not() -> None:
    assert json.loads(body_of(EVENT, API, {"title": "Plan"}))["data"]["row"] == {"title": "Plan"}
    assert "row" not in json.loads(body_of(EVENT, API, {"provider": "x" * MAX_BODY_BYTES}))["data"]


def test_an_events_id_is_a_cursor() -> None:
    assert position_of(event_id(12)) == 12


@pytest.mark.parametrize(
    "text", ["", "12", "evt_", "evt_-1", "evt_1.5", "evt_١", "evt_" + "9" * 19, "evt_test_1", "EVT_1"]
)
def test_nothing_else_is(text: str) -> None:
    assert position_of(text) is None
