"""Explains a row of `meetings`, or why a Google event has none. Called by the web. Reads only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sync.core.bots.explain import explain_bot
from sync.core.meetings.explain import Step, explain_missing, explain_row, what_was_cut
from sync.core.meetings.parts import horizon_at
from sync.core.meetings.translate import event_from_google
from sync.core.series.instance_ids import base_event_id
from sync.jobs.services import Services
from sync.jobs.syncing.listing import FALLBACK_ZONE, usable_zone
from sync.model import Event, Window
from sync.states import EventKind


@dataclass(frozen=True, slots=True)
class Explanation:
    """`meeting` is the row without its contents, or None; `calendar` None when no watched calendar knows the event."""

    user_id: str | None
    calendar: Mapping[str, Any] | None
    meeting: Mapping[str, Any] | None
    steps: tuple[Step, ...]


def explain_meeting(services: Services, meeting_id: str) -> Explanation | None:
    facts = services.store.explain.meeting(meeting_id)
    return _explain(services, facts["meeting"]["google_calendar_event_id"], facts) if facts else None


def explain_event(services: Services, event_id: str, user_id: str | None) -> list[Explanation]:
    """One for each watched calendar that knows the event; one without a calendar if none does."""
    found = services.store.explain.event(event_id, base_event_id(event_id), user_id)
    if not found:
        nowhere = explain_missing(event_id, (), _horizon(services), FALLBACK_ZONE)
        return [Explanation(user_id, None, None, tuple(nowhere))]
    return [_explain(services, event_id, facts) for facts in found]


def _explain(services: Services, event_id: str | None, facts: Mapping[str, Any]) -> Explanation:
    calendar = facts["calendar"]
    members = [event_from_google(item) for item in facts["members"]]
    meeting = _with_instants(facts["meeting"])
    zone = usable_zone((calendar and calendar["time_zone"]) or FALLBACK_ZONE)
    if meeting is not None:
        steps = explain_row(meeting, _with_instants(facts["log"]), _item_of(event_id, members))
        steps += what_was_cut(members, _horizon(services), zone)
        steps += explain_bot(services.store.bots.explain(meeting["id"]), services.bot_providers)
    else:
        steps = explain_missing(event_id or "", members, _horizon(services), zone)
    user_id = calendar["user_id"] if calendar else facts["meeting"]["user_id"]
    return Explanation(user_id, calendar, meeting, tuple(steps))


def _item_of(event_id: str | None, members: list[Event]) -> Event | None:
    """The mirror's item an occurrence comes from: its own, else the latest of the family's series."""
    for event in members:
        if event.id == event_id and event.is_live:
            return event
    series = [event for event in members if event.kind is EventKind.SERIES and event.is_live]
    return max(series, key=lambda event: event.id, default=None)


def _horizon(services: Services) -> Window:
    meaning = services.in_force.now().meaning
    return horizon_at(services.clock(), meaning.horizon_past_days, meaning.horizon_future_days)


def _with_instants(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        name: dt.datetime.fromisoformat(value).astimezone(dt.UTC) if value and name.endswith("_at") else value
        for name, value in row.items()
    }
