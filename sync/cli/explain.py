"""`explain`: why a meeting stands as it does, or why an event has none."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from sync.cli.choosing import user_id_of, uuid_of
from sync.cli.desk import AsJson, desk_of
from sync.cli.faults import ExitCode
from sync.cli.output import listing, pairs
from sync.core.operations.formatting import stamp
from sync.jobs.syncing.explain_meeting import Explanation, explain_event, explain_meeting


def explain(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="The id of a row of meetings, or Google's id of an event or occurrence."),
    ],
    user: Annotated[str, typer.Option(help="Of an event: only this user's calendars.", metavar="ID")] = "",
    as_json: AsJson = False,
) -> None:
    """Why a meeting stands as it does, or why an event has none: what was decided, when, and by which rule.

    Ends with 1 if no watched calendar knows the event.

    Examples:

    \b
      calendar-monitor explain 0b9f6f0e-6b1b-4a0e-9a0e-1f8f3a2b4c5d
      calendar-monitor explain 7k2v9d8q3b_20261126T090000Z --user 5f0c…
    """
    desk = desk_of(context, as_json)
    meeting_id, of_user = uuid_of(what), user_id_of(user) if user else None
    found = [explain_meeting(desk.services, meeting_id)] if meeting_id else []
    explanations = [each for each in found if each] or explain_event(desk.services, what, of_user)

    def show(console: Console) -> None:
        for each in explanations:
            console.print(pairs(_head(each)))
            console.print(listing(("at (UTC)", "because", ""), [(stamp(s.at), s.text, s.code) for s in each.steps]))

    data = [{"calendar": each.calendar, "meeting": each.meeting, "because": each.steps} for each in explanations]
    desk.out.answer({"explanations": data}, show)
    raise typer.Exit(ExitCode.DONE if any(each.calendar for each in explanations) else ExitCode.PARTLY)


def _head(each: Explanation) -> dict[str, object]:
    if each.calendar is None and each.meeting is None:
        return {"calendar": "none that is watched knows it"}
    calendar, meeting = each.calendar or {}, each.meeting or {}
    return {
        "user": each.user_id,
        "calendar": f"{calendar.get('id', '')} {calendar.get('google_calendar_id', '')}",
        "meeting": f"{meeting.get('id', 'none')} {meeting.get('status', '')}",
    }
