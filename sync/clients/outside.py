"""What an address looks like to whoever calls it: its name, its connection, its certificate, its clock. Sends no
secret. Called by the doctor.

A certificate is read even where it is refused, so that its end can be told.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
from cryptography import x509

from sync.clients.certificates import certificates
from sync.clients.retrying import seconds_left

CONNECT_SECONDS = 4.0
# OpenSSL's numbers for why a certificate is refused.
_REFUSALS = {9: "not_yet_valid", 10: "expired", 62: "other_host", 64: "other_host"}

# The first word of the error that Google names.
_CODE = re.compile(rb"[a-z]+(?:_[a-z]+)+")


@dataclass(frozen=True, slots=True)
class Connection:
    """How far it came. `error_code` None: all the way; else name_unknown, not_connected, timeout, expired,
    not_yet_valid, other_host, not_trusted, tls_failed. `ends_at`: of the certificate, if one was shown."""

    addresses: tuple[str, ...]
    error_code: str | None
    ends_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """The time another clock told, and ours before and after."""

    at: dt.datetime
    asked_at: dt.datetime
    answered_at: dt.datetime


def connect(url: str) -> Connection:
    """One connection to the host of `url`, with TLS for https. Never raises for what the network does."""
    parts = urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return Connection((), "name_unknown")
    addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    try:
        return Connection(addresses, *(_hand_shake(host, port) if is_tls else _open(host, port)))
    except TimeoutError:
        return Connection(addresses, "timeout")
    except OSError:
        return Connection(addresses, "not_connected")


def clock_of(url: str, clock: Callable[[], dt.datetime]) -> Told | None:
    """What the Date header of an answer says, whatever the answer; None: there is none."""
    timeout = max(0.1, seconds_left(CONNECT_SECONDS))
    try:
        with httpx.Client(verify=certificates(), timeout=timeout, follow_redirects=False) as client:
            # The first request also makes the connection, which takes longer than an answer.
            client.head(url)
            asked_at = clock()
            answer = client.head(url)
            answered_at = clock()
            return Told(parsedate_to_datetime(answer.headers["date"]).astimezone(dt.UTC), asked_at, answered_at)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, LookupError, ValueError):
        return None


def consent_refusal(url: str) -> str | None:
    """Why Google's consent page refuses to begin, as its own code (redirect_uri_mismatch, invalid_client…); None: it
    goes on to a sign-in. "not_told": neither can be told. Nobody is signed in, and nothing is granted.

    Google tells a refusal by leading to its error page, the code inside `authError` (base64 of its name and a
    sentence); others by the error of RFC 6749."""
    try:
        with httpx.Client(
            verify=certificates(), timeout=max(0.1, seconds_left(CONNECT_SECONDS)), follow_redirects=False
        ) as client:
            answer = client.get(url)
            target = urlsplit(answer.headers.get("location", ""))
            told = dict(parse_qsl(target.query)).get("authError")
            if told is not None:
                found = _CODE.search(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
                return found[0].decode() if found else "not_told"
            if answer.is_client_error:
                return str(answer.json()["error"])[:60]
    except (httpx.HTTPError, httpx.InvalidURL, OSError, LookupError, ValueError, TypeError):
        return "not_told"
    return None if answer.is_success or answer.is_redirect else "not_told"


def _open(host: str, port: int) -> tuple[str | None, None]:
    socket.create_connection((host, port), max(0.1, seconds_left(CONNECT_SECONDS))).close()
    return None, None


def _hand_shake(host: str, port: int) -> tuple[str | None, dt.datetime | None]:
    """(error code, the certificate's end). Raises OSError where no connection comes about."""
    try:
        return None, _certificate_end(host, port, certificates())
    except ssl.SSLCertVerificationError as refused:
        code = _REFUSALS.get(refused.verify_code, "not_trusted")
    except ssl.SSLError:
        return "tls_failed", None
    ends_at = None
    with contextlib.suppress(OSError, ValueError):
        ends_at = _certificate_end(host, port, _anything())
    # One that its owner signed is refused for that first.
    return ("expired" if ends_at and ends_at < dt.datetime.now(dt.UTC) else code), ends_at


def _certificate_end(host: str, port: int, context: ssl.SSLContext) -> dt.datetime | None:
    with (
        socket.create_connection((host, port), max(0.1, seconds_left(CONNECT_SECONDS))) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        shown = secured.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(shown).not_valid_after_utc if shown else None


def _anything() -> ssl.SSLContext:
    """To look at a certificate that is refused; nothing is sent to whoever shows it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
