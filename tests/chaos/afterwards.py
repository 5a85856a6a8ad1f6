"""When all is right again: whether the service still does its work by itself, with nobody to help it.

What healing brings (crons, polls, whoever asks again) hides what the trouble broke for good: here a notification alone
has to bring a change, and whoever leaves has to be gone at Google too. Called by batch.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from tests.chaos.field import Field, pause
from tests.chaos.misfortunes import ask_for
from tests.chaos.people import History, Member, Presence
from tests.world import TLS, wait_until

WITHIN_SECONDS = 22.0
# Nothing but a notification makes a calendar due now.
NO_POLLS = """
update calendar_webhooks set due_at = now() + interval '1 hour', due_reason = 'poll_interval'
where lease_expires_at is null and notifications_seen = notifications_synced
"""
_ARRIVED = "select 1 from meetings where user_id = %s and title = %s and status <> 'cancelled'"


def seen_afterwards(field: Field, histories: list[History]) -> dict[int, list[str]]:
    """A line for each way in which a history is not carried on, by its seed."""
    _comes(lambda: not any(_unheard(field, history) for history in histories))
    found = {history.seed: [*_unheard(field, history), *_not_gone(field, history)] for history in histories}
    return {seed: lines for seed, lines in found.items() if lines}


def announce(field: Field, histories: list[History]) -> None:
    """Each calendar that is watched changes, and only Google says so; `seen_afterwards` looks."""
    field.sql(NO_POLLS)
    for history in histories:
        for member in _joined(history):
            for name, calendar_id in member.calendars.items():
                field.world.google.insert_event(calendar_id, field.world.event(f"Announced {name}", hours=21))


def _joined(history: History) -> list[Member]:
    return [member for member in history.members if member.presence is Presence.JOINED]


def _unheard(field: Field, history: History) -> list[str]:
    return [
        f"{member.person.email}: {name}: a notification brought nothing"
        for member in _joined(history)
        for name in member.calendars
        if not field.world.rows(_ARRIVED, member.person.user_id, f"Announced {name}")
    ]


def _not_gone(field: Field, history: History) -> list[str]:
    """One of them leaves."""
    if not (joined := _joined(history)):
        return []
    member = joined[-1]
    member.presence = Presence.LEFT
    # A turn of theirs that a killed process held lapses first.
    deadline = time.monotonic() + WITHIN_SECONDS
    while (status := ask_for(field, member)) != 200 and time.monotonic() < deadline:
        pause(0.5)
    if status != 200:
        return [f"{member.person.email}: may not leave: {status}"]
    # One that was being opened when they left is stopped by whoever opened it.
    _comes(lambda: not _live(field, member))
    live = _live(field, member)
    found = [f"{member.person.email}: has left, and Google still has {live}"] if live else []
    if _is_granted(field, member):
        found.append(f"{member.person.email}: has left, and their grant was not given back")
    return found


def _live(field: Field, member: Member) -> list[str]:
    channels = field.world.google.channels()
    return [each["id"] for each in channels if (each["account"], each["state"]) == (member.person.email, "live")]


def _is_granted(field: Field, member: Member) -> bool:
    """Whether Google still takes the refresh token that they joined with."""
    settings = field.world.settings
    body = {
        "grant_type": "refresh_token",
        "refresh_token": member.grant,
        "client_id": settings.google_client_id,
        "client_secret": settings.google_client_secret,
    }
    return httpx.post(settings.google_token_uri, data=body, timeout=60, verify=TLS).status_code == 200


def _comes(condition: Callable[[], bool]) -> None:
    """Waits for it; whoever waited looks at what came."""
    with suppress(AssertionError):
        wait_until(condition, "it comes", WITHIN_SECONDS)
