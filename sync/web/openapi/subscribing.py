"""The feed's and the subscriptions' part of the OpenAPI document. Data for `document`."""

from __future__ import annotations

from sync.states import ChangeType, SubscriptionContent, SubscriptionState
from sync.web.openapi.operations import REFUSED, SERVICE, WITH_BODY, ok, operation, path, query
from sync.web.openapi.schemas import (
    FLAG,
    INSTANT,
    NUMBER,
    TEXT,
    UUID,
    Schema,
    list_of,
    maybe,
    named,
    one_of,
    shape,
)

_CURSOR: Schema = {
    "type": "string",
    "pattern": "^evt_[0-9]{1,18}$",
    "description": "The next of a page, or an event's id; evt_0 is the beginning.",
}
_TYPES = {**maybe(list_of(one_of(*ChangeType))), "minItems": 1, "description": "Null: all."}
_URL: Schema = {
    "type": "string",
    "maxLength": 2048,
    "description": "https, at a public address; in development also plain http on this machine.",
}
_CONTENT = {**one_of(*SubscriptionContent), "description": "full: with the row as it is at the time of the attempt."}
_ID = (path("subscription_id", UUID),)

SCHEMAS: dict[str, Schema] = {
    "Feed": shape(
        events=list_of(shape(id=_CURSOR, type=one_of(*ChangeType), timestamp=INSTANT, data={"type": "object"})),
        next=_CURSOR,
    ),
    "NewSubscription": shape(id=UUID, secret={**TEXT, "description": "Shown once."}),
    "Subscription": {
        **shape(
            id=UUID,
            url=TEXT,
            types=maybe(list_of(TEXT)),
            content=one_of(*SubscriptionContent),
            state=one_of(*SubscriptionState),
            state_reason=maybe(TEXT),
            state_at=INSTANT,
            not_before=maybe(INSTANT),
            failures_in_a_row=NUMBER,
            last_success_at=maybe(INSTANT),
            last_failure_at=maybe(INSTANT),
            last_status=maybe(NUMBER),
            last_error_code=maybe(TEXT),
            pending=NUMBER,
            dead=NUMBER,
            created_at=INSTANT,
            updated_at=INSTANT,
            next=_CURSOR,
            secret={**TEXT, "description": "Of a rotation alone; shown once."},
        ),
    },
    "Subscriptions": shape(subscriptions=list_of(named("Subscription"))),
    "Tested": shape(delivered=FLAG, status=maybe(NUMBER), error=maybe(TEXT), duration_ms=NUMBER),
    "Replayed": shape(replayed=NUMBER),
}
_subscription = SCHEMAS["Subscription"]
_subscription["required"] = [name for name in _subscription["required"] if name != "secret"]


def _body(*required: str, **fields: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": fields, **({"required": list(required)} if required else {})}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


_MADE: Schema = {"201": {"description": "Made.", "content": {"application/json": {"schema": named("NewSubscription")}}}}

PATHS: dict[str, dict[str, Schema]] = {
    "/functions/v1/events": {
        "get": operation(
            "What changed, in order, after a cursor.",
            SERVICE,
            ok("Feed"),
            (*REFUSED, 400, 410),
            parameters=(
                query("after", _CURSOR),
                query("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}),
            ),
        )
    },
    "/functions/v1/subscriptions": {
        "get": operation("All subscriptions, and how they stand.", SERVICE, ok("Subscriptions"), REFUSED),
        "post": operation(
            "Be told of changes by signed POST, from now on or from a cursor.",
            SERVICE,
            _MADE,
            (*REFUSED, *WITH_BODY, 409, 410, 422),
            body=_body("url", url=_URL, types=_TYPES, content=_CONTENT, after=maybe(_CURSOR)),
        ),
    },
    "/functions/v1/subscriptions/{subscription_id}": {
        "get": operation("How a subscription stands.", SERVICE, ok("Subscription"), (*REFUSED, 404), parameters=_ID),
        "patch": operation(
            "Change a subscription, or its secret.",
            SERVICE,
            ok("Subscription"),
            (*REFUSED, *WITH_BODY, 404, 422),
            parameters=_ID,
            body=_body(
                url=_URL,
                types=_TYPES,
                content=_CONTENT,
                state=one_of(*SubscriptionState),
                rotate_secret={"type": "boolean", "description": "The one before signs too for a day."},
            ),
        ),
        "delete": operation(
            "End a subscription.", SERVICE, {"204": {"description": "Gone."}}, (*REFUSED, 404), parameters=_ID
        ),
    },
    "/functions/v1/subscriptions/{subscription_id}/test": {
        "post": operation(
            "Send a test event now, and tell what was answered.", SERVICE, ok("Tested"), (*REFUSED, 404), parameters=_ID
        )
    },
    "/functions/v1/subscriptions/{subscription_id}/replay": {
        "post": operation(
            "Send again: one event, or those after a cursor, up to before another.",
            SERVICE,
            ok("Replayed"),
            (*REFUSED, *WITH_BODY, 404),
            parameters=_ID,
            body=_body(event=_CURSOR, after=_CURSOR, before=maybe(_CURSOR)),
        )
    },
}
