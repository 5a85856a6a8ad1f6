"""What bots cost, counted: calls to their provider, calls to the store."""

from __future__ import annotations

from collections import Counter

from scripts.stack.bots import FakeServer
from sync.jobs.bots.follow_bots import follow_bots
from tests.flows.bots.stage import span, staged
from tests.world import World


def test_a_meeting_costs_one_call_and_each_move_one_more(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    bodies = [world.event(f"Meeting {number}", hours=number) for number in range(2, 12)]
    events = world.google.bulk_insert(alice.email, bodies, notify=False)
    stage.sync(alice)
    for event in events[:3]:
        world.google.patch_event(alice.email, event["id"], span(world, 20), notify=False)
    stage.sync(alice)
    # Nothing of this is a bot's concern.
    for event in events:
        world.google.patch_event(alice.email, event["id"], {"summary": "Renamed"}, notify=False)
    world.google.expire_sync_tokens()
    stage.sync(alice)

    calls = Counter(request["call"] for request in attendee.control.requests())
    # Three are in one room at one time now, and share one bot; before a removal Attendee is asked for the state.
    assert calls == {"create": 10, "change": 1, "get": 2, "remove": 2}


def test_with_nothing_to_do_a_look_costs_four_store_calls(world: World, attendee: FakeServer) -> None:
    stage, alice = staged(world, attendee)
    world.google.insert_event(alice.email, world.event("Meeting"))
    stage.sync(alice)
    world.reset_counters()
    before = len(attendee.control.requests())

    follow_bots(world.services)

    looks = ("declare_bots", "claim_bot_wishes", "claim_bot_requests", "show_bot_states")
    assert world.rpcs() == dict.fromkeys(looks, 1)
    assert len(attendee.control.requests()) == before
