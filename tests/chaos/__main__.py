"""Chaos for long, by hand.

    .venv/bin/python -m tests.chaos --histories 500 --seed 1 [--batch 20] [--strikes 40]

A line for each history; goes on after failures; exit code 1 if there was one. A batch is told by its seed: to run one
again, with the same people, edits and misfortunes, give that seed and as many histories as a batch has. Processes and
threads take turns as they like, so not every failure comes back.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback

from rich.progress import Progress

from tests.chaos.batch import Verdict, run_batch
from tests.chaos.misfortunes import drawn

SHOWN = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first batch")
    parser.add_argument("--batch", type=int, default=20, help="histories side by side")
    parser.add_argument("--strikes", type=int, default=40, help="what goes wrong in each batch")
    given = parser.parse_args()
    # What was started ends with it, however it is asked to.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    with Progress() as progress:
        task = progress.add_task("histories", total=given.histories)
        for number in range(0, given.histories, given.batch):
            seed, count = given.seed + number // given.batch, min(given.batch, given.histories - number)

            def tell(line: str, seed: int = seed) -> None:
                progress.update(task, description=f"batch {seed} {line}")

            try:
                verdict = run_batch(seed, count, strikes=drawn(seed, given.strikes), tell=tell)
            except Exception:  # noqa: BLE001 - the others are to be run, whatever ended this one
                failed, lines = failed + count, [f"batch {seed} ended early", *traceback.format_exc().splitlines()]
            else:
                failed += len(verdict.wrong) + len(verdict.bugs)
                lines = told(seed, count, verdict)
            progress.console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
            progress.advance(task, count)
    return 1 if failed else 0


def told(seed: int, count: int, verdict: Verdict) -> list[str]:
    """A line for each history; beneath it, how it is wrong. And what processes said that should never be said."""
    lines = [f"batch {seed}: right after {verdict.healed_after_seconds:.0f} s; was {' '.join(verdict.strikes)}"]
    for history in range(seed * 1000, seed * 1000 + count):
        wrong = verdict.wrong.get(history)
        lines.append(f"  history {history}: {'right' if wrong is None else 'WRONG'}")
        lines += [f"    {line}" for line in (wrong or [])[:SHOWN]]
    return lines + [f"  BUG {line}" for line in verdict.bugs[:SHOWN]]


if __name__ == "__main__":
    sys.exit(main())
