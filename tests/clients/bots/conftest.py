"""Each bot provider's fake in turn, and its client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.stack.bots import KINDS, FakeServer
from sync.clients.bots.provider import BotProvider
from tests.bot_wishes import client_of


@pytest.fixture(params=sorted(KINDS))
def fake(request: pytest.FixtureRequest, bot_fakes: dict[str, FakeServer]) -> FakeServer:
    found = bot_fakes[request.param]
    found.control.reset()
    return found


@pytest.fixture
def provider(fake: FakeServer) -> Iterator[BotProvider]:
    client = client_of(fake)
    yield client
    client.close()
