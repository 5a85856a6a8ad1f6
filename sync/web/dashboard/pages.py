"""/dashboard: what an operator looks at. Each route is one call of the store or two, and a template.

Registered by `app`. The door stands in `sessions`, what is done by hand in `deeds`.
"""

from __future__ import annotations

import datetime as dt
import uuid

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sync.clients.store import Store
from sync.core.operations.formatting import moment
from sync.core.operations.words import LAPSES, verdict
from sync.jobs.services import Services
from sync.states import CalendarState
from sync.web.dashboard import assets, deeds, rendering, sign_in
from sync.web.dashboard.operators import Operators
from sync.web.dashboard.sessions import require_session
from sync.web.doors.problems import Problem

ROWS = 50
HISTORY_HOURS = (2, 24, 24 * 7, 24 * 30)

blueprint = Blueprint("dashboard", __name__, url_prefix="/dashboard", template_folder="templates")
blueprint.before_request(require_session)
blueprint.after_request(rendering.secure)
sign_in.register(blueprint)
deeds.register(blueprint)


def register(app: Flask, operators: Operators, version: str) -> None:
    app.extensions["operators"] = operators
    app.register_blueprint(blueprint)
    rendering.register(app, version)


@blueprint.get("/static/<path:name>", endpoint="asset")
def asset(name: str) -> Response:
    return assets.serve(name)


@blueprint.get("", strict_slashes=False)
def overview() -> ResponseReturnValue:
    services = _services()
    found = services.store.overview.read()
    states = sorted(found["calendars"]["by_state"].items(), key=lambda state: -state[1])
    return rendering.page(
        "overview",
        overview=found,
        verdict=verdict(found),
        states=states,
        lapses=[(name, found["channels"].get(name, 0)) for name in LAPSES],
        standing=services.store.operators.standing(),
        settings=services.settings,
    )


@blueprint.get("/history.json")
def history() -> ResponseReturnValue:
    """What the charts draw."""
    hours = request.args.get("hours", type=int)
    if hours not in HISTORY_HOURS:
        detail = f"hours must be one of {', '.join(map(str, HISTORY_HOURS))}."
        raise Problem(422, "hours_unknown", detail)
    return jsonify(_store().operators.history(hours))


@blueprint.get("/calendars")
def calendars() -> ResponseReturnValue:
    sought = request.args.get("q", "").strip()
    state = request.args.get("state", "")
    user_id = _uuid_or_none(sought)
    found, following = _store().overview.calendars(
        user_id=user_id,
        account=sought.lower() if sought and user_id is None else None,
        states=[state] if state in set(CalendarState) else None,
        after=_uuid_or_none(request.args.get("after", "")),
        limit=ROWS,
    )
    return rendering.page(
        "calendars", calendars=found, following=following, sought=sought, state=state, states=list(CalendarState)
    )


@blueprint.get("/calendars/<uuid:calendar_id>", endpoint="calendars_one")
def calendar(calendar_id: uuid.UUID) -> ResponseReturnValue:
    store = _store()
    found = store.operators.calendar(str(calendar_id))
    if found is None:
        raise Problem(404, "not_found", "There is no such calendar: it was removed, or its user was.")
    entries = store.overview.timeline(str(calendar_id), _before(), ROWS)
    return rendering.page(
        "calendars_one", calendar=found, entries=entries, following=entries[-1] if len(entries) == ROWS else None
    )


@blueprint.get("/errors")
def errors() -> ResponseReturnValue:
    hours = request.args.get("hours", default=24, type=int)
    hours = hours if hours in HISTORY_HOURS else 24
    return rendering.page("errors", causes=_store().overview.failure_causes(hours), hours=hours, choices=HISTORY_HOURS)


@blueprint.get("/deliveries")
def deliveries() -> ResponseReturnValue:
    store = _store()
    subscription_id = _uuid_or_none(request.args.get("subscription", ""))
    return rendering.page(
        "deliveries",
        bots=store.operators.bot_requests(request.args.get("bots", ""), ROWS),
        subscriptions=store.subscriptions.read(),
        chosen=subscription_id,
        sent=store.operators.deliveries(subscription_id, ROWS) if subscription_id else [],
    )


@blueprint.get("/alerts")
def alerts() -> ResponseReturnValue:
    return rendering.page("alerts", **_store().operators.alerts(ROWS))


@blueprint.get("/actions")
def actions() -> ResponseReturnValue:
    before = _before()
    found = _store().operators.actions(
        before=(before[0].isoformat(), before[1]) if before and _uuid_or_none(before[1]) else None, limit=ROWS
    )
    return rendering.page("actions", actions=found, following=found[-1] if len(found) == ROWS else None)


def _before() -> tuple[dt.datetime, str] | None:
    """Where the page goes on: after the last row of the one before. What cannot be read begins anew."""
    try:
        at = moment(request.args.get("at", ""))
    except ValueError:
        return None
    return (at, request.args.get("key", "")) if at and at.tzinfo else None


def _uuid_or_none(given: str) -> str | None:
    try:
        return str(uuid.UUID(given))
    except ValueError:
        return None


def _services() -> Services:
    found: Services = current_app.extensions["services"]
    return found


def _store() -> Store:
    return _services().store
