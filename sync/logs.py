"""Structured logs: one JSON line per event on stderr, of ours and of everybody else's in this process. Ids, counts and
reasons; never tokens, headers or event contents. On a terminal, or with LOG_FORMAT=console, lines for people.

What others log, and what tracebacks quote, is not ours to word: it is cleaned of what looks like a secret.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from types import TracebackType
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HANDLER = "of sync.logs"
_TIME = structlog.processors.TimeStamper(fmt="iso", utc=True)

# What looks like a secret, and what is put in its place: what follows a URL's `?`, its user, whatever stands behind a
# word for a credential, and things that are one by their form (JWTs, Google's tokens, keys of Supabase and webhooks).
_SECRETS = (
    (re.compile(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*"), "?…"),
    (re.compile(r"://[^/\s@\"']+@"), "://…@"),
    (re.compile(r"\b(bearer|basic)\s+[^\s\"',]+", re.IGNORECASE), r"\1 …"),
    (
        re.compile(
            r"([\w-]*(?:authorization|apikey|api_key|token|secret|password|passwd|code|verifier)[\"']?\s*[:=]\s*[\"']?)"
            r"(?!bearer\b|basic\b)[^\s\"',}&)]+",
            re.IGNORECASE,
        ),
        r"\1…",
    ),
    (re.compile(r"\b(?:eyJ[\w-]{10,}(?:\.[\w-]+)*|ya29\.[\w-]+|1//[\w-]{10,}|(?:sb_secret|whsec)_[\w+/=-]+)"), "…"),
)


def configure_logs(level: str, form: str = "auto") -> None:
    """Once per process, before the first line is written. `form`: json, console, or auto: console on a terminal."""
    for_people = form == "console" or (form == "auto" and sys.stderr.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _TIME,
            *_last(for_people),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    _take_in_others(for_people)


def take_over_process() -> None:
    """For entrances of processes: warnings, and what nobody caught, become lines too."""
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda died: _uncaught(died.exc_type, died.exc_value, died.exc_traceback)
    sys.unraisablehook = lambda died: _uncaught(died.exc_type, died.exc_value, died.exc_traceback)


def _last(for_people: bool) -> list[Processor]:
    if for_people:
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    return [
        structlog.processors.format_exc_info,
        _clean_exception,
        structlog.processors.JSONRenderer(serializer=_json),
    ]


def _json(event: Any, **_: Any) -> str:
    """A line is on a notification's way: the standard library takes five times as long."""
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # A lone surrogate, or a number of more than 64 bits: the other one takes them.
        return json.dumps(event, default=repr, sort_keys=True)


def _take_in_others(for_people: bool) -> None:
    """Everything that logs through the standard library: gunicorn, Flask, the libraries."""
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if handler.name == _HANDLER:
            root.removeHandler(handler)
    handler = logging.StreamHandler(sys.stderr)
    handler.name = _HANDLER
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                _TIME,
                _clean_event,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(for_people)],
        )
    )
    root.addHandler(handler)
    # Libraries tell of full URLs, with calendar ids and sync tokens, at info and below.
    root.setLevel(logging.WARNING)


def cleaned(text: str) -> str:
    """Without what looks like a secret."""
    for form, instead in _SECRETS:
        text = form.sub(instead, text)
    return text


def _clean_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["event"] = cleaned(str(event["event"]))
    return event


def _clean_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "exception" in event:
        event["exception"] = cleaned(event["exception"])
    return event


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> Any:
    if issubclass(kind, KeyboardInterrupt | SystemExit) or error is None:
        return
    structlog.get_logger("sync").critical("uncaught", error=kind.__name__, exc_info=(kind, error, trace))
