"""Killed between any two effects: after none, after the first, … after the last; each time another process finishes it.

The points are enumerated, not drawn: each job is done again and again by a process that dies one exchange later, until
it does not die any more. So whatever a job asks of the store, of Google, of a provider or of a subscriber in times to
come is tried too.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.stack.bots import FakeServer
from sync.jobs.accounts.connect_calendar import connect_calendars
from sync.jobs.accounts.disconnect import disconnect, finish_disconnects
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.events.courier import deliver_due
from sync.jobs.events.subscribe import subscribe
from sync.jobs.watching.renew_watches import stop_channels
from sync.states import NotifiedOutcome
from tests.chaos.doomed import Executioner
from tests.emptying import EMPTY
from tests.flows.bots.stage import BotStage, span
from tests.situations.history import history_differences
from tests.situations.quiet import sync_all
from tests.subscriber import subscriber
from tests.world import Person, World, wait_until

# More than any job has here.
MANY = 60


@pytest.fixture(scope="module")
def executioner() -> Iterator[Executioner]:
    with Executioner() as executioner:
        yield executioner


class Lives:
    """One job in one process after the other: each begins in an empty world, and dies one exchange later."""

    def __init__(self, world: World, executioner: Executioner) -> None:
        self.world, self._executioner = world, executioner
        self._after, self._is_over = -1, False
        self.exchanges: list[str] = []

    def __iter__(self) -> Iterator[int]:
        """The number of exchanges before each death; the last is past the job's end."""
        while not self._is_over:
            self._after += 1
            assert self._after < MANY
            self.world.db.execute(EMPTY)
            # Also what this process' own services remember.
            self.world.let_quota_recover()
            self.world.google.reset()
            self.world.google.configure(push="drop", handshake="never")
            yield self._after

    def live(self, job: str, *arguments: str) -> None:
        settings = {**self.world.environment, "SYNC_THREADS": "1"}
        end = self._executioner.run(job, *arguments, environment=settings, after=self._after)
        self._is_over, self.exchanges = not end.died, end.exchanges

    def were(self, *names: str) -> bool:
        """Whether the job that was done to its end had these exchanges among its own: else its deaths say little."""
        return all(any(name in line for line in self.exchanges) for name in names)


@pytest.fixture
def lives(world: World, executioner: Executioner) -> Lives:
    return Lives(world, executioner)


def new_person(world: World) -> Person:
    """With a series, an exception of it, a cancelled instance and a single event; not synced."""
    alice = world.person(time_zone="Europe/Zurich")
    google = world.google
    series = google.insert_event(
        alice.email, world.event("Daily", hours=30, time_zone="Europe/Zurich", recurrence=["RRULE:FREQ=DAILY;COUNT=9"])
    )
    google.insert_event(alice.email, world.event("One"))
    instances = google.instances(alice.email, world.now.isoformat(), world.ahead(days=365))
    daily = [event["id"] for event in instances if event.get("recurringEventId") == series["id"]]
    google.patch_event(alice.email, daily[2], {"summary": "Renamed once"})
    google.delete_event(alice.email, daily[4])
    return alice


def connected(world: World) -> Person:
    alice = new_person(world)
    connect_calendars(world.services, alice.user_id, alice.refresh_token, ())
    return alice


def synced(world: World) -> Person:
    alice = connected(world)
    sync_all(world, alice)
    return alice


def edit(world: World, alice: Person) -> None:
    """One new, one changed, one deleted."""
    google, events = world.google, world.google.instances(alice.email, world.now.isoformat(), _in_days(world, 8))
    google.insert_event(alice.email, world.event("New", hours=7))
    google.patch_event(alice.email, events[-1]["id"], {"summary": "Changed"})
    google.delete_event(alice.email, events[0]["id"])


def _in_days(world: World, days: int) -> str:
    return (world.now.fromtimestamp(world.now.timestamp() + days * 86400, world.now.tzinfo)).isoformat()


def time_passes(world: World) -> None:
    """Leases and pauses are over, and access tokens too: what the dead held is anybody's."""
    world.make_due()
    world.db.execute("update google_credentials set refresh_lease_until = null, access_token_expires_at = now()")
    world.db.execute(
        "update google_credentials set status_at = now() - interval '1 hour' where status = 'disconnected'"
    )
    world.db.execute("update calendar_webhooks set watch_retry_at = null")
    world.db.execute("update calendar_channels set stop_after = now() where stop_after is not null")
    world.db.execute("update calendar_channels set created_at = created_at - interval '1 hour'")
    world.db.execute("truncate user_turns")


def assert_all_is_well(world: World, alice: Person) -> None:
    world.assert_equal(alice)
    assert history_differences(world, alice) == []
    calendar = world.calendar(alice)
    assert (calendar["lease_expires_at"], calendar["claims_unended"]) == (None, 0)
    ids = [row["google_calendar_event_id"] for row in world.meetings(alice)]
    assert len(ids) == len(set(ids))


def end_tokens(world: World) -> None:
    """So that a refresh is among what is done."""
    world.db.execute("update google_credentials set access_token_expires_at = now()")


