"""The bot provider that the settings name. Called once per process, by whoever builds the services."""

from __future__ import annotations

from collections.abc import Sequence

from sync.bot_model import BotProviderName
from sync.bot_settings import BotSettings
from sync.clients.bots.attendee import Attendee
from sync.clients.bots.provider import BotProvider
from sync.clients.bots.recall import Recall
from sync.clients.bots.webhook import WebhookBots


def open_provider(settings: BotSettings) -> BotProvider | None:
    """None: no bots. That its keys are there was checked with the settings."""
    match settings.bot_provider:
        case BotProviderName.ATTENDEE:
            return Attendee(settings.attendee_api_url, settings.attendee_api_key or "")
        case BotProviderName.RECALL:
            return Recall(settings.recall_url, settings.recall_api_key or "")
        case BotProviderName.WEBHOOK:
            return WebhookBots(settings.bot_webhook_url or "", settings.bot_webhook_secrets or ())
        case None:
            return None


def message_secrets(settings: BotSettings, provider: BotProviderName) -> Sequence[bytes]:
    """What a provider's messages are signed with; none: nothing of theirs is accepted."""
    secrets = {
        BotProviderName.ATTENDEE: settings.attendee_webhook_secrets,
        BotProviderName.RECALL: settings.recall_webhook_secrets,
        BotProviderName.WEBHOOK: settings.bot_webhook_secrets,
    }
    return secrets[provider] or ()
