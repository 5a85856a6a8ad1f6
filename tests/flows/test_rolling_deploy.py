"""Two versions side by side on one database: the migrations go first, the old code works on while the new one comes up,
and leaves without anything lost or done twice.

The new version is a copy of this one that calls itself so and needs a newer schema; the migration is one that expands.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from scripts.stack.ports import free_port
from sync.jobs.operations.observe import NEWEST_MIGRATION
from sync.version import VERSION
from tests.flows.processes import CHECKOUT, gunicorn
from tests.flows.test_replicas import announce, connected
from tests.world import TLS, Person, World, wait_until

NEXT_VERSION, NEXT_MIGRATION = "99.0.0", "20991231000000"
SCHEMA_IS_AT = (
    "create or replace function public.calendar_schema_version() returns bigint language sql immutable"
    " security invoker set search_path = '' as $$ select {} $$; notify pgrst, 'reload schema'"
)
EXPAND = (
    "alter table public.calendar_webhooks add column expanded text not null default 'yet to be used';"
    "alter table public.meetings add column expanded text;"
    "alter table public.calendar_channels add column expanded timestamptz default now();"
    "create function public.commit_sync_2(p_claim jsonb) returns jsonb language sql as $$ select p_claim $$;"
)
CONTRACT = (
    "alter table public.calendar_webhooks drop column if exists expanded;"
    "alter table public.meetings drop column if exists expanded;"
    "alter table public.calendar_channels drop column if exists expanded;"
    "drop function if exists public.commit_sync_2;"
)


@pytest.fixture
def new_code(tmp_path: Path) -> Path:
    folder = tmp_path / "new"
    folder.mkdir()
    for name in ("app.py", "gunicorn.conf.py"):
        shutil.copy(CHECKOUT / name, folder)
    shutil.copytree(CHECKOUT / "sync", folder / "sync", ignore=shutil.ignore_patterns("__pycache__"))
    for name, old, new in (
        ("sync/version.py", VERSION, NEXT_VERSION),
        ("sync/jobs/operations/observe.py", NEWEST_MIGRATION, NEXT_MIGRATION),
    ):
        path = folder / name
        text = path.read_text()
        assert text.count(f'"{old}"') == 1
        path.write_text(text.replace(f'"{old}"', f'"{new}"'))
    return folder


@pytest.fixture
def owner(world: World) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(world.supabase.postgres_url, autocommit=True) as owner:
        yield owner
        owner.execute(CONTRACT.encode())
        owner.execute(SCHEMA_IS_AT.format(NEWEST_MIGRATION).encode())


def ask(port: int, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60, verify=TLS)


def post(world: World, port: int, path: str, **body: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {world.supabase.service_key}"}
    url = f"http://127.0.0.1:{port}/functions/v1/{path}"
    answer = httpx.post(url, json=body, headers=headers, timeout=60, verify=TLS)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def do_everything(world: World, port: int, alice: Person, hours: float) -> Person:
    """A notification, a poll, a renewal and a connection, all at this process; who was connected."""
    world.google.insert_event(alice.email, world.event(f"Told at {hours}", hours=hours))
    assert announce(world, port, alice) == 204
    world.await_equal(alice)
    world.google.insert_event(alice.email, world.event(f"Polled at {hours}", hours=hours + 0.5))
    world.db.execute("update calendar_webhooks set not_before = null")
    assert post(world, port, "calendar-polling-service", userId=alice.user_id, force=True)["created"] == 1
    world.db.execute("update calendar_webhooks set expiration_time = now() + interval '1 hour'")
    post(world, port, "renew-calendar-watches")
    wait_until(lambda: world.rows(ABOUT_TO_LAPSE) == [], "the watch is renewed")
    newcomer = world.person()
    world.google.insert_event(newcomer.email, world.event("First"))
    post(world, port, "connect-calendar", userId=newcomer.user_id, provider_refresh_token=newcomer.refresh_token)
    world.await_equal(newcomer)
    return newcomer


ABOUT_TO_LAPSE = "select 1 from calendar_webhooks where expiration_time < now() + interval '2 hours'"
LIVE_MORE_THAN_ONCE = (
    "select calendar_id from calendar_channels where state = 'live' group by calendar_id having count(*) > 1"
)
TOLD_TWICE = (
    "select meeting_id from change_events where type = 'meeting.created' group by meeting_id having count(*) > 1"
)


def test_old_and_new_code_share_a_database_and_the_old_one_leaves_unnoticed(
    world: World, new_code: Path, owner: psycopg.Connection[Any]
) -> None:
    alice = connected(world)
    old_port, new_port = free_port(), free_port()
    with ExitStack() as running:
        old = running.enter_context(gunicorn(world, old_port))
        new = running.enter_context(gunicorn(world, new_port, code=new_code))
        # Deployed the wrong way round it says so, and a rollout that looks at it goes no further.
        answer = ask(new_port, "/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "migrations_behind")
        owner.execute(EXPAND.encode())
        owner.execute(SCHEMA_IS_AT.format(NEXT_MIGRATION).encode())
        wait_until(lambda: ask(new_port, "/readyz").status_code == 200, "the new one is ready")
        assert ask(old_port, "/readyz").status_code == 200
        assert [ask(port, "/healthz").json()["version"] for port in (old_port, new_port)] == [VERSION, NEXT_VERSION]

        people = [alice, do_everything(world, old_port, alice, 2), do_everything(world, new_port, alice, 4)]
        # The old one is told to end in the middle of a sync, and the new one takes it over.
        world.google.insert_event(alice.email, world.event("Last", hours=30))
        hold = world.google.add_fault("hold", method="events.list", calendar=alice.email, times=1)
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(announce, world, old_port, alice)
            assert world.google.wait_held(hold)
            old.terminate()
            new_told = announce(world, new_port, alice)
            assert (held.result(), new_told) == (204, 204)
            world.google.release(hold)
        assert old.wait() == 0, old.log
        for person in people:
            world.await_equal(person)
        new.terminate()
        assert new.wait() == 0, new.log
        errors = [line for line in (old.log + new.log).splitlines() if '"level":"error"' in line]

    assert world.google.counters()["max_concurrent_lists"][alice.email] == 1
    assert [log["error_code"] for log in world.logs(alice) if log["status"] == "failed"] == []
    assert world.rows(LIVE_MORE_THAN_ONCE) == world.rows(TOLD_TWICE) == []
    assert len(errors) == 1
    assert '"error_code":"migrations_behind"' in errors[0]
