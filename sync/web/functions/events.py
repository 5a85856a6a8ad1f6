"""GET /functions/v1/events: the feed of changes, for whoever reads instead of being told. For the service."""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sync.core.events.bodies import event_id, position_of, shown
from sync.jobs.services import Services
from sync.web.doors.auth import require_operator
from sync.web.doors.problems import Problem

blueprint = Blueprint("events", __name__)

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000


@blueprint.get("/functions/v1/events")
def read() -> ResponseReturnValue:
    """`next` is the cursor for the next call, also when there is nothing new."""
    require_operator()
    services: Services = current_app.extensions["services"]
    given = request.args.get("after")
    after = cursor(given, "after") if given is not None else None
    feed = services.store.feed.read(after or 0, _limit())
    if after is not None:
        check_position(after, "after", last=feed.last, dropped=feed.dropped)
    events = [{"id": event_id(event.position), **shown(event, services.settings.supabase_url)} for event in feed.events]
    following = feed.events[-1].position if feed.events else max(after or 0, feed.dropped)
    return jsonify(events=events, next=event_id(following))


def cursor(value: object, name: str) -> int:
    """A cursor, or an event's id, from a query or a body. Raises Problem 400."""
    position = position_of(value) if isinstance(value, str) else None
    if position is None:
        raise Problem(400, f"{name}_malformed", f"{name} must be a cursor: the next of a page, or an event's id.")
    return position


def check_position(position: int, name: str, *, last: int, dropped: int) -> None:
    """Raises Problem 400 for a cursor of another feed, 410 for one from before what is kept."""
    if position > last:
        raise Problem(400, f"{name}_unknown", f"{name} lies ahead of the feed's end: it is not of this feed.")
    if 0 < position < dropped:
        raise Problem(
            410,
            f"{name}_expired",
            f"Events after {name} are kept no more (EVENT_RETENTION_DAYS); read meetings anew, and go on from the "
            "feed's beginning (leave the cursor out).",
        )


def _limit() -> int:
    text = request.args.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_LIMIT and len(text) < 9):
        raise Problem(400, "limit_malformed", f"limit must be a whole number from 1 to {MAX_LIMIT}.")
    return int(text)
