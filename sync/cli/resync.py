"""`resync`: calendars are listed whole again, as if they had just been connected."""

from __future__ import annotations

from typing import Annotated

import typer

from sync.cli.acting import Which, act_on_calendars
from sync.cli.desk import AsJson, desk_of
from sync.cli.poll import looked


def resync(
    context: typer.Context,
    which: Which,
    later: Annotated[bool, typer.Option("--later", help="Only ask for it: the service does it in its turn.")] = False,
    as_json: AsJson = False,
) -> None:
    """Lists calendars whole again, as if they had just been connected. The audit says who asked.

    Meetings stay while it runs; what was wrong is put right by its last step. To find out whether anything is wrong,
    use `audit`.

    Ends with 1 if a calendar could not be listed.

    Examples:

    \b
      calendar-monitor resync anna@example.com
      calendar-monitor resync 0b9f6f0e-6b1b-4a0e-9a0e-1f8f3a2b4c5d --later
    """
    desk = desk_of(context, as_json)
    carry_out = None if later else lambda calendar_id: looked(desk.services, calendar_id)
    act_on_calendars(desk, "resync", which, carry_out, "listing")
