"""People who edit their calendars without end, as random as a seed. Called by `scripts/soak`."""

from __future__ import annotations

import datetime as dt
import random
from contextlib import suppress

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.errors import ControlError, JsonObject

MOST_EVENTS = 60
RULES = (
    ["RRULE:FREQ=WEEKLY;BYDAY=MO,WE"],
    ["RRULE:FREQ=DAILY;COUNT=20"],
    ["RRULE:FREQ=MONTHLY;BYDAY=-1FR"],
)


class Editor:
    """Keeps each calendar at some events: adds, moves, retitles, deletes; now and then a series or one of its days."""

    def __init__(self, google: GoogleControl, emails: list[str], now: dt.datetime, seed: int) -> None:
        self.google = google
        self.now = now
        self.chance = random.Random(seed)  # noqa: S311
        self.events: dict[str, list[str]] = {email: [] for email in emails}
        self.made = 0

    def edit(self) -> None:
        email = self.chance.choice(list(self.events))
        ids = self.events[email]
        drawn = self.chance.random()
        self.made += 1
        # An event may have been ended by the edit before; what Google refuses is no edit.
        with suppress(ControlError):
            if not ids or (drawn < 0.3 and len(ids) < MOST_EVENTS):
                ids.append(str(self.google.insert_event(email, self._event())["id"]))
            elif drawn < 0.4:
                self.google.delete_event(email, ids.pop(self.chance.randrange(len(ids))))
            elif drawn < 0.5:
                self._one_day(email, self.chance.choice(ids))
            else:
                self.google.patch_event(email, self.chance.choice(ids), self._changed())

    def _event(self) -> JsonObject:
        body: JsonObject = {"location": f"https://zoom.us/j/{self.chance.randrange(10**10):010d}", **self._changed()}
        return {**body, "recurrence": self.chance.choice(RULES)} if self.chance.random() < 0.15 else body

    def _changed(self) -> JsonObject:
        start = (self.now + dt.timedelta(hours=self.chance.randrange(1, 24 * 40))).replace(minute=0, second=0)
        end = start + dt.timedelta(minutes=30)
        return {
            "summary": f"Meeting {self.made}",
            "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
            "end": {"dateTime": end.isoformat(), "timeZone": "UTC"},
        }

    def _one_day(self, email: str, event_id: str) -> None:
        found = self.google.instances(email, self.now.isoformat(), (self.now + dt.timedelta(days=40)).isoformat())
        days = [each for each in found if each.get("recurringEventId") == event_id]
        chosen = self.chance.choice(days)["id"] if days else event_id
        self.google.patch_event(email, chosen, {"summary": f"Another title {self.made}"})
