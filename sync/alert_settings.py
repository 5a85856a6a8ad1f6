"""The environment's keys of alerts: whom they go to, and what an operator decides about them.

Part of `settings`, which reads and checks them with the others. Whether a URL of ALERT_URLS is one that Apprise
understands is asked of it at the start (`jobs/operations/tell_alerts`); here is only what every one must have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial

from sync import env_checks
from sync.bot_settings import BotSettings
from sync.setting_keys import environment_key
from sync.states import AlertKind

# Each gets a process of its own for each message.
MOST_DESTINATIONS = 10
_alerts = partial(environment_key, "Alerts")


def _alert_urls(value: str) -> tuple[str, ...]:
    """Separated by commas or space; a comma inside an address (several recipients of a mail) separates nothing."""
    urls = tuple(filter(None, re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", value.strip(" \t\n,"))))
    if not urls or len(urls) > MOST_DESTINATIONS:
        raise env_checks.BadValue(f"must hold one to {MOST_DESTINATIONS} URLs of Apprise, separated by commas or space")
    for place, address in enumerate(urls, 1):
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+", address):
            raise env_checks.BadValue(
                f"number {place} of {len(urls)} is no URL of Apprise, such as slack://… or mailtos://…; "
                "what is no ASCII, or a space, must be percent-encoded"
            )
    return urls


def _kinds(value: str) -> frozenset[AlertKind]:
    words = {part.strip() for part in value.split(",")} - {""}
    if not words or words - set(AlertKind):
        raise env_checks.BadValue("must hold kinds of alerts as docs/alerts.md names them, separated by commas")
    return frozenset(map(AlertKind, words))


@dataclass(frozen=True, slots=True)
class AlertSettings(BotSettings):
    """Their checked values. Secrets are left out of its repr."""

    alert_urls: tuple[str, ...] | None = _alerts(
        "ALERT_URLS",
        _alert_urls,
        "whom alerts go to, as URLs of Apprise separated by commas or space (Slack, mail, PagerDuty, a webhook, …); "
        "without it the table alerts and the log alone tell them",
        example="slack://T1…/A1…/x9…/#alerts, mailtos://user:password@mail.example.com?to=oncall@example.com",
        optional=True,
        secret=True,
    )
    alert_mute: frozenset[AlertKind] | None = _alerts(
        "ALERT_MUTE",
        _kinds,
        "kinds of alerts that are recorded and shown but told to nobody, separated by commas",
        example="worker_silent",
        optional=True,
    )
    alert_remind_hours: float = _alerts(
        "ALERT_REMIND_HOURS",
        env_checks.number(1, 720, float),
        "an alert that lasts is told again after so long",
        default="24",
    )
    alert_failure_percent: float = _alerts(
        "ALERT_FAILURE_PERCENT",
        env_checks.number(1, 100, float),
        "an alert opens when this share of a quarter of an hour's syncs fails",
        default="10",
    )
    heartbeat_url: str | None = _alerts(
        "HEARTBEAT_URL",
        env_checks.endpoint,
        "is asked for once a minute while all is looked after: a watchdog outside (Healthchecks, Uptime Kuma, …) tells "
        "you when that stays away",
        example="https://hc-ping.com/5f0c…",
        optional=True,
        secret=True,
    )
