"""Whether a message is a bot provider's: signatures that come in. The other way, `webhook` signs what goes out.

Constant time; what is unsigned is refused, whatever it says. Attendee's signature covers no time, so that a message of
theirs is good for ever: only keeping its `message_id` stops a replay. The others' is good for five minutes
(`standardwebhooks` looks at the clock). Called by the status route, which bounds the body before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from sync.bot_model import BotProviderName
from sync.errors import SignatureRefused

ATTENDEE_HEADER = "x-webhook-signature"
# Recall's accounts since December 2025 use the standard's names, older ones those of the service that sends for it.
HEADER_FAMILIES = ("webhook", "svix")
TOLERANCE_SECONDS = 300.0
STANDARD_PARTS = ("id", "timestamp", "signature")


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What was signed. `id` is the same over a message's repeats."""

    id: str
    body: Mapping[str, Any]


def read_signed(
    provider: BotProviderName, headers: Mapping[str, str], raw: bytes, secrets: Sequence[bytes]
) -> SignedMessage:
    """The message, if it is signed with one of the secrets. `headers` with lower-case names.

    Raises SignatureRefused; without a secret nothing is accepted.
    """
    if provider is BotProviderName.ATTENDEE:
        return _of_attendee(headers.get(ATTENDEE_HEADER), raw, secrets)
    return _of_the_standard(headers, raw, secrets)


def attendee_signature(body: Any, secret: bytes) -> str:
    """Over the canonical form of the body, not over its bytes. ValueError where it has none (a lone surrogate)."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(hmac.new(secret, canonical.encode(), hashlib.sha256).digest()).decode()


def _of_attendee(signature: str | None, raw: bytes, secrets: Iterable[bytes]) -> SignedMessage:
    if not signature:
        raise SignatureRefused("unsigned")
    body = _object(raw)
    try:
        expected = [attendee_signature(body, secret) for secret in secrets]
    except (ValueError, RecursionError):
        raise SignatureRefused("malformed") from None
    # Each is compared, so that the time tells nothing of which secret was near.
    matches = [hmac.compare_digest(each.encode(), signature.strip().encode()) for each in expected]
    if not any(matches):
        raise SignatureRefused("wrong_signature")
    message_id = body.get("idempotency_key")
    if not isinstance(message_id, str) or not message_id:
        raise SignatureRefused("malformed")
    return SignedMessage(message_id, body)


def _of_the_standard(headers: Mapping[str, str], raw: bytes, secrets: Sequence[bytes]) -> SignedMessage:
    family = next((name for name in HEADER_FAMILIES if headers.get(f"{name}-signature")), None)
    if family is None:
        raise SignatureRefused("unsigned")
    # The library knows the standard's names only.
    renamed = {f"webhook-{part}": headers.get(f"{family}-{part}", "") for part in STANDARD_PARTS}
    if not all(renamed.values()):
        raise SignatureRefused("unsigned")
    refusals = [refusal for secret in secrets if (refusal := _refusal(secret, renamed, raw))]
    if len(refusals) == len(secrets):
        raise SignatureRefused("stale" if "stale" in refusals else refusals[0] if refusals else "wrong_signature")
    return SignedMessage(renamed["webhook-id"], _object(raw))


def _refusal(secret: bytes, headers: dict[str, str], raw: bytes) -> str | None:
    try:
        Webhook(secret).verify(raw, headers, json_parse=False)
    except WebhookVerificationError:
        return "stale" if _is_stale(headers["webhook-timestamp"]) else "wrong_signature"
    except (ValueError, binascii.Error):
        # Of headers that have not the standard's form, and of bytes that are no text.
        return "malformed"
    return None


def _is_stale(timestamp: str) -> bool:
    """Only to say why: the library has refused it already."""
    return timestamp.isdecimal() and abs(time.time() - int(timestamp[:12])) > TOLERANCE_SECONDS


def _object(raw: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise SignatureRefused("malformed") from None
    if not isinstance(body, dict):
        raise SignatureRefused("malformed")
    return body
