"""Structured logs: one JSON line per event on stderr. Ids, counts and reasons; never tokens, headers or event
contents."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Once per process, before the first line is written."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # Libraries log full URLs, with calendar ids and sync tokens, at info.
    for library in ("httpx", "httpcore", "googleapiclient", "google.auth", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)
