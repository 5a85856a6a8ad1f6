"""Listings that Google ends oddly, or not at all."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from sync.clients.google.calendar import PAGE_SIZE, GoogleCalendar
from sync.clients.google.http_transport import MAX_ANSWER_BYTES
from sync.core.meetings.translate import event_from_google
from sync.errors import RetryLater
from sync.jobs.syncing.ask_google import MAX_ASKED
from sync.jobs.syncing.change_buffer import ChangeBuffer
from sync.jobs.syncing.fetch_changes import MAX_PAGES, fetch_changes
from sync.jobs.syncing.listing import Keep, Listing
from tests.clients.google.answering import Answers, answering
from tests.world import Person, World

NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


class Token:
    is_waited_for = False

    def token(self, *, fresh: bool = False) -> str:
        return f"ya29.{fresh}"

    def answered(self, failure: object) -> None:
        pass


@pytest.fixture
def odd() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def page(items: list[dict[str, object]] | None = None, **more: object) -> bytes:
    return json.dumps({"kind": "calendar#events", "items": items or [], **more}).encode()


def event(event_id: str) -> dict[str, object]:
    start, end = (NOW + dt.timedelta(days=1)).isoformat(), (NOW + dt.timedelta(days=1, hours=1)).isoformat()
    return {"id": event_id, "status": "confirmed", "start": {"dateTime": start}, "end": {"dateTime": end}}


def fetch(
    odd: Answers, *, sync_token: str | None = None, known_zone: str | None = None, known: set[str] | None = None
) -> Listing:
    return fetch_changes(
        GoogleCalendar(odd.url),
        Token(),
        "primary",
        sync_token=sync_token,
        known_zone=known_zone,
        keep=Keep(NOW, hide_private=False),
        changes=ChangeBuffer(cast(Any, None), cast(Any, None)),
        between_pages=lambda: None,
        mirrored=lambda ids: [event_from_google(event(each)) for each in ids if known is None or each in known],
    )


def listed(listing: Listing) -> list[str]:
    return [event.id for lot in listing.changes.families() for event in lot]


def test_an_empty_page_token_ends_the_listing(odd: Answers) -> None:
    odd.script = [page([event("a")], nextPageToken="p")]
    odd.body = page([event("b")], nextPageToken="", nextSyncToken="s")

    listing = fetch(odd)

    assert (listed(listing), listing.sync_token, odd.requests) == (["a", "b"], "s", 2)


def bare(event_id: str) -> dict[str, object]:
    return {"id": event_id, "status": "cancelled"}


def test_google_is_asked_what_a_bare_tombstone_never_seen_was(odd: Answers) -> None:
    linked = {"recurringEventId": "day", "originalStartTime": {"dateTime": NOW.isoformat()}}
    tombstones = [bare("opaque"), bare("known"), bare("day_20260302T120000Z")]
    odd.script = [page(tombstones, nextSyncToken="t")]
    odd.body = json.dumps({"kind": "calendar#event", **bare("opaque"), **linked}).encode()

    listing = fetch(odd, sync_token="s", known={"known"})

    found = {event.id: event.series_id for lot in listing.changes.families() for event in lot}
    assert found == {"opaque": "day", "known": None, "day_20260302T120000Z": "day"}
    assert odd.requests == 2


def test_many_tombstones_never_seen_are_one_full_listing(odd: Answers) -> None:
    odd.script = [page([bare(f"opaque{number}") for number in range(MAX_ASKED + 1)], nextSyncToken="t")]
    odd.body = page([event("a")], nextSyncToken="u")

    listing = fetch(odd, sync_token="s", known=set())

    assert (listing.is_full, listing.departure, listed(listing)) == (True, "unknown_tombstones", ["a"])
    assert odd.requests == 2


def test_a_full_listing_asks_whose_instance_a_bare_tombstone_was(odd: Answers) -> None:
    linked = {"recurringEventId": "day", "originalStartTime": {"dateTime": NOW.isoformat()}}
    odd.script = [page([bare("opaque")], nextSyncToken="t")]
    odd.body = json.dumps({**bare("opaque"), **linked}).encode()

    listing = fetch(odd)

    assert (listed(listing), odd.requests) == (["opaque"], 2)


def test_a_tombstone_that_google_knows_nothing_of_stops_nothing(odd: Answers) -> None:
    odd.script = [page([bare("opaque")], nextSyncToken="t")]
    odd.body = json.dumps(bare("opaque")).encode()

    listing = fetch(odd, sync_token="s", known=set())

    assert (listed(listing), listing.sync_token) == (["opaque"], "t")


@pytest.mark.parametrize("circle", [["p"], ["p", "q"], ["p", "q", "r"]])
def test_a_listing_that_goes_in_circles_is_a_failure_to_try_again(odd: Answers, circle: list[str]) -> None:
    odd.script = [page(nextPageToken=token) for token in circle * 3]

    with pytest.raises(RetryLater, match="page_token_repeats"):
        fetch(odd, sync_token="s")
    assert odd.requests == len(circle) + 1


def test_a_listing_whose_pages_are_too_large_is_begun_anew_with_pages_of_half_the_size(odd: Answers) -> None:
    odd.headers = {"Content-Encoding": "gzip"}
    too_large = gzip.compress(b" " * (MAX_ANSWER_BYTES + 1), 1)
    first = gzip.compress(page([event("a")], nextPageToken="p"))
    odd.script = [first, too_large, first]
    odd.body = gzip.compress(page([event("b")], nextSyncToken="t"))

    listing = fetch(odd)

    assert (sorted(listed(listing)), listing.sync_token) == (["a", "b"], "t")
    asked = [parse_qs(urlsplit(head.split(" ")[1]).query) for head in odd.heads]
    sizes = [(int(query["maxResults"][0]), "pageToken" in query) for query in asked]
    assert sizes == [(PAGE_SIZE, False), (PAGE_SIZE, True), (PAGE_SIZE // 2, False), (PAGE_SIZE // 2, True)]


def test_a_listing_without_end_is_a_failure_to_try_again(odd: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve million items are a listing without end; fewer pages tell as much of what becomes of it."""
    assert 4000 < MAX_PAGES <= 10_000
    monkeypatch.setattr("sync.jobs.syncing.fetch_changes.MAX_PAGES", 50)
    odd.script = [page(nextPageToken=f"p{number}") for number in range(200)]

    with pytest.raises(RetryLater, match="too_many_pages"):
        fetch(odd)
    assert odd.requests <= 51


