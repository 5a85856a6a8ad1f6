"""The next step for a request: from what is wanted, what was told, and what is known of the bot."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from sync.core.bots.delivery import Step, next_step
from sync.states import BotStatus
from sync.wish_model import BotRequest

NOW = dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
URL = "https://zoom.us/j/5551234567"
WANTED = BotRequest(
    id="r1",
    fence=1,
    wanted=True,
    meeting_url=URL,
    join_at=NOW + HOUR,
    meeting_end=NOW + 2 * HOUR,
    bot_name="Notes",
    chat_message=None,
    revision=2,
    told_revision=2,
    generation=1,
    attempt_series=1,
    bot_id="bot1",
    bot_key=None,
    status=BotStatus.BOT_SCHEDULED,
    maybe_created=False,
    in_doubt=False,
    is_left_behind=False,
    told_join_at=NOW + HOUR,
    told_url=URL,
    told_at=NOW - HOUR,
    attempts=1,
)
NO_BOT = {"bot_id": None, "status": BotStatus.PENDING, "told_revision": 0, "told_join_at": None, "told_url": None}
BEGUN = {"join_at": NOW - HOUR, "told_join_at": NOW - HOUR, "told_revision": 1}


@pytest.mark.parametrize(
    ("facts", "step"),
    [
        (NO_BOT, Step.CREATE),
        ({**NO_BOT, "maybe_created": True}, Step.FIND),
        ({**NO_BOT, "maybe_created": True, "wanted": False}, Step.FIND),
        ({**NO_BOT, "wanted": False}, Step.VOID),
        ({**NO_BOT, "meeting_end": NOW}, Step.VOID),
        ({}, Step.SETTLED),
        ({"told_revision": 1}, Step.CHANGE),
        ({"in_doubt": True}, Step.LOOK),
        ({"wanted": False}, Step.REMOVE),
        ({"wanted": False, "in_doubt": True}, Step.REMOVE),
        ({"wanted": False, "status": BotStatus.COMPLETED}, Step.VOID),
        ({"told_revision": 1, "status": BotStatus.COMPLETED}, Step.SETTLED),
        # It is in this call, or on its way in: what it is called there is no reason to send another.
        (BEGUN, Step.SETTLED),
        # It joined before the meeting moved, and the meeting is now: whether it is still there must be seen.
        ({**BEGUN, "join_at": NOW - HOUR / 2}, Step.SEE),
        # It has ended, and was for another time; or it was for this one.
        ({**BEGUN, "join_at": NOW - HOUR / 2, "status": BotStatus.COMPLETED}, Step.RENEW),
        ({**BEGUN, "join_at": NOW + HOUR, "status": BotStatus.FAILED}, Step.RENEW),
        ({**BEGUN, "status": BotStatus.COMPLETED}, Step.SETTLED),
        ({**BEGUN, "join_at": NOW + HOUR, "meeting_end": NOW, "status": BotStatus.COMPLETED}, Step.SETTLED),
        # The meeting has moved away from the bot, or the bot is in another room, or nobody knows what it was told.
        ({**BEGUN, "join_at": NOW + HOUR}, Step.CHANGE),
        ({**BEGUN, "told_url": "https://zoom.us/j/1"}, Step.CHANGE),
        ({**BEGUN, "told_url": None, "told_join_at": None}, Step.CHANGE),
    ],
)
def test_the_next_step(facts: dict[str, Any], step: Step) -> None:
    assert next_step(dataclasses.replace(WANTED, **facts), NOW) is step


def test_keys_are_those_of_the_bot_and_of_the_attempt() -> None:
    again = dataclasses.replace(WANTED, revision=3)
    anew = dataclasses.replace(WANTED, generation=2)

    assert (WANTED.key, anew.key) == ("r1.1", "r1.2")
    assert dataclasses.replace(WANTED, bot_key="other.1").key == "other.1"
    assert len({WANTED.attempt_key, again.attempt_key, anew.attempt_key}) == 3
    assert WANTED.lasting_attempt_key == again.lasting_attempt_key != anew.lasting_attempt_key
    assert WANTED.lasting_attempt_key not in {WANTED.attempt_key, again.attempt_key}
