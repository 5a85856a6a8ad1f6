"""A provider's word for a bot's state → our status, which never goes back."""

from __future__ import annotations

from itertools import permutations

import pytest

from sync.bot_model import BotProviderName
from sync.core.bots.provider_states import advance, status_of
from sync.states import BotStatus

ATTENDEE, RECALL, WEBHOOK = BotProviderName
ENDS = [BotStatus.COMPLETED, BotStatus.FAILED, BotStatus.CANCELLED]
CASES = [
    (ATTENDEE, "ready scheduled staged joining waiting_room", BotStatus.BOT_SCHEDULED),
    (ATTENDEE, "joined_not_recording joined_recording joined_recording_paused", BotStatus.BOT_JOINED),
    (ATTENDEE, "joined_recording_permission_denied", BotStatus.BOT_JOINED),
    (ATTENDEE, "joining_breakout_room leaving_breakout_room joined_something_new", BotStatus.BOT_JOINED),
    (ATTENDEE, "leaving post_processing", BotStatus.TRANSCRIBING),
    (ATTENDEE, "ended", BotStatus.COMPLETED),
    (ATTENDEE, "fatal_error", BotStatus.FAILED),
    (RECALL, "scheduled ready joining_call in_waiting_room", BotStatus.BOT_SCHEDULED),
    (RECALL, "in_call_not_recording in_call_recording in_call_something_new", BotStatus.BOT_JOINED),
    (RECALL, "recording_permission_allowed recording_permission_denied", BotStatus.BOT_JOINED),
    (RECALL, "call_ended", BotStatus.TRANSCRIBING),
    (RECALL, "done", BotStatus.COMPLETED),
    (RECALL, "fatal", BotStatus.FAILED),
    (WEBHOOK, "bot_scheduled", BotStatus.BOT_SCHEDULED),
    (WEBHOOK, "bot_joined", BotStatus.BOT_JOINED),
    (WEBHOOK, "transcribing", BotStatus.TRANSCRIBING),
    (WEBHOOK, "completed", BotStatus.COMPLETED),
    (WEBHOOK, "failed", BotStatus.FAILED),
]


@pytest.mark.parametrize(("provider", "states", "status"), CASES)
def test_every_documented_state_has_its_status(provider: BotProviderName, states: str, status: BotStatus) -> None:
    assert {status_of(provider, state) for state in states.split()} == {status}


@pytest.mark.parametrize("provider", BotProviderName)
@pytest.mark.parametrize("state", ["data_deleted", "media_expired", "", "pending", "cancelled", "Ended", "left_early"])
def test_an_unknown_word_changes_nothing(provider: BotProviderName, state: str) -> None:
    """And a receiver of ours cannot say that a bot is not wanted, or pending."""
    assert status_of(provider, state) is None
    assert advance(BotStatus.BOT_JOINED, status_of(provider, state)) is BotStatus.BOT_JOINED


def test_messages_in_any_order_end_at_the_same_status() -> None:
    course = [BotStatus.BOT_SCHEDULED, BotStatus.BOT_JOINED, BotStatus.TRANSCRIBING, BotStatus.COMPLETED]
    for order in permutations(course):
        status, seen = BotStatus.PENDING, []
        for told in order:
            status = advance(status, told)
            seen.append([*course].index(status))
        assert (status, seen) == (BotStatus.COMPLETED, sorted(seen))


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("told", BotStatus)
def test_what_has_ended_stays_as_it_ended(end: BotStatus, told: BotStatus) -> None:
    assert advance(end, told) is end


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("current", [status for status in BotStatus if status not in ENDS])
def test_a_bot_may_end_in_any_way_from_anywhere(current: BotStatus, end: BotStatus) -> None:
    assert advance(current, end) is end
