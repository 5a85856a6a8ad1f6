"""`adopt`: the monitor's migrations go into a company's own Supabase repository (docs/adopting.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sync.adoption import AdoptionRefused, Move, carry_out, plan_adoption
from sync.cli.desk import AsJson, desk_of
from sync.cli.faults import Refused
from sync.cli.output import listing, text

NEXT = """
Then, in the repository that has them:

  supabase link --project-ref <the project's>   # once
  supabase db push --dry-run                    # lists these files
  supabase db push

The first file looks at the whole database and either goes on or prints SQL that mends what is in the way; then
nothing has changed. --include-all is needed only if the CLI says that a file comes before the last migration of the
remote database."""


def adopt(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The company's supabase/migrations.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be copied.")] = False,
    finish: Annotated[bool, typer.Option("--finish", help="Add the file that ends what is kept for old code.")] = False,
    remote_newest: Annotated[
        str,
        typer.Option(
            metavar="VERSION", help="The newest version that `supabase migration list` shows, if the folder lacks it."
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Brings the monitor's migrations into a company's own Supabase repository, and says what to run.

    Copies them under versions that come after all of theirs. A second run adds only what is new; a copy that was
    changed is refused, and nothing is written. Needs a checkout of the monitor, and no settings.

    Examples:

    \b
      calendar-monitor adopt ../their-repo/supabase/migrations --dry-run
      calendar-monitor adopt ../their-repo/supabase/migrations
      calendar-monitor adopt ../their-repo/supabase/migrations --finish
    """
    desk = desk_of(context, as_json)
    try:
        moves = plan_adoption(folder, is_finish=finish, remote_newest=remote_newest)
    except AdoptionRefused as refused:
        raise Refused("adoption_refused", f"Refused: {refused}.") from None
    if not dry_run:
        carry_out(moves)
    rows = [(_said(move, dry_run), move.target.name) for move in moves]

    def show(console: Console) -> None:
        console.print(listing(("", "migration"), rows))
        console.print(text(NEXT), soft_wrap=True)

    desk.out.answer([{"outcome": said, "migration": name} for said, name in rows], show)


def _said(move: Move, is_shown_only: bool) -> str:
    return "is there" if move.is_there else "would be copied" if is_shown_only else "copied"
