"""Wished bots, and clients of the fakes, for tests of whatever asks a bot provider."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

from scripts.stack.bots import FakeServer
from sync.bot_model import BotRef, ProviderBot, WantedBot
from sync.clients.bots.attendee import Attendee
from sync.clients.bots.provider import BotProvider
from sync.clients.bots.recall import Recall
from sync.clients.bots.webhook import WebhookBots

ROOM, OTHER_ROOM = "https://meet.google.com/abc-defg-hij", "https://meet.google.com/xyz-uvwx-yza"


def client_of(fake: FakeServer, *, deadline_seconds: float = 60.0) -> BotProvider:
    if fake.kind == "attendee":
        return Attendee(fake.api_url, fake.api_key, deadline_seconds=deadline_seconds)
    if fake.kind == "recall":
        return Recall(fake.api_url, fake.api_key, deadline_seconds=deadline_seconds)
    return WebhookBots(fake.api_url, [base64.b64decode(fake.secret)], deadline_seconds=deadline_seconds)


def now_at(fake: FakeServer) -> dt.datetime:
    return dt.datetime.fromisoformat(fake.control.now())


def wanted(fake: FakeServer, key: str = "m1-1", *, in_minutes: float = 60, **changes: Any) -> WantedBot:
    """A bot that joins so many minutes from the fake's now, to the second."""
    join_at = (now_at(fake) + dt.timedelta(minutes=in_minutes)).replace(microsecond=0)
    given = {"meeting_url": ROOM, "bot_name": "Notes", "metadata": {"meeting": "m1"}, **changes}
    return WantedBot(key=key, join_at=join_at, **given)


def ref_of(bot: ProviderBot, wish: WantedBot) -> BotRef:
    return BotRef(bot.id, wish.key, wish.join_at)