@pytest.mark.parametrize("kind", ["first", "delta", "full"])
def test_killed_anywhere_in_a_sync(world: World, lives: Lives, kind: str) -> None:
    for _ in lives:
        alice = connected(world) if kind == "first" else synced(world)
        if kind != "first":
            edit(world, alice)
        if kind == "full":
            world.google.expire_sync_tokens()
            world.google.add_fault("small_pages", size=2, mode="full")
        end_tokens(world)

        lives.live("sync", alice.user_id)

        time_passes(world)
        sync_all(world, alice)
        assert_all_is_well(world, alice)
    assert lives.were("claim_due_calendars", "POST /token", "save_tokens", "GET /calendar", "commit_sync")


@pytest.mark.parametrize("why", ["renewal", "move"])
def test_killed_anywhere_while_a_watch_is_opened(world: World, lives: Lives, why: str) -> None:
    """A renewal, or a move: the service is reached elsewhere now."""
    home = world.environment["WEBHOOK_BASE_URL"]
    for after in lives:
        if why == "move":
            world.restart_service(WEBHOOK_BASE_URL="http://127.0.0.1:9")
            world.let_quota_recover()
        alice = synced(world)
        world.restart_service(WEBHOOK_BASE_URL=home)
        world.let_quota_recover()
        if why == "renewal":
            world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 minute'")
        end_tokens(world)

        lives.live("renew")

        time_passes(world)
        world.renew()
        speak(world)
        assert _live_at_google(world) == _live_here(world), after
        assert len(_live_here(world)) == 1
        sync_all(world, alice)
        assert_all_is_well(world, alice)
    assert lives.were("begin_channel", "/events/watch", "activate_channel", "channels/stop", "end_channel")


def speak(world: World) -> None:
    """Each channel that Google has pushes, as the webhook takes it: one that nobody knew of is heard, and ended."""
    services = world.services
    for channel in world.google.channels():
        if channel["state"] == "live":
            told = services.store.claims.record_notification(channel["id"], channel["resourceId"], "exists", None, None)
            if told.outcome is NotifiedOutcome.DEAD_CHANNEL:
                stop_channels(services, [channel["id"]])


def _live_at_google(world: World) -> list[str]:
    home = world.environment["WEBHOOK_BASE_URL"]
    return sorted(each["id"] for each in world.google.channels() if each["state"] == "live" and home in each["address"])


def _live_here(world: World) -> list[str]:
    return sorted(row["id"] for row in world.rows("select id from calendar_channels where state = 'live'"))


def test_killed_anywhere_while_somebody_leaves(world: World, lives: Lives) -> None:
    for after in lives:
        alice = synced(world)

        lives.live("disconnect", alice.user_id)

        time_passes(world)
        if after == 0:
            # Nothing of it was stored: who got no answer asks again.
            disconnect(world.services, alice.user_id, "keep")
        else:
            finish_disconnects(world.services)
        assert world.rows("select 1 from google_credentials where refresh_token is not null") == []
        assert {each["state"] for each in world.google.channels()} == {"stopped"}, after
        assert world.live_titles(alice) == []
    assert lives.were("begin_disconnect", "channels/stop", "end_channel", "POST /revoke", "finish_disconnect")


@pytest.mark.parametrize("change", ["create", "move", "cancel"])
def test_killed_anywhere_while_a_bot_is_asked_for(
    world: World, lives: Lives, attendee: FakeServer, change: str
) -> None:
    stage = BotStage(world, attendee)
    for after in lives:
        attendee.control.reset()
        alice = world.person()
        connect_calendars(world.services, alice.user_id, alice.refresh_token, ())
        event = world.google.insert_event(alice.email, world.event("Standup", hours=5))
        sync_all(world, alice)
        if change != "create":
            stage.follow()
            assert stage.bots().total() == 1
        if change == "move":
            world.google.patch_event(alice.email, event["id"], span(world, 8))
        elif change == "cancel":
            world.google.delete_event(alice.email, event["id"])
        sync_all(world, alice)
        stage.hasten()

        lives.live("follow_bots")

        time_passes(world)
        stage.hasten()
        follow_bots(world.services)
        assert stage.bots() == stage.wished(alice), after
    assert lives.were("claim_bot_requests", "/bots")


def all_is_delivered(world: World) -> bool:
    """Or a claim of the dead process came after our update: it asks for more while a thread of it sends."""
    world.db.execute("update event_deliveries set next_attempt_at = now() where state = 'pending'")
    deliver_due(world.services, budget_seconds=20)
    return {row["state"] for row in world.rows("select state from event_deliveries")} == {"delivered"}


def test_killed_anywhere_while_a_subscriber_is_told(world: World, lives: Lives) -> None:
    with subscriber() as told:
        for after in lives:
            told.accepted.clear()
            alice = synced(world)
            subscribe(world.services, told.url)
            world.google.insert_event(alice.email, world.event("New", hours=7))
            sync_all(world, alice)

            lives.live("deliver")

            wait_until(lambda: all_is_delivered(world), f"everything is delivered after {after}")
            # Told twice, it is the same message.
            assert len({message.id for message in told.accepted}) == 1, after
    assert lives.were("claim_event_deliveries", "POST /hook", "record_event_delivery")
