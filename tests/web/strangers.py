"""Somebody at an address of their own, as the platform's proxy reports it."""

from __future__ import annotations

import uuid
from typing import Any

import httpx

from sync.core.accounts.channel_token import channel_token
from sync.web.doors.limits import UNPROVEN_PER_MINUTE
from tests.web.calls import WEBHOOK
from tests.world import TLS, World


class Client:
    """Somebody with one connection to the service, at an address that the platform's proxy reports."""

    def __init__(self, world: World, address: str = "203.0.113.7") -> None:
        self._http = httpx.Client(
            base_url=world.service.url, timeout=60, headers={"X-Forwarded-For": address}, verify=TLS
        )

    def post(self, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        return self._http.post(path, headers=headers, **content)

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self._http.get(path, headers=headers)

    def options(self, path: str) -> httpx.Response:
        return self._http.options(path)

    def be_refused_too_often(self) -> httpx.Response:
        """The first answer past the limit."""
        for _ in range(UNPROVEN_PER_MINUTE):
            assert self.post(WEBHOOK).status_code == 401
        return self.post(WEBHOOK)

    def close(self) -> None:
        self._http.close()


def signed(world: World) -> dict[str, str]:
    channel_id = str(uuid.uuid4())
    return {
        "X-Goog-Channel-ID": channel_id,
        "X-Goog-Channel-Token": channel_token(world.settings.channel_token_secrets[0], channel_id),
        "X-Goog-Resource-ID": "resource",
        "X-Goog-Resource-State": "exists",
    }
