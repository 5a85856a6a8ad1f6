"""What is kept of private events when the operator says so: the time and the way in, nothing else. Pure.

Applied to each listed item before anything is stored, so that neither the mirror nor a log ever holds the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.core.links.meeting_url import find_meeting_link
from sync.core.meetings.meeting_rules import link_sources
from sync.core.meetings.translate import event_from_google

PRIVATE_TITLE = "Private"
# "confidential" is Google's older word for private.
_PRIVATE = frozenset({"private", "confidential"})
_CONTENT = ("summary", "description", "location", "hangoutLink", "conferenceData")


def is_private(item: Mapping[str, Any]) -> bool:
    """Whether Google's item, whole or trimmed, is marked so."""
    return item.get("visibility") in _PRIVATE


def without_content(item: Mapping[str, Any]) -> dict[str, Any]:
    """Google's item without anything that somebody wrote into it, and without its link."""
    return {name: value for name, value in item.items() if name not in _CONTENT} | {"summary": PRIVATE_TITLE}


def without_private_content(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Google's item; of a private one only its time, state, own answer and join link."""
    if not is_private(item):
        return item
    link = find_meeting_link(link_sources(event_from_google(item)))
    kept = without_content(item)
    if link:
        kept["conferenceData"] = {"entryPoints": [{"entryPointType": "video", "uri": link.url}]}
    return kept
