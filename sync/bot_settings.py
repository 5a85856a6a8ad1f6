"""The environment's keys of meeting bots: whose, in which meetings, and how that provider is reached.

Part of `settings`, which reads and checks them with the others. A provider that is named needs its keys; those of the
others may stand, so that changing it is changing one key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sync import env_checks
from sync.bot_model import BotProviderName, JoinRule, Sharing
from sync.setting_keys import environment_key

# Where Recall.ai has its own endpoints; an account lives in one of them.
RECALL_REGIONS = ("us-east-1", "us-west-2", "eu-central-1", "ap-northeast-1")

_bots = partial(environment_key, "Meeting bots")
_attendee = partial(environment_key, "Bots of Attendee")
_recall = partial(environment_key, "Bots of Recall.ai")
_webhook = partial(environment_key, "Bots of your own, by webhook")


def _provider(value: str) -> BotProviderName:
    return BotProviderName(env_checks.choice(*BotProviderName)(value))


def _join_rule(value: str) -> JoinRule:
    return JoinRule(env_checks.choice(*JoinRule)(value))


def _sharing(value: str) -> Sharing:
    return Sharing(env_checks.choice(*Sharing)(value))


@dataclass(frozen=True, slots=True)
class BotSettings:
    """Their checked values. Secrets are left out of its repr."""

    bot_provider: BotProviderName | None = _bots(
        "BOT_PROVIDER",
        _provider,
        "whose bots join the meetings: attendee, recall or webhook; without it there are none",
        example="attendee",
        optional=True,
    )
    bot_join_rule: JoinRule = _bots(
        "BOT_JOIN_RULE",
        _join_rule,
        "which meetings of a user without preferences of their own: all, accepted, organised or none",
        default="none",
    )
    bot_name: str = _bots(
        "BOT_NAME",
        env_checks.bot_name,
        "what a bot is called in the meeting, where its user says nothing",
        default="Notes",
    )
    bot_lead_seconds: int = _bots(
        "BOT_LEAD_SECONDS",
        env_checks.number(0, 3600, int),
        "bots join this long before the meeting starts",
        default="120",
    )
    bot_sharing: Sharing = _bots(
        "BOT_SHARING",
        _sharing,
        "which meetings in one room at one time have one bot: those of a tenant (room), of a user (user), or none",
        default="room",
    )
    bot_access_grace_hours: float = _bots(
        "BOT_ACCESS_GRACE_HOURS",
        env_checks.number(0, 8760, float),
        "scheduled bots stay for so long when a calendar cannot be read any more; then its user's preference decides",
        default="72",
    )
    attendee_api_url: str = _attendee(
        "ATTENDEE_API_URL",
        env_checks.url,
        "its API; a self-hosted one has its own",
        default="https://app.attendee.dev/api/v1",
    )
    attendee_api_key: str | None = _attendee(
        "ATTENDEE_API_KEY", env_checks.header_value, "the project's API key", example="Qx7…", optional=True, secret=True
    )
    attendee_webhook_secrets: tuple[bytes, ...] | None = _attendee(
        "ATTENDEE_WEBHOOK_SECRET",
        env_checks.base64_secrets,
        "the project's webhook secret in base64; several separated by commas, newest first",
        example="p4T…=",
        optional=True,
        secret=True,
    )
    recall_api_url: str | None = _recall(
        "RECALL_API_URL",
        env_checks.url,
        "its API, in place of RECALL_REGION",
        example="https://us-east-1.recall.ai/api/v1",
        optional=True,
    )
    recall_region: str | None = _recall(
        "RECALL_REGION",
        env_checks.choice(*RECALL_REGIONS),
        f"where the account is: {', '.join(RECALL_REGIONS)}",
        example="us-east-1",
        optional=True,
    )
    recall_api_key: str | None = _recall(
        "RECALL_API_KEY", env_checks.header_value, "the workspace's API key", example="8d1…", optional=True, secret=True
    )
    recall_webhook_secrets: tuple[bytes, ...] | None = _recall(
        "RECALL_WEBHOOK_SECRET",
        env_checks.webhook_secrets,
        "the workspace's verification secret, or that of an older account's webhook endpoint (whsec_…); several "
        "separated by commas, newest first",
        example="whsec_…",
        optional=True,
        secret=True,
    )
    bot_webhook_url: str | None = _webhook(
        "BOT_WEBHOOK_URL",
        env_checks.endpoint,
        "is told by POST which bots are wanted, changed and no longer wanted",
        example="https://bots.example.com/wanted",
        optional=True,
    )
    bot_webhook_secrets: tuple[bytes, ...] | None = _webhook(
        "BOT_WEBHOOK_SECRET",
        env_checks.webhook_secrets,
        "signs these messages and the statuses that come back (Standard Webhooks, whsec_…); several separated by "
        "commas, newest first",
        example="whsec_…",
        optional=True,
        secret=True,
    )

    @property
    def recall_url(self) -> str:
        """Recall.ai's API, by address or by region; one of them is set when it is the provider."""
        return self.recall_api_url or f"https://{self.recall_region}.recall.ai/api/v1"

    @property
    def reachable_bot_providers(self) -> tuple[BotProviderName, ...]:
        """Those whose keys stand. Bots are made at `bot_provider`; the others are asked about bots they still have."""
        return tuple(
            name
            for name in BotProviderName
            if all(getattr(self, field) is not None for _, field in _NEEDED[name])
            and (name is not BotProviderName.RECALL or self.recall_api_url or self.recall_region)
        )


_NEEDED: Mapping[BotProviderName, tuple[tuple[str, str], ...]] = {
    BotProviderName.ATTENDEE: (
        ("ATTENDEE_API_KEY", "attendee_api_key"),
        ("ATTENDEE_WEBHOOK_SECRET", "attendee_webhook_secrets"),
    ),
    BotProviderName.RECALL: (("RECALL_API_KEY", "recall_api_key"), ("RECALL_WEBHOOK_SECRET", "recall_webhook_secrets")),
    BotProviderName.WEBHOOK: (("BOT_WEBHOOK_URL", "bot_webhook_url"), ("BOT_WEBHOOK_SECRET", "bot_webhook_secrets")),
}


def unfit_together(values: Mapping[str, Any], known_bad: frozenset[str]) -> dict[str, str]:
    """What is wrong with values (by field) that are each good: the key, and its mend. Nothing is said twice of a key in
    `known_bad`."""
    provider: BotProviderName | None = values.get("bot_provider")
    problems = {
        name: f"is missing; BOT_PROVIDER={provider} needs it"
        for name, field in (_NEEDED[provider] if provider else ())
        if name not in known_bad and values.get(field) is None
    }
    if values.get("recall_api_url") and values.get("recall_region"):
        problems["RECALL_REGION"] = "is set beside RECALL_API_URL; keep one of them"
    elif provider is BotProviderName.RECALL and not (
        known_bad & {"RECALL_API_URL", "RECALL_REGION"} or values.get("recall_api_url") or values.get("recall_region")
    ):
        problems["RECALL_REGION"] = "is missing; BOT_PROVIDER=recall needs it, or RECALL_API_URL"
    return problems
