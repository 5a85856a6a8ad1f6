"""Attendee's client against its fake: what it can do in each state, and which 400 passes."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from scripts.stack.bots import FakeServer
from sync.bot_model import MakeNew, NotNow, ProviderBot, Removed, WantedBot
from sync.clients.bots.attendee import Attendee
from sync.errors import BotAccountRefused, BotProviderBusy, BotProviderFailure, BotProviderRefused
from tests.bot_wishes import now_at, ref_of, wanted

BREAKOUT = ["leaving_breakout_room", "joining_breakout_room"]
JOINED = ["joined_not_recording", "joined_recording", "joined_recording_paused", "joined_recording_permission_denied"]


@pytest.fixture
def provider(attendee: FakeServer) -> Iterator[Attendee]:
    client = Attendee(attendee.api_url, attendee.api_key)
    yield client
    client.close()


def made(provider: Attendee, fake: FakeServer, state: str | None = None) -> tuple[ProviderBot, WantedBot]:
    wish = wanted(fake)
    bot = provider.create(wish, "attempt-1", now_at(fake))
    if state:
        fake.control.set_state(bot.id, state)
    return bot, wish


def test_a_meeting_that_has_begun_is_joined_at_once(provider: Attendee, attendee: FakeServer) -> None:
    for minutes in (-30, 0, 0.02):
        bot = provider.create(wanted(attendee, f"m{minutes}", in_minutes=minutes), "a", now_at(attendee))
        assert (bot.state, bot.join_at, bot.is_alive) == ("ready", None, True)


def test_the_key_gives_the_bot_that_is_there(provider: Attendee, attendee: FakeServer) -> None:
    bot, wish = made(provider, attendee)

    again = provider.create(dataclasses.replace(wish, bot_name="Other"), "attempt-2", now_at(attendee))

    assert again.id == bot.id
    assert len(attendee.control.bots()) == 1


@pytest.mark.parametrize(("state", "is_free"), [("post_processing", False), ("ended", True), ("fatal_error", True)])
def test_a_key_is_free_when_its_bot_has_ended(
    provider: Attendee, attendee: FakeServer, state: str, is_free: bool
) -> None:
    bot, wish = made(provider, attendee, state)

    again = provider.create(wish, "attempt-2", now_at(attendee))

    assert (again.id != bot.id, again.is_alive) == (is_free, is_free)
    assert [each.id for each in provider.find(wish.key)] == ([again.id, bot.id] if is_free else [bot.id])


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("internal_error", BotProviderBusy, "internal_error"),
        ("no_credit", BotAccountRefused, "no_credit"),
        ("too_many_bots", BotAccountRefused, "too_many_bots"),
        ("zoom_credentials", BotAccountRefused, "zoom_credentials_missing"),
    ],
)
def test_a_400_passes_or_is_the_accounts(
    provider: Attendee, attendee: FakeServer, fault: str, kind: type[BotProviderFailure], code: str
) -> None:
    attendee.control.add_fault(fault, call="create", times=1)

    with pytest.raises(kind) as refused:
        provider.create(wanted(attendee), "attempt-1", now_at(attendee))

    assert refused.value.code == code
    assert provider.create(wanted(attendee), "attempt-2", now_at(attendee)).is_alive


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"meeting_url": "no url"}, "refused_meeting_url"),
        ({"bot_name": ""}, "refused_bot_name"),
        ({"metadata": {"long": "x" * 1000}}, "refused_metadata"),
    ],
)
def test_a_400_of_one_bot_is_for_good(
    provider: Attendee, attendee: FakeServer, change: dict[str, Any], code: str
) -> None:
    with pytest.raises(BotProviderRefused) as refused:
        provider.create(wanted(attendee, **change), "attempt-1", now_at(attendee))

    assert (type(refused.value), refused.value.code) == (BotProviderRefused, code)


@pytest.mark.parametrize("state", ["staged", "ready"])
def test_in_the_last_minutes_nothing_works_until_it_joins(provider: Attendee, attendee: FakeServer, state: str) -> None:
    bot, wish = made(provider, attendee, state)
    later = wanted(attendee, in_minutes=120)

    assert provider.change(ref_of(bot, wish), later, "attempt-2", now_at(attendee)) == MakeNew("staged")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == NotNow(state)
    # A refusal that is known is not asked for: it would be asked for every minute.
    assert {each["call"] for each in attendee.control.requests()} == {"create", "change", "get"}
    attendee.control.set_state(bot.id, "joining")
    assert provider.remove(ref_of(bot, wish), "attempt-4") == Removed("left")
    assert attendee.control.bots(alive=True) == []


def test_a_meeting_that_moves_while_its_bot_is_staged_has_one_bot_in_the_end(
    provider: Attendee, attendee: FakeServer
) -> None:
    bot, first = made(provider, attendee)
    attendee.control.advance(58 * 60)
    second = wanted(attendee, "m1-2", in_minutes=45)

    assert provider.change(ref_of(bot, first), second, "attempt-2", now_at(attendee)) == MakeNew("staged")
    new = provider.create(second, "attempt-3", now_at(attendee))
    assert provider.remove(ref_of(bot, first), "attempt-4") == NotNow("staged")
    attendee.control.advance(3 * 60)
    assert provider.remove(ref_of(bot, first), "attempt-4") == Removed("left")

    assert [each["id"] for each in attendee.control.bots(alive=True)] == [new.id]


@pytest.mark.parametrize("state", ["joining", "waiting_room", *JOINED, *BREAKOUT])
def test_on_its_way_it_can_leave_and_not_be_changed(provider: Attendee, attendee: FakeServer, state: str) -> None:
    bot, wish = made(provider, attendee, state)
    later = wanted(attendee, in_minutes=120)

    assert provider.change(ref_of(bot, wish), later, "attempt-2", now_at(attendee)) == MakeNew("on_its_way")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("left")


@pytest.mark.parametrize("state", ["leaving", "post_processing", "ended", "fatal_error"])
def test_a_bot_whose_time_is_over_needs_no_removal(provider: Attendee, attendee: FakeServer, state: str) -> None:
    bot, wish = made(provider, attendee, state)
    later = wanted(attendee, in_minutes=120)

    assert provider.change(ref_of(bot, wish), later, "attempt-2", now_at(attendee)) == MakeNew("over")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("over")
    assert not [each["call"] for each in attendee.control.requests() if each["call"] in {"leave", "remove"}]


def test_a_meeting_moved_to_now_gets_a_new_bot(provider: Attendee, attendee: FakeServer) -> None:
    """A time that is past is refused, and a scheduled bot cannot be told to join."""
    bot, wish = made(provider, attendee)
    sooner = wanted(attendee, in_minutes=-5)

    assert provider.change(ref_of(bot, wish), sooner, "attempt-2", now_at(attendee)) == MakeNew("last_minutes")
    assert provider.remove(ref_of(bot, wish), "attempt-3") == Removed("deleted")


def test_a_change_that_is_refused_for_itself_makes_no_new_bot(provider: Attendee, attendee: FakeServer) -> None:
    bot, wish = made(provider, attendee)

    with pytest.raises(BotProviderRefused) as refused:
        provider.change(ref_of(bot, wish), wanted(attendee, meeting_url="no url"), "attempt-2", now_at(attendee))

    assert refused.value.code == "refused_meeting_url"


def test_its_bots_are_listed_page_by_page_and_by_time(provider: Attendee, attendee: FakeServer) -> None:
    now = now_at(attendee)
    wishes = [wanted(attendee, f"m{n}", in_minutes=30 * n) for n in range(1, 13)]
    made_ids = [provider.create(wish, wish.key, now).id for wish in wishes]

    seen: list[str] = []
    cursor = None
    pages = 0
    while pages == 0 or cursor:
        page = provider.list_bots(cursor)
        seen, cursor, pages = [*seen, *(bot.id for bot in page.bots)], page.cursor, pages + 1
    bounded = provider.list_bots(None, now + dt.timedelta(minutes=80), now + dt.timedelta(minutes=130))

    assert (sorted(seen), pages) == (made_ids, 3)
    assert [bot.id for bot in bounded.bots] == [made_ids[3], made_ids[2]]


def test_a_single_bot_is_looked_up(provider: Attendee, attendee: FakeServer) -> None:
    bot, _ = made(provider, attendee, "joined_recording")

    assert provider.get(bot.id) == dataclasses.replace(bot, state="joined_recording")
    assert provider.get("bot_0/../x?y") is None
