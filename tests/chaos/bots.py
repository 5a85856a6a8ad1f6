"""The bots of one person among the histories: in the end one for each of their rooms and times, whatever became of
processes, answers and the provider meanwhile. Used by batch.py."""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter

from scripts.stack.bots import FakeServer
from scripts.stack.environment import bot_provider
from scripts.stack.truth import expected_meetings
from tests.chaos.people import Member, Presence
from tests.flows.bots.stage import LEAD
from tests.world import World

TROUBLES = ("cut", "lost_answer", "status_after", "status", "throttled", "truncated", "foreign_answer", "slow")
# Bots of meetings that begin sooner than this join at once, and those at the horizon's end come and go with it.
SOON, EDGE = dt.timedelta(minutes=15), dt.timedelta(hours=2)
HOURS_PASS = """
update bot_requests set due_at = now() where due_at > now() and lease_expires_at is null;
update bot_wishes set due_at = now() where due_at < now() + interval '1 minute';
update bot_providers set not_before = null
"""
# Of processes that were killed: who lives has none for so long, once all is healed.
END_LEASES = """
update bot_requests set lease_expires_at = now(), due_at = now()
where lease_expires_at < now() + interval '75 seconds'
"""


class Bots:
    """A fake provider, and the member who has bots; the others have none."""

    def __init__(self) -> None:
        self.fake = FakeServer("attendee").start()
        self.member: Member | None = None

    def environment(self) -> dict[str, str]:
        return {**bot_provider(self.fake), "BOT_JOIN_RULE": "none"}

    def give_to(self, world: World, member: Member, url: str) -> None:
        """From now on this member wishes a bot for each meeting; the provider tells how they fare at `url`."""
        self.member = member
        self.fake.control.configure(message_url=f"{url}/functions/v1/bot-status/attendee")
        world.db.execute(
            "insert into bot_preferences (user_id, join_rule) values (%s, 'all')", (member.person.user_id,)
        )

    def trouble(self, dice: random.Random) -> None:
        for kind in dice.sample(TROUBLES, 3):
            self.fake.control.add_fault(kind, probability=0.2, skip=dice.randrange(3), seconds=0.05)

    def peace(self) -> None:
        self.fake.control.clear_faults()

    def problems(self, world: World) -> list[str]:
        """A line for each bot that is missing, doubled, or nobody's."""
        if self.member is None:
            return []
        low, high = world.now + SOON, world.now + dt.timedelta(days=world.settings.horizon_future_days) - EDGE
        wished = _wished(world, self.member, low, high)
        there: Counter[tuple[str, dt.datetime]] = Counter()
        for bot in self.fake.control.bots(alive=True):
            at = dt.datetime.fromisoformat(bot["join_at"] or world.now.isoformat()) + LEAD
            if low <= at < high:
                there[bot["wish"]["meeting_url"], at] += 1
        return [
            f"bots: wished {wished[each]}, there {there[each]}: {each}"
            for each in {*wished, *there}
            if wished[each] != there[each]
        ]


def _wished(world: World, member: Member, low: dt.datetime, high: dt.datetime) -> Counter[tuple[str, dt.datetime]]:
    if member.presence is not Presence.JOINED:
        return Counter()
    slots = {
        (meeting["meeting_url"], meeting["start_time"])
        for calendar_id in member.calendars.values()
        for meeting in expected_meetings(
            world.google, calendar_id, low, high, time_zone=member.person.time_zone
        ).values()
        # As preferences are by default: what has dates instead of times has none.
        if low <= meeting["start_time"] < high and not meeting["is_all_day"]
    }
    return Counter(slots)
