"""What holds of every provider: one wish is one bot, and each failure says what may be done next."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from scripts.stack.bots import FakeServer
from sync.bot_model import BotProviderName, BotRef, Changed, MakeNew, Removed
from sync.bot_settings import BotSettings
from sync.clients.bots.provider import BotProvider
from sync.clients.bots.providers import message_secrets, open_providers
from sync.clients.breakers import Breakers
from sync.errors import (
    BotAccountRefused,
    BotProviderBusy,
    BotProviderFailure,
    BotProviderKeyRejected,
    BotProviderRefused,
)
from tests.bot_wishes import OTHER_ROOM, ROOM, client_of, now_at, ref_of, wanted


def test_the_wished_bot_is_there_with_our_key(fake: FakeServer, provider: BotProvider) -> None:
    wish = wanted(fake, chat_message="Hello")

    bot = provider.create(wish, "attempt-1", now_at(fake))

    (there,) = fake.control.bots()
    assert (there["id"], there["key"], there["alive"]) == (bot.id, "m1-1", True)
    assert (there["wish"]["meeting_url"], there["wish"]["bot_name"]) == (ROOM, "Notes")
    assert dt.datetime.fromisoformat(there["join_at"]) == wish.join_at
    assert (bot.key, bot.metadata["meeting"], bot.is_alive, bot.join_at) == ("m1-1", "m1", True, wish.join_at)
    assert "Hello" in str(there["wish"])


def test_the_bot_moves_renames_and_changes_its_room(fake: FakeServer, provider: BotProvider) -> None:
    first = wanted(fake)
    bot = provider.create(first, "attempt-1", now_at(fake))
    second = wanted(fake, in_minutes=90, meeting_url=OTHER_ROOM, bot_name="Minutes", metadata={"meeting": "m2"})

    outcome = provider.change(ref_of(bot, first), second, "attempt-2", now_at(fake))

    (there,) = fake.control.bots()
    assert isinstance(outcome, Changed)
    assert (outcome.bot.id, outcome.bot.key, outcome.bot.join_at) == (bot.id, "m1-1", second.join_at)
    assert dt.datetime.fromisoformat(there["join_at"]) == second.join_at
    assert (there["wish"]["meeting_url"], there["wish"]["bot_name"]) == (OTHER_ROOM, "Minutes")
    assert there["wish"]["metadata"]["meeting"] == "m2"


def test_a_bot_that_is_not_wanted_is_gone_however_often_it_is_said(fake: FakeServer, provider: BotProvider) -> None:
    wish = wanted(fake)
    bot = provider.create(wish, "attempt-1", now_at(fake))

    assert provider.remove(ref_of(bot, wish), "attempt-2") == Removed("deleted")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("gone")
    assert fake.control.bots(alive=True) == []


def test_a_bot_that_is_gone_is_made_anew_and_not_changed(fake: FakeServer, provider: BotProvider) -> None:
    wish = wanted(fake)
    bot = provider.create(wish, "attempt-1", now_at(fake))
    provider.remove(ref_of(bot, wish), "attempt-2")

    assert provider.change(ref_of(bot, wish), wish, "attempt-3", now_at(fake)) == MakeNew("gone")


@pytest.mark.parametrize("fault", ["lost_answer", "status_after", "truncated"])
def test_a_bot_whose_answer_was_lost_is_not_made_twice(fake: FakeServer, provider: BotProvider, fault: str) -> None:
    wish = wanted(fake)
    fake.control.add_fault(fault, call="create", times=1)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wish, "attempt-1", now_at(fake))
    found = provider.find(wish.key)
    bot = provider.create(wish, "attempt-1", now_at(fake))

    assert busy.value.maybe_done
    assert [each["id"] for each in fake.control.bots()] == [bot.id]
    assert [each.id for each in found] == ([bot.id] if provider.limits.can_find else [])


def test_a_success_in_no_form_of_the_providers_may_have_been_one(fake: FakeServer, provider: BotProvider) -> None:
    fake.control.add_fault("foreign_answer", call="create", times=1)
    if not provider.limits.can_find:
        # A receiver may answer a success with whatever it likes.
        assert provider.create(wanted(fake), "attempt-1", now_at(fake)).id == "m1-1"
        return

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert (busy.value.code, busy.value.maybe_done) == ("foreign_answer", True)


@pytest.mark.parametrize("fault", ["lost_answer", "status_after"])
def test_a_change_and_a_removal_may_be_repeated(fake: FakeServer, provider: BotProvider, fault: str) -> None:
    first, second = wanted(fake), wanted(fake, in_minutes=120)
    bot = provider.create(first, "attempt-1", now_at(fake))
    for call in ("change", "remove"):
        fake.control.add_fault(fault, call=call, times=1)

    with pytest.raises(BotProviderBusy):
        provider.change(ref_of(bot, first), second, "attempt-2", now_at(fake))
    assert isinstance(provider.change(ref_of(bot, first), second, "attempt-2", now_at(fake)), Changed)
    with pytest.raises(BotProviderBusy):
        provider.remove(ref_of(bot, second), "attempt-3")
    assert isinstance(provider.remove(ref_of(bot, second), "attempt-3"), Removed)
    assert fake.control.bots(alive=True) == []


def test_a_request_that_was_cut_before_its_work_may_or_may_not_be_done(fake: FakeServer, provider: BotProvider) -> None:
    fake.control.add_fault("cut", call="create", times=1)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert (busy.value.code, busy.value.maybe_done) == ("connection_failed", True)
    assert fake.control.bots() == []


def test_nobody_listening_means_that_nothing_was_done() -> None:
    unused = FakeServer("attendee").start()
    fake_url = unused.url
    unused.stop()

    with pytest.raises(BotProviderBusy) as busy:
        client_of(unused).get("bot")

    assert fake_url.startswith("http://127.0.0.1:")
    assert (busy.value.code, busy.value.maybe_done) == ("connection_failed", False)


def test_throttling_names_its_time_and_does_nothing(fake: FakeServer, provider: BotProvider) -> None:
    fake.control.add_fault("throttled", call="create", retry_after=7)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert (busy.value.code, busy.value.retry_after_seconds, busy.value.maybe_done) == ("throttled", 7, False)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_server_error_may_have_been_done(fake: FakeServer, provider: BotProvider, status: int) -> None:
    fake.control.add_fault("status", call="create", status=status, retry_after=3)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert (busy.value.code, busy.value.retry_after_seconds, busy.value.maybe_done) == (f"http_{status}", 3, True)


def test_an_answer_that_comes_too_late_may_have_been_done(fake: FakeServer) -> None:
    hurried = client_of(fake, deadline_seconds=1.0)
    held = fake.control.add_fault("hold", call="create", times=1)

    with pytest.raises(BotProviderBusy) as busy:
        hurried.create(wanted(fake), "attempt-1", now_at(fake))
    assert fake.control.wait_held(held)
    fake.control.release(held)

    assert (busy.value.code, busy.value.maybe_done) == ("answer_too_slow", True)
    assert len(fake.control.bots()) == 1


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (401, BotProviderKeyRejected, "key_rejected"),
        (402, BotAccountRefused, "no_credit"),
        (302, BotAccountRefused, "http_302"),
        (404, BotAccountRefused, "http_404"),
    ],
)
def test_what_only_the_operator_can_mend_is_told_apart(
    fake: FakeServer, provider: BotProvider, status: int, kind: type[BotProviderFailure], code: str
) -> None:
    fake.control.add_fault("status", call="create", status=status)

    with pytest.raises(kind) as refused:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert refused.value.code == code


@pytest.mark.parametrize("status", [400, 418, 422])
def test_a_page_of_somebody_elses_says_nothing_of_the_bot(fake: FakeServer, provider: BotProvider, status: int) -> None:
    fake.control.add_fault("status", call="create", status=status)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(fake), "attempt-1", now_at(fake))

    assert (busy.value.code, busy.value.maybe_done) == ("foreign_answer", True)


def test_a_wrong_key_is_told_and_no_failure_shows_a_secret(fake: FakeServer) -> None:
    other = FakeServer(fake.kind, api_key="hidden-key", secret="aGlkZGVuLXNlY3JldC1oaWRkZW4tc2VjcmV0LWhpZGRlbg==")
    other._listening = fake._listening

    with pytest.raises(BotProviderKeyRejected) as refused:
        client_of(other).create(wanted(fake), "attempt-1", now_at(fake))

    assert "hidden" not in repr(refused.value) + str(refused.value)
    assert refused.value.__cause__ is None


def test_every_provider_with_keys_is_opened_whichever_is_chosen() -> None:
    given = dict.fromkeys((field.name for field in dataclasses.fields(BotSettings)), None) | {
        "bot_provider": BotProviderName.WEBHOOK,
        "attendee_api_url": "https://attendee.example/api/v1",
        "recall_region": "us-east-1",
        "recall_api_key": "key",
        "recall_webhook_secrets": (b"r" * 32,),
        "bot_webhook_url": "https://bots.example/",
        "bot_webhook_secrets": (b"s" * 32,),
    }
    settings = BotSettings(**given)  # type: ignore[arg-type]

    opened = open_providers(settings, Breakers())

    assert {name: provider.name for name, provider in opened.items()} == {"recall": "recall", "webhook": "webhook"}
    assert message_secrets(settings, BotProviderName.WEBHOOK) == (b"s" * 32,)
    assert message_secrets(settings, BotProviderName.ATTENDEE) == ()
    without_region = dataclasses.replace(settings, recall_region=None)
    assert list(open_providers(without_region, Breakers())) == ["webhook"]


@pytest.mark.parametrize(("minutes_behind", "kind"), [(2, BotProviderBusy), (10, BotProviderRefused)])
def test_a_time_that_is_past_on_the_providers_clock_alone_is_asked_again(
    fake: FakeServer, provider: BotProvider, minutes_behind: int, kind: type[BotProviderFailure]
) -> None:
    if not provider.limits.can_find:
        return
    wish, ours = wanted(fake, in_minutes=-1), now_at(fake) - dt.timedelta(minutes=minutes_behind)

    with pytest.raises(kind) as refused:
        provider.create(wish, "attempt-1", ours)

    assert type(refused.value) is kind
    assert provider.create(wish, "attempt-2", wish.join_at).is_alive


def test_a_time_that_may_have_been_changed_is_given_again(fake: FakeServer, provider: BotProvider) -> None:
    """The meeting moves, the answer is lost, and it moves back: to a time that the bot seems to have already."""
    first, second = wanted(fake), wanted(fake, in_minutes=120)
    bot = provider.create(first, "attempt-1", now_at(fake))
    fake.control.add_fault("lost_answer", call="change", times=1)
    with pytest.raises(BotProviderBusy):
        provider.change(ref_of(bot, first), second, "attempt-2", now_at(fake))

    outcome = provider.change(BotRef(bot.id, first.key, None), first, "attempt-3", now_at(fake))

    assert isinstance(outcome, Changed)
    assert [dt.datetime.fromisoformat(each["join_at"]) for each in fake.control.bots()] == [first.join_at]
