"""POST routes of /dashboard: what an operator does by hand. Each is one `operate`, which writes who did it.

Only the acting role comes here, and only from a form of this session (`sessions`). Afterwards the browser is sent
back to the page that the form stood on, which says what came of it.
"""

from __future__ import annotations

import uuid

from flask import Blueprint, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.states import Lane
from sync.web.dashboard import notices
from sync.web.dashboard.sessions import current
from sync.web.doors.problems import Problem

# Of one press; pressed again, the next come.
AT_ONCE = 10_000
_OF_CALENDARS = frozenset({"poll", "resync", "reopen"})
_OF_LANES = {"pause": "pause_lane", "resume": "resume_lane"}


def register(blueprint: Blueprint) -> None:
    blueprint.post("/calendars/<uuid:calendar_id>/<what>", endpoint="act_on_calendar")(_on_calendar)
    blueprint.post("/lanes/<lane>/<what>", endpoint="act_on_lane")(_on_lane)
    blueprint.post("/errors/retry", endpoint="retry_cause")(_retry_cause)
    blueprint.post("/bots/retry", endpoint="retry_bots")(_retry_bots)
    blueprint.post("/subscriptions/<uuid:subscription_id>/retry", endpoint="retry_deliveries")(_retry_deliveries)
    blueprint.post("/subscriptions/<uuid:subscription_id>/replay", endpoint="replay")(_replay)


def note(operator: str, action: str) -> None:
    """Writes down who came or went. Raises the store's failures: who cannot be written down does not come in."""
    services: Services = current_app.extensions["services"]
    services.store.operators.act(operator=operator, door="dashboard", action=action)


def _on_calendar(calendar_id: uuid.UUID, what: str) -> ResponseReturnValue:
    if what not in _OF_CALENDARS:
        raise Problem(404, "not_found", "There is no such action.")
    answer = _done(what, str(calendar_id), url_for("dashboard.calendars_one", calendar_id=calendar_id))
    # At once, by this process; whatever becomes of it, the row is due for every other.
    driver: Driver = current_app.extensions["driver"]
    if what == "reopen":
        driver.renew_soon(str(calendar_id))
    else:
        driver.sync_soon(str(calendar_id))
    return answer


def _on_lane(lane: str, what: str) -> ResponseReturnValue:
    if lane not in set(Lane) or what not in _OF_LANES:
        raise Problem(404, "not_found", "There is no such lane or action.")
    return _done(_OF_LANES[what], lane, url_for("dashboard.overview"))


def _retry_cause() -> ResponseReturnValue:
    cause = request.form.get("cause", "")
    if not 0 < len(cause) <= 200:
        raise Problem(422, "cause_missing", "The form names no cause.")
    return _done("retry_cause", cause, url_for("dashboard.errors"))


def _retry_bots() -> ResponseReturnValue:
    request_id = request.form.get("request", "")
    if not request_id:
        return _done("retry_bots", "", url_for("dashboard.deliveries"))
    return _done("retry_bot", str(_uuid(request_id)), url_for("dashboard.deliveries"))


def _retry_deliveries(subscription_id: uuid.UUID) -> ResponseReturnValue:
    return _done("retry_deliveries", str(subscription_id), _deliveries_of(subscription_id))


def _replay(subscription_id: uuid.UUID) -> ResponseReturnValue:
    """One event (`position`), or all from one position to another (`from`, `to`)."""
    one = request.form.get("position", type=int)
    first, last = request.form.get("from", one, type=int), request.form.get("to", one, type=int)
    if first is None or last is None or not 0 < first <= last < 2**62:
        raise Problem(422, "range_malformed", "Give two positions of the feed, the first not after the last.")
    range_ = {"after": first - 1, "upto": last}
    return _done("replay", str(subscription_id), _deliveries_of(subscription_id), range_)


def _deliveries_of(subscription_id: uuid.UUID) -> str:
    return url_for("dashboard.deliveries", subscription=subscription_id)


def _done(action: str, target: str, back: str, params: dict[str, int] | None = None) -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    deed = services.store.operators.act(
        operator=current().name, door="dashboard", action=action, target=target, params=params, limit=AT_ONCE
    )
    services.log.info("operator_acted", operator=current().name, action=action, target=target, outcome=deed.outcome)
    mark = "&" if "?" in back else "?"
    return redirect(f"{back}{mark}did={notices.code(action, deed.outcome, deed.affected)}", 303)


def _uuid(given: str) -> uuid.UUID:
    try:
        return uuid.UUID(given)
    except ValueError:
        raise Problem(422, "request_malformed", "The form names no request's id.") from None
