"""Messages in the documented forms, and in others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.bot_model import BotProviderName, BotTold
from sync.core.bots.provider_messages import read_message

AT = dt.datetime(2026, 11, 26, 10, 0, 0, 250000, tzinfo=dt.UTC)
ATTENDEE: dict[str, Any] = {
    "idempotency_key": "3f1c",
    "bot_id": "bot_1",
    "bot_metadata": {"bot_key": "m1.1"},
    "trigger": "bot.state_change",
    "data": {
        "new_state": "fatal_error",
        "old_state": "joining",
        "created_at": "2026-11-26T10:00:00.250000Z",
        "event_type": "could_not_join",
        "event_sub_type": "request_to_join_denied",
        "event_metadata": {},
    },
}
RECALL: dict[str, Any] = {
    "event": "bot.fatal",
    "data": {
        "data": {"code": "fatal", "sub_code": "meeting_not_found", "updated_at": "2026-11-26T11:00:00.25+01:00"},
        "bot": {"id": "bot_1", "metadata": {"bot_key": "m1.1"}},
    },
}
WEBHOOK: dict[str, Any] = {
    "type": "bot.status",
    "timestamp": "2026-11-26T10:00:00.250Z",
    "data": {"bot_key": "m1.1", "bot_id": "bot_1", "status": "failed", "detail": "kicked"},
}


@pytest.mark.parametrize(
    ("provider", "body", "state", "detail"),
    [
        (BotProviderName.ATTENDEE, ATTENDEE, "fatal_error", "request_to_join_denied"),
        (BotProviderName.RECALL, RECALL, "fatal", "meeting_not_found"),
        (BotProviderName.WEBHOOK, WEBHOOK, "failed", "kicked"),
    ],
)
def test_the_documented_form_tells_which_bot_is_in_which_state_since_when(
    provider: BotProviderName, body: dict[str, Any], state: str, detail: str
) -> None:
    assert read_message(provider, "msg", body) == BotTold(provider, "msg", "bot_1", "m1.1", state, AT, detail)


def test_a_bot_without_our_key_or_a_time_is_told_of_nevertheless() -> None:
    body = {**ATTENDEE, "bot_metadata": None, "data": {"new_state": "ended", "created_at": "yesterday"}}
    told = read_message(BotProviderName.ATTENDEE, "msg", body)
    assert told == BotTold(BotProviderName.ATTENDEE, "msg", "bot_1", None, "ended", None)


def test_recalls_event_names_the_state_where_its_code_is_missing() -> None:
    told = read_message(BotProviderName.RECALL, "msg", {"event": "bot.done", "data": {"bot": {"id": "b"}}})
    assert told is not None
    assert told.state == "done"


def test_a_receiver_without_ids_speaks_of_bots_by_key() -> None:
    told = read_message(BotProviderName.WEBHOOK, "m", {"type": "bot.status", "data": {"bot_key": "k", "status": "x"}})
    assert told is not None
    assert (told.bot_id, told.key) == ("k", "k")


@pytest.mark.parametrize(
    ("provider", "body"),
    [
        (BotProviderName.ATTENDEE, {**ATTENDEE, "trigger": "transcript.update"}),
        (BotProviderName.ATTENDEE, {**ATTENDEE, "bot_id": None}),
        (BotProviderName.ATTENDEE, {**ATTENDEE, "data": {"new_state": "x" * 201}}),
        (BotProviderName.RECALL, {**RECALL, "event": "recording.done"}),
        (BotProviderName.RECALL, {"event": "bot.done", "data": {"bot": {"id": "line\nbreak"}}}),
        (BotProviderName.WEBHOOK, {**WEBHOOK, "type": "meeting.updated"}),
    ],
)
def test_what_is_not_of_a_bots_state_tells_nothing(provider: BotProviderName, body: dict[str, Any]) -> None:
    assert read_message(provider, "msg", body) is None


_names = st.sampled_from(sorted({*ATTENDEE, *RECALL, *WEBHOOK, *ATTENDEE["data"], *RECALL["data"], *WEBHOOK["data"]}))
_leaves = st.none() | st.integers() | st.floats() | st.text(max_size=3)
_values = st.recursive(_leaves, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_names, inner, max_size=4))
_kinds = st.fixed_dictionaries(
    {"trigger": st.just("bot.state_change"), "event": st.just("bot.done"), "type": st.just("bot.status")}
)


WHOLE = {BotProviderName.ATTENDEE: ATTENDEE, BotProviderName.RECALL: RECALL, BotProviderName.WEBHOOK: WEBHOOK}


def filled(form: Any, word: str) -> Any:
    """A whole message that has this word wherever there is one."""
    return {name: filled(value, word) for name, value in form.items()} if isinstance(form, dict) else word


# Drawing takes long where others need the machine, too.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(BotProviderName), _kinds, st.text(max_size=3), st.dictionaries(_names, _values, max_size=4))
def test_no_form_breaks_the_reading(
    provider: BotProviderName, kind: dict[str, Any], word: str, body: dict[str, Any]
) -> None:
    told = read_message(provider, "msg", {**filled(WHOLE[provider], word), **body, **kind})
    # What it is understood to say can be stored and shown.
    words = () if told is None else (told.bot_id, told.state, told.key or "-", told.detail or "-")
    assert all(isinstance(word, str) and word.isprintable() and word for word in words)
