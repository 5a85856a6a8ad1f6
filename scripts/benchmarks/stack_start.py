"""How long the local stack takes from nothing to its first answer: whoever tries something waits for it, each time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.benchmarks.measuring import Measure, Row, Size, row_of
from scripts.stack.supabase import LocalSupabase

PING = "create function public.ping() returns int language sql set search_path = '' as 'select 1'"


def stack(size: Size) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        migrations = Path(name)
        (migrations / "1_ping.sql").write_text(PING, encoding="utf-8")
        # The first round has the downloads, byte code and the file cache to itself.
        found = [_seconds_to_first_answer(migrations) for _ in range(size.rounds + 1)]
    yield row_of("to its first answer, without the service's schema", "s", found[1:], aim=3.0)


def _seconds_to_first_answer(migrations: Path) -> float:
    began = time.monotonic()
    with LocalSupabase(migrations_directory=migrations) as project, project.rest() as client:
        client.post("rpc/ping", json={}).raise_for_status()
        return time.monotonic() - began


MEASURES = (Measure("stack", "the local stack's start", "none", stack),)
