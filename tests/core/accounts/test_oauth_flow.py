"""The consent flow's rules: states nobody forges, PKCE as the RFC has it, scopes, and where a user is sent back to."""

from __future__ import annotations

import base64
import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.core.accounts.channel_token import channel_token
from sync.core.accounts.oauth_flow import (
    ASKED_SCOPES,
    FlowState,
    code_challenge,
    consent_url,
    grants_all_asked,
    read_state,
    reads_events,
    secret_hash,
    sign_state,
    with_handle,
    with_result,
)

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
STATE = FlowState("nonce", "7c9e6679-7425-40de-944b-e07fc1f90ae7", "https://app.example.com/done", NOON)
NEW, OLD = "newest-secret-0123", "older-secret-01234"
EVENTS, LIST = ASKED_SCOPES
AUTH = "https://www.googleapis.com/auth/"


def test_a_signed_state_reads_as_it_was_written() -> None:
    assert read_state([NEW], sign_state(NEW, STATE)) == STATE


def test_a_state_of_an_older_secret_is_still_ours() -> None:
    assert read_state([NEW, OLD], sign_state(OLD, STATE)) == STATE
    assert read_state([NEW], sign_state(OLD, STATE)) is None


def test_any_changed_character_makes_it_nobodys_state() -> None:
    text = sign_state(NEW, STATE)
    for at, character in enumerate(text):
        changed = text[:at] + ("A" if character != "A" else "B") + text[at + 1 :]
        found = read_state([NEW], changed)
        # The last character of a base64 text carries bits that nobody reads: even so, the text must be the signed one.
        assert found is None


@pytest.mark.parametrize("extra", ["", ".", "=", "A", ".A", " "])
def test_cut_or_lengthened_states_are_nobodys(extra: str) -> None:
    text = sign_state(NEW, STATE)
    assert read_state([NEW], text[:-1] + extra) is None
    assert read_state([NEW], extra + text if extra else text.partition(".")[0]) is None


def test_other_fields_under_the_same_signature_are_refused() -> None:
    payload, _, signature = sign_state(NEW, STATE).partition(".")
    fields = json.loads(base64.urlsafe_b64decode(payload + "=="))
    fields["u"] = "00000000-0000-0000-0000-000000000001"
    forged = base64.urlsafe_b64encode(json.dumps(fields).encode()).rstrip(b"=").decode()
    assert read_state([NEW], f"{forged}.{signature}") is None


def test_a_channel_token_signs_no_state() -> None:
    """The same secrets sign both: whoever gets one signed must not hold the other."""
    payload = sign_state(NEW, STATE).partition(".")[0]
    assert read_state([NEW], f"{payload}.{channel_token(NEW, payload)}") is None
    signature = bytes.fromhex(channel_token(NEW, payload))
    assert read_state([NEW], f"{payload}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}") is None


@given(st.text())
def test_whatever_comes_is_read_without_an_error(text: str) -> None:
    assert read_state([NEW, OLD], text) is None


@pytest.mark.parametrize(("seconds", "expired"), [(-1, False), (0, True), (1, True)])
def test_a_state_ends_with_its_time(seconds: int, expired: bool) -> None:
    assert STATE.is_expired(NOON + dt.timedelta(seconds=seconds)) is expired


def test_the_challenge_is_the_rfcs() -> None:
    """RFC 7636, appendix B."""
    assert (
        code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_a_stored_nonce_does_not_tell_the_nonce() -> None:
    assert "nonce" not in secret_hash("nonce")
    assert secret_hash("nonce") != secret_hash("nonce ")


def consent(**changes: object) -> dict[str, list[str]]:
    given = {"client_id": "c", "redirect_uri": "https://s.example/cb", "state": "s", "challenge": "x"}
    url = consent_url("https://accounts.example/auth", **{**given, "login_hint": None, "ask_consent": False, **changes})  # type: ignore[arg-type]
    assert url.startswith("https://accounts.example/auth?")
    return parse_qs(urlsplit(url).query)


def test_the_consent_page_is_asked_for_the_least_and_for_offline_access() -> None:
    assert consent() == {
        "client_id": ["c"],
        "redirect_uri": ["https://s.example/cb"],
        "response_type": ["code"],
        "scope": [f"{EVENTS} {LIST}"],
        "state": ["s"],
        "access_type": ["offline"],
        "code_challenge": ["x"],
        "code_challenge_method": ["S256"],
    }


def test_consent_and_the_account_are_asked_for_only_when_needed() -> None:
    asked = consent(login_hint="alice+1@example.com", ask_consent=True)
    assert (asked["prompt"], asked["login_hint"]) == (["consent"], ["alice+1@example.com"])


@pytest.mark.parametrize(
    ("granted", "events", "everything"),
    [
        ([EVENTS, LIST], True, True),
        (["openid", EVENTS, LIST], True, True),
        ([f"{AUTH}calendar"], True, True),
        ([f"{AUTH}calendar.readonly"], True, True),
        ([f"{AUTH}calendar.events", LIST], True, True),
        ([EVENTS], True, False),
        ([LIST], False, False),
        ([f"{AUTH}calendar.freebusy", LIST], False, False),
        ([f"{AUTH}calendar.events.readonly.more"], False, False),
        (["openid"], False, False),
        ([], False, False),
    ],
)
def test_scopes_are_enough_or_not(granted: list[str], events: bool, everything: bool) -> None:
    assert (reads_events(granted), grants_all_asked(granted)) == (events, everything)


@pytest.mark.parametrize(
    ("url", "sent_to"),
    [
        ("https://app.example.com/done", "https://app.example.com/done?result=consented"),
        ("https://app.example.com", "https://app.example.com?result=consented"),
        ("https://app.example.com/?tab=2&empty=", "https://app.example.com/?tab=2&empty=&result=consented"),
        ("https://app.example.com/?result=old", "https://app.example.com/?result=consented"),
        ("https://app.example.com/#/settings", "https://app.example.com/?result=consented#/settings"),
    ],
)
def test_the_result_goes_into_the_query(url: str, sent_to: str) -> None:
    assert with_result(url, "consented") == sent_to


@pytest.mark.parametrize(
    ("url", "sent_to"),
    [
        ("https://app.example.com/done?result=x", "https://app.example.com/done?result=x#handle=h"),
        ("https://app.example.com/?result=x#/settings", "https://app.example.com/?result=x#/settings?handle=h"),
        ("https://app.example.com/#/settings?tab=2", "https://app.example.com/#/settings?tab=2&handle=h"),
    ],
)
def test_the_handle_goes_into_the_fragment_that_no_server_sees(url: str, sent_to: str) -> None:
    assert with_handle(url, "h") == sent_to
