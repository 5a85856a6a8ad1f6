"""Lets in again whom the service itself sent out: browsers that come back from Google's consent page.

They carry no credential, and may stand behind an address that strangers have used up. Their state is signed here and
lives for minutes, so no stranger can make one. Called by `guard`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import Request

from sync.core.accounts.oauth_flow import read_state
from sync.settings import Settings

CALLBACK = "connect_google.come_back"


class Returns:
    def __init__(self, settings: Settings, clock: Callable[[], dt.datetime]) -> None:
        self._secrets = settings.channel_token_secrets
        self._clock = clock

    def nonce(self, request: Request) -> str | None:
        """The nonce of a good state that has not expired; None: this is no such return. Whether it was used before,
        only the store knows."""
        if request.endpoint != CALLBACK:
            return None
        state = read_state(self._secrets, request.args.get("state", ""))
        return None if state is None or state.is_expired(self._clock()) else state.nonce
