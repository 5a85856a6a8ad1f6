"""Brings this project's migrations into a company's own Supabase repository, beside its own.

`supabase db push` refuses a database whose history it does not find in the folder it pushes from, so the company goes
on pushing from its own, and our files move in: each under a version after all of theirs, as
`<version>_calendar_monitor_<name>.sql`, with the text unchanged. A second run finds them by name and adds only what is
new. Reads and writes files alone. Called by the cli (`adopt`).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
MIGRATIONS = CHECKOUT / "supabase" / "migrations"
# What old code needs while it still runs, and what ends that.
KEEP_OLD_CODE = CHECKOUT / "supabase" / "adoption" / "keep_old_code.sql"
FINISH = CHECKOUT / "supabase" / "adoption" / "finish_adoption.sql"
_OURS = "calendar_monitor_"
_FILE_NAME = re.compile(r"^(?P<version>[0-9]+)_(?P<name>.+)\.sql$")
_STAMP = "%Y%m%d%H%M%S"


class AdoptionRefused(Exception):
    """It would harm, so nothing was written; the message says why and what to do."""


@dataclass(frozen=True)
class Move:
    """One of our files: where from, where to, and whether it is there already."""

    source: Path
    target: Path
    is_there: bool


def plan_adoption(folder: Path, *, is_finish: bool = False, remote_newest: str = "") -> list[Move]:
    """What is to be copied into `folder`, their `supabase/migrations`, in the order in which it runs.

    `is_finish` adds the file that ends what was kept for old code. `remote_newest`: the newest version in the
    database's history, where that is newer than all in the folder. Raises AdoptionRefused.
    """
    theirs = _named(folder)
    if folder.resolve() == MIGRATIONS:
        raise AdoptionRefused("this is the monitor's own folder: push from it as it is")
    sources = [*sorted(MIGRATIONS.glob("*.sql")), KEEP_OLD_CODE, *([FINISH] if is_finish else [])]
    present = {match["name"].removeprefix(_OURS): path for path, match in theirs if match["name"].startswith(_OURS)}
    newest = max([match["version"] for _, match in theirs] + [remote_newest], default="")
    moves: list[Move] = []
    for source in sources:
        name = _plain_name(source)
        if (found := present.get(name)) is not None:
            _must_be_equal(source, found)
            moves.append(Move(source, found, is_there=True))
        elif source != KEEP_OLD_CODE or not present:
            newest = _version_after(newest, source)
            moves.append(Move(source, folder / f"{newest}_{_OURS}{name}.sql", is_there=False))
    _must_be_in_order(moves)
    return moves


def carry_out(moves: list[Move]) -> None:
    """Copies what is not there yet. Raises OSError."""
    for move in moves:
        if not move.is_there:
            draft = move.target.with_suffix(".part")
            draft.write_bytes(move.source.read_bytes())
            draft.replace(move.target)


def _named(folder: Path) -> list[tuple[Path, re.Match[str]]]:
    if not folder.is_dir():
        raise AdoptionRefused(f"{folder} is no folder: name the company's supabase/migrations, made by `supabase init`")
    matched = ((path, _FILE_NAME.match(path.name)) for path in sorted(folder.glob("*.sql")))
    return [(path, match) for path, match in matched if match]


def _plain_name(source: Path) -> str:
    match = _FILE_NAME.match(source.name)
    return match["name"] if match else source.stem


def _must_be_equal(source: Path, found: Path) -> None:
    if source.read_bytes() != found.read_bytes():
        raise AdoptionRefused(
            f"{found.name} differs from {source.name}. A migration that may have run never changes: put it back "
            "as it was, and change the database by one of your own. If it has run nowhere, delete it and run this again"
        )


def _must_be_in_order(moves: list[Move]) -> None:
    names = [move.target.name for move in moves if move.source.parent == MIGRATIONS]
    if names != sorted(names):
        raise AdoptionRefused("the adopted files are not in the order in which they must run: were some renamed?")


def _version_after(newest: str, source: Path) -> str:
    """Our own version if it comes last, else the second after the newest: versions are compared as texts."""
    match = _FILE_NAME.match(source.name)
    if match and match["version"] > newest:
        return match["version"]
    try:
        after = dt.datetime.strptime(newest, _STAMP).replace(tzinfo=dt.UTC) + dt.timedelta(seconds=1)
    except ValueError:
        raise AdoptionRefused(
            f"no version of fourteen digits comes after {newest}, the newest in the folder or the database"
        ) from None
    return after.strftime(_STAMP)
