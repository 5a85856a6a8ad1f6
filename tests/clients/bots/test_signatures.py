"""Signatures of bot providers: theirs are let in, and nothing else."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import time

import pytest
from standardwebhooks import Webhook

from sync.bot_model import BotProviderName
from sync.clients.bots.signatures import read_signed
from sync.errors import SignatureRefused

ATTENDEE, RECALL, WEBHOOK = BotProviderName
SECRET, OLDER, FOREIGN = b"n" * 32, b"o" * 32, b"f" * 32


def attendee_headers(canonical: str, secret: bytes = SECRET) -> dict[str, str]:
    """As the provider's page describes it, over a canonical form that is written out here."""
    digest = hmac.new(secret, canonical.encode(), hashlib.sha256).digest()
    return {"x-webhook-signature": base64.b64encode(digest).decode()}


def standard_headers(raw: bytes, secret: bytes = SECRET, *, family: str = "webhook", age: float = 0) -> dict[str, str]:
    at = dt.datetime.fromtimestamp(int(time.time() - age), dt.UTC)
    return {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": str(int(at.timestamp())),
        f"{family}-signature": Webhook(secret).sign("msg_1", at, raw.decode()),
    }


def refusal(provider: BotProviderName, headers: dict[str, str], raw: bytes, secrets: tuple[bytes, ...]) -> str:
    with pytest.raises(SignatureRefused) as refused:
        read_signed(provider, headers, raw, secrets)
    return refused.value.code


def test_attendees_is_over_the_canonical_form_and_not_over_the_bytes() -> None:
    raw = b'{ "idempotency_key": "k1",\n "bot_metadata": {"b": 1, "a": "\\u00fc"} }'
    headers = attendee_headers('{"bot_metadata":{"a":"ü","b":1},"idempotency_key":"k1"}')

    message = read_signed(ATTENDEE, headers, raw, [SECRET])

    assert (message.id, message.body["bot_metadata"]) == ("k1", {"b": 1, "a": "ü"})


@pytest.mark.parametrize("family", ["webhook", "svix"])
@pytest.mark.parametrize("provider", [RECALL, WEBHOOK])
def test_the_standards_is_taken_under_both_families_of_names(provider: BotProviderName, family: str) -> None:
    raw = b'{"event": "bot.done"}'
    message = read_signed(provider, standard_headers(raw, family=family), raw, [SECRET])
    assert (message.id, message.body) == ("msg_1", {"event": "bot.done"})


def test_an_older_secret_is_good_while_it_stands() -> None:
    raw = b'{"idempotency_key":"k1"}'
    assert read_signed(ATTENDEE, attendee_headers(raw.decode(), OLDER), raw, [SECRET, OLDER]).id == "k1"
    assert read_signed(RECALL, standard_headers(raw, OLDER), raw, [SECRET, OLDER]).id == "msg_1"
    assert refusal(ATTENDEE, attendee_headers(raw.decode(), OLDER), raw, (SECRET,)) == "wrong_signature"
    assert refusal(RECALL, standard_headers(raw, OLDER), raw, (SECRET,)) == "wrong_signature"


def test_one_good_signature_among_several_is_enough() -> None:
    """As a provider signs that changes its secret, or that signs with a key pair too."""
    raw = b"{}"
    foreign, ours = standard_headers(raw, FOREIGN), standard_headers(raw)
    both = f"v1a,AAAA {foreign['webhook-signature']} {ours['webhook-signature']}"
    assert read_signed(RECALL, {**ours, "webhook-signature": both}, raw, [SECRET]).id == "msg_1"


@pytest.mark.parametrize("provider", BotProviderName)
def test_what_is_unsigned_is_refused(provider: BotProviderName) -> None:
    raw = b'{"idempotency_key":"k1"}'
    assert refusal(provider, {}, raw, (SECRET,)) == "unsigned"
    other = standard_headers(raw) if provider is ATTENDEE else attendee_headers(raw.decode())
    assert refusal(provider, other, raw, (SECRET,)) == "unsigned"


@pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp"])
def test_a_signature_without_what_it_covers_is_refused(missing: str) -> None:
    headers = {name: value for name, value in standard_headers(b"{}").items() if name != missing}
    assert refusal(RECALL, headers, b"{}", (SECRET,)) == "unsigned"


@pytest.mark.parametrize("provider", BotProviderName)
def test_a_changed_body_is_refused(provider: BotProviderName) -> None:
    raw, changed = b'{"idempotency_key":"k1","n":1}', b'{"idempotency_key":"k1","n":2}'
    headers = attendee_headers(raw.decode()) if provider is ATTENDEE else standard_headers(raw)
    assert refusal(provider, headers, changed, (SECRET,)) == "wrong_signature"


@pytest.mark.parametrize("provider", BotProviderName)
def test_without_a_secret_nothing_is_let_in(provider: BotProviderName) -> None:
    raw = b'{"idempotency_key":"k1"}'
    headers = attendee_headers(raw.decode(), b"") if provider is ATTENDEE else standard_headers(raw)
    assert refusal(provider, headers, raw, ()) == "wrong_signature"


@pytest.mark.parametrize("age", [310, -310])
def test_the_standards_is_good_for_five_minutes(age: int) -> None:
    assert refusal(RECALL, standard_headers(b"{}", age=age), b"{}", (SECRET,)) == "stale"
    assert read_signed(RECALL, standard_headers(b"{}", age=age * 0.9), b"{}", [SECRET]).id == "msg_1"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"no json",
        b"\xff",
        b'{"idempotency_key": "\\ud800"}',
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_has_no_canonical_form_is_refused(raw: bytes) -> None:
    assert refusal(ATTENDEE, {"x-webhook-signature": "AAAA"}, raw, (SECRET,)) == "malformed"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook-signature", "v1"),
        ("webhook-signature", "v1,a,b"),
        ("webhook-signature", "v1,ä"),
        ("webhook-timestamp", "now"),
        ("webhook-timestamp", "nan"),
        ("webhook-timestamp", "9" * 400),
    ],
)
def test_headers_without_the_standards_form_are_refused(header: str, value: str) -> None:
    headers = {**standard_headers(b"{}"), header: value}
    assert refusal(WEBHOOK, headers, b"{}", (SECRET,)) in {"malformed", "wrong_signature", "stale"}


def test_signed_bytes_that_are_no_object_are_refused() -> None:
    assert refusal(RECALL, standard_headers(json.dumps([1]).encode()), b"[1]", (SECRET,)) == "malformed"
    assert refusal(RECALL, standard_headers(b"{}"), b"\xff\xfe", (SECRET,)) == "malformed"


def test_attendees_message_without_an_id_could_be_replayed_and_is_refused() -> None:
    assert refusal(ATTENDEE, attendee_headers("{}"), b"{}", (SECRET,)) == "malformed"
