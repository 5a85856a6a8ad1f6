"""Tells the story and proves its end: `python -m scripts.story [--keep]`. Exit code 0 only if meetings equal the
calendars."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time

from scripts.stack.children import StackError
from scripts.stack.migrate import MigrationError
from scripts.story import chapters
from scripts.story.keeping import keep_environment, things_to_do
from scripts.story.stage import WEB_WORKERS, Stage
from scripts.story.teller import Teller


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/demo", description="The main job on the embedded stack.")
    parser.add_argument("--keep", action="store_true", help="leave all running and print commands to try")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    teller = Teller()
    teller.chapter("The stage")
    began = time.perf_counter()
    with Stage() as stage:
        teller.good(f"Postgres, PostgREST and an emulated Google stand after {time.perf_counter() - began:.1f} s")
        began = time.perf_counter()
        stage.start_service()
        teller.good(
            f"the service answers under gunicorn, {WEB_WORKERS} workers, after {time.perf_counter() - began:.1f} s"
        )
        figures = chapters.Figures()
        chapters.connect(stage, teller, figures)
        alice, bob = stage.people
        chapters.push(stage, teller, figures)
        chapters.burst(stage, teller, figures, alice)
        chapters.push_cut_off(stage, teller, bob)
        chapters.expired_token(stage, teller, alice)
        chapters.renewal(stage, teller, bob)
        chapters.crash(stage, teller, alice)
        equal = prove(stage, teller)
        tell_figures(stage, teller, figures)
        if keep:
            keep_running(stage, teller)
    return 0 if equal else 1


def prove(stage: Stage, teller: Teller) -> bool:
    """Compares every meeting with Google's own expansion of each calendar."""
    teller.chapter("Does meetings ever disagree with the calendar?")
    stage.await_quiet()
    equal = True
    for person in stage.people:
        compared, found = stage.differences(person)
        if found or not compared:
            equal = False
            teller.bad(f"{person.name}: {len(found)} differences in {compared} meetings")
            for line in found[:10]:
                teller.line(f"    {line}")
        else:
            teller.good(f"{person.name}: {compared} meetings, every field equal")
    return equal


def tell_figures(stage: Stage, teller: Teller, figures: chapters.Figures) -> None:
    teller.chapter("Figures")
    calls = stage.google.counters()["calls"]
    rpcs = {name.removeprefix("rpc/"): count for name, count in stage.supabase.counters().items() if "rpc/" in name}
    lists_per_sync = stage.row("select count(*) as syncs from calendar_sync_logs where status = 'completed'")["syncs"]
    teller.table(
        [
            ("change to row, with the emulator's push", chapters.median_ms(figures.push_seconds)),
            ("burst", f"{figures.burst_notifications} notifications, {figures.burst_lists} list calls"),
            ("meetings of the first syncs", str(figures.initial_meetings)),
            ("syncs completed", str(lists_per_sync)),
            ("Google calls", ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))),
            ("RPCs", f"{sum(rpcs.values())}: " + ", ".join(f"{name} {count}" for name, count in sorted(rpcs.items()))),
        ]
    )


def keep_running(stage: Stage, teller: Teller) -> None:
    """Tells what may be done and looked at, and waits for Ctrl-C."""
    environment = keep_environment(stage.root / ".stack", stage.environment)
    alice = stage.people[0]
    try:
        teller.chapter("All is left running; Ctrl-C stops it")
        for what, commands in things_to_do(environment, alice.user_id, alice.email, stage.now):
            print(f"\n# {what}", *commands, sep="\n", flush=True)
        print(f"\n# The dashboard: {stage.url}/dashboard (sign in with DASHBOARD_TOKEN of {environment})", flush=True)
        stopped = threading.Event()
        signal.signal(signal.SIGINT, lambda *_: stopped.set())
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        stopped.wait()
    finally:
        environment.unlink(missing_ok=True)


def run() -> int:
    """The same, in words where a traceback would help nobody: what could not be started or fetched, and Ctrl-C."""
    try:
        return main()
    except (StackError, MigrationError, TimeoutError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
