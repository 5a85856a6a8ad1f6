"""Whether history is kept: what is over, changed only by what the calendar says."""

from __future__ import annotations

import datetime as dt

from scripts.stack.truth import expected_meetings, stored_meetings
from tests.world import Person, World


def history_differences(world: World, person: Person, google_calendar_id: str = "primary") -> list[str]:
    """Rows behind the horizon that say something else than the calendar: of what Google shows, live and equal.

    What Google does not show any more may have ended or not: its deletion may have gone by unseen.
    """
    source = person.email if google_calendar_id == "primary" else google_calendar_id
    end = world.now - dt.timedelta(days=world.settings.horizon_past_days, hours=1)
    start = end - dt.timedelta(days=380)
    shown = expected_meetings(world.google, source, start, end, time_zone=person.time_zone)
    known = {
        row["id"]
        for row in world.rows(
            "select m.google_calendar_event_id as id from meetings m join calendar_webhooks w on w.id = m.calendar_id"
            " where m.user_id = %s and w.google_calendar_id = %s",
            person.user_id,
            google_calendar_id,
        )
    }
    stored = stored_meetings(world.db, person.user_id, google_calendar_id, start, end)
    ended = [f"ended: {event_id}" for event_id in shown.keys() & known if event_id not in stored]
    differing = [
        f"differs: {event_id}: calendar {shown[event_id]}, meetings {stored[event_id]}"
        for event_id in shown.keys() & stored.keys()
        if shown[event_id] != stored[event_id]
    ]
    return sorted(ended + differing)
