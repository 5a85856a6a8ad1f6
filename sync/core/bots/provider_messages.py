"""A provider's message about a bot → what it tells. Called with what `clients/bots/signatures` let in.

Sources: Attendee's webhook `bot.state_change`, Recall.ai's bot status events. Forms are open: what is not about a bot's
state, or lacks what it needs, tells nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from sync.bot_model import KEY_FIELD, BotProviderName, BotTold

MAX_WORD = 200


def read_message(provider: BotProviderName, message_id: str, body: Mapping[str, Any]) -> BotTold | None:
    """What the message tells of one bot; None: nothing of a bot's state."""
    return _READERS[provider](message_id, body)


def _attendee(message_id: str, body: Mapping[str, Any]) -> BotTold | None:
    data = _dict(body.get("data"))
    if body.get("trigger") != "bot.state_change":
        return None
    return _told(
        BotProviderName.ATTENDEE,
        message_id,
        bot_id=body.get("bot_id"),
        key=_dict(body.get("bot_metadata")).get(KEY_FIELD),
        state=data.get("new_state"),
        at=data.get("created_at"),
        detail=data.get("event_sub_type"),
    )


def _recall(message_id: str, body: Mapping[str, Any]) -> BotTold | None:
    outer = _dict(body.get("data"))
    inner, bot = _dict(outer.get("data")), _dict(outer.get("bot"))
    event = body.get("event")
    if not isinstance(event, str) or not event.startswith("bot."):
        return None
    return _told(
        BotProviderName.RECALL,
        message_id,
        bot_id=bot.get("id"),
        key=_dict(bot.get("metadata")).get(KEY_FIELD),
        state=inner.get("code") or event.removeprefix("bot."),
        at=inner.get("updated_at"),
        detail=inner.get("sub_code"),
    )


def _webhook(message_id: str, body: Mapping[str, Any]) -> BotTold | None:
    data = _dict(body.get("data"))
    if body.get("type") != "bot.status":
        return None
    return _told(
        BotProviderName.WEBHOOK,
        message_id,
        # Whoever gives bots no ids of their own speaks of them by our key.
        bot_id=data.get("bot_id") or data.get("bot_key"),
        key=data.get("bot_key"),
        state=data.get("status"),
        at=body.get("timestamp"),
        detail=data.get("detail"),
    )


_READERS: Mapping[BotProviderName, Callable[[str, Mapping[str, Any]], BotTold | None]] = {
    BotProviderName.ATTENDEE: _attendee,
    BotProviderName.RECALL: _recall,
    BotProviderName.WEBHOOK: _webhook,
}


def _told(
    provider: BotProviderName, message_id: str, *, bot_id: Any, key: Any, state: Any, at: Any, detail: Any
) -> BotTold | None:
    named, word = _word(bot_id), _word(state)
    if named is None or word is None:
        return None
    return BotTold(provider, message_id, named, _word(key), word, _instant(at), _word(detail))


def _word(value: Any) -> str | None:
    """What may be stored and shown: a short text; anything else is as if it were not there."""
    return value if isinstance(value, str) and 0 < len(value) <= MAX_WORD and value.isprintable() else None


def _instant(value: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value)
        return moment.astimezone(dt.UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
