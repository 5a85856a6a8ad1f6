"""Random edits of every kind on two calendars, as data: hypothesis draws `Step`s, `Diary` carries them out.

A step's numbers choose among what there is when it is carried out, so that any list of steps means something. What
Google refuses (an edit of something deleted, a split where nothing recurs) is no edit.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from scripts.stack.google import address_of
from scripts.stack.google.errors import ControlError
from sync.jobs.leases import LEASE_SECONDS
from sync.jobs.syncing.roll_horizon import roll_horizons
from tests.situations.history import history_differences
from tests.situations.quiet import NEW_YORK, Quiet, all_day, row_versions, shifted, sync_all, timed, written
from tests.world import JsonObject

RULES = [
    ["RRULE:FREQ=DAILY"],
    ["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=12"],
    ["RRULE:FREQ=WEEKLY;BYDAY=MO,TH"],
    ["RRULE:FREQ=WEEKLY;UNTIL=20280320T080000Z"],
    ["RRULE:FREQ=WEEKLY", "EXDATE:20280224T080000Z"],
    ["RRULE:FREQ=MONTHLY;BYDAY=-1FR", "RDATE:20280222T080000Z"],
    ["RRULE:FREQ=WEEKLY;BYDAY=TU", "RRULE:FREQ=MONTHLY;BYMONTHDAY=31"],
]
ALL_DAY_RULES = [["RRULE:FREQ=WEEKLY;BYDAY=SU"], ["RRULE:FREQ=MONTHLY;COUNT=3"], ["RRULE:FREQ=DAILY;UNTIL=20280302"]]
# In and out of the horizon, and over its edges.
DAYS = [-40, -2, -1, 0, 1, 7, 40, 59, 61, 90]
SWITCHES: list[JsonObject] = [
    {"list_order": "reversed"},
    {"list_order": "changed"},
    {"tombstones": "sparse", "cancelled_exceptions": "sparse"},
    {"tombstones": "documented", "cancelled_exceptions": "linked"},
    {"tombstones": "full", "cancelled_exceptions": "full"},
    {"list_orphaned_exceptions": False},
    {"list_orphaned_exceptions": True},
    {"page_size_limit": 1},
    {"page_size_limit": 3},
    {"opaque_instance_ids": True},
]


@dataclass(frozen=True)
class Step:
    """`what` to do (a method of Diary), and three numbers that choose to what and how."""

    what: str
    a: int = 0
    b: int = 0
    c: int = 0


EDITS = ["single", "series", "shift", "retitle", "unlink", "shift_instance", "retitle_instance", "cancel_instance"]
EDITS += [
    "restore_instance",
    "delete",
    "delete_but_keep",
    "restore",
    "new_rule",
    "new_start",
    "make_single",
    "make_series",
    "split",
    "move",
]
CIRCUMSTANCES = ["switch", "settle", "expire", "rejected_page", "dead_worker", "days_pass"]
INSTANCES = ["shift_instance", "retitle_instance", "cancel_instance", "restore_instance", "split"]
steps = st.builds(
    Step,
    st.sampled_from([*EDITS, *INSTANCES, *CIRCUMSTANCES, "settle", "settle"]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 3),
)


@dataclass
class Diary:
    """Two calendars and everything that was ever put into them."""

    quiet: Quiet
    team: str
    known: list[str] = field(default_factory=list)
    rules: list[list[str]] = field(default_factory=lambda: RULES)
    all_day_rules: list[list[str]] = field(default_factory=lambda: ALL_DAY_RULES)

    def carry_out(self, step: Step) -> None:
        with suppress(ControlError):
            action: Callable[[Step], None] = getattr(self, step.what)
            action(step)

    def begin(self) -> None:
        """Something to edit, already synced: a daily series with an end, a weekly all-day one, a single event."""
        self._insert(timed("Daily", "2028-02-08T09:00", "RRULE:FREQ=DAILY;COUNT=40"))
        self._insert(all_day("Sundays", "2028-02-13", "RRULE:FREQ=WEEKLY"))
        self._insert(timed("One", "2028-02-20T09:00"))
        self.settle(Step("settle"))

    # What people do

    def single(self, step: Step) -> None:
        day = (self.quiet.world.now + dt.timedelta(days=DAYS[step.a])).date().isoformat()
        kinds = [
            timed("One", f"{day}T08:00"),
            all_day("Days", day, days=2),
            timed("Long", f"{day}T20:00", minutes=1500),
        ]
        kinds.append(timed("Moment", f"{day}T13:00", minutes=0))
        self._insert(kinds[step.c])

    def series(self, step: Step) -> None:
        day = (self.quiet.world.now + dt.timedelta(days=DAYS[step.a % 5])).date().isoformat()
        if step.c == 0:
            self._insert(all_day("Off", day, *self.all_day_rules[step.b % 3]))
        else:
            zone = NEW_YORK if step.c == 1 else "Europe/Zurich"
            self._insert(timed("Series", f"{day}T09:00", *self.rules[step.b % 7], zone=zone))

    def shift(self, step: Step) -> None:
        event = self._whole(step)
        self._patch(event["id"], shifted(event, days=DAYS[step.b]))

    def retitle(self, step: Step) -> None:
        self._patch(self._event(step)["id"], {"summary": f"Title {step.b}"})

    def unlink(self, step: Step) -> None:
        """The join link goes; or one comes back."""
        self._patch(self._event(step)["id"], {"location": None if step.c % 2 else "https://zoom.us/j/777"})

    def shift_instance(self, step: Step) -> None:
        instance = self._instance(step)
        self._patch(instance["id"], shifted(instance, days=DAYS[(step.b + step.c) % 10]))

    def retitle_instance(self, step: Step) -> None:
        self._patch(self._instance(step)["id"], {"summary": f"Once {step.c}"})

    def cancel_instance(self, step: Step) -> None:
        self._google("delete_event", self._instance(step)["id"])

    def restore_instance(self, step: Step) -> None:
        """One that was cancelled or changed before: known instances are remembered."""
        self._patch(self._event(step)["id"], {"status": "confirmed", "summary": "Restored"})

    def delete(self, step: Step) -> None:
        self._google("delete_event", self._event(step)["id"])

    def delete_but_keep(self, step: Step) -> None:
        """A guest keeps an edited instance of a series that its organiser deletes."""
        instance = self._instance(step)
        self._patch(instance["id"], {"summary": "Kept"})
        self._google("delete_event", instance["recurringEventId"], keeping=[instance["id"]])

    def restore(self, step: Step) -> None:
        self._patch(self._event(step)["id"], {"status": "confirmed"})

    def new_rule(self, step: Step) -> None:
        event = self._whole(step)
        rules = self._rules_for(event)
        if event.get("recurrence"):
            self._patch(event["id"], {"recurrence": rules[step.b % len(rules)]})

    def new_start(self, step: Step) -> None:
        event = self._whole(step)
        if event.get("recurrence"):
            by = {"days": step.c + 1} if "date" in event["start"] else {"hours": step.b - 3}
            self._patch(event["id"], shifted(event, **by))

    def make_single(self, step: Step) -> None:
        self._patch(self._event(step)["id"], {"recurrence": None})

    def make_series(self, step: Step) -> None:
        event = self._whole(step)
        self._patch(event["id"], {"recurrence": self._rules_for(event)[step.b % 3]})

    def split(self, step: Step) -> None:
        instance = self._instance(step)
        changes = [None, {"summary": "From here on"}, shifted(instance, hours=2) if step.c == 2 else None][step.c % 3]
        if changes and "date" in instance["start"]:
            changes = {"summary": "From here on"}
        at = address_of(instance).rpartition("_")[2]
        style = "web" if step.c % 2 else "client"
        arguments: Any = {"changes": changes, "style": style, "notify": self.quiet.announces}
        following = self.quiet.world.google.split_series(
            self._home(instance["id"]), instance["recurringEventId"], at, **arguments
        )
        self.known.append(following["id"])

    def move(self, step: Step) -> None:
        """To the other calendar."""
        event_id = self._event(step)["id"]
        home = self._home(event_id)
        other = self.team if home == self.quiet.email else self.quiet.email
        self.quiet.world.google.move_event(home, event_id, other, notify=self.quiet.announces)

    # What happens meanwhile

    def switch(self, step: Step) -> None:
        self.quiet.world.google.configure(**SWITCHES[step.a % len(SWITCHES)])

    def expire(self, step: Step) -> None:
        self.quiet.world.google.expire_sync_tokens([None, self.quiet.email, self.team][step.a % 3])

    def rejected_page(self, _step: Step) -> None:
        self.quiet.world.google.add_fault("page_token_rejected", page=2, times=1)

    def dead_worker(self, step: Step) -> None:
        """Another worker claims the calendars, dies, and its lease runs out."""
        claimed = self.quiet.world.services.store.claims.claim_due(
            "dead",
            str(uuid.uuid4()),
            limit=step.a,
            lease_seconds=LEASE_SECONDS,
            even_if_not_due=True,
            calendar_ids=self._calendar_ids(),
        )
        if claimed:
            self.quiet.world.make_due()

    def days_pass(self, step: Step) -> None:
        """The horizon rolls; what was not synced before stays to be synced."""
        world = self.quiet.world
        world.travel_to(world.now + dt.timedelta(days=step.b + 1, hours=step.c))
        assert roll_horizons(world.services, budget_seconds=30).failed == 0

    def settle(self, _step: Step) -> None:
        """Sync: equal. And a further sync has nothing to write."""
        world, alice = self.quiet.world, self.quiet.alice
        sync_all(world, alice)
        world.assert_equal(alice)
        world.assert_equal(alice, self.team)
        for calendar_id in ("primary", self.team):
            assert history_differences(world, alice, calendar_id) == []
        before = row_versions(world)
        assert [written(outcome) for outcome in sync_all(world, alice)] == [(0, 0, 0)] * 2
        assert row_versions(world) == before

    def _calendar_ids(self) -> list[str]:
        return [str(row["id"]) for row in self.quiet.world.rows("select id from calendar_webhooks")]

    # Finding things

    def _insert(self, body: JsonObject) -> None:
        self.known.extend(self.quiet.insert(body))

    def _rules_for(self, event: JsonObject) -> list[list[str]]:
        return self.all_day_rules if "date" in event["start"] else self.rules

    def _event(self, step: Step) -> JsonObject:
        if not self.known:
            raise ControlError("nothing there yet")
        event_id = self.known[step.a % len(self.known)]
        return self.quiet.world.google.get_event(self._home(event_id), event_id)

    def _whole(self, step: Step) -> JsonObject:
        """An event that is no half of a split series: over the other half its instances would get the same ids."""
        event = self._event(step)
        base = event["id"].partition("_R")[0]
        if any(known.startswith(f"{base}_R") for known in self.known):
            raise ControlError("half of a series")
        return event

    def _master(self, step: Step) -> JsonObject:
        events = [self._event(Step("", number)) for number in range(len(self.known))]
        masters = [event for event in events if event.get("recurrence") and event["status"] != "cancelled"]
        if not masters:
            raise ControlError("no series")
        return masters[step.a % len(masters)]

    def _instance(self, step: Step) -> JsonObject:
        """An instance Google shows around now; from here on known by its own id."""
        world = self.quiet.world
        event_id = self._master(step)["id"]
        low, high = (world.now + dt.timedelta(days=days) for days in (-3, 59))
        seen = world.google.instances(self._home(event_id), low.isoformat(), high.isoformat())
        own = [event for event in seen if event.get("recurringEventId") == event_id]
        if not own:
            raise ControlError("no instance")
        instance = own[(step.b * 3 + step.c) % len(own)]
        if instance["id"] not in self.known:
            self.known.append(instance["id"])
        return instance

    def _home(self, event_id: str) -> str:
        """The calendar where the event stands now."""
        for calendar_id in (self.quiet.email, self.team):
            with suppress(ControlError):
                if self.quiet.world.google.get_event(calendar_id, event_id).get("start"):
                    return calendar_id
        return self.quiet.email

    def _patch(self, event_id: str, changes: JsonObject) -> None:
        self.quiet.world.google.patch_event(self._home(event_id), event_id, changes, notify=self.quiet.announces)

    def _google(self, command: str, event_id: str, **more: Any) -> None:
        getattr(self.quiet.world.google, command)(self._home(event_id), event_id, notify=self.quiet.announces, **more)
