"""An independent, widely used client (Home Assistant's gcal_sync) syncs from the emulator and converges."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from gcal_sync.api import GoogleCalendarService
from gcal_sync.auth import AbstractAuth
from gcal_sync.store import InMemoryCalendarStore
from gcal_sync.sync import CalendarEventSyncManager

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from tests.stack.google_clients import ALICE, single, timed, weekly

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


class _Auth(AbstractAuth):
    def __init__(self, session: aiohttp.ClientSession, google: GoogleControl) -> None:
        super().__init__(session, host=f"{google.base_url}/calendar/v3")
        self._token = google.access_token(ALICE)

    async def async_get_access_token(self) -> str:
        return self._token


@pytest.fixture
def google() -> Iterator[GoogleControl]:
    with EmulatorServer() as running:
        control = GoogleControl(running.url)
        control.add_account(ALICE, time_zone="Europe/Zurich")
        yield control


def oracle(google: GoogleControl) -> list[tuple[str, str]]:
    found = google.instances(ALICE, START.isoformat(), END.isoformat())
    return sorted((_instant(item["start"]), item["summary"]) for item in found)


def _instant(start: dict[str, Any]) -> str:
    return (
        str(start["date"]) if "date" in start else datetime.fromisoformat(start["dateTime"]).astimezone(UTC).isoformat()
    )


async def synced(google: GoogleControl, store: Any) -> list[tuple[str, str]]:
    """Sync once from where the store is, and list what the client now believes."""
    async with aiohttp.ClientSession() as session:
        manager = CalendarEventSyncManager(GoogleCalendarService(_Auth(session, google)), ALICE, store)
        await manager.run()
        timeline = await manager.store_service.async_get_timeline()
        believed = []
        for event in timeline.overlapping(START, END):
            start = event.start.value
            text = start.astimezone(UTC).isoformat() if isinstance(start, datetime) else start.isoformat()
            believed.append((text, event.summary))
        return sorted(believed)


def seed(google: GoogleControl) -> dict[str, str]:
    google.configure(page_size_limit=2)
    made = {
        "weekly": google.insert_event(ALICE, weekly("Weekly")),
        "daily": google.insert_event(
            ALICE,
            timed(
                "2026-03-20T23:30:00", "2026-03-21T00:30:00", summary="Late", recurrence=["RRULE:FREQ=DAILY;COUNT=20"]
            ),
        ),
        "days": google.insert_event(
            ALICE,
            {
                "summary": "Offsite",
                "start": {"date": "2026-03-27"},
                "end": {"date": "2026-03-29"},
                "recurrence": ["RRULE:FREQ=MONTHLY;COUNT=3"],
            },
        ),
        "single": google.insert_event(ALICE, single("One")),
    }
    return {name: event["id"] for name, event in made.items()}


def change_everything(google: GoogleControl, ids: dict[str, str]) -> None:
    google.patch_event(ALICE, f"{ids['weekly']}_20260309T080000Z", single("Moved", day="2026-03-11"))
    google.delete_event(ALICE, f"{ids['weekly']}_20260330T070000Z")
    google.patch_event(ALICE, ids["single"], {"summary": "Renamed"})
    google.delete_event(ALICE, f"{ids['days']}_20260427")
    google.split_series(ALICE, ids["daily"], "20260330T213000Z", {"summary": "Later"}, style="client")
    google.insert_event(ALICE, single("New", day="2026-05-05"))


def test_gcal_sync_converges_after_changes(google: GoogleControl) -> None:
    async def story() -> None:
        store = InMemoryCalendarStore()
        ids = seed(google)
        assert await synced(google, store) == oracle(google)
        change_everything(google, ids)
        assert await synced(google, store) == oracle(google)
        google.delete_event(ALICE, ids["single"])
        google.delete_event(ALICE, ids["days"])
        assert await synced(google, store) == oracle(google)
        calls = google.counters()["calls"]
        assert calls["events.list.full"] == 2
        assert calls["events.list.incremental"] > 2

    asyncio.run(story())


def test_gcal_sync_recovers_from_an_expired_sync_token(google: GoogleControl) -> None:
    async def story() -> None:
        store = InMemoryCalendarStore()
        ids = seed(google)
        await synced(google, store)
        change_everything(google, ids)
        google.expire_sync_tokens(ALICE)
        assert await synced(google, store) == oracle(google)
        assert google.counters()["statuses"]["events.list"]["410"] == 1

    asyncio.run(story())
