"""Probes: what the service sends to itself through its public doors, and how each end knows the other. Pure. Called by
the prober and by the webhook.

A probe is `<region>.<unix time>.<nonce>` and its HMAC-SHA256 by CHANNEL_TOKEN_SECRET. It expires, does nothing at the
other end, and is answered by another HMAC of it: so an answer that somebody else gives in our place is not taken for
ours, and a probe that somebody caught serves for nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

PROBE_HEADER, PROOF_HEADER, ANSWER_HEADER = "X-Ingress-Probe", "X-Ingress-Probe-Proof", "X-Ingress-Probe-Answer"
# The clocks of two replicas differ, and a probe takes ten seconds at most.
LIVES_SECONDS = 60.0
_PROBE = re.compile(r"([^.\s]{1,64})\.(\d{1,12})\.([0-9a-f]{32})")


def make_probe(region: str, unix_time: float, nonce: str) -> str:
    """`nonce`: 32 hex characters. A region whose name does not fit a header is not named."""
    name = region if re.fullmatch(r"[A-Za-z0-9_-]{1,64}", region) else "region"
    return f"{name}.{int(unix_time)}.{nonce}"


def probe_proof(secret: str, probe: str) -> str:
    return _sign(secret, "ingress probe", probe)


def probe_answer(secret: str, probe: str) -> str:
    return _sign(secret, "ingress probe answer", probe)


def is_probe(secrets: Sequence[str], probe: str, proof: str, unix_time: float) -> bool:
    """Whether it was made with any of the secrets, a moment ago. Time does not depend on which, nor on where it
    differs."""
    given = proof.encode("utf-8", "replace")
    proven = [hmac.compare_digest(probe_proof(secret, probe).encode(), given) for secret in secrets]
    parts = _PROBE.fullmatch(probe)
    return any(proven) and parts is not None and abs(unix_time - int(parts[2])) <= LIVES_SECONDS


def is_answer(secret: str, probe: str, answer: str) -> bool:
    return hmac.compare_digest(probe_answer(secret, probe).encode(), answer.encode("utf-8", "replace"))


def _sign(secret: str, kind: str, probe: str) -> str:
    # The kind keeps it apart from channels' tokens: a line feed is in no header, so in no channel's id.
    return hmac.new(secret.encode(), f"{kind}\n{probe}".encode(), hashlib.sha256).hexdigest()
