"""Hides the content of private events where it lies stored, while the settings in force say so.

A full listing hides what it lists, hours later at the most; this is at once, and reaches what is listed no more:
meetings that are cancelled or long over, and calendars that are paused, lost or left. Called by the duties and the
cron, again and again: it costs one call where nothing is hidden or left to hide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sync.core.meetings.privacy import without_content, without_private_content
from sync.jobs.services import Services

# A fraction of a second in Postgres.
MEETINGS_AT_ONCE = 1000
ITEMS_AT_ONCE = 200


def hide_private(services: Services, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Rows hidden. Raises the store's failures; what is left then is for the next call."""
    if not services.in_force.now().meaning.hide_private:
        return 0
    hidden = _hide_meetings(services, should_stop) + _hide_items(services, should_stop)
    if hidden:
        services.log.info("private_hidden", rows=hidden)
    return hidden


def _hide_meetings(services: Services, should_stop: Callable[[], bool]) -> int:
    hidden, last = 0, MEETINGS_AT_ONCE
    while last == MEETINGS_AT_ONCE and not should_stop():
        last = services.store.privacy.hide_meetings(MEETINGS_AT_ONCE)
        hidden += last
    return hidden


def _hide_items(services: Services, should_stop: Callable[[], bool]) -> int:
    """Of the mirror. Ends where nothing could be replaced: it is locked by a sync, which hides it itself."""
    hidden = 0
    while not should_stop():
        shown = services.store.privacy.shown_items(ITEMS_AT_ONCE)
        if not shown:
            break
        replaced = services.store.privacy.hide_items(
            [
                {
                    "calendar_id": item["calendar_id"],
                    "google_event_id": item["google_event_id"],
                    "before": item["details"],
                    "after": _hidden(item["details"]),
                }
                for item in shown
            ]
        )
        hidden += replaced
        if not replaced:
            break
    return hidden


def _hidden(details: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return without_private_content(details)
    except Exception:  # noqa: BLE001 - whatever is odd about one item, it is hidden, if need be without its link
        return without_content(details)
