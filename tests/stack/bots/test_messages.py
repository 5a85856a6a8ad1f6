"""The fakes' messages are let in by the service's own check, and can be lost, doubled, late and out of order."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from scripts.stack.bots import KINDS, FakeServer
from sync.bot_model import BotProviderName
from sync.clients.bots.signatures import read_signed
from sync.core.bots.provider_messages import read_message
from sync.core.bots.provider_states import status_of
from sync.errors import SignatureRefused
from sync.states import BotStatus
from tests.bot_wishes import client_of, now_at, wanted
from tests.clients.google.answering import Answers, answering

COURSES = {
    "attendee": ["joining", "joined_recording", "post_processing", "ended"],
    "recall": ["joining_call", "in_call_recording", "call_ended", "done"],
    "webhook": ["bot_scheduled", "bot_joined", "transcribing", "completed"],
}
STATUSES = [BotStatus.BOT_SCHEDULED, BotStatus.BOT_JOINED, BotStatus.TRANSCRIBING, BotStatus.COMPLETED]


@pytest.fixture
def subscriber() -> Iterator[Answers]:
    with answering() as far_side:
        yield far_side


@pytest.fixture(params=sorted(KINDS))
def fake(request: pytest.FixtureRequest, bot_fakes: dict[str, FakeServer], subscriber: Answers) -> FakeServer:
    found = bot_fakes[request.param]
    found.control.reset()
    found.control.configure(message_url=f"{subscriber.url}/functions/v1/bot-status/{found.kind}")
    return found


def told(fake: FakeServer, subscriber: Answers) -> list[str]:
    """The states that the subscriber was told of, in that order, after the service's checks."""
    assert fake.control.wait_messages_idle()
    provider, states = BotProviderName(fake.kind), []
    for headers, raw in subscriber.received:
        lower = {name.lower(): value for name, value in headers.items()}
        signed = read_signed(provider, lower, raw, [base64.b64decode(fake.secret)])
        message = read_message(provider, signed.id, signed.body)
        assert message is not None
        assert (message.key, message.at is not None) == ("m1-1", True)
        states.append(message.state)
    return states


def goes_its_course(fake: FakeServer) -> None:
    bot = client_of(fake).create(wanted(fake), "attempt-1", now_at(fake))
    for state in COURSES[fake.kind]:
        fake.control.set_state(bot.id, state)


def test_every_step_is_told_signed_and_understood(fake: FakeServer, subscriber: Answers) -> None:
    goes_its_course(fake)

    states = told(fake, subscriber)
    assert states == COURSES[fake.kind]
    assert [status_of(BotProviderName(fake.kind), state) for state in states] == STATUSES


def test_messages_are_lost_doubled_late_and_out_of_order_on_demand(fake: FakeServer, subscriber: Answers) -> None:
    course = COURSES[fake.kind]
    fake.control.configure(hold=True, drop_next=1, duplicate=1)
    goes_its_course(fake)
    assert told(fake, subscriber) == []

    assert fake.control.flush_messages(reverse=True) == 6

    assert told(fake, subscriber) == [state for state in reversed(course[1:]) for _ in range(2)]
    assert [each["outcome"] for each in fake.control.messages()] == ["dropped"] + ["delivered"] * 6


def test_a_message_that_nobody_takes_is_lost_after_three_attempts(fake: FakeServer, subscriber: Answers) -> None:
    subscriber.status = 500
    goes_its_course(fake)

    told(fake, subscriber)
    assert [(each["outcome"], each["statuses"]) for each in fake.control.messages()] == [("gave_up", [500] * 3)] * 4
    assert len(subscriber.received) == 12


@pytest.mark.parametrize(("signed_as", "refusal"), [("webhook", None), ("svix", None), ("unsigned", "unsigned")])
def test_recall_signs_by_both_families_of_names_or_not(
    recall: FakeServer, subscriber: Answers, signed_as: str, refusal: str | None
) -> None:
    recall.control.configure(message_url=subscriber.url, signed_as=signed_as)
    goes_its_course(recall)
    if refusal is None:
        assert told(recall, subscriber) == COURSES["recall"]
    else:
        with pytest.raises(SignatureRefused, match=refusal):
            told(recall, subscriber)


def test_time_alone_brings_a_bot_into_its_meeting(attendee: FakeServer, recall: FakeServer) -> None:
    for fake, states in ((attendee, ["scheduled", "staged", "joining"]), (recall, ["ready", "joining_call"])):
        client_of(fake).create(wanted(fake, in_minutes=30), "attempt-1", now_at(fake))
        seen = []
        for minutes in (0, 28, 3):
            fake.control.advance(60 * minutes)
            seen += [bot["state"] for bot in fake.control.bots()]
        assert list(dict.fromkeys(seen)) == states
