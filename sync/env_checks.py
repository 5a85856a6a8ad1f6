"""Checks of environment values: text in, value out, or the mend as a BadValue. Pure. Called by `settings`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

from sync.model import SmtpServer

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
MIN_SECRET_LENGTH = 16
MAX_NAME_LENGTH = 60
HOW_TO_MAKE_ONE = "make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
HOW_TO_MAKE_A_KEY = (
    "make one with: python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
)


class BadValue(ValueError):
    """The check of one key failed; the message is the mend."""


def text(value: str) -> str:
    return value


# Paths are put after it, so it can have neither query nor fragment.
_URL_MEND = "must be a URL like https://host"


def url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        # Its message quotes the value.
        raise BadValue(_URL_MEND) from None
    if not parts.hostname or parts.scheme not in {"https", "http"} or parts.query or parts.fragment:
        raise BadValue(_URL_MEND)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
        raise BadValue("must be https (plain http is allowed on loopback only)")
    return value.rstrip("/")


def webhook_urls(value: str) -> dict[str, str]:
    """One URL, or region=url pairs: {"default": url} or {region: url}, in the order given."""
    urls: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in value.split(","))):
        region, separator, address = part.partition("=")
        if not separator or "/" in region:
            region, address = "default", part
        region = region.strip()
        if not region or region in urls:
            raise BadValue("has a region without a name, or one twice; give one URL, or region=url,region=url")
        urls[region] = url(address.strip())
    if not urls:
        raise BadValue("must be one URL, or region=url,region=url")
    return urls


def redirect_urls(value: str) -> tuple[str, ...]:
    """Exact URLs of the front end: compared as they are, so nothing is normalised."""
    urls = tuple(filter(None, (part.strip() for part in value.split(","))))
    for address in urls:
        if not (address.isascii() and address.isprintable()) or " " in address:
            raise BadValue("must hold URLs of ASCII characters, without spaces, separated by commas")
        url(address.partition("#")[0].partition("?")[0])
        if "@" in urlsplit(address).netloc:
            raise BadValue("must hold URLs without a user name")
    if not urls:
        raise BadValue("must hold at least one URL like https://app.example.com/settings, separated by commas")
    return urls


def secret(value: str) -> str:
    if len(value) < MIN_SECRET_LENGTH:
        raise BadValue(f"must have at least {MIN_SECRET_LENGTH} characters; {HOW_TO_MAKE_ONE}")
    return value


def signing_secret(value: str) -> str:
    """HS256 takes shorter ones, which can be guessed from one token (RFC 7518, section 3.2)."""
    if len(value.encode()) < 32:
        raise BadValue("must have at least 32 bytes, as every legacy secret of Supabase has; else leave it out")
    return value


def service_key(value: str) -> str:
    """A secret key or the legacy one. Whatever else is no JWT passes: self-hosted projects name keys as they like."""
    if is_front_end_key(value):
        raise BadValue(
            "must be the secret key (sb_secret_…) or the legacy service_role key; this one is for front ends"
        )
    return value


def is_front_end_key(value: str) -> bool:
    """Whether it says of itself that it opens no more than a front end may see."""
    return value.startswith("sb_publishable_") or (is_jwt(value) and _role(value) != "service_role")


def is_jwt(value: str) -> bool:
    """Legacy keys are; newer ones are opaque. By its form alone."""
    return value.startswith("ey") and value.count(".") == 2


def _role(token: str) -> object:
    """As the token says, unverified: only to tell keys apart."""
    payload = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return None
    return claims.get("role") if isinstance(claims, dict) else None


def secrets(value: str) -> tuple[str, ...]:
    found = tuple(secret(part) for part in (p.strip() for p in value.split(",")) if part)
    if not found:
        raise BadValue(f"must hold at least one secret, newest first, separated by commas; {HOW_TO_MAKE_ONE}")
    return found


def operator_tokens(value: str) -> dict[str, str]:
    """{name: token}: one token alone, whose holder is called "operator", or name=token pairs. A name has no "=", and
    a token may end in some."""
    tokens: dict[str, str] = {}
    for part in filter(None, (p.strip() for p in value.split(","))):
        name, separator, token = part.partition("=")
        if not separator or not token.strip("="):
            name, token = "operator", part
        name = name.strip()
        if not name or len(name) > MAX_NAME_LENGTH or name in tokens:
            raise BadValue(
                "has a name that is missing, too long or given twice; give one token, or name=token,name=token"
            )
        tokens[name] = secret(token.strip())
    if not tokens:
        raise BadValue("must be one token, or name=token,name=token")
    if len(set(tokens.values())) != len(tokens):
        raise BadValue("has one token under two names; give each operator their own")
    return tokens


def keys(value: str) -> tuple[bytes, ...]:
    mend = f"must hold 32-byte keys in URL-safe base64, newest first, separated by commas; {HOW_TO_MAKE_A_KEY}"
    try:
        keys = tuple(
            base64.b64decode(part, altchars=b"-_", validate=True)
            for part in (p.strip() for p in value.split(","))
            if part
        )
    except ValueError:  # binascii.Error, or text beyond ASCII
        raise BadValue(mend) from None
    if not keys or any(len(key) != 32 for key in keys):
        raise BadValue(mend)
    return keys


def number(least: float, most: float, kind: type[int] | type[float]) -> Callable[[str], float]:
    def check(value: str) -> float:
        try:
            number = kind(value)
        except ValueError:
            number = None
        if number is None or not least <= number <= most:
            words = "a whole number" if kind is int else "a number"
            raise BadValue(f"must be {words} from {least:g} to {most:g}")
        return number

    return check


def smtp_server(value: str) -> SmtpServer:
    mend = (
        "must be like smtps://user:password@host:465?from=sender@example.com "
        "(or smtp://…:587, which then uses STARTTLS)"
    )
    try:
        parts = urlsplit(value)
        sender = dict(parse_qsl(parts.query, strict_parsing=True)).get("from", "")
        port = parts.port
    except ValueError:
        raise BadValue(mend) from None
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or "@" not in sender or not sender.isprintable():
        raise BadValue(mend)
    return SmtpServer(
        host=parts.hostname,
        port=port or (465 if parts.scheme == "smtps" else 587),
        sender=sender,
        implicit_tls=parts.scheme == "smtps",
        is_loopback=parts.hostname in LOOPBACK_HOSTS,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def hides(value: str) -> bool:
    if value.lower() not in {"show", "hide"}:
        raise BadValue("must be show or hide")
    return value.lower() == "hide"


def log_level(value: str) -> str:
    if value.lower() not in {"debug", "info", "warning", "error"}:
        raise BadValue("must be debug, info, warning or error")
    return value.lower()


def choice(*words: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value.lower() not in words:
            raise BadValue(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return value.lower()

    return check


def endpoint(value: str) -> str:
    """A URL that is called as it stands: its path's end matters, for no redirect is followed."""
    url(value.partition("?")[0])
    if "@" in urlsplit(value).netloc or not (value.isascii() and value.isprintable()) or " " in value:
        raise BadValue("must be a URL of ASCII characters, without spaces or a user name")
    return value


