"""Google's notifications: answered at once with one call of the store, or refused without any."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.clients.breakers import DATABASE
from sync.core.accounts.channel_token import channel_token
from sync.core.accounts.ingress_probe import (
    ANSWER_HEADER,
    PROBE_HEADER,
    PROOF_HEADER,
    is_answer,
    make_probe,
    probe_proof,
)
from sync.settings import load
from tests.web.calls import WEBHOOK, assert_no_secret, assert_problem, call, raw_request
from tests.world import World, wait_until


def token_of(world: World, channel_id: str) -> str:
    return channel_token(world.settings.channel_token_secrets[0], channel_id)


def notification(world: World, channel: dict[str, Any] | None = None, **changes: str | None) -> dict[str, str]:
    """The headers Google sends for a channel (one nobody knows, by default); None takes one away."""
    channel_id = channel["id"] if channel else str(uuid.uuid4())
    headers: dict[str, str | None] = {
        "X-Goog-Channel-ID": channel_id,
        "X-Goog-Channel-Token": token_of(world, channel_id),
        "X-Goog-Resource-ID": channel["resource_id"] if channel else "resource",
        "X-Goog-Resource-State": "exists",
        "X-Goog-Message-Number": "2",
        "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/primary/events",
        "X-Goog-Channel-Expiration": "Tue, 17 Mar 2026 12:00:00 GMT",
    }
    headers |= {f"X-Goog-{name.replace('_', '-')}": value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


@pytest.fixture
def channel(world: World) -> dict[str, Any]:
    """The live channel of Alice's calendar. Google's own notifications are off, and so is what follows one of ours."""
    world.connect(world.person())
    world.google.configure(push="drop")
    # The handshake comes when it comes.
    assert world.google.wait_push_idle()
    world.service.app.extensions["driver"].shut_down(5)
    (row,) = world.rows("select * from calendar_channels where state = 'live'")
    world.supabase.reset_counters()
    return row


def counted(world: World) -> int:
    return int(world.rows("select notifications_seen from calendar_webhooks")[0]["notifications_seen"])


@pytest.mark.parametrize(("state", "counts"), [("exists", 1), ("not_exists", 1), ("sync", 0)])
def test_a_notification_is_one_call_of_the_store(
    world: World, channel: dict[str, Any], state: str, counts: int
) -> None:
    before = counted(world)

    answer = call(world, WEBHOOK, notification(world, channel, Resource_State=state))

    assert (answer.status_code, answer.content) == (204, b"")
    assert world.supabase.counters() == {"rpc/record_notification": 1}
    assert counted(world) == before + counts


def test_the_answer_does_not_wait_for_google(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    (row,) = world.rows("select * from calendar_channels")
    world.google.configure(push="drop")
    hold = world.google.add_fault("hold", method="events.list")

    answer = call(world, WEBHOOK, notification(world, row))

    assert answer.status_code == 204
    assert world.google.wait_held(hold)
    world.google.release(hold)


def test_a_handshake_may_come_before_the_answer_to_watch(world: World) -> None:
    world.google.configure(handshake="before")

    world.connect(world.person())

    assert [(d["state"], d["outcome"]) for d in world.google.deliveries()] == [("sync", "delivered")]


def test_a_channel_nobody_knows_is_answered_and_does_nothing(world: World) -> None:
    answer = call(world, WEBHOOK, notification(world))

    assert answer.status_code == 204
    assert world.supabase.counters() == {"rpc/record_notification": 1}
    assert sum(world.google.counters()["calls"].values()) == 0


def test_a_channel_that_should_be_dead_is_answered_and_stopped(world: World) -> None:
    world.connect(world.person())
    (row,) = world.rows("update calendar_channels set state = 'expired' returning *")
    lists = world.google_calls("events.list")

    answer = call(world, WEBHOOK, notification(world, row))

    assert answer.status_code == 204
    wait_until(lambda: [c["state"] for c in world.google.channels()] == ["stopped"], "the channel is stopped")
    assert world.google_calls("events.list") == lists


def forgeries(world: World, channel: dict[str, Any]) -> list[dict[str, str]]:
    """What somebody sends who does not know our secret."""
    other = str(uuid.uuid4())
    good = token_of(world, channel["id"])
    return [
        notification(world, channel, Channel_Token=None),
        notification(world, channel, Channel_Token=""),
        notification(world, channel, Channel_Token="0" * 64),
        notification(world, channel, Channel_Token=good[:-1]),
        notification(world, channel, Channel_Token=good.upper()),
        notification(world, channel, Channel_Token=good + " x"),
        notification(world, channel, Channel_Token=token_of(world, other)),
        notification(world, channel, Channel_ID=other, Channel_Token=good),
        notification(world, channel, Channel_ID=None),
        notification(world, channel, Channel_ID="", Channel_Token=token_of(world, "")),
        notification(world, channel, Channel_ID="x" * 300, Channel_Token=token_of(world, "x" * 300)),
        notification(world, channel, Channel_Token="x" * 5000),
        {},
    ]


def test_a_forged_notification_never_reaches_the_store(world: World, channel: dict[str, Any]) -> None:
    for headers in forgeries(world, channel):
        answer = call(world, WEBHOOK, headers)
        assert_problem(answer, 401, "notification_refused")
        assert_no_secret(world, answer)
    assert world.supabase.counters() == {}


def test_a_refusal_does_not_say_what_was_wrong(world: World, channel: dict[str, Any]) -> None:
    before = counted(world)

    wrong_token = call(world, WEBHOOK, notification(world, channel, Channel_Token="0" * 64))
    wrong_resource = call(world, WEBHOOK, notification(world, channel, Resource_ID="another"))

    assert (wrong_token.status_code, wrong_token.json()) == (wrong_resource.status_code, wrong_resource.json())
    assert_problem(wrong_resource, 401, "notification_refused")
    assert counted(world) == before
    assert world.rows("select refused from calendar_channels") == [{"refused": 1}]


@pytest.mark.parametrize(
    "changes",
    [
        {"Resource_ID": None},
        {"Resource_ID": ""},
        {"Resource_ID": "x" * 300},
        {"Resource_State": None},
        {"Resource_State": ""},
    ],
)
def test_a_notification_with_less_than_it_needs_is_malformed(world: World, changes: dict[str, str | None]) -> None:
    answer = call(world, WEBHOOK, notification(world, None, **changes))

    assert "X-Goog-Resource" in assert_problem(answer, 400, "notification_malformed")["detail"]
    assert world.supabase.counters() == {}


@pytest.mark.parametrize("number", [None, "", "seven", "-1", "1.5", "9" * 30, "٣", "7" * 18])
def test_a_message_number_is_evidence_only(world: World, channel: dict[str, Any], number: str | None) -> None:
    headers = notification(world, channel, Message_Number=number)
    raw = {name.encode(): value.encode() for name, value in headers.items()}

    assert call(world, WEBHOOK, raw).status_code == 204


def test_message_numbers_out_of_order_all_count(world: World, channel: dict[str, Any]) -> None:
    before = counted(world)
    for number in ("1", "10", "7"):
        call(world, WEBHOOK, notification(world, channel, Message_Number=number))

    assert counted(world) == before + 3
    assert world.rows("select last_message_number from calendar_channels") == [{"last_message_number": 10}]


def test_an_older_secret_is_still_good(world: World) -> None:
    world.environment["CHANNEL_TOKEN_SECRET"] = f"newest-secret-0123456789,{world.environment['CHANNEL_TOKEN_SECRET']}"
    world.settings = load(world.environment)
    headers = notification(world)
    old = channel_token(world.settings.channel_token_secrets[1], headers["X-Goog-Channel-ID"])

    assert call(world, WEBHOOK, headers).status_code == 204
    assert call(world, WEBHOOK, {**headers, "X-Goog-Channel-Token": old}).status_code == 204


def test_a_notification_survives_a_lost_answer_of_the_store(world: World, channel: dict[str, Any]) -> None:
    before = counted(world)
    world.supabase.fault("record_notification", "drop_before")
    world.supabase.fault("record_notification", "drop_after")

    assert call(world, WEBHOOK, notification(world, channel)).status_code == 204
    assert counted(world) > before


def test_google_is_asked_to_repeat_what_the_store_did_not_take(world: World) -> None:
    world.supabase.fault("record_notification", "http_500", times=50)

    assert_problem(call(world, WEBHOOK, notification(world)), 503, "store_unavailable")


def test_a_database_that_is_down_is_told_at_once_and_asked_by_probes_alone(world: World) -> None:
    """A second apart at least. Repetitions of so many calls would take most of a minute."""
    headers = notification(world)
    world.supabase.fault("*", "http_500", times=10_000)
    breakers = world.service.app.extensions["services"].breakers
    wait_until(lambda: not call(world, WEBHOOK, headers).is_success and breakers.room(DATABASE, 1) == 0, "it opens")
    world.supabase.reset_counters()
    began = time.monotonic()

    answers = [call(world, WEBHOOK, headers) for _ in range(60)]

    took = time.monotonic() - began
    assert took < 20
    assert {answer.status_code for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"5"}
    assert sum(world.supabase.counters().values()) <= 2 + int(took)
    assert_problem(call(world, "/readyz", method="GET"), 503, "store_unavailable")
    world.supabase.clear_faults()
    wait_until(lambda: call(world, WEBHOOK, headers).status_code == 204, "notifications are taken again")


@pytest.mark.parametrize(
    "header",
    [
        b"X-Goog-Resource-ID: nul\x00byte",
        b"X-Goog-Channel-ID: nul\x00byte",
        b"X-Goog-Channel-Token: \xff\xfe\xfd",
        b"X-Goog-Resource-ID: \xe2\x82\xac\x85\xa0",
        b"X-Goog-Resource-ID: control\x01\x7f",
        b"X-Goog-Message-Number: \xb2",
        b"X-Goog-Resource-ID: folded\r\n line",
        b"X-Goog-Resource-ID: " + b"x" * 60_000,
        b"X-Goog-Resource-ID: " + b"x" * 70_000,
        b"X-Goog-Resource-ID\xff: x",
        b": x",
        b"X-Goog-Resource-ID",
        b"Content-Length: -1",
        b"Content-Length: many",
        b"Transfer-Encoding: gzip",
    ],
)
def test_odd_headers_are_no_fault_of_ours(world: World, header: bytes) -> None:
    name = header.split(b":")[0].lower()
    headers = [f"{key}: {value}".encode() for key, value in notification(world).items() if key.lower().encode() != name]
    request = b"\r\n".join([f"POST {WEBHOOK} HTTP/1.1".encode(), b"Host: x", b"Connection: close", *headers, header])

    answer = raw_request(world, request + b"\r\n\r\n")

    status = int(answer.split(b" ", 2)[1])
    assert 200 <= status < 500, answer[:200]


_values = st.one_of(
    st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=300),
    st.sampled_from(["", "exists", "sync", "x" * 256, "x" * 257, "18446744073709551616", "\\u0000", "%00", "'; --"]),
)
_headers = st.fixed_dictionaries(
    {},
    optional={
        f"X-Goog-{name}": _values
        for name in ("Channel-ID", "Resource-ID", "Resource-State", "Message-Number", "Channel-Token", "Resource-URI")
    },
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=_headers, is_signed=st.booleans())
def test_no_headers_whatever_they_hold_break_the_service(
    world: World, changes: dict[str, str], is_signed: bool
) -> None:
    headers = {**notification(world), **changes}
    if is_signed:
        headers["X-Goog-Channel-Token"] = token_of(world, headers["X-Goog-Channel-ID"])
    answer: httpx.Response = call(
        world, WEBHOOK, {name.encode(): value.strip().encode("latin-1") for name, value in headers.items()}
    )

    assert answer.status_code in (204, 400, 401), (headers, answer.text)


def probe_headers(world: World, *, secret: str | None = None, age_seconds: float = 0.0) -> dict[str, str]:
    probe = make_probe("default", time.time() - age_seconds, uuid.uuid4().hex)
    proof = probe_proof(secret or world.settings.channel_token_secrets[0], probe)
    return {PROBE_HEADER: probe, PROOF_HEADER: proof}


def test_a_probe_is_answered_with_a_proof_and_does_nothing(world: World, channel: dict[str, Any]) -> None:
    headers = probe_headers(world)
    before = counted(world)

    # What it says besides is not looked at: it names a channel, and nothing becomes due.
    answer = call(world, WEBHOOK, headers={**notification(world, channel), **headers})
    again = call(world, WEBHOOK, headers=headers)

    assert (answer.status_code, again.status_code) == (204, 204)
    assert is_answer(world.settings.channel_token_secrets[0], headers[PROBE_HEADER], answer.headers[ANSWER_HEADER])
    assert counted(world) == before
    assert world.rpcs() == {}


@pytest.mark.parametrize("wrong", [{"secret": "guessed"}, {"age_seconds": 90}])
def test_a_forged_or_expired_probe_is_refused_like_any_forgery(world: World, wrong: dict[str, Any]) -> None:
    answer = call(world, WEBHOOK, headers=probe_headers(world, **wrong))

    assert_problem(answer, 401, "notification_refused")
    assert ANSWER_HEADER not in answer.headers
    assert_no_secret(world, answer)
    assert world.rpcs() == {}
