"""Configuration: every environment key, its meaning, its check and its mend.

Read once, by `load`, at the process's entrance (`app.create_app`, the worker). All missing and malformed keys are
reported together, by name, with what to do, and never with a value.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_SECRET_LENGTH = 16


class SettingsError(Exception):
    """All configuration problems at once; `problems` maps each bad key to its mend."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {mend}" for name, mend in self.problems.items()]
        super().__init__("The configuration has problems:\n" + "\n".join(lines))


class _BadValueError(ValueError):
    """The check of one key failed; the message is the mend."""


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
    hide_private_events: bool
    sync_threads: int
    cron_budget_seconds: float
    trusted_proxies: int
    log_level: str


def _text(value: str) -> str:
    return value


# Paths are put after it, so it can have neither query nor fragment.
_URL_MEND = "must be a URL like https://host"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        # Its message quotes the value.
        raise _BadValueError(_URL_MEND) from None
    if not parts.hostname or parts.scheme not in {"https", "http"} or parts.query or parts.fragment:
        raise _BadValueError(_URL_MEND)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise _BadValueError("must be https (plain http is allowed on loopback only)")
    return value.rstrip("/")


def _webhook_urls(value: str) -> dict[str, str]:
    """One URL, or region=url pairs: {"default": url} or {region: url}, in the order given."""
    urls: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in value.split(","))):
        region, separator, url = part.partition("=")
        if not separator or "/" in region:
            region, url = "default", part
        region = region.strip()
        if not region or region in urls:
            raise _BadValueError("has a region without a name, or one twice; give one URL, or region=url,region=url")
        urls[region] = _url(url.strip())
    if not urls:
        raise _BadValueError("must be one URL, or region=url,region=url")
    return urls


def _redirect_urls(value: str) -> tuple[str, ...]:
    """Exact URLs of the front end: compared as they are, so nothing is normalised."""
    urls = tuple(filter(None, (part.strip() for part in value.split(","))))
    for url in urls:
        if not (url.isascii() and url.isprintable()) or " " in url:
            raise _BadValueError("must hold URLs of ASCII characters, without spaces, separated by commas")
        _url(url.partition("#")[0].partition("?")[0])
        if "@" in urlsplit(url).netloc:
            raise _BadValueError("must hold URLs without a user name")
    if not urls:
        raise _BadValueError("must hold at least one URL like https://app.example.com/settings, separated by commas")
    return urls


