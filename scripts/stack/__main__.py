"""`python -m scripts.stack up`: the local Supabase, and the Google emulator, in the foreground until SIGTERM or Ctrl-C.

Writes the service's environment to `--env-file` once everything answers. For people, `scripts/demo`, and whoever runs
the service against it.
"""

from __future__ import annotations

import argparse
import re
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

from scripts.stack.children import Child, Children, StackError
from scripts.stack.environment import google_addresses, write_env_file
from scripts.stack.migrate import MigrationError
from scripts.stack.supabase import LocalSupabase
from scripts.stack.waiting import wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
WATCH_SECONDS = 0.5
EMULATOR_START_SECONDS = 30.0
URL_LINE = re.compile(r"^(https?://\S+)$", re.MULTILINE)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.stack", description=__doc__)
    up = parser.add_subparsers(dest="command", required=True).add_parser("up", help="start, and stay until stopped")
    up.add_argument("--google", action=argparse.BooleanOptionalAction, default=True, help="with the Google emulator")
    up.add_argument("--env-file", type=Path, metavar="PATH", help="write the service's environment there once ready")
    up.add_argument("--data", type=Path, metavar="DIR", help="keep rows and secrets there across runs")
    return parser.parse_args()


def start_emulator(children: Children, scratch: Path) -> Child:
    """Start the Google emulator; it prints its URL once ready."""
    command = [sys.executable, "-m", "scripts.stack.google", "--port", "0"]
    return children.spawn("google", command, log=scratch / "google.log", cwd=CHECKOUT)


def emulator_url(child: Child) -> str:
    """The URL the emulator has printed once it accepts connections."""

    def printed() -> str | None:
        found = URL_LINE.search(child.log.read_text(errors="replace"))
        return found.group(1) if found else None

    wait_until(lambda: child.ended() or printed(), within_seconds=EMULATOR_START_SECONDS, what="the Google emulator")
    url = printed()
    if url is None:
        raise StackError(f"the Google emulator did not start:\n{child.log_tail()}")
    return url


def run(options: argparse.Namespace) -> NoReturn:
    """Bring everything up, tell, and stay until a signal (or a child's own end) raises; take everything down then."""
    began = time.monotonic()
    if options.env_file:
        options.env_file.unlink(missing_ok=True)  # whoever waits for the file must not find the last run's
    emulators = Children()
    try:
        emulator = start_emulator(emulators, emulators.directory("google-emulator-")) if options.google else None
        with LocalSupabase(data=options.data) as project:
            google = google_addresses(emulator_url(emulator)) if emulator else {}
            variables = {**project.environment(google), "DASHBOARD_TOKEN": secrets.token_urlsafe(32)}
            if options.env_file:
                write_env_file(options.env_file, variables)
            where = f"Supabase {variables['SUPABASE_URL']}"
            where += f", Google emulator {google['GOOGLE_API_ENDPOINT']}" if google else ""
            print(f"ready in {time.monotonic() - began:.1f} s: {where} (Ctrl-C stops)", flush=True)
            while (ended := project.children.ended() or emulators.ended()) is None:
                time.sleep(WATCH_SECONDS)
            raise StackError(f"{ended.name} ended by itself:\n{ended.log_tail()}")
    finally:
        emulators.stop()


class Stopped(BaseException):  # like KeyboardInterrupt: nothing but main() may catch it
    """A signal asked for the end."""


def stop_on_signals() -> None:
    """Let SIGTERM, SIGINT and SIGHUP unwind the stack, once: impatience does not interrupt the cleaning up."""
    signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def stop(_number: int, _frame: object) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Stopped

    for each in signals:
        signal.signal(each, stop)


def main() -> int:
    """Run until stopped; 1 when something could not be started or died."""
    options = arguments()
    stop_on_signals()
    try:
        run(options)
    except Stopped:
        return 0
    except (StackError, MigrationError, TimeoutError) as error:
        print(f"stack: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