@pytest.mark.parametrize("said", [{}, {"timeZone": ""}, {"timeZone": None}])
@pytest.mark.parametrize("sync_token", [None, "s"])
def test_a_zone_that_is_not_said_stays_as_it_is_known(
    odd: Answers, said: dict[str, object], sync_token: str | None
) -> None:
    odd.body = page([event("a")], nextSyncToken="t", **said)

    listing = fetch(odd, sync_token=sync_token, known_zone="Europe/Zurich")

    assert (listing.time_zone, odd.requests, listing.departure) == ("Europe/Zurich", 1, None)


def test_a_zone_said_on_one_page_holds_for_the_listing(odd: Answers) -> None:
    odd.script = [page(timeZone="Asia/Tokyo", nextPageToken="p")]
    odd.body = page(timeZone="", nextSyncToken="t")

    assert fetch(odd).time_zone == "Asia/Tokyo"


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Kept"), notify=False)
    world.connect(alice)
    return alice


def due_again_in(world: World, alice: Person) -> float:
    row = world.rows("select extract(epoch from due_at - now()) as seconds from calendar_webhooks where user_id = %s",
                     alice.user_id)[0]  # fmt: skip
    return float(row["seconds"])


def test_a_full_listing_without_a_token_is_stored_and_made_again_later(
    world: World, alice: Person, odd: Answers
) -> None:
    late = world.services_with(GOOGLE_API_ENDPOINT=odd.url)
    odd.body = page([{"id": "new", "status": "confirmed", **world.event("New")}], timeZone="UTC")
    world.db.execute("update calendar_webhooks set sync_token = null")
    world.make_due(alice)

    assert [outcome.status for outcome in world.sweep(late).outcomes] == ["completed"]

    assert world.live_titles(alice) == ["New"]
    row = world.calendar(alice)
    assert (row["sync_token"], row["due_reason"], row["consecutive_failures"]) == (None, "no_sync_token", 0)
    assert world.logs(alice)[-1]["reason"] == "ended_without_sync_token"
    assert due_again_in(world, alice) > 3600
    # A notification in between waits a minute, not a moment: each costs the whole calendar.
    channel = world.rows("select id, resource_id from calendar_channels where state = 'live'")[0]
    late.store.claims.record_notification(channel["id"], channel["resource_id"], "exists", 7)
    assert 50 < due_again_in(world, alice) <= 60
    # And once Google gives a token again, all is as ever.
    world.make_due(alice)
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    world.assert_equal(alice)
    assert world.calendar(alice)["sync_token"] is not None


def test_a_delta_without_a_token_is_stored_and_its_token_kept(world: World, alice: Person, odd: Answers) -> None:
    token = world.calendar(alice)["sync_token"]
    odd.body = page([{"id": "new", "status": "confirmed", **world.event("New", hours=9)}], timeZone="UTC")
    world.make_due(alice)

    world.sweep(world.services_with(GOOGLE_API_ENDPOINT=odd.url))

    assert world.live_titles(alice) == ["Kept", "New"]
    assert world.calendar(alice)["sync_token"] == token


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_page_of_somebody_else_loses_nothing_and_is_tried_again_soon(
    world: World, alice: Person, odd: Answers, status: int
) -> None:
    odd.status, odd.body, odd.headers = status, b"<html>Sign in</html>", {"Retry-After": "7"}
    late = world.services_with(GOOGLE_API_ENDPOINT=odd.url)
    for _ in range(3):
        world.make_due(alice)
        assert [outcome.error_code for outcome in world.sweep(late).outcomes] == [f"foreign_answer_{status}"]

    assert due_again_in(world, alice) < 60
    assert world.live_titles(alice) == ["Kept"]
    row = world.calendar(alice)
    assert (row["access_lost_at"], row["paused_reason"]) == (None, None)
    assert world.rows("select * from user_notifications") == []
