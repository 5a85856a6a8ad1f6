"""Configuration: every environment key, its meaning, its check and its mend; the one list of them.

Read once, by `load`, at the process's entrance (`app.create_app`, the worker). All missing and malformed keys are
reported together, by name, with what to do, and never with a value. `scripts/document_settings` writes
docs/configuration.md and .env.example from here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dotenv import dotenv_values

from sync import env_checks
from sync.bot_settings import BotSettings, unfit_together
from sync.setting_keys import Key, environment_key, keys_of
from sync.told_settings import ToldSettings, told_without_need


class SettingsError(Exception):
    """All configuration problems at once; `problems` maps each bad key to its mend."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {mend}" for name, mend in self.problems.items()]
        super().__init__("The configuration has problems:\n" + "\n".join(lines))


_supabase, _google = partial(environment_key, "Supabase"), partial(environment_key, "Google")
_own, _web = partial(environment_key, "Secrets of the service's own"), partial(environment_key, "Where it is reached")
_rules, _work = (
    partial(environment_key, "What is kept true, and how long"),
    partial(environment_key, "How much it works"),
)


@dataclass(frozen=True, slots=True)
class Settings(ToldSettings):
    """The list of all keys (those of the bots, of alerts and of what it tells are inherited), and their checked values.

    Secrets are left out of its repr, which ends up in tracebacks.
    """

    supabase_url: str = _supabase(
        "SUPABASE_URL", env_checks.url, "the project's URL", example="https://abcdefghijklmnopqrst.supabase.co"
    )
    supabase_service_role_key: str = _supabase(
        "SUPABASE_SERVICE_ROLE_KEY",
        env_checks.service_key,
        "the project's secret key (sb_secret_…); until the end of 2026 the legacy service_role JWT will do",
        example="sb_secret_…",
        secret=True,
        also="SUPABASE_SECRET_KEY",
    )
    supabase_jwt_secret: str | None = _supabase(
        "SUPABASE_JWT_SECRET",
        env_checks.signing_secret,
        "legacy secret that signs users' JWTs; without it the project's JWKS is used",
        example="b2f…",
        optional=True,
        secret=True,
    )
    google_client_id: str = _google(
        "GOOGLE_CLIENT_ID",
        env_checks.text,
        "OAuth client that the refresh tokens belong to",
        example="1234567890-abc.apps.googleusercontent.com",
    )
    google_client_secret: str = _google(
        "GOOGLE_CLIENT_SECRET", env_checks.text, "the OAuth client's secret", example="GOCSPX-…", secret=True
    )
    google_api_endpoint: str = _google(
        "GOOGLE_API_ENDPOINT", env_checks.url, "Calendar API", default="https://www.googleapis.com"
    )
    google_auth_uri: str = _google(
        "GOOGLE_AUTH_URI", env_checks.url, "OAuth consent", default="https://accounts.google.com/o/oauth2/v2/auth"
    )
    google_token_uri: str = _google(
        "GOOGLE_TOKEN_URI", env_checks.url, "OAuth tokens", default="https://oauth2.googleapis.com/token"
    )
    google_revoke_uri: str = _google(
        "GOOGLE_REVOKE_URI", env_checks.url, "OAuth revocation", default="https://oauth2.googleapis.com/revoke"
    )
    webhook_base_urls: Mapping[str, str] = _web(
        "WEBHOOK_BASE_URL",
        env_checks.webhook_urls,
        "where Google reaches this service: one URL, or region=url,region=url",
        example="https://calendar-monitor.example.com",
    )
    connect_redirect_urls: tuple[str, ...] | None = _web(
        "CONNECT_REDIRECT_URLS",
        env_checks.redirect_urls,
        "where /connect/google may send users back to: exact URLs separated by commas, the first is the default; "
        "their origins may call with a browser (CORS)",
        example="https://app.example.com/settings",
        optional=True,
    )
    trusted_proxies: int = _web(
        "TRUSTED_PROXIES",
        env_checks.number(0, 10, int),
        "proxies in front of this service that append X-Forwarded-For (1 on most platforms); "
        "0: the connection's own address counts",
        default="0",
    )
    channel_token_secrets: tuple[str, ...] = _own(
        "CHANNEL_TOKEN_SECRET",
        env_checks.secrets,
        "signs channel tokens; several separated by commas, newest first",
        example="Jm4…",
        make=env_checks.HOW_TO_MAKE_ONE,
        secret=True,
    )
    token_encryption_keys: tuple[bytes, ...] = _own(
        "TOKEN_ENCRYPTION_KEYS",
        env_checks.keys,
        "encrypt OAuth tokens at rest: 32 bytes in URL-safe base64; several separated by commas, newest first",
        example="q83v…=",
        make=env_checks.HOW_TO_MAKE_A_KEY,
        secret=True,
    )
    cron_secret: str | None = _own(
        "CRON_SECRET",
        env_checks.secret,
        "lets a scheduler call the cron endpoints",
        example="w8K…",
        optional=True,
        secret=True,
    )
    dashboard_tokens: Mapping[str, str] | None = _own(
        "DASHBOARD_TOKEN",
        env_checks.operator_tokens,
        "signs operators in at /dashboard who may look and act: one token, or name=token,name=token, so that the audit "
        "tells them apart; without one and without DASHBOARD_READ_TOKEN there is no dashboard",
        example="anna=Xq2…",
        optional=True,
        secret=True,
    )
    dashboard_read_tokens: Mapping[str, str] | None = _own(
        "DASHBOARD_READ_TOKEN",
        env_checks.operator_tokens,
        "the same for operators who may look only",
        example="oncall=Lk7…",
        optional=True,
        secret=True,
    )
    poll_stale_hours: float = _rules(
        "POLL_STALE_HOURS",
        env_checks.number(0.01, 168, float),
        "no poll within this time of a notification, unless the calendar's silence since then is odd",
        default="6",
    )
    google_requests_per_day: float = _rules(
        "GOOGLE_REQUESTS_PER_DAY",
        env_checks.number(1000, 1e12, float),
        "what Google gives a day without billing; a forecast beyond it is logged as a warning",
        default="1000000",
    )
    google_requests_per_minute: float = _rules(
        "GOOGLE_REQUESTS_PER_MINUTE",
        env_checks.number(1, 1e9, float),
        "what Google gives the project a minute (Cloud console, Quotas); all processes share it",
        default="10000",
    )
    google_user_requests_per_minute: float = _rules(
        "GOOGLE_USER_REQUESTS_PER_MINUTE",
        env_checks.number(1, 1e9, float),
        "what Google gives each user of it a minute",
        default="600",
    )
    poll_budget_per_day: float = _rules(
        "POLL_BUDGET_PER_DAY",
        env_checks.number(1, 1e12, float),
        "what polling may spend of that; how often calendars are polled follows it by itself",
        default="500000",
    )
    renew_lead_hours: float = _rules(
        "RENEW_LEAD_HOURS",
        env_checks.number(1, 144, float),
        "watches are renewed this long before they lapse",
        default="36",
    )
    horizon_past_days: int = _rules(
        "HORIZON_PAST_DAYS", env_checks.number(0, 365, int), "meetings are kept true from this far back", default="1"
    )
    horizon_future_days: int = _rules(
        "HORIZON_FUTURE_DAYS", env_checks.number(1, 366, int), "meetings are kept true this far ahead", default="60"
    )
    calendar_lost_days: int = _rules(
        "CALENDAR_LOST_DAYS",
        env_checks.number(1, 365, int),
        "after so long without access to a calendar what lies ahead of it is cancelled, until it can be read again",
        default="7",
    )
    max_calendars_per_user: int = _rules(
        "MAX_CALENDARS_PER_USER",
        env_checks.number(1, 1000, int),
        "calendars that one user may have watched",
        default="50",
    )
    log_retention_days: int = _rules(
        "LOG_RETENTION_DAYS",
        env_checks.number(1, 3650, int),
        "sync logs and former channels are dropped after this; of each calendar the newest log stays",
        default="90",
    )
    idle_log_retention_days: int = _rules(
        "IDLE_LOG_RETENTION_DAYS",
        env_checks.number(1, 3650, int),
        "sync logs of polls that found nothing become one row per calendar and week after this",
        default="7",
    )
    event_retention_days: int = _rules(
        "EVENT_RETENTION_DAYS",
        env_checks.number(1, 365, int),
        "change events are kept this long for replays and new subscribers; what a subscriber is still to be told stays",
        default="30",
    )
    hide_private_events: bool = _rules(
        "PRIVATE_EVENTS",
        env_checks.hides,
        "show or hide: hide keeps only the time and the join link of private events",
        default="show",
    )
    sync_threads: int = _work(
        "SYNC_THREADS", env_checks.number(1, 64, int), "calendars synced side by side per process", default="32"
    )
    sweep_seconds: float = _work(
        "SWEEP_SECONDS",
        env_checks.number(0.5, 3600, float),
        "each process looks this often for calendars that are due",
        default="5",
    )
    cron_budget_seconds: float = _work(
        "CRON_BUDGET_SECONDS",
        env_checks.number(1, 3600, float),
        "a cron call stops taking new work after this",
        default="50",
    )

    @property
    def is_development(self) -> bool:
        """Whether the service is reached on this machine alone, by plain http."""
        return all(url.startswith("http:") for url in self.webhook_base_urls.values())


