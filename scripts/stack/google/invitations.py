"""Copies of an event on its attendees' calendars, when the `attendee_copies` switch is on.

Owns the copying from the organiser's calendar to the primary calendars of emulated attendees (the same event id), and
an attendee's answer travelling back. Called by editing.py after every change.
"""

from __future__ import annotations

from .store import Calendar, Resource, Store
from .switches import Switches


class Invitations:
    """Keeps the copies of one event alike."""

    def __init__(self, store: Store, switches: Switches) -> None:
        self._store = store
        self._switches = switches

    def mirror(self, calendar: Calendar, event: Resource) -> None:
        """Bring the attendees' copies up to the organiser's event; attendees no longer invited lose theirs."""
        if not self._switches.attendee_copies or event.get("organizer", {}).get("email") != calendar.id:
            return
        invited = {attendee["email"] for attendee in event.get("attendees", [])}
        for email in self._store.accounts:
            copy = self._store.calendars[email]
            if copy.id == calendar.id:
                continue
            if email in invited:
                self._store.put(copy, event)
            elif copy.live(event["id"]):
                self._store.put(copy, event | {"status": "cancelled"})

    def as_attendee(self, calendar: Calendar, current: Resource, wanted: Resource) -> Resource:
        """What an edit does on this calendar: an attendee changes their own answer everywhere, and nothing else."""
        organizer = current.get("organizer", {}).get("email")
        original = self._store.calendars.get(organizer)
        if not self._switches.attendee_copies or original is None or original.id == calendar.id:
            return wanted
        event = original.live(current["id"])
        if event is None:
            return wanted
        answers = [item for item in wanted.get("attendees", []) if item.get("email") == calendar.id]
        kept = [answers[0] if answers and item["email"] == calendar.id else item for item in event.get("attendees", [])]
        answered = event | {"attendees": kept}
        stored = self._store.put(original, answered)
        for attendee in kept:
            copy = self._store.calendars.get(attendee["email"])
            if copy is not None and copy.id not in (calendar.id, original.id):
                self._store.put(copy, stored)
        return answered
