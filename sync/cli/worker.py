"""`worker`: the continuous worker (`sync/jobs/worker`), under the command line's roof."""

from __future__ import annotations

import typer

from sync.jobs.worker import main


def worker() -> None:
    """Works until it is stopped (SIGTERM, Ctrl-C): takes nothing new then, gives back what is unfinished, and leaves.

    The same as `python -m sync.jobs.worker`; any number of them, beside any number of web processes. It logs as they
    do, one line per event on stderr.

    Example:

    \b
      calendar-monitor worker
    """
    raise typer.Exit(main())
