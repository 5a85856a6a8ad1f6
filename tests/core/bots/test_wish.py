"""Whether a meeting wants a bot: each rule, and which of two comes first."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from sync.bot_model import JoinRule, Sharing
from sync.core.bots.wish import BotPolicy, BotReason, Wish, decide_wish, join_time, scope_of
from sync.wish_model import MeetingFacts, Preferences

NOW = dt.datetime(2027, 3, 1, 9, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
POLICY = BotPolicy(JoinRule.ALL, "Notes", dt.timedelta(minutes=2), 72 * HOUR, Sharing.ROOM)
MEETING = MeetingFacts(
    id="m1",
    user_id="alice",
    calendar_id="c1",
    tenant=None,
    meeting_url="https://zoom.us/j/5551234567",
    room_key="zoom:5551234567",
    start=NOW + HOUR,
    end=NOW + 2 * HOUR,
    status="confirmed",
    status_reason=None,
    answer="accepted",
    is_all_day=False,
    is_private=False,
    is_organiser=True,
    other_attendees=2,
    has_outsiders=True,
    override=None,
)


def decide(preferences: dict[str, Any] | None = None, policy: BotPolicy = POLICY, **facts: Any) -> Wish:
    return decide_wish(dataclasses.replace(MEETING, **facts), Preferences(**preferences or {}), policy, NOW)


@pytest.mark.parametrize(
    ("preferences", "facts", "reason"),
    [
        ({}, {"override": "off"}, BotReason.OVERRIDE_OFF),
        ({}, {"status": "cancelled"}, BotReason.CANCELLED),
        ({}, {"status": "cancelled", "override": "on"}, BotReason.CANCELLED),
        ({}, {"meeting_url": None, "override": "on"}, BotReason.NO_LINK),
        ({"join_rule": JoinRule.NONE}, {}, BotReason.NO_JOIN_RULE),
        ({"calendar_rules": {"c1": JoinRule.NONE}}, {}, BotReason.NO_JOIN_RULE),
        ({}, {"answer": "declined"}, BotReason.DECLINED),
        ({"join_rule": JoinRule.ACCEPTED}, {"answer": "tentative"}, BotReason.NOT_ACCEPTED),
        ({"join_rule": JoinRule.ORGANISED}, {"is_organiser": False}, BotReason.NOT_ORGANISED),
        ({"join_rule": JoinRule.ORGANISED}, {"is_organiser": None}, BotReason.NOT_ORGANISED),
        ({}, {"is_all_day": True}, BotReason.ALL_DAY),
        ({"skip_private": True}, {"is_private": True}, BotReason.PRIVATE),
        ({"skip_alone": True}, {"other_attendees": 0}, BotReason.ALONE),
        ({"attendance": "external"}, {"has_outsiders": False}, BotReason.NO_OUTSIDERS),
        ({"attendance": "external"}, {"has_outsiders": None, "other_attendees": 0}, BotReason.NO_OUTSIDERS),
        ({"attendance": "internal"}, {"has_outsiders": True}, BotReason.OUTSIDERS),
        ({}, {"access_lost_at": NOW - 72 * HOUR}, BotReason.ACCESS_LOST),
        ({}, {"access_lost_at": NOW - 73 * HOUR, "override": "on"}, BotReason.ACCESS_LOST),
        ({}, {"status": "cancelled", "status_reason": "calendar_lost"}, BotReason.ACCESS_LOST),
    ],
)
def test_what_speaks_against_a_bot(preferences: dict[str, Any], facts: dict[str, Any], reason: BotReason) -> None:
    assert decide(preferences, **facts) == Wish(False, reason)


@pytest.mark.parametrize(
    ("preferences", "facts", "reason"),
    [
        ({}, {}, BotReason.JOIN_RULE),
        ({"join_rule": JoinRule.NONE}, {"override": "on"}, BotReason.OVERRIDE_ON),
        ({}, {"override": "on", "answer": "declined"}, BotReason.OVERRIDE_ON),
        ({"join_rule": JoinRule.NONE, "calendar_rules": {"c1": JoinRule.ALL}}, {}, BotReason.JOIN_RULE),
        ({"skip_all_day": False}, {"is_all_day": True}, BotReason.JOIN_RULE),
        ({"skip_alone": True}, {"other_attendees": None}, BotReason.JOIN_RULE),
        ({"attendance": "external"}, {"has_outsiders": None}, BotReason.JOIN_RULE),
        ({"attendance": "internal"}, {"has_outsiders": None}, BotReason.JOIN_RULE),
        ({}, {"start": NOW - HOUR, "end": NOW + HOUR}, BotReason.JOIN_RULE),
        ({"keep_when_access_lost": True}, {"access_lost_at": NOW - 999 * HOUR}, BotReason.JOIN_RULE),
        (
            {"keep_when_access_lost": True},
            {"status": "cancelled", "status_reason": "calendar_lost"},
            BotReason.JOIN_RULE,
        ),
    ],
)
def test_what_speaks_for_one(preferences: dict[str, Any], facts: dict[str, Any], reason: BotReason) -> None:
    assert decide(preferences, **facts) == Wish(True, reason)


def test_the_services_rule_holds_where_a_user_says_nothing() -> None:
    none = dataclasses.replace(POLICY, join_rule=JoinRule.NONE)

    assert decide(policy=none) == Wish(False, BotReason.NO_JOIN_RULE)
    assert decide({"join_rule": JoinRule.ALL}, none).wanted


def test_a_lost_access_is_looked_at_again_when_its_grace_ends() -> None:
    wish = decide(access_lost_at=NOW - HOUR)

    assert wish == Wish(True, BotReason.JOIN_RULE, look_again_at=NOW + 71 * HOUR)


def test_what_is_over_leaves_its_bot_to_itself_unless_it_was_moved_there() -> None:
    over: dict[str, Any] = {"start": NOW - 2 * HOUR, "end": NOW}

    assert decide(**over) == decide(**over, bot_start=NOW - 2 * HOUR) == Wish(None, BotReason.OVER)
    assert decide(**over, bot_start=NOW + HOUR) == Wish(False, BotReason.OVER)


def test_who_shares_a_bot_and_when_it_joins() -> None:
    of_acme = dataclasses.replace(MEETING, tenant="acme")

    assert scope_of(MEETING, Sharing.ROOM) == "tenant:alice"
    assert [scope_of(of_acme, sharing) for sharing in Sharing] == ["tenant:acme", "user:alice", "meeting:m1"]
    assert join_time(MEETING, POLICY) == MEETING.start - dt.timedelta(minutes=2)


def test_policies_that_differ_have_texts_that_differ() -> None:
    changes: list[dict[str, Any]] = [
        {"join_rule": JoinRule.ACCEPTED},
        {"bot_name": "Ada"},
        {"lead": HOUR},
        {"access_grace": HOUR},
        {"sharing": Sharing.USER},
    ]
    texts = {dataclasses.replace(POLICY, **change).text for change in [{}, *changes]}

    assert len(texts) == 6
    assert dataclasses.replace(POLICY).text in texts
