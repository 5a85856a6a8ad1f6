"""How long a request may keep its caller waiting: past that nothing is repeated, and no answer is waited for.

A provider's or Google's message has seconds, since it is sent again if it is not taken; a person's call less than most
proxies grant. The schedulers' calls have their own time budgets. Registered by `app`.
"""

from __future__ import annotations

from contextlib import ExitStack

from flask import Flask, g, request

from sync.clients.retrying import deadline

MESSAGE_SECONDS = 5.0
PERSON_SECONDS = 25.0
_MESSAGES = frozenset({"webhook.receive", "bot_status.receive"})
_SCHEDULERS = frozenset({"polling.poll_all_due", "watches.renew"})


def register_deadlines(app: Flask) -> None:
    @app.before_request
    def begin() -> None:
        if request.endpoint in _SCHEDULERS:
            return
        seconds = MESSAGE_SECONDS if request.endpoint in _MESSAGES else PERSON_SECONDS
        g.deadline = ExitStack()
        g.deadline.enter_context(deadline(seconds))

    @app.teardown_request
    def end(_error: BaseException | None) -> None:
        if begun := g.pop("deadline", None):
            begun.close()
