"""GET /functions/v1/explain?meeting=<id> or ?event=<Google's id>: why a meeting stands as it does, or why there is
none.

For the service, and for a signed-in user about their own calendars; what is not theirs does not exist for them.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sync.jobs.services import Services
from sync.jobs.syncing.explain_meeting import Explanation, explain_event, explain_meeting
from sync.web.doors.auth import who_calls
from sync.web.doors.long_work import long_work
from sync.web.doors.problems import Problem

blueprint = Blueprint("explain", __name__)

MAX_EVENT_ID_LENGTH = 1100


@blueprint.get("/functions/v1/explain")
def explain() -> ResponseReturnValue:
    caller = who_calls()
    services: Services = current_app.extensions["services"]
    meeting_id, event_id = request.args.get("meeting"), request.args.get("event")
    if bool(meeting_id) == bool(event_id):
        raise Problem(400, "question_missing", "Ask with ?meeting=<id of a row> or ?event=<Google's event id>.")
    if event_id:
        if len(event_id) > MAX_EVENT_ID_LENGTH or "\x00" in event_id:
            raise Problem(400, "event_malformed", "event must be Google's id of an event or instance.")
        with long_work().for_user():
            found = explain_event(services, event_id, caller.user_id)
        return jsonify(success=True, explanations=[_shown(each) for each in found])
    try:
        with long_work().for_user():
            explanation = explain_meeting(services, str(uuid.UUID(meeting_id)))
    except ValueError:
        raise Problem(400, "meeting_malformed", "meeting must be the id of a row of meetings, a UUID.") from None
    if explanation is None or caller.user_id not in (None, explanation.user_id):
        tried = "other_user" if explanation else None
        raise Problem(404, "meeting_unknown", "There is no such meeting.", suspicion=tried)
    return jsonify(success=True, explanations=[_shown(explanation)])


def _shown(explanation: Explanation) -> dict[str, Any]:
    return {
        "calendar": explanation.calendar,
        "meeting": {name: _json(value) for name, value in (explanation.meeting or {}).items()} or None,
        "because": [{"at": _json(step.at), "code": step.code, "text": step.text} for step in explanation.steps],
    }


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
