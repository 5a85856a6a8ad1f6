"""Configuration: every environment key, its meaning, its check and its mend.

Read once, by `load`, at the process's entrance (`app.create_app`, the worker). All missing and malformed keys are
reported together, by name, with what to do, and never with a value.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dotenv import dotenv_values

from sync import env_checks
from sync.model import SmtpServer


class SettingsError(Exception):
    """All configuration problems at once; `problems` maps each bad key to its mend."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {mend}" for name, mend in self.problems.items()]
        super().__init__("The configuration has problems:\n" + "\n".join(lines))


@dataclass(frozen=True, slots=True)
class Settings:
    """All of KEYS, checked. Secrets are left out of its repr, which ends up in tracebacks and logs."""

    supabase_url: str
    supabase_service_role_key: str = field(repr=False)
    supabase_jwt_secret: str | None = field(repr=False)
    google_client_id: str
    google_client_secret: str = field(repr=False)
    google_api_endpoint: str
    google_auth_uri: str
    google_token_uri: str
    google_revoke_uri: str
    webhook_base_urls: Mapping[str, str]
    channel_token_secrets: tuple[str, ...] = field(repr=False)
    token_encryption_keys: tuple[bytes, ...] = field(repr=False)
    connect_redirect_urls: tuple[str, ...] | None
    cron_secret: str | None = field(repr=False)
    poll_stale_hours: float
    renew_lead_hours: float
    horizon_past_days: int
    horizon_future_days: int
    calendar_lost_days: int
    log_retention_days: int
    hide_private_events: bool
    sync_threads: int
    sweep_seconds: float
    cron_budget_seconds: float
    trusted_proxies: int
    smtp_server: SmtpServer | None
    log_level: str


@dataclass(frozen=True, slots=True)
class Key:
    """One environment key: `field` of Settings, its check, its default (None: required unless `optional`), its help."""

    name: str
    field: str
    check: Callable[[str], Any]
    help: str
    default: str | None = None
    optional: bool = False


