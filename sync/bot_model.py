"""The types of meeting bots that cross floors: what is wanted of a provider, what it has, and what came of asking.

Owns no behaviour beyond tiny derivations of its own fields. Knows no provider's JSON (see `clients/bots`). Every
datetime is aware UTC.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class BotProviderName(StrEnum):
    """Whose bots join (`BOT_PROVIDER`, `meetings.bot_provider`, the last part of `/functions/v1/bot-status/…`)."""

    ATTENDEE = "attendee"
    RECALL = "recall"
    WEBHOOK = "webhook"


class JoinRule(StrEnum):
    """Which meetings bots join by themselves (`BOT_JOIN_RULE`, and each user's own): all, those the user accepted,
    those they organise, or none."""

    ALL = "all"
    ACCEPTED = "accepted"
    ORGANISED = "organised"
    NONE = "none"


class Sharing(StrEnum):
    """Which meetings in one room at one time have one bot (`BOT_SHARING`): those of a tenant, of a user, or none."""

    ROOM = "room"
    USER = "user"
    NONE = "none"


# What a bot's metadata calls its key; messages about it carry it back.
KEY_FIELD = "bot_key"


@dataclass(frozen=True, slots=True)
class WantedBot:
    """One bot that is to exist. `key` names it for good: another generation of the same wish has another key.

    `metadata` comes back with everything the provider says of the bot; with the key it must stay below 1000 characters
    of JSON, and no name of it is KEY_FIELD. `join_at` carries the lead already; what lies behind is joined at once.
    """

    key: str
    meeting_url: str
    bot_name: str
    join_at: dt.datetime
    chat_message: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> dict[str, str]:
        """The metadata with the key in it, as it is sent."""
        return {**self.metadata, KEY_FIELD: self.key}


@dataclass(frozen=True, slots=True)
class BotRef:
    """A bot of ours, by what we keep of it: the provider's id (our key, where a provider that knows its bots by key has
    not told one), our key, and the join time that the provider was given last; None while a change of that may or may
    not have been carried out."""

    id: str
    key: str
    join_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class ProviderBot:
    """One bot as its provider has it now.

    `state` is the provider's own word (`core/bots/provider_states` reads it). `is_alive`: it is, or may still come to
    be, in a meeting. `join_at` and `meeting_url` are None where the provider does not say, as Recall of a bot that has
    joined. `key` is None for a bot that somebody else made.
    """

    id: str
    key: str | None
    metadata: Mapping[str, str]
    meeting_url: str | None
    join_at: dt.datetime | None
    state: str
    is_alive: bool


@dataclass(frozen=True, slots=True)
class BotPage:
    """Part of a listing. `cursor` asks for the next part; None: this was the last."""

    bots: tuple[ProviderBot, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Changed:
    """The bot is as wanted now."""

    bot: ProviderBot


@dataclass(frozen=True, slots=True)
class MakeNew:
    """This bot cannot be changed any more: create one with a new key, and remove this one (`remove` says when that
    works). `reason`: staged, on_its_way, last_minutes, over, gone, unchangeable."""

    reason: str


@dataclass(frozen=True, slots=True)
class Removed:
    """The bot will be in no meeting any more. `reason`: deleted, left, over (it had ended by itself), gone."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """In this state the provider does nothing for us: keep the wish, and ask again when the bot's next state is told,
    after a minute at the latest. `reason` is staged, or another state of the provider's."""

    reason: str


ChangeOutcome: TypeAlias = Changed | MakeNew
RemoveOutcome: TypeAlias = Removed | NotNow


@dataclass(frozen=True, slots=True)
class BotTold:
    """One message of a provider's about one bot. `message_id` is the same over repeats, for keeping against replay.
    `detail` is the provider's own word for why, if it gives one."""

    provider: BotProviderName
    message_id: str
    bot_id: str
    key: str | None
    state: str
    at: dt.datetime | None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What a provider bears, and how far it remembers.

    `creates_per_minute`, `changes_per_minute`, `reads_per_minute`: over the whole account. `reserve_seconds`: a bot
    created earlier than this before its time is certain to be there (0: no difference). `attempt_key_seconds`: for so
    long a second attempt under the same attempt key has no second effect. `can_find`: `find` and `list_bots` see its
    bots; else every attempt is safe to repeat under its attempt key.
    """

    creates_per_minute: int
    changes_per_minute: int
    reads_per_minute: int
    reserve_seconds: float
    attempt_key_seconds: float
    can_find: bool
