"""GET /openapi.json: what may be asked, how, and every answer. Written by hand, held true by tests/web/openapi.

A new route has its entry in PATHS.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, jsonify
from flask.typing import ResponseReturnValue

from sync.bot_model import BotProviderName
from sync.jobs.services import Services
from sync.version import VERSION
from sync.web.openapi import subscribing
from sync.web.openapi.operations import (
    ANYBODY,
    FIELDS,
    REFUSED,
    SCRAPER,
    SERVICE,
    SERVICE_OR_USER,
    USER,
    USER_ID,
    WITH_BODY,
    body_of,
    header,
    ok,
    operation,
    path,
    query,
)
from sync.web.openapi.schemas import SCHEMAS, TEXT, UUID, Schema, one_of

blueprint = Blueprint("openapi", __name__)

_REDIRECT: Schema = {
    "303": {
        "description": "On to Google, or back to the app with the outcome in the query.",
        "headers": {"Location": {"schema": TEXT, "required": True}},
    }
}
_REMOVE = operation(
    "Watch calendars no more.",
    SERVICE_OR_USER,
    ok("Removed"),
    (*REFUSED, *WITH_BODY, 403, 409, 422, 502),
    body=body_of("calendarIds", optional=("userId", "meetings")),
)
_CONSENT = ("redirect_to", "login_hint", "prompt")

PATHS: dict[str, dict[str, Schema]] = {
    "/functions/v1/google-calendar-webhook": {
        "post": operation(
            "Google's notification. The channel token is the credential.",
            ANYBODY,
            {"204": {"description": "Noted; the work follows."}},
            (*REFUSED, 400),
            parameters=(
                header("X-Goog-Channel-ID"),
                header("X-Goog-Channel-Token"),
                header("X-Goog-Resource-ID"),
                header("X-Goog-Resource-State", one_of("sync", "exists", "not_exists")),
                header("X-Goog-Message-Number", required=False),
            ),
        )
    },
    "/functions/v1/bot-status/{provider}": {
        "post": operation(
            "What a provider of bots tells of one. Its signature is the credential, in headers of its own.",
            ANYBODY,
            {"204": {"description": "Taken, or about nothing of ours."}},
            (*REFUSED, 404, 413),
            body={"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            parameters=(path("provider", one_of(*BotProviderName)),),
        )
    },
    "/functions/v1/calendar-polling-service": {
        "post": operation(
            "Poll one user's calendars now.",
            SERVICE_OR_USER,
            ok("Poll"),
            (*REFUSED, *WITH_BODY, 403, 404, 409, 502),
            body=body_of(optional=("userId", "force")),
        )
    },
    "/functions/v1/calendar-polling-cron": {
        "post": operation("Sync what is due, within a time budget.", SERVICE, ok("Sweep"), REFUSED)
    },
    "/functions/v1/renew-calendar-watches": {
        "post": operation("Open and renew push channels.", SERVICE, ok("Renewal"), REFUSED)
    },
    "/functions/v1/connect-calendar": {
        "post": operation(
            "A user's grant arrives.",
            SERVICE_OR_USER,
            ok("Connected"),
            (*REFUSED, *WITH_BODY, 403, 404, 409, 422, 502),
            body=body_of("provider_refresh_token", optional=("userId", "provider_token", "calendarIds")),
        )
    },
    "/functions/v1/calendars": {
        "get": operation(
            "The user's Google calendars, and which are watched.",
            SERVICE_OR_USER,
            ok("Choices"),
            (*REFUSED, 400, 403, 409, 502),
            parameters=(query("userId", USER_ID),),
        ),
        "post": operation(
            "Watch more calendars.",
            SERVICE_OR_USER,
            ok("Watched"),
            (*REFUSED, *WITH_BODY, 403, 409, 422, 502),
            body=body_of("calendarIds", optional=("userId",)),
        ),
        "delete": _REMOVE,
    },
    "/functions/v1/calendars/remove": {"post": _REMOVE},
    "/functions/v1/explain": {
        "get": operation(
            "Why a meeting stands as it does, or why an event has none. Ask with one of the two.",
            SERVICE_OR_USER,
            ok("Explanations"),
            (*REFUSED, 400, 404),
            parameters=(query("meeting", UUID), query("event", {**TEXT, "maxLength": 1100})),
        )
    },
    **subscribing.PATHS,
    "/connect/google": {
        "get": operation(
            "To Google's consent page.",
            USER,
            _REDIRECT,
            (*REFUSED, 400, 403, 404, 501),
            parameters=tuple(query(name, FIELDS[name]) for name in _CONSENT),
        ),
        "post": operation(
            "The consent page's address, for a front end to go to.",
            USER,
            ok("Consent"),
            (*REFUSED, *WITH_BODY, 403, 404, 501),
            body=body_of(optional=_CONSENT),
        ),
    },
    "/connect/google/callback": {
        "get": operation(
            "Back from Google, and on to the app with a handle. Connects nothing. The state is the credential.",
            ANYBODY,
            _REDIRECT,
            (400, 503),
            parameters=tuple(query(name, TEXT) for name in ("state", "code", "error")),
        )
    },
    "/connect/google/complete": {
        "post": operation(
            "The user who began connects what they consented to.",
            USER,
            ok("Connected"),
            (*REFUSED, *WITH_BODY, 403, 404, 409, 422, 502),
            body=body_of("handle"),
        )
    },
    "/connect/google/disconnect": {
        "post": operation(
            "Stop everything for a user and give their grant back.",
            SERVICE_OR_USER,
            ok("Disconnected"),
            (*REFUSED, *WITH_BODY, 403, 409),
            body=body_of(optional=("userId", "meetings")),
        )
    },
    "/healthz": {"get": operation("The process lives.", ANYBODY, ok("Health"), ())},
    "/readyz": {"get": operation("It can do its work.", ANYBODY, ok("Health"), (503,))},
    "/metrics": {
        "get": operation(
            "Figures for Prometheus.",
            SCRAPER,
            {"200": {"description": "Its text format.", "content": {"text/plain": {"schema": TEXT}}}},
            (*REFUSED, 404),
        )
    },
    "/openapi.json": {
        "get": operation(
            "This document.",
            ANYBODY,
            {"200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}},
            (),
        )
    },
}


def document(servers: tuple[str, ...] = ()) -> dict[str, Any]:
    """`servers`: where the service is reached; without any, where the document came from."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hybrid calendar monitor",
            "version": VERSION,
            "description": "Keeps `meetings` true to Google Calendar. Every refusal is application/problem+json.",
        },
        **({"servers": [{"url": server} for server in servers]} if servers else {}),
        "paths": PATHS,
        "components": {
            "schemas": {**SCHEMAS, **subscribing.SCHEMAS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Service key, or cron secret."},
                "apikey": {"type": "apiKey", "in": "header", "name": "apikey", "description": "The same."},
                "userJwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "metricsToken": {"type": "http", "scheme": "bearer", "description": "METRICS_TOKEN."},
            },
        },
    }


@blueprint.get("/openapi.json")
def show() -> ResponseReturnValue:
    services: Services = current_app.extensions["services"]
    return jsonify(document(tuple(services.settings.webhook_base_urls.values())))
