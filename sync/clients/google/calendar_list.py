"""Reading a user's calendar list: whole, or from what is known of it, by the list's own sync token.

Pure but for `ask`, which sends one request. Called by `calendar`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sync.clients.google.answers import PagesTurned, items_of, token_of
from sync.errors import BadRequest, ForeignAnswer, ResyncNeeded
from sync.model import CalendarList

# Of 250 calendars each. Google ends no list anywhere near it.
MAX_LIST_PAGES = 200

Ask = Callable[[dict[str, Any]], dict[str, Any]]


def read_list(ask: Ask, known: CalendarList | None) -> CalendarList:
    """`ask`: one page, by the request's own parameters. Where Google takes the known list's token no more (410, or
    400), all is read anew. Raises what `ask` raises, and ForeignAnswer."""
    if known is not None and known.sync_token:
        try:
            changed, sync_token = _pages(ask, {"syncToken": known.sync_token})
        except (ResyncNeeded, BadRequest):
            pass
        else:
            return CalendarList(_merged(known.entries, changed), sync_token)
    entries, sync_token = _pages(ask, {})
    return CalendarList(tuple(entries), sync_token)


def _pages(ask: Ask, since: dict[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    entries: list[dict[str, Any]] = []
    turned = PagesTurned(MAX_LIST_PAGES)
    page: dict[str, Any] = {}
    while True:
        answer = ask({**since, **page})
        listed = items_of(answer, "calendar#calendarList")
        if not all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in listed):
            raise ForeignAnswer("foreign_answer_200")
        entries.extend(listed)
        page_token = token_of(answer, "nextPageToken")
        if not page_token:
            return entries, token_of(answer, "nextSyncToken")
        turned.to(page_token)
        page = {"pageToken": page_token}


def _merged(known: Sequence[dict[str, Any]], changed: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The list after its changes: what left it says `deleted`."""
    entries = {entry["id"]: entry for entry in known}
    for entry in changed:
        if entry.get("deleted"):
            entries.pop(entry["id"], None)
        else:
            entries[entry["id"]] = entry
    return tuple(entries.values())
