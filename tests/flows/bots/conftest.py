"""A stage with each provider in turn."""

from __future__ import annotations

import pytest

from scripts.stack.bots import FakeServer
from tests.flows.bots.stage import BotStage
from tests.world import Person, World


@pytest.fixture(params=["attendee", "recall", "webhook"])
def fake(request: pytest.FixtureRequest, bot_fakes: dict[str, FakeServer]) -> FakeServer:
    found = bot_fakes[request.param]
    found.control.reset()
    return found


@pytest.fixture
def stage(world: World, fake: FakeServer) -> BotStage:
    return BotStage(world, fake)


@pytest.fixture
def alice(stage: BotStage) -> Person:
    alice = stage.world.person()
    stage.world.connect(alice)
    return alice
