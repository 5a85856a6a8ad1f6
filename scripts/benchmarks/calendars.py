"""Events and syncs that the measures of syncing begin with."""

from __future__ import annotations

import datetime as dt
from typing import Any

from scripts.benchmarks.ground import Ground
from sync.jobs.services import Services
from sync.jobs.syncing.sync_calendar import SyncOutcome, sync_claim
from sync.states import SyncStatus

Item = dict[str, Any]


def event(title: str, start: dt.datetime, **more: Any) -> Item:
    """Half an hour with a link and a description of ordinary length."""
    return {
        "summary": title,
        "description": "Agenda. " * 40,
        "location": "https://zoom.us/j/5551234567",
        "start": {"dateTime": start.isoformat(), "timeZone": "UTC"},
        "end": {"dateTime": (start + dt.timedelta(minutes=30)).isoformat(), "timeZone": "UTC"},
        **more,
    }


def singles(count: int) -> list[Item]:
    """Spread over the next two months."""
    first = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(hours=1)
    return [event(f"Meeting {n}", first + dt.timedelta(minutes=n * (59 * 24 * 60 / count))) for n in range(count)]


def mixed(count: int) -> list[Item]:
    """Of ten items nine are singles, and one is a weekly series."""
    series = {"recurrence": ["RRULE:FREQ=WEEKLY"]}
    return [{**body, **series} if number % 10 == 0 else body for number, body in enumerate(singles(count))]


def fill(here: Ground, email: str, items: list[Item]) -> None:
    """Google has these, too."""
    for first in range(0, len(items), 5000):
        here.google.bulk_insert(email, items[first : first + 5000], notify=False)


def sync(here: Ground, services: Services, user_id: str) -> SyncOutcome:
    """Claims the user's one calendar and syncs it, as a driver does."""
    found = here.db.execute("select id from calendar_webhooks where user_id = %s", (user_id,)).fetchall()
    claims = services.leases.claim(1, calendar_ids=[str(row[0]) for row in found], even_if_not_due=True)
    outcome = sync_claim(services, claims[0], forced=True)
    if outcome.status is not SyncStatus.COMPLETED:
        raise RuntimeError(f"the sync came to {outcome.status}: {outcome.error_code}")
    return outcome
