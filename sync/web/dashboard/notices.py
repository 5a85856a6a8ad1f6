"""What a page says after a deed: a code in its address, never text, so that none can put words on a page. Pure."""

from __future__ import annotations

import re

from sync.core.operations.formatting import number
from sync.core.operations.words import words

_CODE = re.compile(r"(?P<action>[a-z_]{1,40})\.(?P<outcome>done|nothing_to_do|not_found)\.(?P<affected>[0-9]{1,9})")
_DONE = {
    "poll": "The calendar is looked at now.",
    "resync": "The calendar is listed whole now.",
    "reopen": "A new push channel is being opened.",
    "pause_lane": "The lane is paused: nothing of it is claimed until it is resumed.",
    "resume_lane": "The lane goes on.",
    "retry_cause": "{n} calendars are looked at within a minute.",
    "retry_bot": "The bot is asked for again.",
    "retry_bots": "{n} bots are asked for again.",
    "retry_deliveries": "{n} deliveries are sent again.",
    "replay": "{n} events are sent again.",
}


def code(action: str, outcome: str, affected: int) -> str:
    return f"{action}.{outcome}.{affected}"


def said(given: str) -> list[tuple[str, str]]:
    """[(class, sentence)] of a code; nothing of what is none."""
    found = _CODE.fullmatch(given)
    if not found or found["action"] not in _DONE:
        return []
    if found["outcome"] == "done":
        return [("good", _DONE[found["action"]].format(n=number(int(found["affected"]))))]
    if found["outcome"] == "not_found":
        return [("bad", f"{words(found['action']).capitalize()}: there is no such row any more.")]
    return [("", f"{words(found['action']).capitalize()}: there was nothing to do.")]
