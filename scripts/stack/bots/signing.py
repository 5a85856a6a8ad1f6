"""How providers sign their messages, written from their pages."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any


def attendee(body: dict[str, Any], secret: str) -> tuple[bytes, dict[str, str]]:
    """Over the body in canonical form: sorted, without spaces, not escaped. Sent in another form, as theirs are."""
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signature = _base64_hmac(base64.b64decode(secret), canonical.encode())
    return json.dumps(body).encode(), {"X-Webhook-Signature": signature}


def standard(message_id: str, body: bytes, secret: str, family: str = "webhook") -> dict[str, str]:
    """Standard Webhooks: over id, time and raw body. `family`: webhook, or svix for older names."""
    sent_at = str(int(time.time()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((message_id.encode(), sent_at.encode(), body))
    return {
        f"{family}-id": message_id,
        f"{family}-timestamp": sent_at,
        f"{family}-signature": f"v1,{_base64_hmac(key, signed)}",
    }


def is_standard(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Whether one of the signatures is good, and not older or newer than five minutes."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or "." in message_id or not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > 300:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = f"v1,{_base64_hmac(key, b'.'.join((message_id.encode(), sent_at.encode(), body)))}"
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in given)


def _base64_hmac(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
