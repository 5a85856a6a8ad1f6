"""Watches: opened, renewed with overlap, lost, refused; a calendar is polled whatever becomes of its watch."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from sync.jobs.watching.renew_watches import CALENDAR_LEFT, open_watch, stop_channels
from sync.states import NotifiedOutcome
from tests.world import JsonObject, Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person()
    world.connect(alice)
    assert world.google.wait_push_idle()
    return alice


def states(world: World) -> list[str]:
    """Of the channels at Google, oldest first."""
    return [channel["state"] for channel in world.google.channels()]


def stored(world: World) -> dict[str, JsonObject]:
    return {row["id"]: row for row in world.rows("select * from calendar_channels order by created_at")}


def about_to_lapse(world: World) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour', watch_retry_at = null")


def test_google_is_asked_for_no_channel_of_a_calendar_that_is_gone_meanwhile(world: World, alice: Person) -> None:
    """Nobody would know it, nor stop it, while its user is watched anew."""
    about_to_lapse(world)
    watches, ids = world.services.store.watches, [world.calendar(alice)["id"]]
    (claim,) = watches.claim_expiring(limit=1, lease_seconds=60, calendar_ids=ids)
    world.db.execute("delete from auth.users where id = %s", (alice.user_id,))

    outcome = open_watch(world.services, claim)

    assert (outcome.channel, outcome.error_code) == (None, CALENDAR_LEFT)
    assert len(states(world)) == 1


def test_a_renewal_opens_the_new_channel_before_it_stops_the_old_one(world: World, alice: Person) -> None:
    hold = world.google.add_fault("hold", method="channels.stop")
    about_to_lapse(world)
    with world.in_background(world.renew):
        assert world.google.wait_held(hold)
        assert states(world) == ["live", "live"]
        assert sorted(row["state"] for row in stored(world).values()) == ["live", "superseded"]
        world.google.release(hold)

    assert states(world) == ["stopped", "live"]
    assert sorted(row["state"] for row in stored(world).values()) == ["live", "stopped"]
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)


def test_watches_that_last_are_left_alone(world: World, alice: Person) -> None:
    assert world.renew().outcomes == ()
    assert states(world) == ["live"]


@pytest.mark.parametrize("expiration", ["string", "number"])
@pytest.mark.parametrize("clock_off", [-600.0, 600.0])
def test_renewal_is_in_time_however_the_expiration_comes_and_with_a_clock_that_is_off(
    world: World, expiration: str, clock_off: float
) -> None:
    world.google.configure(expiration_type=expiration, channel_max_ttl_seconds=35 * 3600)
    alice = world.person()
    world.connect(alice)
    expires_at: dt.datetime = world.calendar(alice)["expiration_time"]
    assert abs((expires_at - world.now).total_seconds() - 35 * 3600) < 30

    services = world.services_with(clock_off_seconds=clock_off)
    assert world.renew(services).outcomes == ()
    # The last third of its lifetime has begun.
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '11 hours'")
    outcomes = world.renew(services).outcomes

    assert [outcome.error_code for outcome in outcomes] == [None]
    assert states(world) == ["stopped", "live"]


FAILURES = {
    "backend_503": "backendError",
    "webhook_unauthorized": "push.webhookUrlUnauthorized",
    "quota_exceeded": "quotaExceeded",
    "truncated_body": "no_answer",
    "malformed_json": "foreign_answer_200",
    "lost_access_404": "notFound",
}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failed_watch_leaves_the_old_channel_and_polling_as_they_were(world: World, alice: Person, kind: str) -> None:
    world.google.add_fault(kind, method="events.watch", times=1)
    before = world.calendar(alice)
    about_to_lapse(world)

    assert [outcome.error_code for outcome in world.renew().outcomes] == [FAILURES[kind]]

    after = world.calendar(alice)
    unchanged = ("due_at", "due_reason", "webhook_id", "sync_token", "consecutive_failures", "paused_reason")
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert (after["watch_failures"], after["watch_error_code"]) == (1, FAILURES[kind])
    # No hot retry; but a retry, which succeeds.
    assert world.renew().outcomes == ()
    about_to_lapse(world)
    world.let_quota_recover()
    assert world.renew().outcomes[0].channel is not None
    assert world.calendar(alice)["watch_failures"] == 0
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)


@pytest.mark.parametrize("kind", ["unwatchable", "not_a_calendar_user"])
def test_a_calendar_that_cannot_be_watched_is_polled_without_alarm_or_hot_retry(world: World, kind: str) -> None:
    alice = world.person()
    world.google.add_fault(kind)
    world.google.insert_event(alice.email, world.event("Seen"), notify=False)

    connected = world.connect(alice)

    assert [calendar["watch"] for calendar in connected["calendars"]] == ["polled"]
    world.assert_equal(alice)
    assert world.renew().outcomes == ()
    row = world.calendar(alice)
    assert row["watch_retry_at"] - row["updated_at"] > dt.timedelta(days=6)
    assert row["due_at"] - world.now < dt.timedelta(hours=6)
    world.google.insert_event(alice.email, world.event("Polled", hours=4))
    world.make_due(alice)
    assert [outcome.status for outcome in world.sweep().outcomes] == ["completed"]
    world.assert_equal(alice)
    assert world.calendar(alice)["webhook_failures"] == 0


@pytest.mark.parametrize("delay_seconds", [0.0, 0.5])
def test_a_first_watch_whose_answer_was_lost_is_adopted_when_it_speaks(world: World, delay_seconds: float) -> None:
    """Before the failure is recorded, or after it."""
    world.google.configure(delay_seconds=delay_seconds)
    alice = world.person()
    world.google.add_fault("lost_watch_answer", times=1)
    world.connect(alice)

    wait_until(lambda: [row["state"] for row in stored(world).values()] == ["live"], "the channel is adopted")

    (channel,) = stored(world).values()
    (opened,) = world.google.channels()
    assert abs(channel["expires_at"].timestamp() - opened["expiration"] / 1000) < 2
    assert world.renew().outcomes == ()
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    assert states(world) == ["live"]


def test_an_orphan_that_speaks_only_later_is_stopped_then(world: World) -> None:
    world.google.configure(handshake="never")
    alice = world.person()
    world.google.add_fault("lost_watch_answer", times=1)
    world.connect(alice)
    about_to_lapse(world)
    world.renew()
    assert states(world) == ["live", "live"]

    world.google.insert_event(alice.email, world.event("Twice announced"))

    wait_until(lambda: states(world) == ["stopped", "live"], "the orphan is stopped")
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    assert world.calendar(alice)["notifications_seen"] == 1


def test_a_channel_that_lapsed_is_reopened_and_what_it_missed_is_found(world: World, alice: Person) -> None:
    """Also when a notification shortly before vouches for the calendar."""
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    world.await_synced(world.calendar(alice)["id"])
    world.google.end_channel(world.calendar(alice)["webhook_id"])
    world.db.execute("update calendar_channels set expires_at = now(), state = 'expired'")
    world.db.execute("update calendar_webhooks set expiration_time = now(), due_at = now() + interval '5 hours'")
    world.google.insert_event(alice.email, world.event("Unheard", hours=4))

    world.renew()
    world.db.execute("update calendar_webhooks set due_at = now() where due_reason = 'watch_opened'")
    world.sweep()

    world.assert_equal(alice)
    assert states(world)[-1] == "live"


def test_two_replicas_renewing_at_once_leave_one_live_channel(world: World, alice: Person) -> None:
    replicas = [world.services_with() for _ in range(4)]
    about_to_lapse(world)

    with ThreadPoolExecutor(4) as pool:
        renewals = list(pool.map(world.renew, replicas))

    assert sum(len(renewal.outcomes) for renewal in renewals) == 1
    assert sorted(states(world)) == ["live", "stopped"]


def test_an_old_channel_that_could_not_be_stopped_is_stopped_later(world: World, alice: Person) -> None:
    world.google.add_fault("backend_503", method="channels.stop", retry_after=60, times=1)
    about_to_lapse(world)
    world.renew()
    assert states(world) == ["live", "live"]

    world.db.execute("update calendar_channels set stop_after = now() where stop_after is not null")
    assert world.renew().stopped == 1

    assert states(world) == ["stopped", "live"]


def test_a_store_that_fails_after_the_watch_loses_neither_channel_nor_answer(world: World, alice: Person) -> None:
    world.supabase.fault("claim_dead_channels", "drop_before", times=4)
    about_to_lapse(world)

    assert world.renew().outcomes[0].channel is not None

    assert sorted(row["state"] for row in stored(world).values()) in (["live", "stopped"], ["live", "superseded"])
    world.renew()
    assert states(world) == ["stopped", "live"]


def test_a_channel_that_speaks_long_after_its_stop_is_stopped_again(world: World, alice: Person) -> None:
    """Google said that it did not know it. What was sent before the stop comes late and says nothing; and after each
    stop it is left to speak for longer."""
    about_to_lapse(world)
    world.google.add_fault("lost_access_404", method="channels.stop", times=2)
    world.renew()
    (old,) = [each for each, row in stored(world).items() if row["state"] == "stopped"]
    assert states(world) == ["live", "live"]

    speaks(world, old)
    assert world.google_calls("channels.stop") == 1
    for minutes, stops, left in ((5, 2, ["live", "live"]), (5, 2, ["live", "live"]), (20, 3, ["stopped", "live"])):
        since = dt.timedelta(minutes=minutes)
        world.db.execute("update calendar_channels set updated_at = now() - %s where id = %s", (since, old))
        speaks(world, old)
        assert (world.google_calls("channels.stop"), states(world)) == (stops, left)


def speaks(world: World, channel_id: str) -> None:
    """The channel pushes, and the webhook takes it."""
    (channel,) = [each for each in world.google.channels() if each["id"] == channel_id]
    told = world.services.store.claims.record_notification(channel_id, channel["resourceId"], "exists", None, None)
    assert told.outcome is NotifiedOutcome.DEAD_CHANNEL
    stop_channels(world.services, [channel_id])
