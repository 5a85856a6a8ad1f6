"""A change event as its readers get it: the feed's items, and the bodies that are sent. Called by `jobs/events`.

Thin: ids, what changed, and where the row can be read. Content only for a subscription that asked for it, and never
beyond the specification's size.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from sync.event_model import FeedEvent

JsonObject = dict[str, Any]

# The specification: bodies stay below 20 kB.
MAX_BODY_BYTES = 20_000
# Left out of a body that would be larger, one after the other.
_LARGE = ("description", "title", "meeting_url")
_PREFIX = "evt_"
# Beyond Postgres' bigint no position is.
_LONGEST_POSITION = 18


def event_id(position: int) -> str:
    """An event's id: the same in the feed and over all attempts at sending it, and a cursor too."""
    return f"{_PREFIX}{position}"


def position_of(cursor: str) -> int | None:
    """The position that an event's id or a cursor stands for; None: it is neither."""
    digits = cursor.removeprefix(_PREFIX)
    is_ours = cursor.startswith(_PREFIX) and digits.isascii() and digits.isdecimal()
    return int(digits) if is_ours and len(digits) <= _LONGEST_POSITION else None


def shown(event: FeedEvent, api_url: str) -> JsonObject:
    """{type, timestamp, data}. `api_url`: the project's, for the link to the row."""
    ids = {"user_id": event.user_id, "calendar_id": event.calendar_id, "meeting_id": event.meeting_id}
    table, row_id = ("meetings", event.meeting_id) if event.meeting_id else ("calendar_webhooks", event.calendar_id)
    data: JsonObject = {name: value for name, value in ids.items() if value is not None}
    return {
        "type": event.type,
        "timestamp": _instant(event.occurred_at),
        "data": {**data, **event.data, "link": f"{api_url}/rest/v1/{table}?id=eq.{row_id}"},
    }


def body_of(event: FeedEvent, api_url: str, row: Mapping[str, Any] | None) -> str:
    """The body to send. `row`: with it, if the subscription asked for content; `left_out` names what was too large."""
    body = shown(event, api_url)
    if row is None:
        return _json(body)
    fitting, left_out = dict(row), []
    for name in (None, *_LARGE):
        if name is not None:
            fitting.pop(name, None)
            left_out.append(name)
        text = _json({**body, "data": {**body["data"], "row": fitting, **({"left_out": left_out} if left_out else {})}})
        if len(text.encode()) < MAX_BODY_BYTES:
            return text
    return _json(body)


def test_body(subscription_id: str, now: dt.datetime) -> str:
    return _json(
        {"type": "subscription.test", "timestamp": _instant(now), "data": {"subscription_id": subscription_id}}
    )


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _json(value: JsonObject) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
