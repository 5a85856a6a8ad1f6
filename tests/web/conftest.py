"""Fixtures of the doors' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.strangers import Client
from tests.world import World


@pytest.fixture
def behind_a_proxy(world: World) -> World:
    world.restart_service(TRUSTED_PROXIES="1")
    world.db.execute("truncate security_events")
    return world


@pytest.fixture
def stranger(behind_a_proxy: World) -> Iterator[Client]:
    client = Client(behind_a_proxy)
    yield client
    client.close()
