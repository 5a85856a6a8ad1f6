"""/functions/v1/calendars: a connected user's Google calendars, and which of them are watched.

For the user themselves, and for the service about anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sync.errors import CalendarLost, ReconnectNeeded, RequestRejected
from sync.jobs.accounts.choose_calendars import Choice, NotConnected, add_calendars, list_choices, remove_calendars
from sync.jobs.accounts.connect_calendar import TooManyCalendars, UnknownCalendars
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.states import Watch
from sync.web.accounts.connect import connected_json
from sync.web.doors.auth import who_calls
from sync.web.doors.body import calendar_ids, json_object, meetings_choice
from sync.web.doors.problems import Problem
from sync.web.doors.turns import users_turn

blueprint = Blueprint("calendars", __name__)

PATH = "/functions/v1/calendars"


@blueprint.get(PATH)
def list_them() -> ResponseReturnValue:
    user_id = who_calls().acts_for(request.args.get("userId"))
    with users_turn(user_id), _refusals():
        choices = list_choices(_services(), user_id)
    return jsonify(success=True, calendars=[_shown(choice) for choice in choices])


@blueprint.post(PATH)
def add() -> ResponseReturnValue:
    user_id, wanted, _ = _asked()
    with users_turn(user_id), _refusals():
        added = add_calendars(_services(), user_id, wanted)
    driver: Driver = current_app.extensions["driver"]
    for calendar in added:
        driver.sync_soon(calendar.calendar_id)
    return jsonify(
        success=True,
        message=f"{len(added)} calendars are watched.",
        calendars=[connected_json(calendar) for calendar in added],
    )


@blueprint.delete(PATH)
@blueprint.post(f"{PATH}/remove")
def remove() -> ResponseReturnValue:
    """Under two names, because some proxies drop the body of a DELETE."""
    user_id, wanted, body = _asked()
    meetings = meetings_choice(body)
    with users_turn(user_id), _refusals():
        removed = remove_calendars(_services(), user_id, wanted, meetings)
    return jsonify(
        success=True,
        message=f"{len(removed)} calendars are watched no more.",
        removed=removed,
        meetings=meetings,
    )


def _asked() -> tuple[str, list[str], dict[str, Any]]:
    caller = who_calls()
    body = json_object()
    user_id = caller.acts_for(body.get("userId"))
    wanted = calendar_ids(body, "calendarIds")
    if not wanted:
        raise Problem(400, "calendar_ids_missing", 'Send calendarIds, a list of calendar ids such as ["primary"].')
    return user_id, wanted, body


def _shown(choice: Choice) -> dict[str, Any]:
    own, entry = choice.own, choice.entry
    return {
        "id": choice.google_calendar_id,
        "summary": entry.get("summaryOverride") or entry.get("summary"),
        "primary": bool(entry.get("primary")),
        "access_role": entry.get("accessRole"),
        "time_zone": entry.get("timeZone"),
        "connected": own is not None,
        "watch": choice.watch,
        "reason": own.unwatched_reason if own and choice.watch is Watch.POLLED else None,
        "initial_sync": own.initial_sync if own else None,
        "initial_events": own.initial_events if own else None,
        "initial_meetings": own.initial_meetings if own else None,
    }


@contextmanager
def _refusals() -> Iterator[None]:
    """What the jobs refuse, as problems with a mend."""
    try:
        yield
    except NotConnected as missing:
        raise Problem(409, missing.code, "There is no working connection to Google; connect first.") from None
    except TooManyCalendars as too_many:
        raise Problem(
            422, too_many.code, f"A user may have {too_many.detail} calendars watched; remove others first."
        ) from None
    except UnknownCalendars as unknown:
        named = ", ".join(unknown.ids)
        raise Problem(
            422, "calendar_unknown", f"calendarIds holds ids that this user does not have: {named}."
        ) from None
    except ReconnectNeeded as dead:
        if dead.code == "scope_missing":
            raise Problem(
                409, "scope_missing", "The grant lacks calendar.calendarlist.readonly; connect again and grant it."
            ) from None
        raise Problem(409, "needs_reauth", f"Google ended the grant ({dead.code}); connect again.") from None
    except (CalendarLost, RequestRejected) as refused:
        raise Problem(
            502, "google_refused", f"Google refuses to list this user's calendars ({refused.code})."
        ) from None


def _services() -> Services:
    services: Services = current_app.extensions["services"]
    return services
