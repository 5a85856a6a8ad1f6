"""Channel tokens: proof that a notification belongs to a channel we opened. Pure. Called by the webhook and by
watching.

The token is HMAC-SHA256(secret, channel id) in hex, so a forged one is refused without asking the database, and nothing
secret is stored.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence


def channel_token(secret: str, channel_id: str) -> str:
    """The token for a channel: 64 hex characters (Google allows 256)."""
    return hmac.new(secret.encode(), channel_id.encode(), hashlib.sha256).hexdigest()


def is_channel_token(secrets: Sequence[str], channel_id: str, token: str) -> bool:
    """Whether `token` was made with any of the secrets. Time does not depend on which, nor on where it differs."""
    given = token.encode("utf-8", "replace")
    matches = [hmac.compare_digest(channel_token(secret, channel_id).encode(), given) for secret in secrets]
    return any(matches)