def header_value(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise BadValue("must be ASCII characters without spaces, as the provider gave it")
    return value


def bot_name(value: str) -> str:
    if len(value) > 100 or not value.isprintable():
        raise BadValue("must be 100 printable characters at most")
    return value


def webhook_secrets(value: str) -> tuple[bytes, ...]:
    """Of Standard Webhooks: base64, with the prefix whsec_ or without; the bytes of each, newest first."""
    mend = (
        "must hold secrets of Standard Webhooks, newest first, separated by commas: whsec_ and 24 to 64 bytes in "
        "base64; "
        "make one with: python -c 'import base64, os; print(\"whsec_\" + base64.b64encode(os.urandom(32)).decode())'"
    )
    return _decoded((part.removeprefix("whsec_") for part in _parts(value)), 24, mend)


def base64_secrets(value: str) -> tuple[bytes, ...]:
    """Base64 as the provider shows it; the bytes of each, newest first."""
    mend = "must hold the provider's webhook secrets in base64 as it shows them, newest first, separated by commas"
    return _decoded(_parts(value), 16, mend)


def _parts(value: str) -> list[str]:
    return [part for part in (p.strip() for p in value.split(",")) if part]


def _decoded(parts: Iterable[str], least: int, mend: str) -> tuple[bytes, ...]:
    try:
        secrets = tuple(base64.b64decode(part + "=" * (-len(part) % 4), validate=True) for part in parts)
    except ValueError:  # binascii.Error, or text beyond ASCII
        raise BadValue(mend) from None
    if not secrets or any(not least <= len(secret) <= 64 for secret in secrets):
        raise BadValue(mend)
    return secrets
