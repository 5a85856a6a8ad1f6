"""Reading providers' JSON into our types, whatever it is: a form that is not the documented one is a foreign answer."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from sync.bot_model import KEY_FIELD, ProviderBot
from sync.clients.bots.failures import foreign_answer
from sync.clients.bots.http import Answer


def bot_id_of(body: Any) -> str:
    found = body.get("id") if isinstance(body, dict) else None
    if not isinstance(found, str) or not found:
        raise foreign_answer()
    return found


def labels_of(value: Any) -> dict[str, str]:
    return {str(name): text for name, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}


def text_of(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def key_of(labels: dict[str, str]) -> str | None:
    return labels.get(KEY_FIELD)


def instant_of(value: Any) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(value)
        return moment.astimezone(dt.UTC) if moment.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def instant_text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def results_of(answer: Answer) -> list[Any]:
    found = answer.fields.get("results")
    if not isinstance(found, list):
        raise foreign_answer()
    return found


def cursor_of(answer: Answer, parameter: str) -> str | None:
    """The next page's parameter alone: the address it comes in is the provider's to name, not ours to follow."""
    address = answer.fields.get("next")
    if not isinstance(address, str):
        return None
    try:
        return next(iter(parse_qs(urlsplit(address).query).get(parameter, ())), None)
    except ValueError:
        raise foreign_answer() from None


def in_path(name: str) -> str:
    """A bot's id as one segment of a path, whatever it holds."""
    return quote(name, safe="")


def alive_first(bots: list[ProviderBot]) -> tuple[ProviderBot, ...]:
    return tuple(sorted(bots, key=lambda bot: not bot.is_alive))
