"""What every bot provider can be asked, and how. Implemented by `attendee`, `recall` and `webhook`; called by delivery.

How to have one wanted bot, exactly once:

- An attempt key (letters, digits, "-" and "_") names one attempt at one change: create, change or remove. After a
  failure with `maybe_done` the same change keeps its attempt key, and `find` is asked first where `limits.can_find`.
  After any other BotProviderBusy (NewKeyNeeded among them) it takes a new one, as it does when its attempt key is older
  than `limits.attempt_key_seconds`.
- Not delivered yet: `create` gives the bot to store. Where an attempt at that may have been carried out, it is settled
  before anything else is asked: `find(wanted.key)`, and if there is none, the same `create` again, as it was. What is
  wanted otherwise meanwhile is a `change` of the bot that this brings, or a `remove`.
- Delivered, and wanted otherwise: `change`. If it may have been carried out, the bot's `join_at` is not known (None)
  until the next change succeeds. MakeNew: `create` under a new key (the next generation), and `remove` the old one.
- Not wanted any more: `remove`. NotNow: keep that wish, and ask again when the bot's next state is told, or a minute
  later.
- More than one alive of `find`'s: keep the first, `remove` the others.

All may raise BotProviderBusy, BotProviderRefused (BotAccountRefused: every bot is) and BotProviderKeyRejected. `now` is
the caller's, for what a provider does not take: a time that is past, or near.
"""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from sync.bot_model import (
    BotPage,
    BotProviderName,
    BotRef,
    ChangeOutcome,
    ProviderBot,
    ProviderLimits,
    RemoveOutcome,
    WantedBot,
)
from sync.errors import BotProviderBusy

# What is this near is joined at once: a time that is past on arrival would be refused.
AT_ONCE_SECONDS = 5.0
# How far a provider's clock may be ahead of ours.
CLOCK_SECONDS = 300.0


def is_ahead(moment: dt.datetime, now: dt.datetime, seconds: float = AT_ONCE_SECONDS) -> bool:
    return (moment - now).total_seconds() > seconds


def too_near(wanted: WantedBot, now: dt.datetime) -> BotProviderBusy | None:
    """What a refused time comes to where it may be past for the provider already: asked again when it is for us too."""
    return None if is_ahead(wanted.join_at, now, CLOCK_SECONDS) else BotProviderBusy("join_at_passed")


class BotProvider(Protocol):
    """Thread-safe; one per process, created after fork."""

    name: BotProviderName
    limits: ProviderLimits

    def create(self, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ProviderBot:
        """The bot, made now or by an earlier attempt under the same key. Not `is_alive`: that key has been used up by a
        bot whose time is over. NewKeyNeeded: none was to be had."""

    def find(self, key: str) -> tuple[ProviderBot, ...]:
        """Every bot with that key, those alive first. Always empty unless `limits.can_find`."""

    def change(self, bot: BotRef, wanted: WantedBot, attempt_key: str, now: dt.datetime) -> ChangeOutcome:
        """Makes the bot as wanted: URL, name, time and metadata. What it says in the chat stays as it was created."""

    def remove(self, bot: BotRef, attempt_key: str) -> RemoveOutcome:
        """Deletes the bot or lets it leave, whichever works. Nothing to be done is a success."""

    def get(self, bot_id: str) -> ProviderBot | None:
        """The bot as it is now; None: there is none. BotProviderRefused (cannot_look) unless `limits.can_find`."""

    def list_bots(
        self, cursor: str | None, join_after: dt.datetime | None = None, join_before: dt.datetime | None = None
    ) -> BotPage:
        """A part of all bots of the account, other people's too (`key` None). Where times are given, a provider that
        forgets the join time of a bot that has joined leaves it out. Empty unless `limits.can_find`."""

    def close(self) -> None:
        """Ends its connections."""
