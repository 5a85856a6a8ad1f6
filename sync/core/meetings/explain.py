"""Why a meeting stands as it does, or why an event has none. Pure: facts in, sentences with codes out, in order.

Called by `jobs/syncing/explain_meeting`, which gathers the facts. Says nothing of an event's content.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.core.meetings.derive import derive, is_series
from sync.core.meetings.meeting_rules import decide_meeting
from sync.core.series.recurrence import MAX_OCCURRENCES, unread_lines
from sync.model import Event, Window
from sync.states import EventKind, EventStatus, Placement, SyncType

_WHY_CANCELLED = {
    "deleted": "The calendar does not have it any more.",
    "beyond_horizon": "It was moved beyond the horizon and returns when the horizon reaches it.",
    "calendar_removed": "Its user has this calendar watched no more.",
    "calendar_lost": "Its calendar has not been readable for days; it comes back with access.",
    "same_calendar": "Its calendar is the primary one under a second name, and stands there.",
    "account_changed": "Its user connected another Google account.",
    "disconnected": "Its user disconnected their Google account.",
    "no_link": "It has no join link any more.",
    "event_type": "Its event type is not one that people meet in.",
    "no_time": "Google gives it no readable time.",
    "bad_recurrence": "Its series has no start that can be used.",
}
# Of the lines of one series that are told of.
MOST_LINES = 5
_WHY_SYNCED = {
    SyncType.WEBHOOK: "A notification from Google asked for a sync.",
    SyncType.INCREMENTAL: "A poll was due.",
    SyncType.FULL: "The whole calendar was listed.",
    SyncType.INITIAL: "The calendar was synced for the first time.",
    SyncType.MANUAL: "Somebody asked for a poll.",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One link of the chain. `code` is stable; `text` is for people."""

    at: dt.datetime | None
    code: str
    text: str


def explain_row(meeting: Mapping[str, Any], log: Mapping[str, Any] | None, item: Event | None) -> list[Step]:
    """The chain behind a row of `meetings`. `log`: the sync that wrote it last; `item`: the mirror's event it comes
    from."""
    return [*_what_asked(meeting, log), *_what_rule(item), _what_state(meeting)]


def _what_asked(meeting: Mapping[str, Any], log: Mapping[str, Any] | None) -> list[Step]:
    if meeting["entered_horizon_at"] and not meeting["sync_id"]:
        return [
            Step(
                meeting["entered_horizon_at"],
                "entered_horizon",
                "The rolling horizon reached it; the calendar did not change.",
            )
        ]
    if log is None:
        if meeting["sync_id"]:
            return [Step(None, "log_gone", "The log of the sync that wrote it has been removed.")]
        return [Step(meeting["created_at"], "before_this_service", "It was written by the original system.")]
    asked = _WHY_SYNCED.get(log["sync_type"], "A sync ran.")
    if log["notifications"]:
        asked += f" It answers {log['notifications']} notifications."
    text = f"That sync ({'full' if log['is_full'] else 'incremental'}, reason {log['reason']}) committed."
    return [Step(log["asked_at"], f"asked_by_{log['sync_type']}", asked), Step(log["created_at"], "committed", text)]


def _what_rule(item: Event | None) -> list[Step]:
    if item is None:
        return []
    if item.kind is EventKind.EXCEPTION:
        shape = "an exception of a series"
    elif item.kind is EventKind.SERIES:
        shape = "an occurrence of a series"
    else:
        shape = "a single event"
    steps = [Step(item.updated_at, f"from_{item.kind}", f"It is {shape}, last changed in the calendar then.")]
    link = decide_meeting(item).link
    if link:
        steps.append(Step(None, "link_found", f"Its join link ({link.provider}) was found in: {link.found_in}."))
    return [*steps, *_what_was_not_understood([item])]


def _what_was_not_understood(members: Sequence[Event]) -> list[Step]:
    """A step for each line of a series that was set aside. A rule is no content: it says when, not what."""
    return [
        Step(
            event.updated_at,
            "line_not_understood",
            f"Line {line.number} of its recurrence was not understood, so it adds and takes away nothing:"
            f" {line.problem}.",
        )
        for event in members
        if is_series(event)
        for line in unread_lines(event.recurrence)[:MOST_LINES]
    ]


def _what_state(meeting: Mapping[str, Any]) -> Step:
    if meeting["status"] != EventStatus.CANCELLED:
        return Step(meeting["updated_at"], meeting["status"], f"So it stands as {meeting['status']}.")
    reason = meeting["status_reason"] or "deleted"
    return Step(meeting["updated_at"], f"cancelled_{reason}", _WHY_CANCELLED.get(reason, "It was cancelled."))


def explain_missing(event_id: str, members: Sequence[Event], horizon: Window, calendar_zone: str) -> list[Step]:
    """Why a Google event has no live row in a calendar whose mirror holds `members` of its family."""
    return [
        *_what_was_not_understood(members),
        *what_was_cut(members, horizon, calendar_zone),
        _why_missing(event_id, members, horizon, calendar_zone),
    ]


def what_was_cut(members: Sequence[Event], horizon: Window, calendar_zone: str) -> list[Step]:
    """A step for each series that has more occurrences in the horizon than a limit allows."""
    return [
        Step(
            None,
            "occurrences_cut",
            f"A series of its family comes so often that only its first {MAX_OCCURRENCES} occurrences in the horizon"
            " have rows.",
        )
        for _ in derive(members, horizon, horizon.start, calendar_zone).cut
    ]


def _why_missing(event_id: str, members: Sequence[Event], horizon: Window, calendar_zone: str) -> Step:
    if not members:
        return Step(None, "not_in_calendar", "No watched calendar lists it, or it was over before the first sync.")
    named = next((event for event in members if event.id == event_id), None)
    if named is not None and not named.is_live:
        return Step(named.updated_at, "deleted", "It was deleted in the calendar.")
    derived = derive(members, horizon, horizon.start, calendar_zone)
    withheld = derived.withheld.get(event_id) or next(
        (reason for occurrence, reason in derived.withheld.items() if occurrence.startswith(f"{event_id}_")), None
    )
    if withheld:
        return Step(None, withheld, _WHY_CANCELLED.get(withheld, "It is no meeting.").replace(" any more", ""))
    placed = [m for m in derived.meetings if event_id in {m.google_calendar_event_id, m.base_event_id}]
    if any(meeting.placement is Placement.INSIDE for meeting in placed):
        return Step(None, "has_meetings", "It has rows in meetings, under the ids of its occurrences.")
    if any(meeting.placement is Placement.BEYOND for meeting in placed):
        return Step(None, "beyond_horizon", "It lies beyond the horizon and gets its row when the horizon reaches it.")
    if placed:
        return Step(None, "before_horizon", "It was over before the horizon.")
    return Step(None, "no_occurrence", "It has no occurrence inside the horizon.")
