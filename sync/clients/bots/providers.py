"""The bot providers that the settings have keys of. Called once per process, by whoever builds the services."""

from __future__ import annotations

from collections.abc import Sequence

from sync.bot_model import BotProviderName
from sync.bot_settings import BotSettings
from sync.clients.bots.attendee import Attendee
from sync.clients.bots.http import breaker_of
from sync.clients.bots.provider import BotProvider
from sync.clients.bots.recall import Recall
from sync.clients.bots.webhook import WebhookBots
from sync.clients.breakers import Breakers
from sync.clients.circuit import Breaker


def open_providers(settings: BotSettings, breakers: Breakers) -> dict[BotProviderName, BotProvider]:
    """Every provider whose keys stand: the chosen one, and those that may still have bots of ours from before."""
    return {
        name: _open(name, settings, breaker_of(breakers, f"bots_{name}")) for name in settings.reachable_bot_providers
    }


def _open(name: BotProviderName, settings: BotSettings, breaker: Breaker) -> BotProvider:
    match name:
        case BotProviderName.ATTENDEE:
            return Attendee(settings.attendee_api_url, settings.attendee_api_key or "", breaker=breaker)
        case BotProviderName.RECALL:
            return Recall(settings.recall_url, settings.recall_api_key or "", breaker=breaker)
        case BotProviderName.WEBHOOK:
            return WebhookBots(settings.bot_webhook_url or "", settings.bot_webhook_secrets or (), breaker=breaker)


def message_secrets(settings: BotSettings, provider: BotProviderName) -> Sequence[bytes]:
    """What a provider's messages are signed with; none: nothing of theirs is accepted."""
    secrets = {
        BotProviderName.ATTENDEE: settings.attendee_webhook_secrets,
        BotProviderName.RECALL: settings.recall_webhook_secrets,
        BotProviderName.WEBHOOK: settings.bot_webhook_secrets,
    }
    return secrets[provider] or ()
