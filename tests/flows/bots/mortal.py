"""Processes that die: between a claim and its work, before a provider is asked, or before its answer is recorded.

Death is no Exception: nothing that the process would do about a failure is done, and what it leased stays leased.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
from typing import Any

from sync.jobs.services import Services


class Died(BaseException):
    """The process is gone."""


def mortal(services: Services, dice: random.Random, *, chance: float) -> Services:
    """The same services in a process that dies with this chance at each of its steps."""

    def may_die() -> None:
        if dice.random() < chance:
            raise Died

    def clock() -> dt.datetime:
        # What was claimed is about to be worked on.
        may_die()
        return services.clock()

    providers = {name: _Mortal(provider, may_die) for name, provider in services.bot_providers.items()}
    return dataclasses.replace(services, clock=clock, bot_providers=providers)


class _Mortal:
    """A provider whose caller may die just before each call, or just after it."""

    def __init__(self, provider: Any, may_die: Any) -> None:
        self._provider, self._may_die = provider, may_die

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._may_die()
            answer = found(*args, **kwargs)
            self._may_die()
            return answer

        return call
