"""Takes measures and prints their table. Started by `scripts/bench`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

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
    given = _arguments(arguments)
    if given.list:
        for measure in measures:
            print(f"{measure.name:20} {measure.what}")
        return 0
    known = {measure.name: measure for measure in measures}
    unknown = [name for name in given.names if name not in known]
    if unknown:
        print(f"no such measure: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in given.names] or list(measures)
    found, failed = take(chosen, Size(given.rounds, given.quick))
    print_table(found, failed)
    if given.json:
        text = json.dumps(as_json(found, failed), indent=2)
        print(text) if given.json == "-" else Path(given.json).write_text(text + "\n", encoding="utf-8")
    return 1 if failed else 0


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="What the service costs, beside its floors, on this machine. Ours and the floor are timed turn"
        " about: ratios hold on other machines, rates do not.",
        epilog="scripts/bench notification idle    two measures; --list names all",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="measures to take; all without one")
    parser.add_argument("--list", action="store_true", help="name the measures and end")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small and few: whether it runs; its figures say little")
    parser.add_argument("--json", metavar="FILE", help="write the figures too; - for standard output")
    return parser.parse_args(arguments)


def take(chosen: list[Measure], size: Size) -> tuple[Found, dict[str, str]]:
    """What was found, and the measures that failed with their reasons: one that fails does not stop the others."""
    found: Found = []
    failed: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
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


def print_table(found: Found, failed: Mapping[str, str]) -> None:
    table = Table(title=f"{os.cpu_count()} cores, version {VERSION}; medians (least to most)")
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
    Console(width=None if sys.stdout.isatty() else 150).print(table)
    for measure in dict.fromkeys(measure for measure, _ in found):
        print(f"{measure.name}: {measure.what}; floor: {measure.floor}")
    for name, reason in failed.items():
        print(f"{name} FAILED: {reason}")


def as_json(found: Found, failed: dict[str, str]) -> dict[str, object]:
    rows = [
        {"measure": measure.name, **asdict(row), "ratio": row.ratio, "is_met": row.is_met} for measure, row in found
    ]
    return {"version": VERSION, "cores": os.cpu_count(), "rows": rows, "failed": failed}


if __name__ == "__main__":
    sys.exit(main())
