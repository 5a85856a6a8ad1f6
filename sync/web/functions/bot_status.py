"""POST /functions/v1/bot-status/<provider>: what a provider of bots tells of them. Its signature, one store call, 2xx.

A message that is not signed is refused before the store is asked. What it says only ever moves a bot forward; a
repeated one does nothing. One about a bot that is not ours is taken, for asking again would not make it so.
"""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from sync.bot_model import BotProviderName
from sync.clients.bots.providers import message_secrets
from sync.clients.bots.signatures import read_signed
from sync.core.bots.provider_messages import read_message
from sync.core.bots.provider_states import status_of
from sync.errors import SignatureRefused
from sync.jobs.driving.driver import Driver
from sync.jobs.services import Services
from sync.web.doors.guard import mark_proven
from sync.web.doors.problems import Problem

blueprint = Blueprint("bot_status", __name__)


@blueprint.post("/functions/v1/bot-status/<provider>")
def receive(provider: str) -> Response:
    services: Services = current_app.extensions["services"]
    if provider not in set(BotProviderName):
        raise Problem(404, "provider_unknown", f"There is no such provider; there are {', '.join(BotProviderName)}.")
    name = BotProviderName(provider)
    headers = {key.lower(): value for key, value in request.headers.items()}
    try:
        message = read_signed(name, headers, request.get_data(), message_secrets(services.settings, name))
    except SignatureRefused as refusal:
        raise Problem(
            401, "signature_refused", f"This is not signed as {name}'s ({refusal.code}).", suspicion="forged_bot_status"
        ) from None
    mark_proven(name)
    told = read_message(name, message.id, message.body)
    if told is None:
        return Response(status=204)
    status = status_of(name, told.state)
    if status is None:
        services.log.info("bot_state_unknown", provider=name, state=told.state)
    outcome = services.store.bots.record_message(told, status)
    services.log.info("bot_told", provider=name, state=told.state, outcome=outcome, detail=told.detail)
    driver: Driver = current_app.extensions["driver"]
    driver.after_commit()
    return Response(status=204)
