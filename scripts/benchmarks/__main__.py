"""Takes measures and prints their table. Started by `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from scripts.benchmarks.catalogue import MEASURES
from scripts.benchmarks.measuring import Measure, Row, Size
from sync.version import VERSION

Found = list[tuple[Measure, Row]]
_SIGNS = {None: "", True: "met", False: "NOT met"}


def main(arguments: Sequence[str] | None = None, measures: Sequence[Measure] = MEASURES) -> int:
    """1 if a measure failed; that an aim is not met is a figure like others."""
    known = {measure.name: measure for measure in measures}
    given = _arguments(arguments, known)
    if given.list:
        for measure in measures:
            print(f"{measure.name:20} {measure.what}")
        return 0
    unknown = [name for name in given.names if name not in known]
    if unknown:
        print(f"no such measure: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    if given.json not in (None, "-") and (problem := _unwritable(Path(given.json))):
        print(f"--json: {problem}", file=sys.stderr)
        return 2
    size = Size(given.rounds, given.quick)
    found, failed = take([known[name] for name in dict.fromkeys(given.names)] or list(measures), size)
    # What a machine reads stands alone.
    print_table(found, failed, size, sys.stderr if given.json == "-" else sys.stdout)
    if given.json:
        text = json.dumps(as_json(found, failed, size), indent=2)
        print(text) if given.json == "-" else Path(given.json).write_text(text + "\n", encoding="utf-8")
    return 1 if failed else 0


def _unwritable(path: Path) -> str | None:
    """Why it cannot be written, before hours are measured."""
    try:
        path.open("a", encoding="utf-8").close()
    except OSError as error:
        return str(error)
    return None


def _arguments(arguments: Sequence[str] | None, known: Mapping[str, Measure]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="What the service costs, beside its floors, on this machine. Ours and the floor are timed turn"
        " about: ratios hold on other machines, rates do not.",
        epilog="scripts/bench notification idle    two measures; --list names all",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="measures to take; all without one")
    parser.add_argument("--list", action="store_true", help="name the measures and end")
    parser.add_argument("--rounds", type=_positive, default=7, help="of each thing that is timed")
    parser.add_argument("--quick", action="store_true", help="small and few: whether it runs; its figures say little")
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the figures there too; without a FILE, or with -, they alone go to standard output",
    )
    given = parser.parse_args(arguments)
    if given.json in known:
        # `--json idle` is no file of that name.
        given.names, given.json = [given.json, *given.names], "-"
    return given


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def take(chosen: list[Measure], size: Size) -> tuple[Found, dict[str, str]]:
    """What was found, and the measures that failed with their reasons: one that fails does not stop the others."""
    found: Found = []
    failed: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    console = Console(stderr=True)
    # A bar is for who looks on: elsewhere a line for each figure says as much.
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("", total=len(chosen))
        for measure in chosen:
            progress.update(bar, description=measure.name)
            try:
                for row in measure.run(size):
                    found.append((measure, row))
                    progress.console.print(f"{measure.name}: {row.what}: {row.ours:.4g} {row.unit}")
            except KeyboardInterrupt:
                # What hours have found is worth its table.
                failed[measure.name] = "interrupted, and so were those after it"
                break
            except Exception as error:  # noqa: BLE001 - whatever it was, the others are still to be measured
                failed[measure.name] = f"{type(error).__name__}: {error}"
                progress.console.print(f"{measure.name} failed: {failed[measure.name]}", markup=False)
            progress.advance(bar)
    return found, failed


def print_table(found: Found, failed: Mapping[str, str], size: Size, file: TextIO) -> None:
    how = "; quick: these figures say little" if size.is_quick else ""
    table = Table(title=f"{os.cpu_count()} cores, version {VERSION}; medians (least to most){how}")
    for head in ("measure", "what", "ours", "floor", "ratio", "aim", ""):
        table.add_column(head, overflow="fold")
    for measure, row in found:
        table.add_row(
            measure.name,
            row.what,
            f"{row.ours:.4g} {row.unit} ({row.least:.4g} to {row.most:.4g})",
            "" if row.floor is None else f"{row.floor:.4g}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.aim is None else f"{'≥' if row.better == 'higher' else '≤'} {row.aim:g}",
            _SIGNS[row.is_met],
        )
    Console(file=file, width=None if file.isatty() else 150).print(table)
    for measure in dict.fromkeys(measure for measure, _ in found):
        print(f"{measure.name}: {measure.what}; floor: {measure.floor}", file=file)
    for name, reason in failed.items():
        print(f"{name} FAILED: {reason}", file=file)


def as_json(found: Found, failed: dict[str, str], size: Size) -> dict[str, object]:
    rows = [
        {"measure": measure.name, **asdict(row), "ratio": row.ratio, "is_met": row.is_met} for measure, row in found
    ]
    return {
        "version": VERSION,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rounds": size.rounds,
        "is_quick": size.is_quick,
        "rows": rows,
        "failed": failed,
    }


def _end(*_: object) -> None:
    """As Ctrl-C does it: with the table of what was found, and the stack ended."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    sys.exit(main())
