"""/connect/google: to Google's consent page, back from it, completed by who began it, and out again.

A browser's navigation carries no Authorization header, so a front end POSTs with the user's JWT and navigates to the
`url` it gets; whoever can send the header with a GET is redirected. Google's callback carries no JWT: so it connects
nothing, and the app's page completes what came back with the JWT of whoever is signed in there. `guard` sees to it that
nothing here is cached or passed on as a referrer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Blueprint, current_app, jsonify, redirect, request
from flask.typing import ResponseReturnValue

from sync.core.accounts.oauth_flow import connected_notice
from sync.errors import RetryLater
from sync.jobs.accounts.complete_google import CodeRefused, NoRefreshToken, NotCompleted, complete_flow
from sync.jobs.accounts.connect_calendar import ScopeMissing, UnknownUser
from sync.jobs.accounts.connect_google import (
    ConnectNotConfigured,
    RedirectNotAllowed,
    StateInvalid,
    begin_flow,
    park_return,
)
from sync.jobs.accounts.disconnect import disconnect
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.states import ConnectionStatus
from sync.web.accounts.connect import connect_refusals, connected_json
from sync.web.doors.auth import who_calls
from sync.web.doors.body import json_object, meetings_choice, text
from sync.web.doors.guard import mark_proven
from sync.web.doors.problems import Problem
from sync.web.doors.turns import users_turn

blueprint = Blueprint("connect_google", __name__)

MAX_URL_LENGTH = 2048
MAX_EMAIL_LENGTH = 320
# Of a signed state and of a code; Google's codes have at most 256 bytes.
MAX_STATE_LENGTH = 4096
MAX_CODE_LENGTH = 1024
MAX_HANDLE_LENGTH = 100


@blueprint.get("/connect/google")
def go() -> ResponseReturnValue:
    return redirect(_consent_url(dict(request.args.items())), 303)


@blueprint.post("/connect/google")
def tell_where_to_go() -> ResponseReturnValue:
    return jsonify(success=True, url=_consent_url(None))


def _consent_url(asked: dict[str, str] | None) -> str:
    """`asked`: of the query; None: of the JSON body, which is read once the caller is known."""
    caller = who_calls()
    if caller.user_id is None:
        raise Problem(403, "user_needed", "Send the user's own JWT: only they can connect their Google account here.")
    fields = json_object() if asked is None else asked
    prompt = text(fields, "prompt", 20)
    if prompt not in (None, "consent"):
        raise Problem(400, "prompt_malformed", 'prompt must be "consent", or left out.')
    services: Services = current_app.extensions["services"]
    try:
        return begin_flow(
            services,
            caller.user_id,
            text(fields, "redirect_to", MAX_URL_LENGTH),
            login_hint=text(fields, "login_hint", MAX_EMAIL_LENGTH),
            email=caller.email,
            force_consent=prompt is not None,
        )
    except ConnectNotConfigured:
        raise Problem(
            501, "connect_not_configured", "Set CONNECT_REDIRECT_URLS to the pages users may return to."
        ) from None
    except RedirectNotAllowed:
        raise Problem(
            400, "redirect_not_allowed", "redirect_to must be one of CONNECT_REDIRECT_URLS, to the letter."
        ) from None
    except UnknownUser:
        raise Problem(404, "user_unknown", "The signed-in user does not exist any more.") from None


@blueprint.get("/connect/google/callback")
def come_back() -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    state, code = request.args.get("state", ""), request.args.get("code", "")
    try:
        if len(state) > MAX_STATE_LENGTH:
            raise StateInvalid("state_invalid")
        good_code = code if len(code) <= MAX_CODE_LENGTH and code.isascii() and code.isprintable() else ""
        end = park_return(services, state, good_code or None, request.args.get("error"))
    except StateInvalid:
        raise Problem(
            400,
            "state_invalid",
            "This is no return from a connection that began here; begin again in the app.",
            suspicion="bad_state",
        ) from None
    if end.is_taken:
        # A used or expired state is somebody's who has seen it once.
        mark_proven("browser")
    return redirect(end.redirect_to, 303)


@blueprint.post("/connect/google/complete")
def complete() -> ResponseReturnValue:
    caller = who_calls()
    if caller.user_id is None:
        raise Problem(403, "user_needed", "Send the JWT of the user who began: only they can complete it.")
    handle = text(json_object(), "handle", MAX_HANDLE_LENGTH)
    if handle is None:
        raise Problem(400, "handle_missing", "Send handle, as it stood in the URL that the consent led back to.")
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    with users_turn(caller.user_id), _refusals():
        done = complete_flow(services, caller.user_id, handle)
    for calendar in done.calendars:
        driver.sync_soon(calendar.calendar_id)
    return jsonify(
        success=True,
        message=connected_notice(done.google_account),
        google_account=done.google_account,
        calendars=[connected_json(calendar) for calendar in done.calendars],
    )


# By the failure's code. All say how it goes on, for the handle is spent.
_REFUSALS = {
    "handle_used": (400, "This handle was used, or never given out; begin again in the app."),
    "handle_expired": (400, "This handle is too old; begin again in the app."),
    "code_refused": (422, "Google does not accept the consent any more; begin again in the app."),
    "scope_missing": (422, "Not everything that Google's page asked for was ticked; begin again and leave it ticked."),
    "no_refresh_token": (422, 'Google gave no lasting access; begin again with "prompt": "consent".'),
}


@contextmanager
def _refusals() -> Iterator[None]:
    """What completing refuses, as problems with a mend."""
    with connect_refusals():
        try:
            yield
        except (NotCompleted, CodeRefused, ScopeMissing, NoRefreshToken) as refused:
            raise _problem(refused.code) from None
        except RetryLater:
            raise Problem(
                503, "google_unavailable", "Google does not answer now; begin again in the app.", {"Retry-After": "30"}
            ) from None


def _problem(code: str) -> Problem:
    if code == "handle_other_user":
        return Problem(
            403,
            "not_your_flow",
            "Somebody else began this connection, so nothing was connected. Whoever sent you the link may not have "
            "meant well; to connect your own calendar, begin in the app.",
            suspicion="other_user",
        )
    status, detail = _REFUSALS[code]
    return Problem(status, code, detail)


@blueprint.post("/connect/google/disconnect")
def leave() -> ResponseReturnValue:
    caller = who_calls()
    body = json_object()
    user_id = caller.acts_for(body.get("userId"))
    meetings = meetings_choice(body)
    services: Services = current_app.extensions["services"]
    with users_turn(user_id):
        left = disconnect(services, user_id, meetings)
    return jsonify(
        success=True,
        message=f"{left.calendars} calendars are watched no more; no token is kept.",
        status=ConnectionStatus.DISCONNECTED,
        calendars=left.calendars,
        meetings=meetings,
        channels_stopped=left.stopped,
        channels_left=left.left,
        revoked=left.revoked,
        revoke_error=left.revoke_error,
    )
