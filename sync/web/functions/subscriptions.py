"""/functions/v1/subscriptions: who is told of changes, by signed POST. For the operator.

A secret is shown once, in the answer that made it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.core.events.bodies import event_id
from sync.jobs.events import subscribe as subscribing
from sync.jobs.services import Services
from sync.states import ChangeType, SubscriptionContent, SubscriptionState
from sync.web.doors.auth import require_operator
from sync.web.doors.body import flag, json_object
from sync.web.doors.long_work import long_work
from sync.web.doors.problems import Problem
from sync.web.functions.events import cursor

blueprint = Blueprint("subscriptions", __name__)

PATH = "/functions/v1/subscriptions"
# Of what is shown, what comes from the row as it is.
_SHOWN = (
    "id", "url", "types", "content", "state", "state_reason", "state_at", "not_before", "failures_in_a_row",
    "last_success_at", "last_failure_at", "last_status", "last_error_code", "pending", "dead", "created_at",
    "updated_at",
)  # fmt: skip


@blueprint.get(PATH)
def list_them() -> ResponseReturnValue:
    require_operator()
    return jsonify(subscriptions=[_shown(row) for row in _services().store.subscriptions.read()])


@blueprint.post(PATH)
def add() -> ResponseReturnValue:
    require_operator()
    body = json_object()
    url = _url(body)
    if url is None:
        raise Problem(400, "url_missing", "Send url, where events are to be sent.")
    after = body.get("after")
    with _refusals():
        subscription_id, secret = subscribing.subscribe(
            _services(),
            url,
            types=_types(body),
            content=_content(body) or SubscriptionContent.IDS,
            after=None if after is None else cursor(after, "after"),
        )
    return jsonify(id=subscription_id, secret=secret), 201


@blueprint.get(f"{PATH}/<subscription_id>")
def show(subscription_id: str) -> ResponseReturnValue:
    require_operator()
    found = _services().store.subscriptions.read(_id(subscription_id))
    if not found:
        raise _unknown()
    return jsonify(_shown(found[0]))


@blueprint.patch(f"{PATH}/<subscription_id>")
def change(subscription_id: str) -> ResponseReturnValue:
    require_operator()
    body = json_object()
    changes: dict[str, Any] = {
        name: value
        for name, value in (("url", _url(body)), ("content", _content(body)), ("state", _state(body)))
        if value is not None
    }
    if "types" in body:
        changes["types"] = _types(body)
    with _refusals():
        is_there, secret = subscribing.change(
            _services(), _id(subscription_id), changes, rotate_secret=flag(body, "rotate_secret")
        )
    found = _services().store.subscriptions.read(_id(subscription_id)) if is_there else []
    if not found:
        raise _unknown()
    return jsonify({**_shown(found[0]), **({"secret": secret} if secret else {})})


@blueprint.delete(f"{PATH}/<subscription_id>")
def remove(subscription_id: str) -> ResponseReturnValue:
    require_operator()
    if not _services().store.subscriptions.remove(_id(subscription_id)):
        raise _unknown()
    return "", 204


@blueprint.post(f"{PATH}/<subscription_id>/test")
def send_test(subscription_id: str) -> ResponseReturnValue:
    """Tells what the endpoint answered to a signed event of type subscription.test."""
    require_operator()
    with long_work().for_user():
        answer = subscribing.send_test(_services(), _id(subscription_id))
    if answer is None:
        raise _unknown()
    is_delivered = answer.status is not None and 200 <= answer.status < 300
    return jsonify(
        delivered=is_delivered, status=answer.status, error=answer.error_code, duration_ms=answer.duration_ms
    )


@blueprint.post(f"{PATH}/<subscription_id>/replay")
def replay(subscription_id: str) -> ResponseReturnValue:
    """Of one event (event), or of those after a cursor, up to before it another one (after, before)."""
    require_operator()
    body = json_object()
    if (body.get("event") is None) == (body.get("after") is None):
        raise Problem(400, "after_missing", "Send event, an event's id, or after (and before), cursors.")
    if body.get("event") is not None:
        upto = cursor(body["event"], "event")
        after = upto - 1
    else:
        after = cursor(body["after"], "after")
        upto = cursor(body["before"], "before") - 1 if body.get("before") is not None else 2**62
    with long_work().for_user():
        replayed = subscribing.replay(_services(), _id(subscription_id), after, upto)
    if replayed is None:
        raise _unknown()
    return jsonify(replayed=replayed)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    return {**{name: row[name] for name in _SHOWN}, "next": event_id(row["after_position"])}


def _url(body: dict[str, Any]) -> str | None:
    url = body.get("url")
    if url is not None and not isinstance(url, str):
        raise Problem(400, "url_malformed", "url must be a text: where events are to be sent.")
    return url


def _types(body: dict[str, Any]) -> list[str] | None:
    types = body.get("types")
    if types is None:
        return None
    known = {str(each) for each in ChangeType}
    # Hashing an element of another type would fail.
    if not isinstance(types, list) or not types or not all(isinstance(each, str) and each in known for each in types):
        raise Problem(400, "types_malformed", f"types must be a list of some of {', '.join(ChangeType)}, or null: all.")
    return sorted(set(types))


def _content(body: dict[str, Any]) -> SubscriptionContent | None:
    content = body.get("content")
    if content is None:
        return None
    if not isinstance(content, str) or content not in {str(each) for each in SubscriptionContent}:
        raise Problem(400, "content_malformed", 'content must be "ids" or "full".')
    return SubscriptionContent(content)


def _state(body: dict[str, Any]) -> SubscriptionState | None:
    state = body.get("state")
    if state is None:
        return None
    if not isinstance(state, str) or state not in {str(each) for each in SubscriptionState}:
        raise Problem(400, "state_malformed", 'state must be "enabled" or "disabled".')
    return SubscriptionState(state)


def _id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise _unknown() from None


def _unknown() -> Problem:
    return Problem(404, "subscription_unknown", "There is no such subscription.")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except subscribing.UrlRefused as refused:
        raise Problem(422, "url_refused", f"url {refused.detail}.") from None
    except subscribing.SubscriptionRefused as refused:
        if refused.code == "too_many":
            most = subscribing.MAX_SUBSCRIPTIONS
            raise Problem(409, "too_many_subscriptions", f"There may be {most}; remove others first.") from None
        if refused.code == "ahead":
            detail = "after lies ahead of the feed's end: it is not of this feed."
            raise Problem(400, "after_unknown", detail) from None
        detail = "Events after it are kept no more (EVENT_RETENTION_DAYS); begin with evt_0, which is all that is kept."
        raise Problem(410, "after_expired", detail) from None


def _services() -> Services:
    services: Services = current_app.extensions["services"]
    return services
