"""A world with an emulated bot provider: bots are followed when a test says so, and compared with the calendar.

The truth is computed from Google alone: the rooms and times that somebody who reads the calendar would send a bot to.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

from scripts.stack.bots import FakeServer
from scripts.stack.environment import bot_provider
from scripts.stack.truth import expected_meetings
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.bots.reconcile_bots import reconcile_bots
from tests.world import Person, World

LEAD = dt.timedelta(seconds=120)


class BotStage:
    """One test's world with a provider."""

    def __init__(self, world: World, fake: FakeServer, **settings: str) -> None:
        self.world, self.fake = world, fake
        # Each test says when a calendar is read.
        world.google.configure(push="drop")
        world.restart_service(**(bot_provider(fake) | settings))
        self.be_told()
        follow_bots(world.services)

    def be_told(self) -> None:
        """The provider's messages reach the service from now on."""
        url = f"{self.world.service.url}/functions/v1/bot-status/{self.fake.kind}"
        self.fake.control.configure(message_url=url)

    def sync(self, person: Person) -> None:
        """Their calendar is read, and bots follow."""
        self.world.make_due(person)
        self.world.sweep()
        self.world.assert_equal(person)
        self.follow()

    def follow(self) -> None:
        """What every process does after commits and every few seconds, with all waits over."""
        for _ in range(2):
            assert self.fake.control.wait_messages_idle()
            self.hasten()
            follow_bots(self.world.services)

    def hasten(self) -> None:
        """Backoffs, leases, pauses and rates are over."""
        self.world.db.execute(
            "update bot_requests set due_at = now(), lease_expires_at = null where due_at is not null;"
            "update bot_wishes set due_at = now() where due_at < now() + interval '1 minute';"
            "update bot_providers set not_before = null, create_tokens = 10, change_tokens = 50"
        )

    def reconcile(self) -> dict[str, int]:
        return reconcile_bots(self.world.services)

    def alive(self) -> list[dict[str, Any]]:
        return self.fake.control.bots(alive=True)

    def bots(self) -> Counter[tuple[str, str]]:
        """The bots that will join: (link, time), each as often as it is there."""
        return self.bots_of(self.fake)

    @staticmethod
    def bots_of(fake: FakeServer) -> Counter[tuple[str, str]]:
        bots = fake.control.bots(alive=True)
        return Counter((bot["wish"]["meeting_url"], _second(bot["join_at"])) for bot in bots)

    def wished(self, *people: Person) -> Counter[tuple[str, str]]:
        """What the calendars of people who share nothing wish: one bot for each room and time of each of them."""
        wished: Counter[tuple[str, str]] = Counter()
        for person in people:
            end = self.world.now + dt.timedelta(days=self.world.settings.horizon_future_days)
            expected = expected_meetings(
                self.world.google, person.email, self.world.now, end, time_zone=person.time_zone
            ).values()
            slots = {
                (meeting["meeting_url"], _second((meeting["start_time"] - LEAD).isoformat()))
                for meeting in expected
                if meeting["status"] != "cancelled" and meeting["event_status"] != "declined"
            }
            wished.update(slots)
        return wished

    def meeting(self, person: Person) -> dict[str, Any]:
        """Their only meeting."""
        (row,) = self.world.meetings(person)
        return row

    def messages(self) -> Counter[str]:
        """What became of the provider's messages: delivered, gave_up, dropped."""
        return Counter(message["outcome"] for message in self.fake.control.messages())

    def calls(self, *names: str) -> int:
        return sum(request["call"] in names for request in self.fake.control.requests())


def staged(world: World, fake: FakeServer, **settings: str) -> tuple[BotStage, Person]:
    """A stage, and Alice, connected."""
    stage, alice = BotStage(world, fake, **settings), world.person()
    world.connect(alice)
    return stage, alice


def span(world: World, hours: float) -> dict[str, Any]:
    """An hour that begins `hours` from now, as an event's changes."""
    start = world.now + dt.timedelta(hours=hours)
    end = start + dt.timedelta(hours=1)
    return {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": end.isoformat()}}


def _second(instant: str | None) -> str:
    assert instant is not None
    return dt.datetime.fromisoformat(instant).astimezone(dt.UTC).replace(microsecond=0).isoformat()
