"""A quiet world: no web service, no push, jobs called directly, a fixed time; so a test is fast and repeatable.

It is 10 February 2028: the horizon (9 February to 10 April) holds a 29 February, both changes to summer time (America
on 12 March, Europe on 26 March) and a 31st.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest

from scripts.stack.google import address_of
from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.syncing.sync_calendar import SyncOutcome
from tests.world import PATIENCE_SECONDS, JsonObject, Person, World

NOW = dt.datetime(2028, 2, 10, 12, tzinfo=dt.UTC)
ZURICH, NEW_YORK = "Europe/Zurich", "America/New_York"
LINK = "https://zoom.us/j/5551234567"
Result = TypeVar("Result")
RowVersions = list[tuple[str, str, str]]


@dataclass
class Quiet:
    """Alice's connected calendar in a quiet world; unless Google announces what happens to it."""

    world: World
    alice: Person
    announces: bool = False

    @property
    def email(self) -> str:
        return self.alice.email

    def insert(self, *bodies: JsonObject) -> list[str]:
        """The new events' ids."""
        inserted = [self.world.google.insert_event(self.email, body, notify=self.announces) for body in bodies]
        return [event["id"] for event in inserted]

    def patch(self, event_id: str, **changes: Any) -> JsonObject:
        return self.world.google.patch_event(self.email, event_id, changes, notify=self.announces)

    def delete(self, *event_ids: str) -> None:
        for event_id in event_ids:
            self.world.google.delete_event(self.email, event_id, notify=self.announces)

    def split(self, master_id: str, at: str, changes: JsonObject | None = None, style: str = "web") -> str:
        """ "This and following" from the instance `at` (its id) on; the new series' id."""
        arguments: Any = {"changes": changes, "style": style, "notify": self.announces}
        following = self.world.google.split_series(self.email, master_id, at.rpartition("_")[2], **arguments)
        return str(following["id"])

    def instances(self, series_id: str, days: float = 59) -> list[JsonObject]:
        """Google's instances of a series (or of those split off it) from now on, by start, by their addresses."""
        until = self.world.now + dt.timedelta(days=days)
        seen = self.world.google.instances(self.email, self.world.now.isoformat(), until.isoformat())
        base = series_id.partition("_R")[0]
        mine = [event for event in seen if event.get("recurringEventId", "").partition("_R")[0] == base]
        return [event | {"id": address_of(event)} for event in mine]

    def sync(self) -> SyncOutcome:
        """One sync of the first calendar (of all, if there are several), forced."""
        outcomes = sync_all(self.world, self.alice)
        return outcomes[0]

    def resync(self) -> SyncOutcome:
        """One full sync: Google took the token back."""
        self.world.google.expire_sync_tokens(self.email)
        return self.sync()

    def assert_equal(self) -> None:
        self.world.assert_equal(self.alice)

    def synced_equal(self) -> SyncOutcome:
        outcome = self.sync()
        self.assert_equal()
        return outcome

    def settled(self) -> SyncOutcome:
        """Sync, equal; and one more sync, incremental or full, has nothing to write."""
        outcome = self.synced_equal()
        before = row_versions(self.world)
        for again in (self.sync(), self.resync()):
            assert written(again) == (0, 0, 0)
        assert row_versions(self.world) == before
        return outcome

    def live(self) -> dict[str, JsonObject]:
        """Live meetings by Google's id."""
        rows = self.world.meetings(self.alice)
        return {row["google_calendar_event_id"]: row for row in rows if row["status"] != "cancelled"}

    def row(self, event_id: str) -> JsonObject:
        return next(r for r in self.world.meetings(self.alice) if r["google_calendar_event_id"] == event_id)


def quieten(world: World, now: dt.datetime = NOW) -> None:
    world.google.configure(push="drop", handshake="never")
    world.travel_to(now)


def quiet_world(world: World, time_zone: str = ZURICH, now: dt.datetime = NOW) -> Quiet:
    """Connected, synced once, empty."""
    quieten(world, now)
    quiet = Quiet(world, world.person(time_zone=time_zone))
    connect(world, quiet.alice)
    return quiet


def connect(world: World, person: Person, calendar_ids: Sequence[str] = ()) -> None:
    connect_calendars(world.services, person.user_id, person.refresh_token, calendar_ids)
    sync_all(world, person)


def sync_all(world: World, person: Person) -> tuple[SyncOutcome, ...]:
    """One forced poll of all of a person's calendars, and all of them succeed, however slow the machine."""
    poll = poll_user(world.services, person.user_id, forced=True, budget_seconds=PATIENCE_SECONDS)
    assert not poll.left
    assert {outcome.status for outcome in poll.outcomes} == {"completed"}, poll.outcomes
    return poll.outcomes


def written(outcome: SyncOutcome) -> tuple[int, int, int]:
    return outcome.created, outcome.updated, outcome.deleted


@contextmanager
def beside(world: World, work: Callable[[], Result]) -> Iterator[Future[Result]]:
    """`work` in a thread beside the test; it is through when the block is left."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(work)
        except BaseException:
            # What a failed test left held would hold it up.
            world.supabase.clear_faults()
            world.google.clear_faults()
            raise


def row_versions(world: World) -> RowVersions:
    """Every meeting with the place and transaction of its row: equal only if nothing was written."""
    rows = world.rows("select google_calendar_event_id as id, ctid::text, xmin::text from meetings order by 1, 2")
    return [(row["id"], row["ctid"], row["xmin"]) for row in rows]


def timed(title: str, start: str, *recurrence: str, minutes: int = 60, zone: str = ZURICH, **more: Any) -> JsonObject:
    """An event at a local time; a series, if it has recurrence lines."""
    begins = dt.datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)).astimezone(dt.UTC)
    ends = begins + dt.timedelta(minutes=minutes)
    body: JsonObject = {"summary": title, "location": LINK, **more}
    body["start"] = {"dateTime": begins.astimezone(ZoneInfo(zone)).isoformat(), "timeZone": zone}
    body["end"] = {"dateTime": ends.astimezone(ZoneInfo(zone)).isoformat(), "timeZone": zone}
    return body | ({"recurrence": list(recurrence)} if recurrence else {})


def all_day(title: str, first: str, *recurrence: str, days: int = 1, **more: Any) -> JsonObject:
    until = dt.date.fromisoformat(first) + dt.timedelta(days=days)
    body: JsonObject = {"summary": title, "location": LINK, **more}
    body |= {"start": {"date": first}, "end": {"date": until.isoformat()}}
    return body | ({"recurrence": list(recurrence)} if recurrence else {})


def shifted(event: JsonObject, **by: float) -> JsonObject:
    """The event's start and end, moved by a timedelta's arguments."""
    moved = {}
    for name in ("start", "end"):
        point = event[name]
        if "date" in point:
            moved[name] = {"date": (dt.date.fromisoformat(point["date"]) + dt.timedelta(**by)).isoformat()}
        else:
            at = dt.datetime.fromisoformat(point["dateTime"]).astimezone(dt.UTC) + dt.timedelta(**by)
            moved[name] = {**point, "dateTime": at.isoformat()}
    return moved


@pytest.fixture
def quiet(world: World) -> Quiet:
    """Alice in Zurich, connected, nothing in the calendar yet."""
    return quiet_world(world)
