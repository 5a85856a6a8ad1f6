"""Deeds on calendars: each is one `operate`, which writes who did it, and is then carried out by this process at once.
Whatever becomes of that, the row is due for every other process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import Console

from sync.cli.choosing import chosen
from sync.cli.desk import Desk
from sync.cli.faults import ExitCode
from sync.cli.output import graded, listing
from sync.cli.stopping import until_stopped
from sync.core.operations.words import words
from sync.states import OperatorDoor

Which = Annotated[
    list[str], typer.Argument(metavar="WHICH", help="Calendars' ids, users' ids, or Google accounts' addresses.")
]


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one calendar. `outcome`: completed, failed, …; or why nothing was done (paused, disconnected, …)."""

    calendar_id: str
    google_calendar_id: str
    outcome: str
    why: str | None = None
    created: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def is_well(self) -> bool:
        return self.outcome in ("completed", "renewed", "elsewhere", "asked")


def act_on_calendars(
    desk: Desk, action: str, which: Sequence[str], carry_out: Callable[[str], Done | None] | None, doing: str
) -> None:
    """Does `action` on each calendar meant, and `carry_out` of its id; None of that: another process has it. Ends the
    command. Raises Refused, StoreFailure."""
    store = desk.services.store
    calendars = {each["calendar_id"]: each for name in which for each in chosen(store, name)}
    results: list[Done] = []
    with until_stopped() as is_stopping, desk.out.progress(doing, len(calendars)) as tell:
        for row in calendars.values():
            if is_stopping():
                break
            results.append(_act(desk, action, row, carry_out))
            tell(len(results), row["google_calendar_id"])
    finish(desk, results)


def _act(desk: Desk, action: str, row: dict[str, str], carry_out: Callable[[str], Done | None] | None) -> Done:
    calendar_id, google_id = row["calendar_id"], row["google_calendar_id"]
    deed = desk.services.store.operators.act(
        operator=desk.operator, door=OperatorDoor.CLI, action=action, target=calendar_id
    )
    if not deed.affected:
        # It is paused, let go, or another name of a calendar that is watched.
        return Done(calendar_id, google_id, deed.outcome, row["reason"] or row["state"])
    if carry_out is None:
        return Done(calendar_id, google_id, "asked")
    return carry_out(calendar_id) or Done(calendar_id, google_id, "elsewhere", "another process has it")


def finish(desk: Desk, results: Sequence[Done]) -> None:
    """Writes what came of each, and ends the command."""
    is_well = all(each.is_well for each in results)

    def show(console: Console) -> None:
        rows = [
            (each.calendar_id, each.google_calendar_id, graded(each.outcome, words(each.outcome)), words(each.why),
             each.created, each.updated, each.deleted)
            for each in results
        ]  # fmt: skip
        console.print(listing(("calendar", "Google's id", "outcome", "why", "created", "updated", "deleted"), rows))

    desk.out.answer({"is_well": is_well, "calendars": [asdict(each) for each in results]}, show)
    raise typer.Exit(ExitCode.DONE if is_well else ExitCode.PARTLY)
