"""POST /functions/v1/connect-calendar: a user's grant arrives, from the front end after sign-in or from an operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.errors import ReconnectNeeded, RequestRejected
from sync.jobs.accounts.connect_calendar import (
    Connected,
    ScopeMissing,
    TooManyCalendars,
    UnknownCalendars,
    UnknownUser,
    connect_calendars,
)
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.web.doors.auth import who_calls
from sync.web.doors.body import calendar_ids, json_object, token
from sync.web.doors.problems import Problem
from sync.web.doors.turns import users_turn

blueprint = Blueprint("connect", __name__)


@blueprint.post("/functions/v1/connect-calendar")
def connect() -> ResponseReturnValue:
    caller = who_calls()
    body = json_object()
    user_id = caller.acts_for(body.get("userId"))
    refresh_token = token(body, "provider_refresh_token")
    wanted = calendar_ids(body, "calendarIds")
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    with users_turn(user_id), connect_refusals():
        # Who connects themselves is told; an operator tells the users they bring.
        done = connect_calendars(services, user_id, refresh_token, wanted, tells=caller.user_id is not None)
    for calendar in done.calendars:
        driver.sync_soon(calendar.calendar_id)
    return jsonify(
        success=True,
        message=f"{len(done.calendars)} calendar{'s' * (len(done.calendars) != 1)} connected.",
        google_account=done.google_account,
        calendars=[connected_json(calendar) for calendar in done.calendars],
    )


@contextmanager
def connect_refusals() -> Iterator[None]:
    """What connecting refuses, as problems with a mend."""
    try:
        yield
    except ScopeMissing:
        raise Problem(
            422,
            "scope_missing",
            "The sign-in did not grant calendar.events.readonly; sign in with Google again and leave the box ticked.",
        ) from None
    except ReconnectNeeded as dead:
        raise Problem(
            422,
            "grant_refused",
            f"Google does not accept provider_refresh_token ({dead.code}); sign in with Google again.",
        ) from None
    except RequestRejected as refused:
        raise Problem(
            502,
            "google_project_refused",
            f"Google refuses this service ({refused.code}): check GOOGLE_CLIENT_ID, its secret and the project's APIs.",
        ) from None
    except TooManyCalendars as too_many:
        raise Problem(
            422, too_many.code, f"A user may have {too_many.detail} calendars watched; remove others first."
        ) from None
    except UnknownCalendars as unknown:
        raise Problem(
            422,
            "calendar_unknown",
            f"calendarIds holds ids that are not in this user's list: {', '.join(unknown.ids)}.",
        ) from None
    except UnknownUser:
        raise Problem(404, "user_unknown", "userId is no user of this project.") from None


def connected_json(calendar: Connected) -> dict[str, str | None]:
    """How a calendar that was just taken into watching is shown."""
    return {
        "id": calendar.calendar_id,
        "google_calendar_id": calendar.google_calendar_id,
        "watch": calendar.watch,
        "expires_at": calendar.expires_at,
        "reason": calendar.reason,
    }
