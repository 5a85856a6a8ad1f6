"""What all fakes share: their bots, clock, throttles, faults, switches, and the log of calls.

Owns the order of things in a call: sign-in, faults that come before, throttling, the provider's own work, faults that
come after. A provider's fake says how calls are called, what they do, and how its messages look.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from scripts.stack.google.clock import Clock
from scripts.stack.http_values import Request, Response

from .bots import Bot, Course, text_of
from .errors import ControlError, Refusal
from .faults import BEFORE, Faults, Rule
from .messages import Message, Messages

WINDOW_SECONDS = 60.0


class FakeProvider(ABC):
    """One provider. `handle` answers its API; everything else is the control API's."""

    # States in which a bot is in no meeting any more, and will be in none.
    over: ClassVar[frozenset[str]]
    course: ClassVar[Course]
    own_faults: ClassVar[frozenset[str]] = frozenset()
    # What may be configured, with what holds at first; the messages' switches come on top.
    switches_at_first: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, api_key: str, secret: str) -> None:
        self.api_key, self.secret = api_key, secret
        self.lock = threading.RLock()
        self.clock = Clock()
        self.faults = Faults(self.own_faults)
        self.messages = Messages()
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            self.bots: dict[str, Bot] = {}
            self.switches: dict[str, Any] = dict(self.switches_at_first)
            self._windows: dict[str, deque[float]] = defaultdict(deque)
            self._log: list[dict[str, Any]] = []
            self._numbers = 0
            self.clock.offset_seconds = 0.0
        self.faults.clear()
        self.messages.reset()

    @abstractmethod
    def call_of(self, request: Request) -> tuple[str, str]:
        """(create, find, get, change, remove or leave; the bot's id or nothing). Raises Refusal."""

    @abstractmethod
    def perform(self, call: str, bot_id: str, request: Request, struck: Mapping[str, Rule]) -> Response:
        """The provider's own work, under the lock. Raises Refusal."""

    @abstractmethod
    def message_of(self, bot: Bot, before: str) -> Message | None:
        """What is told of a bot that came from another state."""

    def rate_of(self, call: str) -> tuple[str, int] | None:
        """Which window a call counts in, and how many a minute that has; None: no limit."""
        raise NotImplementedError

    def handle(self, request: Request) -> Response:
        """Answer one call of the API."""
        call, struck = "", {}
        try:
            call, bot_id = self.call_of(request)
            struck = self.faults.take(call)
            if "cut" in struck:
                response = Response(effect="reset")
            else:
                self._strike_before(struck)
                with self.lock:
                    self.tick()
                    self._spend(call)
                    response = self.perform(call, bot_id, request, struck)
        except Refusal as refused:
            response = refused.response()
        with self.lock:
            self._log.append({"call": call, "method": request.method, "path": request.path, "status": response.status})
        self.faults.wait(struck)
        return _suffers(response, struck)

    def _strike_before(self, struck: Mapping[str, Rule]) -> None:
        if rule := struck.get("status"):
            raise Refusal(rule.status, "<html>gateway</html>", retry_after=rule.retry_after, page=True)
        if rule := struck.get("refused"):
            raise Refusal(rule.status, {"detail": "Refused."}, retry_after=rule.retry_after)
        if rule := struck.get("throttled"):
            raise self.throttled(1.0 if rule.retry_after is None else rule.retry_after)

    def throttled(self, retry_after: float) -> Refusal:
        return Refusal(429, {"detail": "Request was throttled."}, retry_after=retry_after)

    def _spend(self, call: str) -> None:
        limited = self.rate_of(call)
        if limited is None:
            return
        window, now = self._windows[limited[0]], self.clock.seconds()
        while window and window[0] <= now - WINDOW_SECONDS:
            window.popleft()
        if len(window) >= limited[1]:
            raise self.throttled(max(1.0, round(window[0] + WINDOW_SECONDS - now)))
        window.append(now)

    def tick(self) -> None:
        """Move every bot to where it is by now."""
        now = self.clock.seconds()
        for bot in self.bots.values():
            if bot.removed != "deleted":
                self.course.move(bot, now, self.tell)

    def tell(self, bot: Bot, before: str) -> None:
        message = self.message_of(bot, before)
        if message is not None:
            self.messages.put(message)

    def found(self, bot_id: str) -> Bot:
        """The bot; 404 for one that is not there."""
        bot = self.bots.get(bot_id)
        if bot is None or bot.removed == "deleted":
            raise Refusal(404, {"detail": "Not found."})
        return bot

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # The control API's

    def show_bots(self, *, alive: bool | None = None) -> list[dict[str, Any]]:
        with self.lock:
            self.tick()
            shown = [bot.shown(self.over) for bot in self.bots.values()]
        return [bot for bot in shown if alive is None or bot["alive"] is alive]

    def set_state(self, bot_id: str, state: str, detail: str | None = None) -> None:
        with self.lock:
            self.tick()
            bot = self.bots.get(bot_id)
            if bot is None:
                raise ControlError(f"no bot {bot_id!r}; there are {sorted(self.bots)}")
            before = bot.state
            bot.moves(state, self.clock.seconds(), detail)
            self.tell(bot, before)

    def configure(self, **changes: Any) -> None:
        """Set switches, all or none."""
        with self.lock:
            of_messages = {"url": "message_url"} | {n: n for n in ("hold", "drop_next", "drop_rate", "duplicate")}
            known = {*self.switches, *of_messages.values()}
            if unknown := sorted(set(changes) - known):
                raise ControlError(f"no switches {unknown}; there are {sorted(known)}")
            for name, switch in of_messages.items():
                if switch in changes:
                    setattr(self.messages, name, changes[switch])
            self.switches |= {name: value for name, value in changes.items() if name in self.switches}

    def advance(self, seconds: float) -> None:
        with self.lock:
            self.clock.advance(seconds)
            self.tick()

    def now(self) -> str:
        return text_of(self.clock.seconds())

    def log(self) -> list[dict[str, Any]]:
        with self.lock:
            return list(self._log)


def _suffers(response: Response, struck: Mapping[str, Rule]) -> Response:
    """What was struck before it was done has that answer; a done call's may be lost."""
    if struck.keys() & BEFORE:
        return response
    if "lost_answer" in struck:
        return Response(effect="reset")
    if rule := struck.get("status_after"):
        return Refusal(rule.status, "<html>gateway</html>", retry_after=rule.retry_after, page=True).response()
    if "foreign_answer" in struck:
        return Response(200, b"<html>welcome</html>", {"Content-Type": "text/html"})
    return replace(response, effect="truncate") if "truncated" in struck else response
