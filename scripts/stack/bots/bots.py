"""A bot as a fake keeps it, and how its state moves by itself as the fake's clock does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass
class Bot:
    """Times are seconds since the epoch. `removed`: how the provider was told that it is not wanted (deleted, left)."""

    id: str
    wish: dict[str, Any]
    join_at: float | None
    state: str
    state_at: float
    key: str | None = None
    removed: str | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def moves(self, state: str, at: float, detail: str | None = None) -> None:
        """Into another state, which its history keeps."""
        self.state, self.state_at = state, at
        self.history.append({"state": state, "at": text_of(at), "detail": detail})

    def shown(self, over: frozenset[str]) -> dict[str, Any]:
        """As the control API shows it."""
        return {
            "id": self.id,
            "key": self.key,
            "state": self.state,
            "alive": self.state not in over and self.removed is None,
            "removed": self.removed,
            "join_at": text_of(self.join_at) if self.join_at is not None else None,
            "wish": self.wish,
            "history": self.history,
        }


@dataclass(frozen=True)
class Course:
    """What happens by itself: `after[state]` = (seconds in that state, next state); before its time a bot goes through
    `before_joining`: (state, next state, seconds before join_at)."""

    before_joining: tuple[tuple[str, str, float], ...]
    after: Mapping[str, tuple[float, str]]

    def move(self, bot: Bot, now: float, tell: Callable[[Bot, str], None]) -> None:
        """Every step that is due; `tell` is called after each with the state before it."""
        while (step := self._next(bot)) is not None and step[0] <= now:
            before = bot.state
            bot.moves(step[1], step[0])
            tell(bot, before)

    def _next(self, bot: Bot) -> tuple[float, str] | None:
        for state, following, seconds in self.before_joining:
            if bot.state == state and bot.join_at is not None:
                return max(bot.state_at, bot.join_at - seconds), following
        if bot.state in self.after:
            seconds, following = self.after[bot.state]
            return bot.state_at + seconds, following
        return None


def text_of(seconds: float) -> str:
    """RFC 3339, UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def seconds_of(value: Any) -> float | None:
    """Of a text with a date, a time and a zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment.timestamp() if moment.tzinfo else None
