"""How soon a change in a calendar reaches the provider of bots, and how many calls that takes.

One gunicorn worker, as a platform runs it, with that provider's fake. Meetings are put into the calendar one after the
other, then each is moved; Google's notification starts everything.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from functools import partial

from scripts.benchmarks.ground import Ground, event, ground, gunicorn
from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from scripts.stack.bots import FakeServer
from scripts.stack.environment import bot_provider
from scripts.stack.waiting import wait_until

MEETINGS = 20
SYNCED = "select 1 from calendar_webhooks where last_synced_at is not null"


def bots(size: Size) -> Iterator[Row]:
    fake = FakeServer("attendee").start()
    try:
        with ground() as here:
            environment = here.environment | bot_provider(fake)
            with gunicorn(environment):
                _, email = here.person(here.services(**bot_provider(fake)), "alice")
                wait_until(lambda: here.db.execute(SYNCED).fetchone(), within_seconds=60, what="the first sync")
                yield from _reached(here, fake, email, size.of(MEETINGS, 2))
    finally:
        fake.stop()


def _reached(here: Ground, fake: FakeServer, email: str, count: int) -> Iterator[Row]:
    created, committed, moved = [], [], []
    events = []
    for number in range(count):
        began = now()
        events.append(here.google.insert_event(email, meeting(number, 5)))
        wait_until(lambda: len(fake.control.bots()) == len(events), within_seconds=60, what="the bot")
        at = dt.datetime.fromisoformat(fake.control.bots()[-1]["history"][0]["at"]).timestamp()
        room = events[-1]["location"]
        ((row_at,),) = here.db.execute("select created_at from meetings where meeting_url = %s", (room,)).fetchall()
        created.append((at - began) * 1000)
        committed.append((at - row_at.timestamp()) * 1000)
    for number, each in enumerate(events):
        body = meeting(number, 30)
        began, before = now(), changes(fake)
        here.google.patch_event(email, each["id"], {"start": body["start"], "end": body["end"]})
        wait_until(partial(has_changed_since, fake, before), within_seconds=60, what="the move")
        moved.append((now() - began) * 1000)
    yield row_of("commit to provider, new meeting", "ms", committed)
    yield row_of("calendar to provider, new meeting", "ms", created)
    yield row_of("calendar to provider, moved meeting", "ms", moved)
    calls = Counter(call["call"] for call in fake.control.requests())
    yield row_of("calls for each meeting, one of them a move", "calls", [calls.total() / count])


def changes(fake: FakeServer) -> int:
    """Bots that were moved so far."""
    return sum(call["call"] == "change" for call in fake.control.requests())


def has_changed_since(fake: FakeServer, before: int) -> bool:
    return changes(fake) > before


def meeting(number: int, hours: float) -> dict[str, object]:
    """In a room of its own."""
    return event("Meeting", hours, location=f"https://zoom.us/j/555{number:07d}")


def now() -> float:
    return dt.datetime.now(dt.UTC).timestamp()


MEASURES = (Measure("bots", "from a change in the calendar to the provider of bots", "none", bots),)
