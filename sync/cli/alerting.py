"""`test-alert`: whether each destination of ALERT_URLS takes an alert."""

from __future__ import annotations

import typer

from sync.cli.desk import AsJson, desk_of
from sync.cli.faults import ExitCode, Refused
from sync.cli.output import graded, listing
from sync.jobs.operations.send_test_alert import send_test_alert


def alert_test(context: typer.Context, as_json: AsJson = False) -> None:
    """Sends a test alert to each destination of ALERT_URLS, now.

    Ends with 1 if one of them did not take it.

    Example:

    \b
      calendar-monitor test-alert
    """
    desk = desk_of(context, as_json)
    destinations = desk.services.destinations
    if not destinations.names:
        raise Refused("no_destination", "ALERT_URLS names no destination.")
    with desk.out.progress("sending"):
        came = send_test_alert(destinations)
    rows = [(name, graded("failed", code) if code else graded("delivered", "taken")) for name, code in came.items()]
    desk.out.answer(
        {name: code or "taken" for name, code in came.items()},
        lambda console: console.print(listing(("destination", "came of it"), rows)),
    )
    raise typer.Exit(ExitCode.PARTLY if any(came.values()) else ExitCode.DONE)
