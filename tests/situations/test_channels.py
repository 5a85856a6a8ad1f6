"""Situations 13, 14, 16, 21 and 22 (channels): handshakes, lost answers, stopped channels, expirations, no push."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.world import JsonObject, Person, World, wait_until


@pytest.fixture
def alice(world: World) -> Person:
    return world.person()


def channels(world: World, state: str) -> list[JsonObject]:
    return world.rows("select * from calendar_channels where state = %s", state)


def at_google(world: World) -> list[str]:
    return [channel["state"] for channel in world.google.channels()]


@pytest.mark.parametrize("handshake", ["before", "after", "never"])
def test_situation_13_a_handshake_before_the_answer_to_watch_is_recognised(
    world: World, alice: Person, handshake: str
) -> None:
    world.google.configure(handshake=handshake)

    world.connect(alice)
    assert world.google.wait_push_idle()

    handshakes = [each for each in world.google.deliveries() if each["state"] == "sync"]
    assert [each["status"] for each in handshakes] == ([] if handshake == "never" else [204])
    assert len(channels(world, "live")) == 1
    assert world.calendar(alice)["notifications_seen"] == 0
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)
    assert world.google.wait_push_idle()
    # A handshake that met the channel's activation is counted with whatever is counted next.
    spoken = len(world.google.deliveries())
    assert spoken == len(handshakes) + 1
    wait_until(lambda: channels(world, "live")[0]["notifications"] == spoken, "all that it said is counted")


def test_situation_14_a_watch_whose_answer_was_lost_is_opened_anew_and_the_orphan_stopped_when_it_speaks(
    world: World, alice: Person
) -> None:
    world.google.configure(handshake="never")
    world.google.add_fault("lost_watch_answer", times=1)
    world.connect(alice)
    wait_until(lambda: world.calendar(alice)["watch_retry_at"], "the watch is to be tried again")
    assert at_google(world).count("live") == 1
    assert not channels(world, "live")

    world.db.execute("update calendar_webhooks set watch_retry_at = now()")
    world.renew()
    assert at_google(world) == ["live", "live"]
    (current,) = channels(world, "live")
    world.google.insert_event(alice.email, world.event("Pushed"))
    world.await_equal(alice)

    wait_until(lambda: at_google(world) == ["stopped", "live"], "the orphan is stopped")
    assert [channel["id"] for channel in world.google.channels() if channel["state"] == "live"] == [current["id"]]


def test_situation_16_a_stopped_channel_that_still_delivers_is_answered_and_causes_no_work(
    world: World, alice: Person
) -> None:
    world.google.configure(deliver_after_stop=True)
    world.connect(alice)
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    world.renew()
    wait_until(lambda: sorted(at_google(world)) == ["live", "stopped"], "the old channel is stopped")
    (stopped,) = channels(world, "stopped")
    seen = world.calendar(alice)["notifications_seen"]

    world.google.insert_event(alice.email, world.event("Pushed"))
    assert world.google.wait_push_idle()
    world.await_equal(alice)

    from_stopped = [
        each for each in world.google.deliveries() if each["channel"] == stopped["id"] and each["state"] == "exists"
    ]
    assert [each["status"] for each in from_stopped] == [204]
    assert world.calendar(alice)["notifications_seen"] == seen + 1
    assert world.google_calls("channels.stop") == 1


@pytest.mark.parametrize("expiration_type", ["string", "number"])
@pytest.mark.parametrize("clock_off_minutes", [-10, 0, 10])
def test_situation_21_an_expiration_of_either_type_and_a_clock_that_is_off_renew_in_time(
    world: World, alice: Person, expiration_type: str, clock_off_minutes: int
) -> None:
    world.google.configure(expiration_type=expiration_type, push="drop")
    world.connect(alice)
    services = world.services_with(clock_off_seconds=60 * clock_off_minutes)
    lead = dt.timedelta(hours=world.settings.renew_lead_hours)
    (channel,) = world.google.channels()
    expires_at = dt.datetime.fromtimestamp(channel["expiration"] / 1000, dt.UTC)
    assert channels(world, "live")[0]["expires_at"] == expires_at

    assert world.renew(services).outcomes == ()
    # The stored expiration comes within the lead, as it does when days pass.
    world.db.execute("update calendar_webhooks set expiration_time = now() + %s - interval '1 minute'", (lead,))
    (renewed,) = world.renew(services).outcomes

    assert renewed.channel
    assert sorted(at_google(world)) == ["live", "stopped"]
    assert abs(renewed.channel.expires_at - expires_at) < dt.timedelta(minutes=1)
    assert lead > dt.timedelta(minutes=10), "the lead is longer than any clock is off"


def test_situation_22_a_calendar_without_push_is_polled_without_alarm_or_hot_retry(world: World, alice: Person) -> None:
    world.google.add_calendar(alice.email, "holidays@example.com", watchable=False)
    world.google.insert_event("holidays@example.com", world.event("Old"), notify=False)
    connected = world.connect(alice, ["holidays@example.com"])
    assert [calendar["watch"] for calendar in connected["calendars"]] == ["polled"]
    world.reset_counters()

    for _ in range(3):
        assert world.renew().outcomes == ()
    world.google.insert_event("holidays@example.com", world.event("New", hours=5))
    world.make_due()
    assert [outcome.created for outcome in world.sweep().outcomes] == [1]

    world.assert_equal(alice, "holidays@example.com")
    assert world.google_calls("events.watch") == 0
    calendar = world.calendar(alice, "holidays@example.com")
    assert (calendar["webhook_failures"], calendar["consecutive_failures"]) == (0, 0)
    assert calendar["watch_error_code"] == "pushNotSupportedForRequestedResource"
    assert calendar["watch_retry_at"] > calendar["last_synced_at"] + dt.timedelta(days=6)