# The bots' stand last, although a dataclass has what it inherits first.
_BOT_KEYS, _INHERITED_KEYS = keys_of(BotSettings), keys_of(ToldSettings)
KEYS: tuple[Key, ...] = (
    *keys_of(Settings)[len(_INHERITED_KEYS) :],
    *_INHERITED_KEYS[len(_BOT_KEYS) :],
    *_BOT_KEYS,
)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from `environment` (default: the process's, over a `.env` file in the working directory).

    Raises SettingsError naming every bad key. An empty value counts as missing.
    """
    if environment is None:
        environment = process_environment()
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key in KEYS:
        try:
            raw = _given(environment, key) or key.default
            if raw is None and not key.optional:
                raise env_checks.BadValue("; ".join(filter(None, (f"is missing: {key.help}", key.make))))
            values[key.field] = None if raw is None else key.check(raw)
        except env_checks.BadValue as bad:
            problems[key.name] = str(bad)
    for unfit in (unfit_together, told_without_need):
        problems |= unfit(values, frozenset(problems))
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def log_settings() -> tuple[str, str]:
    """LOG_LEVEL and LOG_FORMAT of the process, for lines that come before `load`; a bad value is `load`'s to tell."""
    environment, values = process_environment(), {}
    for key in (key for key in KEYS if key.name in ("LOG_LEVEL", "LOG_FORMAT")):
        default = key.default or ""
        try:
            values[key.name] = key.check(environment.get(key.name, "").strip() or default)
        except env_checks.BadValue:
            values[key.name] = default
    return values["LOG_LEVEL"], values["LOG_FORMAT"]


def process_environment() -> Mapping[str, str]:
    """The process's, over a `.env` file in the working directory."""
    return {**{k: v for k, v in dotenv_values(".env").items() if v is not None}, **os.environ}


def _given(environment: Mapping[str, str], key: Key) -> str:
    """What the environment says under either name; empty: nothing. Raises BadValue if it says two things."""
    value, other = (environment.get(name, "").strip() for name in (key.name, key.also))
    if value and other and value != other:
        raise env_checks.BadValue(f"is set beside {key.also}, and they differ; set one of them alone")
    return value or other