KEYS: tuple[Key, ...] = (
    Key("SUPABASE_URL", "supabase_url", env_checks.url, "the project's URL"),
    Key(
        "SUPABASE_SERVICE_ROLE_KEY",
        "supabase_service_role_key",
        env_checks.text,
        "legacy service_role JWT, or sb_secret_…",
    ),
    Key(
        "SUPABASE_JWT_SECRET",
        "supabase_jwt_secret",
        env_checks.text,
        "legacy secret that signs users' JWTs; without it the project's JWKS is used",
        optional=True,
    ),
    Key("GOOGLE_CLIENT_ID", "google_client_id", env_checks.text, "OAuth client that the refresh tokens belong to"),
    Key("GOOGLE_CLIENT_SECRET", "google_client_secret", env_checks.text, "its secret"),
    Key(
        "GOOGLE_API_ENDPOINT",
        "google_api_endpoint",
        env_checks.url,
        "Calendar API",
        default="https://www.googleapis.com",
    ),
    Key(
        "GOOGLE_AUTH_URI",
        "google_auth_uri",
        env_checks.url,
        "OAuth consent",
        default="https://accounts.google.com/o/oauth2/v2/auth",
    ),
    Key(
        "GOOGLE_TOKEN_URI",
        "google_token_uri",
        env_checks.url,
        "OAuth tokens",
        default="https://oauth2.googleapis.com/token",
    ),
    Key(
        "GOOGLE_REVOKE_URI",
        "google_revoke_uri",
        env_checks.url,
        "OAuth revocation",
        default="https://oauth2.googleapis.com/revoke",
    ),
    Key(
        "WEBHOOK_BASE_URL",
        "webhook_base_urls",
        env_checks.webhook_urls,
        "where Google reaches this service: one URL, or region=url,region=url",
    ),
    Key(
        "CHANNEL_TOKEN_SECRET",
        "channel_token_secrets",
        env_checks.secrets,
        "signs channel tokens; several separated by commas, newest first",
    ),
    Key(
        "TOKEN_ENCRYPTION_KEYS",
        "token_encryption_keys",
        env_checks.keys,
        "encrypt OAuth tokens at rest: 32 bytes in URL-safe base64; several separated by commas, newest first",
    ),
    Key(
        "CONNECT_REDIRECT_URLS",
        "connect_redirect_urls",
        env_checks.redirect_urls,
        "where /connect/google may send users back to: exact URLs separated by commas, the first is the default",
        optional=True,
    ),
    Key("CRON_SECRET", "cron_secret", env_checks.secret, "lets a scheduler call the cron endpoints", optional=True),
    Key(
        "POLL_STALE_HOURS",
        "poll_stale_hours",
        env_checks.number(0.01, 168, float),
        "no poll within this time of a notification; a poll at the latest after it",
        default="6",
    ),
    Key(
        "RENEW_LEAD_HOURS",
        "renew_lead_hours",
        env_checks.number(1, 144, float),
        "watches are renewed this long before they lapse",
        default="36",
    ),
    Key(
        "HORIZON_PAST_DAYS",
        "horizon_past_days",
        env_checks.number(0, 365, int),
        "meetings are kept true from this far back",
        default="1",
    ),
    Key(
        "HORIZON_FUTURE_DAYS", "horizon_future_days", env_checks.number(1, 366, int), "and this far ahead", default="60"
    ),
    Key(
        "CALENDAR_LOST_DAYS",
        "calendar_lost_days",
        env_checks.number(1, 365, int),
        "after so long without access to a calendar what lies ahead of it is cancelled, until it can be read again",
        default="7",
    ),
    Key(
        "LOG_RETENTION_DAYS",
        "log_retention_days",
        env_checks.number(1, 3650, int),
        "sync logs and former channels are dropped after this; of each calendar the newest log stays",
        default="90",
    ),
    Key(
        "PRIVATE_EVENTS",
        "hide_private_events",
        env_checks.hides,
        "show or hide: hide keeps only the time and the join link of private events",
        default="show",
    ),
    Key(
        "SYNC_THREADS",
        "sync_threads",
        env_checks.number(1, 64, int),
        "calendars synced side by side per process",
        default="4",
    ),
    Key(
        "SWEEP_SECONDS",
        "sweep_seconds",
        env_checks.number(0.5, 3600, float),
        "each process looks this often for calendars that are due",
        default="5",
    ),
    Key(
        "CRON_BUDGET_SECONDS",
        "cron_budget_seconds",
        env_checks.number(1, 3600, float),
        "a cron call stops taking new work after this",
        default="50",
    ),
    Key(
        "TRUSTED_PROXIES",
        "trusted_proxies",
        env_checks.number(0, 10, int),
        "proxies in front of this service that append X-Forwarded-For; 0: the connection's own address counts",
        default="0",
    ),
    Key(
        "SMTP_URL",
        "smtp_server",
        env_checks.smtp_server,
        "mail server for telling users that a connection is lost: smtps://user:password@host:465?from=sender@example.com",
        optional=True,
    ),
    Key("LOG_LEVEL", "log_level", env_checks.log_level, "debug, info, warning or error", default="info"),
)


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from `environment` (default: the process's, over a `.env` file in the working directory).

    Raises SettingsError naming every bad key. An empty value counts as missing.
    """
    if environment is None:
        environment = {**{k: v for k, v in dotenv_values(".env").items() if v is not None}, **os.environ}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for key in KEYS:
        raw = environment.get(key.name, "").strip() or key.default
        if raw is None:
            values[key.field] = None
            if not key.optional:
                problems[key.name] = f"is missing; set it to {key.help}"
            continue
        try:
            values[key.field] = key.check(raw)
        except env_checks.BadValue as bad:
            problems[key.name] = str(bad)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)
