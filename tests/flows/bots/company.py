"""What people do to their calendars, and say of bots, at random.

What cannot be done (an edit of what is deleted) raises ControlError.
"""

from __future__ import annotations

import datetime as dt
import random

from scripts.stack.google.errors import ControlError
from tests.situations.quiet import connect
from tests.world import JsonObject, World

ROOMS = ["https://zoom.us/j/5551234567", "https://zoom.us/j/5557654321", "https://meet.google.com/abc-defg-hij"]
# Minutes from now to a start: going on, about to begin, within the last minutes of either provider, later, tomorrow.
STARTS = [-20, -1, 1, 3, 4, 8, 12, 30, 90, 600, 1500]


class Company:
    """Two people of one tenant, Alice with two calendars."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world, self.dice = world, dice
        self.people = [world.person("alice"), world.person("bob")]
        self.team = f"team-{self.people[0].email}"
        world.google.add_calendar(self.people[0].email, self.team)
        for person, calendars in zip(self.people, (["primary", self.team], ["primary"]), strict=True):
            connect(world, person, calendars)
            world.db.execute("insert into bot_tenants values (%s, 'acme')", (person.user_id,))
        self.events: list[tuple[str, str]] = []

    # What people do

    def create(self) -> None:
        home = self._home()
        start = self._start()
        body = self._span(start) | {"summary": "Meeting", "location": self.dice.choice(ROOMS)}
        self._insert(home, body)

    def create_shared(self) -> None:
        """One meeting in several calendars."""
        body = self._span(self._start()) | {"summary": "Shared", "location": self.dice.choice(ROOMS)}
        for home in self._homes():
            self._insert(home, body)

    def series(self) -> None:
        body = self._span(self._start()) | {"summary": "Series", "location": self.dice.choice(ROOMS)}
        self._insert(self._home(), body | {"recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})

    def move(self) -> None:
        self._patch(self._span(self._start()))

    def relink(self) -> None:
        self._patch({"location": self.dice.choice([*ROOMS, None])})

    def answer(self) -> None:
        home, event_id = self._event()
        mine = {"email": home, "self": True, "responseStatus": self.dice.choice(["declined", "accepted", "tentative"])}
        self._google("patch_event", home, event_id, {"attendees": [mine, {"email": "eve@example.net"}]})

    def cancel(self) -> None:
        self._google("delete_event", *self._event())

    def restore(self) -> None:
        self._patch({"status": "confirmed"})

    def edit_instance(self) -> None:
        home, event_id = self._event()
        instances = self._instances(home, event_id)
        if instances and self.dice.random() < 0.5:
            self._google("patch_event", home, self.dice.choice(instances), self._span(self._start()))
        elif instances:
            self._google("delete_event", home, self.dice.choice(instances))

    def split(self) -> None:
        home, event_id = self._event()
        instances = self._instances(home, event_id)
        if len(instances) > 1 and "_R" not in event_id:
            at, changes = instances[1].rpartition("_")[2], {"location": self.dice.choice(ROOMS)}
            following = self.world.google.split_series(home, event_id, at, changes=changes, style="web", notify=False)
            self.events.append((home, str(following["id"])))

    # What they wish

    def override(self) -> None:
        self.world.db.execute(
            "update meetings set bot_override = %s"
            " where id in (select id from meetings order by md5(id::text || %s) limit 2)",
            (self.dice.choice(["on", "off", None]), str(self.dice.random())),
        )

    def prefer(self) -> None:
        person = self.dice.choice(self.people)
        self.world.db.execute("delete from bot_preferences where user_id = %s", (person.user_id,))
        if self.dice.random() < 0.7:
            self.world.db.execute(
                "insert into bot_preferences (user_id, join_rule, bot_name, when_access_lost) values (%s, %s, %s, %s)",
                (
                    person.user_id,
                    self.dice.choice(["all", "all", "accepted", "none"]),
                    self.dice.choice([None, "Minutes"]),
                    self.dice.choice(["keep", "remove"]),
                ),
            )

    def change_tenant(self) -> None:
        person = self.dice.choice(self.people)
        self.world.db.execute("delete from bot_tenants where user_id = %s", (person.user_id,))
        if self.dice.random() < 0.6:
            self.world.db.execute("insert into bot_tenants values (%s, 'acme')", (person.user_id,))

    def lose_access(self) -> None:
        days = self.dice.choice([1, 5])
        self.world.db.execute(
            "update calendar_webhooks set access_lost_at = now() - make_interval(days => %s)", (days,)
        )

    def regain_access(self) -> None:
        self.world.db.execute("update calendar_webhooks set access_lost_at = null")

    def leave(self) -> None:
        """Bob is deleted."""
        if len(self.people) > 1 and self.dice.random() < 0.5:
            bob = self.people.pop()
            self.events = [each for each in self.events if each[0] != bob.email]
            self.world.db.execute("delete from auth.users where id = %s", (bob.user_id,))

    # Finding things

    def _start(self) -> dt.datetime:
        minutes = self.dice.choice(STARTS)
        return self.world.now.replace(second=0) + dt.timedelta(minutes=minutes)

    def _span(self, start: dt.datetime) -> JsonObject:
        end = start + dt.timedelta(minutes=30)
        return {
            "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
            "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
        }

    def _homes(self) -> list[str]:
        return [self.people[0].email, self.team, *(person.email for person in self.people[1:])]

    def _home(self) -> str:
        return self.dice.choice(self._homes())

    def _event(self) -> tuple[str, str]:
        if not self.events:
            raise ControlError("nothing there yet")
        return self.dice.choice(self.events)

    def _insert(self, home: str, body: JsonObject) -> None:
        self.events.append((home, self.world.google.insert_event(home, body, notify=False)["id"]))

    def _patch(self, changes: JsonObject) -> None:
        home, event_id = self._event()
        self._google("patch_event", home, event_id, changes)

    def _google(self, command: str, *arguments: object) -> None:
        getattr(self.world.google, command)(*arguments, notify=False)

    def _instances(self, home: str, event_id: str) -> list[str]:
        until = self.world.now + dt.timedelta(days=3)
        seen = self.world.google.instances(home, self.world.now.isoformat(), until.isoformat())
        return [str(each["id"]) for each in seen if each.get("recurringEventId") == event_id]
