"""Whether a meeting wants a bot, when it is to join, and which meetings share one. Pure. Called by `jobs/bots`.

The wish is decided from what stands in the database; the same facts always come to the same wish. What the meeting's
own user says of it (`bot_override`) comes before their preferences, and these before the service's rule.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sync.bot_model import JoinRule, Sharing
from sync.states import Answer, EventStatus
from sync.wish_model import MeetingFacts, Preferences

# Why a row that was cancelled for want of access says so.
ACCESS_GIVEN_UP = "calendar_lost"


class BotReason(StrEnum):
    """Why a bot is wanted, or why none is (`meetings.bot_reason`)."""

    OVERRIDE_ON = "override_on"
    JOIN_RULE = "join_rule"
    OVERRIDE_OFF = "override_off"
    NO_JOIN_RULE = "no_join_rule"
    CANCELLED = "meeting_cancelled"
    OVER = "meeting_over"
    NO_LINK = "no_link"
    ACCESS_LOST = "access_lost"
    DECLINED = "declined"
    NOT_ACCEPTED = "not_accepted"
    NOT_ORGANISED = "not_organised"
    ALL_DAY = "all_day"
    PRIVATE = "private"
    ALONE = "nobody_else"
    NO_OUTSIDERS = "no_outsiders"
    OUTSIDERS = "outsiders"


@dataclass(frozen=True, slots=True)
class BotPolicy:
    """The service's own settings of bots."""

    join_rule: JoinRule
    bot_name: str
    lead: dt.timedelta
    access_grace: dt.timedelta
    sharing: Sharing

    @property
    def text(self) -> str:
        """The same for the same settings, another one for any other: what was decided by those is decided anew."""
        times = f"{self.lead.total_seconds():g} {self.access_grace.total_seconds():g}"
        return f"{self.join_rule} {self.sharing} {times} {self.bot_name}"


@dataclass(frozen=True, slots=True)
class Wish:
    """`wanted` None: the meeting is over, and whatever bot it has is left to itself. `look_again_at`: when the same
    facts will come to another wish by time alone."""

    wanted: bool | None
    reason: BotReason
    look_again_at: dt.datetime | None = None


def decide_wish(meeting: MeetingFacts, preferences: Preferences, policy: BotPolicy, now: dt.datetime) -> Wish:
    """Whether the meeting wants a bot, and why."""
    if meeting.end <= now:
        # Moved to a time that is past: its bot would still come at the old one.
        is_moved = meeting.bot_start not in {None, meeting.start}
        return Wish(False if is_moved else None, BotReason.OVER)
    is_given_up = meeting.status_reason == ACCESS_GIVEN_UP
    if meeting.status == EventStatus.CANCELLED and not (is_given_up and preferences.keep_when_access_lost):
        return Wish(False, BotReason.ACCESS_LOST if is_given_up else BotReason.CANCELLED)
    if not meeting.meeting_url:
        # A row of an original database may lack it.
        return Wish(False, BotReason.NO_LINK)
    if meeting.override == "off":
        return Wish(False, BotReason.OVERRIDE_OFF)
    grace_ends = None
    if meeting.access_lost_at and not preferences.keep_when_access_lost:
        grace_ends = meeting.access_lost_at + policy.access_grace
        if grace_ends <= now:
            return Wish(False, BotReason.ACCESS_LOST)
    if meeting.override == "on":
        return Wish(True, BotReason.OVERRIDE_ON, grace_ends)
    against = _why_not(meeting, preferences, policy)
    return Wish(False, against) if against else Wish(True, BotReason.JOIN_RULE, grace_ends)


def _why_not(meeting: MeetingFacts, preferences: Preferences, policy: BotPolicy) -> BotReason | None:
    """The first of the user's rules that speaks against a bot. What is not known speaks against nothing."""
    rule = preferences.calendar_rules.get(meeting.calendar_id or "", preferences.join_rule or policy.join_rule)
    rules: tuple[tuple[BotReason, bool], ...] = (
        (BotReason.NO_JOIN_RULE, rule is JoinRule.NONE),
        (BotReason.DECLINED, meeting.answer == Answer.DECLINED),
        (BotReason.NOT_ACCEPTED, rule is JoinRule.ACCEPTED and meeting.answer != Answer.ACCEPTED),
        (BotReason.NOT_ORGANISED, rule is JoinRule.ORGANISED and not meeting.is_organiser),
        (BotReason.ALL_DAY, preferences.skip_all_day and meeting.is_all_day),
        (BotReason.PRIVATE, preferences.skip_private and meeting.is_private),
        (BotReason.ALONE, preferences.skip_alone and meeting.other_attendees == 0),
        (BotReason.NO_OUTSIDERS, preferences.attendance == "external" and _is_internal(meeting)),
        (BotReason.OUTSIDERS, preferences.attendance == "internal" and meeting.has_outsiders is True),
    )
    return next((reason for reason, speaks in rules if speaks), None)


def _is_internal(meeting: MeetingFacts) -> bool:
    """Nobody from outside comes: it is known of everybody, or nobody else comes at all."""
    return meeting.has_outsiders is False or meeting.other_attendees == 0


def join_time(meeting: MeetingFacts, policy: BotPolicy) -> dt.datetime:
    """When its bot is to join: the lead before the meeting. It may lie behind: then at once."""
    return meeting.start - policy.lead


_SCOPES: Mapping[Sharing, Callable[[MeetingFacts], str]] = {
    Sharing.ROOM: lambda meeting: f"tenant:{meeting.tenant or meeting.user_id}",
    Sharing.USER: lambda meeting: f"user:{meeting.user_id}",
    Sharing.NONE: lambda meeting: f"meeting:{meeting.id}",
}


def scope_of(meeting: MeetingFacts, sharing: Sharing) -> str:
    """Within which one room at one time has one bot."""
    return _SCOPES[sharing](meeting)
