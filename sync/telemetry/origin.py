"""What asked for the work at hand: the id of a request, carried into the threads that go on with it.

A request's id comes with it (`X-Request-ID`) or is made, stands in every line that is logged for it, goes with calls to
the store, and is answered. Google is not told it: callers choose it. Where there are traces, the span goes along.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, ParamSpec, TypeVar

import structlog

from sync.telemetry import traces

P = ParamSpec("P")
T = TypeVar("T")

# As proxies and tracing systems make them.
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:=-]{7,63}\Z")


class Origin(NamedTuple):
    """Made by `here` in one thread, for `under` in another."""

    request_id: str | None = None
    span: Any = None


NOBODY = Origin()


def request_id_of(given: str | None) -> str:
    """The id that came, if it is one; else a new one."""
    return given if given and _FORM.match(given) else os.urandom(16).hex()


def request_id() -> str | None:
    found: str | None = structlog.contextvars.get_contextvars().get("request_id")
    return found


def here() -> Origin:
    return Origin(request_id(), traces.current())


@contextmanager
def under(origin: Origin) -> Iterator[None]:
    """What is done and logged in the block is done for `origin`."""
    with traces.continued(origin.span):
        if origin.request_id is None:
            yield
            return
        with structlog.contextvars.bound_contextvars(request_id=origin.request_id):
            yield


def follower() -> Callable[[], None]:
    """Begins each thread of a pool that lives as long as the work at hand: its lines have the request's id. (Its spans
    begin traces of their own.)"""
    origin = here()

    def begin() -> None:
        if origin.request_id is not None:
            structlog.contextvars.bind_contextvars(request_id=origin.request_id)

    return begin


def carried(call: Callable[P, T]) -> Callable[P, T]:
    """`call`, to be made in another thread for what is at hand here."""
    origin = here()

    def made(*args: P.args, **kwargs: P.kwargs) -> T:
        with under(origin):
            return call(*args, **kwargs)

    return made
