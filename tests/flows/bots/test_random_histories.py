"""Whatever people do and whatever goes wrong, each meeting that wants a bot ends with exactly one."""

from __future__ import annotations

import pytest

from scripts.stack.bots import FakeServer
from tests.flows.bots.histories import History
from tests.world import World


# `histories` runs any number of others by hand.
@pytest.mark.parametrize("seed", range(4))
def test_a_history_full_of_trouble_ends_with_exactly_the_wished_bots(world: World, fake: FakeServer, seed: int) -> None:
    History(world, fake, seed).run(10)
