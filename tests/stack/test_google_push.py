"""The emulator's channels and notifications, seen by a real webhook receiver."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from scripts.stack.google.control import GoogleControl
from tests.stack.google_clients import ALICE, BOB, Receiver, eventually, official, refused, single

HOLIDAYS = "holidays@group.v.calendar.google.com"


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.add_account(ALICE)
    google.configure(push_retry_base_seconds=0.02)
    return google


@pytest.fixture
def hook() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def watch(google: GoogleControl, hook: Receiver, channel: str = "channel-1", **more: Any) -> dict[str, Any]:
    body = {"id": channel, "type": "web_hook", "address": hook.url, "token": "secret", **more}
    answer: dict[str, Any] = official(google).events().watch(calendarId="primary", body=body).execute()
    assert google.wait_push_idle()
    return answer


def change(google: GoogleControl, times: int = 1) -> None:
    for _ in range(times):
        google.insert_event(ALICE, single())


def test_the_handshake_is_message_one_and_carries_every_header(google: GoogleControl, hook: Receiver) -> None:
    answer = watch(google, hook)
    got = hook.got[0]
    assert got["x-goog-resource-state"] == "sync"
    assert got["x-goog-message-number"] == "1"
    assert got["x-goog-channel-id"] == "channel-1"
    assert got["x-goog-channel-token"] == "secret"
    assert got["x-goog-resource-id"] == answer["resourceId"]
    assert got["x-goog-resource-uri"] == answer["resourceUri"]
    assert (
        abs(parsedate_to_datetime(got["x-goog-channel-expiration"]).timestamp() - int(answer["expiration"]) / 1000) < 1
    )
    assert (got["content-length"], hook.bodies[0]) == ("0", b"")
    assert answer["kind"] == "api#channel"


def test_the_handshake_may_precede_the_answer(google: GoogleControl, hook: Receiver) -> None:
    google.configure(handshake="before")
    body = {"id": "early", "type": "web_hook", "address": hook.url}
    official(google).events().watch(calendarId="primary", body=body).execute()
    assert hook.numbers("early", "sync") == [1]


def test_numbers_grow_with_gaps(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    change(google, 5)
    assert google.wait_push_idle()
    numbers = hook.numbers("channel-1")
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 5
    assert numbers[-1] > 6


def test_every_channel_of_a_calendar_hears_of_a_change(google: GoogleControl, hook: Receiver) -> None:
    first, second = watch(google, hook, "one"), watch(google, hook, "two")
    change(google)
    assert google.wait_push_idle()
    assert (len(hook.numbers("one")), len(hook.numbers("two"))) == (1, 1)
    assert first["resourceId"] == second["resourceId"]


def test_a_quiet_change_and_a_quiet_calendar_notify_nobody(google: GoogleControl, hook: Receiver) -> None:
    google.add_calendar(ALICE, "other@group.calendar.google.com")
    watch(google, hook)
    google.insert_event(ALICE, single(), notify=False)
    google.insert_event("other@group.calendar.google.com", single())
    assert google.wait_push_idle()
    assert hook.numbers("channel-1") == []


def test_a_bulk_insert_is_one_notification(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.bulk_insert(ALICE, [single() for _ in range(50)])
    assert google.wait_push_idle()
    assert len(hook.numbers("channel-1")) == 1


@pytest.mark.parametrize("echo", [True, False])
def test_own_writes_echo_by_switch(google: GoogleControl, hook: Receiver, echo: bool) -> None:
    google.configure(echo_own_writes=echo)
    watch(google, hook)
    official(google).events().insert(calendarId="primary", body=single()).execute()
    assert google.wait_push_idle()
    assert len(hook.numbers("channel-1")) == int(echo)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_are_retried_until_taken(google: GoogleControl, hook: Receiver, status: int) -> None:
    watch(google, hook)
    hook.statuses = [status, status]
    change(google)
    assert google.wait_push_idle()
    numbers = hook.numbers("channel-1")
    assert len(numbers) == 3
    assert len(set(numbers)) == 1
    assert [item["outcome"] for item in google.deliveries()[1:]] == ["retrying", "retrying", "delivered"]


@pytest.mark.parametrize("status", [400, 404, 410, 302])
def test_other_refusals_are_final(google: GoogleControl, hook: Receiver, status: int) -> None:
    watch(google, hook)
    hook.statuses = [status]
    change(google)
    assert google.wait_push_idle()
    assert (len(hook.numbers("channel-1")), google.deliveries()[-1]["outcome"]) == (1, "failed")


@pytest.mark.parametrize("status", [200, 201, 202, 204, 102])
def test_successes_end_a_delivery(google: GoogleControl, hook: Receiver, status: int) -> None:
    watch(google, hook)
    hook.statuses = [status]
    change(google)
    assert google.wait_push_idle()
    assert google.deliveries()[-1]["outcome"] == "delivered"


def test_retries_give_up(google: GoogleControl, hook: Receiver) -> None:
    google.configure(push_max_attempts=3)
    watch(google, hook)
    hook.statuses = [503] * 9
    change(google)
    assert google.wait_push_idle()
    assert google.deliveries()[-1]["outcome"] == "gave_up"
    assert len(hook.numbers("channel-1")) == 3


def test_notifications_can_be_dropped(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.configure(push="drop")
    change(google, 2)
    google.configure(push="deliver", drop_next=1)
    change(google, 2)
    google.configure(drop_rate=0.5)
    change(google, 4)
    assert google.wait_push_idle()
    assert len(hook.numbers("channel-1")) == 1 + 2
    assert [item["outcome"] for item in google.deliveries()].count("dropped") == 2 + 1 + 2


def test_notifications_can_be_duplicated(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.configure(duplicate=2)
    change(google)
    assert google.wait_push_idle()
    numbers = hook.numbers("channel-1")
    assert (len(numbers), len(set(numbers))) == (3, 1)


def test_notifications_can_be_reordered(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.configure(reorder=True, reorder_window_seconds=60)
    change(google, 3)
    google.flush_push()
    assert google.wait_push_idle()
    numbers = hook.numbers("channel-1")
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 3


def test_notifications_can_be_held_and_flushed(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.configure(push="hold")
    change(google, 2)
    assert google.wait_push_idle()
    assert hook.numbers("channel-1") == []
    assert google.flush_push() == 2
    assert google.wait_push_idle()
    assert len(hook.numbers("channel-1")) == 2


def test_notifications_can_be_delayed(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.configure(delay_seconds=0.3)
    change(google)
    assert google.wait_push_idle()
    assert google.deliveries()[-1]["latency_seconds"] >= 0.3


def test_a_slow_receiver_blocks_no_api_call(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    hook.gate.clear()
    change(google, 3)
    assert len(official(google).events().list(calendarId="primary").execute()["items"]) == 3
    eventually(lambda: len(hook.got) == 2)
    assert not google.wait_push_idle(0.05)
    hook.gate.set()
    assert google.wait_push_idle()


def test_an_expired_channel_falls_silent(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook, params={"ttl": "600"})
    google.advance(601)
    change(google)
    assert google.wait_push_idle()
    assert hook.numbers("channel-1") == []
    assert google.channels()[0]["state"] == "expired"


def test_a_channel_can_be_ended(google: GoogleControl, hook: Receiver) -> None:
    watch(google, hook)
    google.end_channel("channel-1")
    change(google)
    assert google.wait_push_idle()
    assert hook.numbers("channel-1") == []


@pytest.mark.parametrize("late", [False, True])
def test_a_stopped_channel_falls_silent_by_switch(google: GoogleControl, hook: Receiver, late: bool) -> None:
    google.configure(deliver_after_stop=late)
    answer = watch(google, hook)
    official(google).channels().stop(body={"id": "channel-1", "resourceId": answer["resourceId"]}).execute()
    change(google)
    assert google.wait_push_idle()
    assert len(hook.numbers("channel-1")) == int(late)
    assert google.channels()[0]["state"] == "stopped"


def test_stop_needs_the_right_resource_and_the_same_user(google: GoogleControl, hook: Receiver) -> None:
    google.add_account(BOB)
    answer = watch(google, hook)
    right = {"id": "channel-1", "resourceId": answer["resourceId"]}
    for email, body in (
        (ALICE, {"id": "channel-1", "resourceId": "wrong"}),
        (ALICE, {"id": "unknown", "resourceId": answer["resourceId"]}),
        (BOB, right),
    ):
        with refused(404, "notFound"):
            official(google, email).channels().stop(body=body).execute()
    with refused(400, "required"):
        official(google).channels().stop(body={"id": "channel-1"}).execute()
    official(google).channels().stop(body=right).execute()
    with refused(404, "notFound"):
        official(google).channels().stop(body=right).execute()


@pytest.mark.parametrize(
    ("change_to", "code", "reason"),
    [
        ({"id": "used"}, 400, "channelIdNotUnique"),
        ({"id": "has space"}, 400, "channelIdInvalid"),
        ({"id": "x" * 65}, 400, "channelIdInvalid"),
        ({"type": "carrier_pigeon"}, 400, "channelUnknown"),
        ({"address": "http://example.com/hook"}, 400, "push.webhookUrlNotHttps"),
        ({"address": None}, 400, "required"),
        ({"token": "x" * 257}, 400, "invalid"),
        ({"expiration": "1000"}, 400, "invalid"),
    ],
)
def test_watch_refuses_what_google_refuses(
    google: GoogleControl, hook: Receiver, change_to: dict[str, Any], code: int, reason: str
) -> None:
    watch(google, hook, "used")
    google.end_channel("used")
    body = {"id": "new", "type": "web_hook", "address": hook.url, "token": "t"} | change_to
    with refused(code, reason):
        official(google).events().watch(calendarId="primary", body=body).execute()


def test_some_calendars_cannot_be_watched(google: GoogleControl, hook: Receiver) -> None:
    google.add_calendar(ALICE, HOLIDAYS, watchable=False, access_role="reader")
    body = {"id": "new", "type": "web_hook", "address": hook.url}
    with refused(400, "pushNotSupportedForRequestedResource"):
        official(google).events().watch(calendarId=HOLIDAYS, body=body).execute()


def test_the_strictest_expiration_wins(google: GoogleControl, hook: Receiver) -> None:
    google.configure(expiration_type="number", channel_max_ttl_seconds=7200)
    asked = watch(google, hook, "short", params={"ttl": "3600"})
    capped = watch(google, hook, "long", params={"ttl": "999999"})
    plain = watch(google, hook, "plain")
    assert isinstance(asked["expiration"], int)
    assert abs(capped["expiration"] - asked["expiration"] - 3_600_000) < 5000
    assert abs(capped["expiration"] - plain["expiration"]) < 5000
