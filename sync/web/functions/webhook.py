"""POST /functions/v1/google-calendar-webhook: Google's notifications. One store call, then 2xx.

Our own probes come here too, as through any door: they are answered, and do nothing (`core/accounts/ingress_probe`).

A forged token is refused before the store is asked. A refusal never says which part was wrong. What a notification asks
for is done after the answer, by this process' driver or by whoever claims the calendar first.
"""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

from flask import Blueprint, Response, current_app, request

from sync.core.accounts.channel_token import is_channel_token
from sync.core.accounts.ingress_probe import ANSWER_HEADER, PROBE_HEADER, PROOF_HEADER, is_probe, probe_answer
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.states import NotifiedOutcome
from sync.telemetry.metrics import NOTIFICATIONS
from sync.web.doors.guard import guard, mark_proven
from sync.web.doors.problems import Problem

blueprint = Blueprint("webhook", __name__)

MAX_HEADER_LENGTH = 256


@blueprint.post("/functions/v1/google-calendar-webhook")
def receive() -> Response:
    services: Services = current_app.extensions["services"]
    driver: Driver = current_app.extensions["driver"]
    if PROBE_HEADER in request.headers:
        return _answer_probe(services)
    channel_id, token = _header("X-Goog-Channel-ID"), _header("X-Goog-Channel-Token")
    resource_id, state = _header("X-Goog-Resource-ID"), _header("X-Goog-Resource-State")
    if not channel_id or not is_channel_token(services.settings.channel_token_secrets, channel_id, token):
        NOTIFICATIONS.labels("forged").inc()
        raise _refusal("forged_notification")
    mark_proven("google")
    # A state that Google has not documented is still a hint: only the handshake ("sync") is told from the others.
    if not resource_id or not state:
        raise Problem(400, "notification_malformed", "X-Goog-Resource-ID and X-Goog-Resource-State are needed.")

    notified = services.store.claims.record_notification(channel_id, resource_id, state, _number(), _expires_at())
    NOTIFICATIONS.labels(notified.outcome).inc()
    if notified.outcome is NotifiedOutcome.REFUSED:
        services.log.warning("notification_refused", why="resource_id", channel_id=channel_id)
        raise _refusal("wrong_resource")
    if notified.outcome is NotifiedOutcome.DUE and notified.calendar_id:
        driver.sync_soon(notified.calendar_id, notified.due_in_seconds)
    elif notified.outcome is NotifiedOutcome.DEAD_CHANNEL:
        driver.stop_channel_soon(channel_id)
    elif notified.outcome is NotifiedOutcome.UNKNOWN_CHANNEL:
        guard().note("unknown_channel")
    services.log.debug("notification", outcome=notified.outcome, channel_id=channel_id)
    return Response(status=204)


def _answer_probe(services: Services) -> Response:
    """Proves that it came to us. It names no channel, and what it says besides is not looked at."""
    probe, secrets = _header(PROBE_HEADER), services.settings.channel_token_secrets
    if not is_probe(secrets, probe, _header(PROOF_HEADER), services.clock().timestamp()):
        raise _refusal("forged_probe")
    mark_proven("probe")
    return Response(status=204, headers={ANSWER_HEADER: probe_answer(secrets[0], probe)})


def _refusal(suspicion: str) -> Problem:
    return Problem(401, "notification_refused", "This is no notification of a channel of ours.", suspicion=suspicion)


def _header(name: str) -> str:
    value = request.headers.get(name, "")
    return value if len(value) <= MAX_HEADER_LENGTH and "\x00" not in value else ""


def _number() -> int | None:
    """Message numbers grow, but not by one; they are kept as evidence only."""
    value = _header("X-Goog-Message-Number")
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 18 else None


def _expires_at() -> dt.datetime | None:
    """When the channel lapses, as people read it ("Tue, 19 Nov 2013 01:13:52 GMT"); None if that cannot be read."""
    try:
        told = parsedate_to_datetime(_header("X-Goog-Channel-Expiration"))
    except ValueError:
        return None
    return told if told.tzinfo else told.replace(tzinfo=dt.UTC)
