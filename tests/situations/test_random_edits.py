"""Whatever people do, in whatever order, and whatever Google does meanwhile: `meetings` equals the calendar."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.situations.quiet import NOW, Quiet, connect, quieten
from tests.situations.random_edits import Diary, Step, steps
from tests.world import World

_numbers = itertools.count(1)


def new_diary(world: World, opaque: bool) -> Diary:
    """A new Alice with two connected calendars, a few events, and nothing left of earlier examples."""
    world.db.execute("delete from auth.users")
    world.google.reset()
    quieten(world, NOW)
    world.google.configure(opaque_instance_ids=opaque)
    alice = world.person(time_zone="Europe/Zurich")
    team = f"team{next(_numbers)}@example.com"
    world.google.add_calendar(alice.email, team, time_zone="Europe/Zurich")
    connect(world, alice, ["primary", team])
    diary = Diary(Quiet(world, alice), team)
    diary.begin()
    return diary


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.booleans(), st.lists(steps, min_size=6, max_size=12))
def test_after_any_edits_and_syncs_meetings_equal_the_calendar(world: World, opaque: bool, edits: list[Step]) -> None:
    diary = new_diary(world, opaque)
    for step in edits:
        diary.carry_out(step)
    diary.settle(Step("settle"))
