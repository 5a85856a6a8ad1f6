"""`doctor`: what stands between this set-up and a service that works, point by point, with the mend of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import typer
from rich.console import Console

from sync.cli.desk import AsJson, Desk, desk_of
from sync.cli.faults import ExitCode
from sync.cli.output import listing, text
from sync.core.operations.doctor.verdict import Grade, Verdict, worst
from sync.jobs.operations.doctor.around import services_around
from sync.jobs.operations.doctor.examine import examine
from sync.jobs.services import Services
from sync.settings import SettingsError

_STYLES = {Grade.OK: "green", Grade.NOT_CHECKED: "dim", Grade.WARNING: "yellow", Grade.FAILED: "red"}
_ENDS = {
    Grade.OK: ExitCode.DONE,
    Grade.NOT_CHECKED: ExitCode.PARTLY,
    Grade.WARNING: ExitCode.PARTLY,
    Grade.FAILED: ExitCode.REFUSED,
}


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Looks at everything that a working service needs, and says of each point what it saw and the mend: settings and
    keys, the database and its schema, the Google client, the doors that Google pushes to, as this machine sees
    them, clocks, crons and processes, quota, connections, channels, encryption keys, alerts.

    Runs also with settings that are wrong and a database that is down, and ends within seconds. It changes nothing and
    shows no secret. What could not be looked at, since something else is in the way, is "not checked".

    Ends with 0 if all is well, 1 if there are warnings or something was not checked, 2 if something failed.

    Examples:

    \b
      calendar-monitor doctor
      calendar-monitor doctor --json | jq '.verdicts[] | select(.grade != "ok")'
    """
    desk = desk_of(context, as_json)
    services, unset = _services_of(desk)
    with desk.out.progress("looking"):
        verdicts = examine(services, unset)
    grade = worst(verdicts)
    desk.out.answer({"grade": grade, "verdicts": verdicts}, lambda console: _show(console, verdicts))
    raise typer.Exit(_ENDS[grade])


def _services_of(desk: Desk) -> tuple[Services | None, Mapping[str, str]]:
    """Services, and the keys that are not set right; where there are some, services with stand-ins for these."""
    try:
        return desk.services, {}
    except SettingsError as bad:
        return services_around(bad.problems), bad.problems


def _show(console: Console, verdicts: Sequence[Verdict]) -> None:
    rows = [
        (
            text(each.grade.replace("_", " "), _STYLES[each.grade]),
            each.check,
            f"{each.seen}\n→ {each.mend}" if each.mend else each.seen,
        )
        for each in verdicts
    ]
    console.print(listing(("", "point", "what was seen → the mend"), rows))
    counts = [f"{sum(each.grade is grade for each in verdicts)} {grade.replace('_', ' ')}" for grade in Grade]
    console.print(text(", ".join(counts) + ".", _STYLES[worst(verdicts)]))
