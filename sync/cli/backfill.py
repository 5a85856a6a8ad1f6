"""`backfill`: lists whole what waits for it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import typer

from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode
from sync.cli.poll import answer_counts, count_outcomes
from sync.cli.stopping import until_stopped
from sync.core.polling.purse import Lane
from sync.jobs.driving.poll_due import poll_due

# Counted anew after each, so that the bar moves.
ROUND_SECONDS = 5.0
# Longer than Google's quota of a minute takes to come back: what nobody claims for so long waits for something else.
PATIENCE_SECONDS = 90.0
PAUSE_SECONDS = 1.0


def backfill(context: typer.Context, as_json: AsJson = False) -> None:
    """Lists whole every calendar that waits for it, several at a time, until none does: those just connected or
    adopted, and those that changed settings or a resync ask to list again.

    The service does the same in its turn, and any number of these may run beside it: they share the work. Interrupted,
    run it again: what is done stays done. What a killed process held is `under way` until its lease lapses, half
    a minute at most. Waits while Google's quota is used up.

    Ends with 1 if a calendar failed (it is tried again by itself) or some are left.

    Examples:

    \b
      calendar-monitor backfill
      calendar-monitor connect --from grants.jsonl && calendar-monitor backfill --json
    """
    desk = desk_of(context, as_json)
    desk.note("backfill")
    counts, causes, left = _list_all(desk)
    under_way = desk.services.store.overview.read()["leased"]
    data = {**counts, "left": left, "under_way": under_way}

    answer_counts(desk, data, causes)
    raise typer.Exit(ExitCode.PARTLY if causes or left else ExitCode.DONE)


def _list_all(desk: Desk) -> tuple[Counter[str], Counter[str], int]:
    """(outcomes and changes, causes of failures, calendars left)"""
    counts: Counter[str] = Counter(completed=0)
    causes: Counter[str] = Counter()
    services, last_at = desk.services, time.monotonic()
    left = _waiting(desk.services.store.overview.read())
    with until_stopped() as is_stopping, desk.out.progress("listing whole", left) as tell:
        while left and not is_stopping() and time.monotonic() - last_at < PATIENCE_SECONDS:
            sweep = poll_due(services, budget_seconds=ROUND_SECONDS, should_stop=is_stopping, lanes=(Lane.FIRST,))
            count_outcomes(sweep, counts, causes)
            left = _waiting(services.store.overview.read())
            tell(counts["completed"] + counts["failed"], f"{left} wait")
            if sweep.outcomes:
                last_at = time.monotonic()
            elif left:
                time.sleep(PAUSE_SECONDS)
    return counts, causes, left


def _waiting(overview: dict[str, Any]) -> int:
    return int(overview["lanes"][Lane.FIRST]["due"])
