"""Recall.ai's client against its fake: replays, the last ten minutes, and the empty pool."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator

import pytest

from scripts.stack.bots import FakeServer
from sync.bot_model import MakeNew, NotNow, ProviderBot, Removed, WantedBot
from sync.clients.bots.recall import Recall
from sync.errors import (
    BotAccountRefused,
    BotProviderBusy,
    BotProviderKeyRejected,
    BotProviderRefused,
    NewKeyNeeded,
)
from tests.bot_wishes import ROOM, now_at, ref_of, wanted


@pytest.fixture
def provider(recall: FakeServer) -> Iterator[Recall]:
    client = Recall(recall.api_url, recall.api_key)
    yield client
    client.close()


def made(provider: Recall, fake: FakeServer, in_minutes: float = 60) -> tuple[ProviderBot, WantedBot]:
    wish = wanted(fake, in_minutes=in_minutes)
    return provider.create(wish, "attempt-1", now_at(fake)), wish


def test_an_attempt_key_has_one_effect_for_an_hour(provider: Recall, recall: FakeServer) -> None:
    bot, wish = made(provider, recall)

    assert provider.create(wish, "attempt-1", now_at(recall)).id == bot.id
    recall.control.advance(provider.limits.attempt_key_seconds + 1)
    assert provider.create(wish, "attempt-1", now_at(recall)).id != bot.id


def test_an_attempt_older_than_that_is_found_by_its_key(provider: Recall, recall: FakeServer) -> None:
    wish = wanted(recall, in_minutes=600)
    recall.control.add_fault("lost_answer", call="create", times=1)
    with pytest.raises(BotProviderBusy):
        provider.create(wish, "attempt-1", now_at(recall))
    recall.control.advance(2 * 3600)

    (bot,) = provider.find(wish.key)

    assert (bot.key, bot.is_alive, bot.join_at) == ("m1-1", True, wish.join_at)


def test_doubles_are_found_the_living_first(provider: Recall, recall: FakeServer) -> None:
    wish = wanted(recall)
    ids = [provider.create(wish, f"attempt-{n}", now_at(recall)).id for n in range(7)]
    recall.control.set_state(ids[6], "fatal")

    found = provider.find(wish.key)

    assert [bot.is_alive for bot in found] == [True] * 6 + [False]
    assert {bot.id for bot in found} == set(ids)


def test_an_attempt_that_is_still_being_carried_out_is_asked_again(provider: Recall, recall: FakeServer) -> None:
    recall.control.add_fault("in_flight", call="create", times=1)
    wish = wanted(recall)

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wish, "attempt-1", now_at(recall))

    assert (busy.value.code, busy.value.maybe_done) == ("http_409", True)
    assert provider.create(wish, "attempt-1", now_at(recall)).is_alive


def test_an_empty_pool_is_asked_again_under_a_new_key(provider: Recall, recall: FakeServer) -> None:
    wish = wanted(recall, in_minutes=5)
    recall.control.configure(pool_size=0)
    with pytest.raises(NewKeyNeeded) as empty:
        provider.create(wish, "attempt-1", now_at(recall))
    recall.control.configure(pool_size=1)

    with pytest.raises(NewKeyNeeded):
        provider.create(wish, "attempt-1", now_at(recall))
    bot = provider.create(wish, "attempt-2", now_at(recall))

    assert (empty.value.retry_after_seconds, empty.value.maybe_done) == (30, False)
    assert [each["id"] for each in recall.control.bots()] == [bot.id]


def test_more_than_ten_minutes_ahead_a_bot_is_reserved(provider: Recall, recall: FakeServer) -> None:
    recall.control.configure(pool_size=0)

    made(provider, recall, provider.limits.reserve_seconds / 60 + 1)

    assert len(recall.control.bots()) == 1


def test_a_meeting_that_has_begun_is_joined_at_once(provider: Recall, recall: FakeServer) -> None:
    for minutes in (-30, 0, 0.02):
        wish = wanted(recall, f"m{minutes}", in_minutes=minutes)
        bot = provider.create(wish, f"attempt{minutes}", now_at(recall))
        assert (bot.state, bot.is_alive) == ("joining_call", True)


@pytest.mark.parametrize(("before", "to"), [(60, 5), (5, 60), (60, -5)])
def test_near_its_time_a_bot_is_made_anew(provider: Recall, recall: FakeServer, before: int, to: int) -> None:
    bot, wish = made(provider, recall, before)

    outcome = provider.change(ref_of(bot, wish), wanted(recall, in_minutes=to), "attempt-2", now_at(recall))

    assert outcome == MakeNew("unchangeable" if before < 10 else "last_minutes")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("left" if before < 10 else "deleted")
    assert recall.control.bots(alive=True) == []


def test_a_meeting_moved_forward_into_the_last_minutes_ends_with_one_bot(provider: Recall, recall: FakeServer) -> None:
    bot, wish = made(provider, recall)
    sooner = wanted(recall, "m1-2", in_minutes=4)

    assert provider.change(ref_of(bot, wish), sooner, "attempt-2", now_at(recall)) == MakeNew("last_minutes")
    new = provider.create(sooner, "attempt-3", now_at(recall))
    provider.remove(ref_of(bot, wish), "attempt-4")

    assert [each["id"] for each in recall.control.bots(alive=True)] == [new.id]


@pytest.mark.parametrize("state", ["joining_call", "in_waiting_room", "in_call_recording"])
def test_a_bot_that_was_dispatched_leaves(provider: Recall, recall: FakeServer, state: str) -> None:
    """DELETE is answered with 405 then."""
    bot, wish = made(provider, recall)
    recall.control.set_state(bot.id, state)

    later = wanted(recall, in_minutes=120)
    assert provider.change(ref_of(bot, wish), later, "attempt-2", now_at(recall)) == MakeNew("unchangeable")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("left")
    assert provider.remove(ref_of(bot, wish), "attempt-4") == Removed("over")


@pytest.mark.parametrize("state", ["call_ended", "done", "fatal"])
def test_a_bot_whose_time_is_over_needs_no_removal(provider: Recall, recall: FakeServer, state: str) -> None:
    bot, wish = made(provider, recall)
    recall.control.set_state(bot.id, state)

    assert provider.remove(ref_of(bot, wish), "attempt-2") == Removed("over")


def test_a_bot_that_cannot_even_leave_is_asked_again(provider: Recall, recall: FakeServer) -> None:
    bot, wish = made(provider, recall)
    recall.control.add_fault("refused", call="remove", status=405)
    # Reserved, it cannot leave, and for one moment it could not be deleted.

    assert provider.remove(ref_of(bot, wish), "attempt-2") == NotNow("scheduled")


def test_what_the_firewall_blocks_is_this_bots_and_not_the_keys(provider: Recall, recall: FakeServer) -> None:
    with pytest.raises(BotProviderRefused) as blocked:
        provider.create(wanted(recall, meeting_url="https://localhost/room"), "attempt-1", now_at(recall))
    recall.control.add_fault("refused", call="create", status=403)
    with pytest.raises(BotProviderKeyRejected):
        provider.create(wanted(recall), "attempt-2", now_at(recall))

    assert (type(blocked.value), blocked.value.code) == (BotProviderRefused, "blocked")


def test_no_read_has_a_body(provider: Recall, recall: FakeServer) -> None:
    """The firewall blocks it."""
    bot, wish = made(provider, recall)

    provider.get(bot.id), provider.find(wish.key), provider.list_bots(None)

    assert {each["status"] for each in recall.control.requests()} == {200, 201}


def test_no_credit_is_the_accounts(provider: Recall, recall: FakeServer) -> None:
    recall.control.add_fault("no_credit", call="create", times=1)

    with pytest.raises(BotAccountRefused) as refused:
        provider.create(wanted(recall), "attempt-1", now_at(recall))

    assert refused.value.code == "no_credit"


def test_a_bots_own_fault_is_for_good_also_of_a_change(provider: Recall, recall: FakeServer) -> None:
    bot, wish = made(provider, recall)
    long_name, now = dataclasses.replace(wish, bot_name="x" * 101), now_at(recall)

    for attempt in (
        lambda: provider.create(long_name, "attempt-2", now),
        lambda: provider.change(ref_of(bot, wish), long_name, "attempt-3", now),
    ):
        with pytest.raises(BotProviderRefused) as refused:
            attempt()
        assert refused.value.code == "refused_bot_name"


def test_more_creates_than_a_minute_has_are_throttled(provider: Recall, recall: FakeServer) -> None:
    recall.control.configure(creates_per_minute=2)
    for number in range(2):
        provider.create(wanted(recall, f"m{number}"), f"attempt-{number}", now_at(recall))

    with pytest.raises(BotProviderBusy) as busy:
        provider.create(wanted(recall, "m2"), "attempt-2", now_at(recall))
    recall.control.advance(busy.value.retry_after_seconds or 0)

    assert (busy.value.code, busy.value.maybe_done) == ("throttled", False)
    assert provider.create(wanted(recall, "m2"), "attempt-2", now_at(recall)).is_alive


@pytest.mark.parametrize(("form", "url"), [("text", ROOM), ("object", None)])
def test_both_forms_of_its_answers_are_read(provider: Recall, recall: FakeServer, form: str, url: str | None) -> None:
    recall.control.configure(meeting_url_form=form)
    bot, wish = made(provider, recall)
    assert (bot.meeting_url, bot.state, bot.join_at) == (url, "scheduled", wish.join_at)

    recall.control.set_state(bot.id, "in_call_recording")

    found = provider.get(bot.id)
    assert found == dataclasses.replace(bot, state="in_call_recording", join_at=None)


def test_its_bots_are_listed_page_by_page_and_by_time(provider: Recall, recall: FakeServer) -> None:
    now = now_at(recall)
    wishes = [wanted(recall, f"m{n}", in_minutes=30 * n) for n in range(1, 8)]
    made_ids = [provider.create(wish, wish.key, now).id for wish in wishes]

    first = provider.list_bots(None)
    second = provider.list_bots(first.cursor)
    bounded = provider.list_bots(None, now + dt.timedelta(minutes=80), now + dt.timedelta(minutes=130))

    assert [bot.id for bot in (*second.bots, *first.bots)] == [*made_ids[1::-1], *made_ids[:1:-1]]
    assert second.cursor is None
    assert [bot.id for bot in bounded.bots] == [made_ids[3], made_ids[2]]