def _secret(value: str) -> str:
    if len(value) < MIN_SECRET_LENGTH:
        raise _BadValueError(
            f"must have at least {MIN_SECRET_LENGTH} characters; make one with: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return value


def _secrets(value: str) -> tuple[str, ...]:
    found = tuple(_secret(part) for part in (p.strip() for p in value.split(",")) if part)
    if not found:
        raise _BadValueError("must hold at least one secret, newest first, separated by commas")
    return found


def _keys(value: str) -> tuple[bytes, ...]:
    mend = (
        "must hold 32-byte keys in URL-safe base64, newest first, separated by commas; make one with: "
        "python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
    )
    try:
        keys = tuple(
            base64.b64decode(part, altchars=b"-_", validate=True)
            for part in (p.strip() for p in value.split(","))
            if part
        )
    except ValueError:  # binascii.Error, or text beyond ASCII
        raise _BadValueError(mend) from None
    if not keys or any(len(key) != 32 for key in keys):
        raise _BadValueError(mend)
    return keys


def _number(least: float, most: float, kind: type[int] | type[float]) -> Callable[[str], float]:
    def check(value: str) -> float:
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            words = "a whole number" if kind is int else "a number"
            raise _BadValueError(f"must be {words} from {least:g} to {most:g}")
        return number

    return check


def _hides(value: str) -> bool:
    if value.lower() not in {"show", "hide"}:
        raise _BadValueError("must be show or hide")
    return value.lower() == "hide"


def _log_level(value: str) -> str:
    if value.lower() not in {"debug", "info", "warning", "error"}:
        raise _BadValueError("must be debug, info, warning or error")
    return value.lower()


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
    Key("SUPABASE_URL", "supabase_url", _url, "the project's URL"),
    Key("SUPABASE_SERVICE_ROLE_KEY", "supabase_service_role_key", _text, "legacy service_role JWT, or sb_secret_…"),
    Key(
        "SUPABASE_JWT_SECRET",
        "supabase_jwt_secret",
        _text,
        "legacy secret that signs users' JWTs; without it the project's JWKS is used",
        optional=True,
    ),
    Key("GOOGLE_CLIENT_ID", "google_client_id", _text, "OAuth client that the refresh tokens belong to"),
    Key("GOOGLE_CLIENT_SECRET", "google_client_secret", _text, "its secret"),
    Key("GOOGLE_API_ENDPOINT", "google_api_endpoint", _url, "Calendar API", default="https://www.googleapis.com"),
    Key(
        "GOOGLE_AUTH_URI",
        "google_auth_uri",
        _url,
        "OAuth consent",
        default="https://accounts.google.com/o/oauth2/v2/auth",
    ),
    Key("GOOGLE_TOKEN_URI", "google_token_uri", _url, "OAuth tokens", default="https://oauth2.googleapis.com/token"),
    Key(
        "GOOGLE_REVOKE_URI",
        "google_revoke_uri",
        _url,
        "OAuth revocation",
        default="https://oauth2.googleapis.com/revoke",
    ),
    Key(
        "WEBHOOK_BASE_URL",
        "webhook_base_urls",
        _webhook_urls,
        "where Google reaches this service: one URL, or region=url,region=url",
    ),
    Key(
        "CHANNEL_TOKEN_SECRET",
        "channel_token_secrets",
        _secrets,
        "signs channel tokens; several separated by commas, newest first",
    ),
    Key(
        "TOKEN_ENCRYPTION_KEYS",
        "token_encryption_keys",
        _keys,
        "encrypt OAuth tokens at rest: 32 bytes in URL-safe base64; several separated by commas, newest first",
    ),
    Key(
        "CONNECT_REDIRECT_URLS",
        "connect_redirect_urls",
        _redirect_urls,
        "where /connect/google may send users back to: exact URLs separated by commas, the first is the default",
        optional=True,
    ),
    Key("CRON_SECRET", "cron_secret", _secret, "lets a scheduler call the cron endpoints", optional=True),
    Key(
        "POLL_STALE_HOURS",
        "poll_stale_hours",
        _number(0.01, 168, float),
        "no poll within this time of a notification; a poll at the latest after it",
        default="6",
    ),
    Key(
        "RENEW_LEAD_HOURS",
        "renew_lead_hours",
        _number(1, 144, float),
        "watches are renewed this long before they lapse",
        default="36",
    ),
    Key(
        "HORIZON_PAST_DAYS",
        "horizon_past_days",
        _number(0, 365, int),
        "meetings are kept true from this far back",
        default="1",
    ),
    Key("HORIZON_FUTURE_DAYS", "horizon_future_days", _number(1, 366, int), "and this far ahead", default="60"),
    Key(
        "PRIVATE_EVENTS",
        "hide_private_events",
        _hides,
        "show or hide: hide keeps only the time and the join link of private events",
        default="show",
    ),
    Key("SYNC_THREADS", "sync_threads", _number(1, 64, int), "calendars synced side by side per process", default="4"),
    Key(
        "CRON_BUDGET_SECONDS",
        "cron_budget_seconds",
        _number(1, 3600, float),
        "a cron call stops taking new work after this",
        default="50",
    ),
    Key(
        "TRUSTED_PROXIES",
        "trusted_proxies",
        _number(0, 10, int),
        "proxies in front of this service that append X-Forwarded-For; 0: the connection's own address counts",
        default="0",
    ),
    Key("LOG_LEVEL", "log_level", _log_level, "debug, info, warning or error", default="info"),
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
        except _BadValueError as bad:
            problems[key.name] = str(bad)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)
