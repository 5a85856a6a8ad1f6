"""The types of wishes for bots that cross floors: what decides one, and what has been asked of a provider for it.

Every datetime is aware UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.bot_model import BotRef, JoinRule, WantedBot
from sync.states import BotStatus


@dataclass(frozen=True, slots=True)
class MeetingFacts:
    """What of a meeting decides. `other_attendees`, `has_outsiders`: None where Google does not tell. `bot_start`: when
    the meeting began or was to begin that its bot is for; None without one."""

    id: str
    user_id: str
    calendar_id: str | None
    tenant: str | None
    meeting_url: str | None
    room_key: str | None
    start: dt.datetime
    end: dt.datetime
    status: str
    status_reason: str | None
    answer: str | None
    is_all_day: bool
    is_private: bool
    is_organiser: bool | None
    other_attendees: int | None
    has_outsiders: bool | None
    override: str | None
    access_lost_at: dt.datetime | None = None
    bot_start: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Preferences:
    """A user's, as `bot_preferences` has them; `join_rule` None: the service's."""

    join_rule: JoinRule | None = None
    calendar_rules: Mapping[str, JoinRule] = field(default_factory=dict)
    skip_all_day: bool = True
    skip_private: bool = False
    skip_alone: bool = False
    attendance: str = "any"
    bot_name: str | None = None
    chat_message: str | None = None
    keep_when_access_lost: bool = False


@dataclass(frozen=True, slots=True)
class WishClaim:
    """A wish that is to be decided: its meeting, its user's preferences, and how often what decides it has changed."""

    meeting: MeetingFacts
    preferences: Preferences
    revision: int


@dataclass(frozen=True, slots=True)
class BotRequest:
    """What is asked of a provider, under this worker's lease: the bot that is wanted (or not any more), and what is
    known of the one there is.

    `maybe_created`: an answer was lost, it may be there without our knowing. `in_doubt`: a listing did not show it.
    `told_join_at`: the time the provider was given last. `attempt_series` grows when an attempt needs another key.
    """

    id: str
    fence: int
    wanted: bool
    meeting_url: str
    join_at: dt.datetime
    meeting_end: dt.datetime
    bot_name: str
    chat_message: str | None
    revision: int
    told_revision: int
    generation: int
    attempt_series: int
    bot_id: str | None
    bot_key: str | None
    status: BotStatus
    maybe_created: bool
    in_doubt: bool
    is_left_behind: bool
    told_join_at: dt.datetime | None
    told_url: str | None
    told_at: dt.datetime | None
    attempts: int

    @property
    def key(self) -> str:
        """Names the bot for good: another generation is another bot."""
        return self.bot_key or f"{self.id}.{self.generation}"

    @property
    def attempt_key(self) -> str:
        """The same for a repetition whose first outcome is unknown, another one for everything else."""
        return f"{self.id}-{self.generation}-{self.revision}-{self.attempt_series}"

    @property
    def lasting_attempt_key(self) -> str:
        """Of a creation that nobody can be asked about: the same, whatever is wanted of the bot by now."""
        return f"{self.id}-{self.generation}-new-{self.attempt_series}"

    @property
    def bot(self) -> BotRef | None:
        """The bot there is, as its provider knows it."""
        return BotRef(self.bot_id, self.key, self.told_join_at) if self.bot_id else None

    @property
    def wanted_bot(self) -> WantedBot:
        return WantedBot(self.key, self.meeting_url, self.bot_name, self.join_at, self.chat_message)
