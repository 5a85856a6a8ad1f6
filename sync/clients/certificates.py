"""The authorities whose certificates are trusted. Called by the clients that speak through httpx or httpcore."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def certificates(*, trust_env: bool = True) -> ssl.SSLContext:
    """As httpx finds them: also those that the environment names, unless it is not to be trusted. Read once for a
    process, which takes longer than many a call."""
    return httpx.create_ssl_context(trust_env=trust_env)
