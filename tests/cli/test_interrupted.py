"""Ctrl-C, a kill, a database that goes away in between: what was done stays done, and the same command goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from sync.cli.stopping import until_stopped
from tests.command_line import Cli
from tests.docs.pages import ROOT
from tests.world import World


def test_an_interrupted_backfill_gives_back_what_it_held_and_goes_on(world: World, cli: Cli) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        world.connect(person)
        for hours in (2, 4):
            world.google.insert_event(person.email, world.event("Review", hours=hours), notify=False)
    world.stop_service()
    world.db.execute("update calendar_webhooks set sync_token = null, due_at = now()")
    world.google.add_fault("small_pages", size=1)
    held = world.google.add_fault("hold", method="events.list", times=1)
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.cli", "backfill", "--json"], cwd=ROOT,
        env={**world.environment, "SYNC_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert world.google.wait_held(held)

    process.send_signal(signal.SIGINT)
    assert process.stderr
    assert "Stopping" in "".join(process.stderr.readline() for _ in range(2))
    world.google.release(held)
    told, complaints = process.communicate(timeout=60)

    assert (process.returncode, json.loads(told)["error"]["code"]) == (130, "interrupted"), complaints
    assert "Traceback" not in complaints
    assert world.rows("select 1 from calendar_webhooks where lease_expires_at is not null") == []
    assert cli("backfill", "--json").json["completed"] == 3
    for person in people:
        world.assert_equal(person)


def test_an_erasure_cut_off_by_the_database_goes_on_where_it_stood(world: World, cli: Cli) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Review"), notify=False)
    world.connect(alice)
    world.supabase.fault("erase_user", "http_500", times=4)

    cut_off = cli("erase", alice.user_id, "--yes", "--json")
    done = cli("erase", alice.user_id, "--yes", "--json")

    assert (cut_off.exit_code, done.exit_code) == (3, 0), done.stderr
    assert world.rows("select 1 from google_credentials") == world.rows("select 1 from calendar_webhooks") == []
    assert [channel["state"] for channel in world.google.channels()] == ["stopped"]


def test_one_signal_is_told_to_the_work_the_second_ends_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    reached: list[bool] = []

    def work() -> None:
        with until_stopped() as is_stopping:
            signal.raise_signal(signal.SIGTERM)
            reached.append(is_stopping())
            signal.raise_signal(signal.SIGINT)
            reached.append(False)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert reached == [True]
    assert signal.getsignal(signal.SIGTERM) is before
