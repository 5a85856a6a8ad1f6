"""export and erase: everything stored of a user is given out without tokens, and erased without a rest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sync.jobs.accounts import user_data
from tests.command_line import Cli
from tests.web.consent import HOME, begin
from tests.world import Person, World

NOBODY = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TABLES_OF_USERS = (
    "select c.relname as table_name from pg_class c join pg_attribute a on a.attrelid = c.oid"
    " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname = 'user_id'"
    # What the service works by: made of their meetings, and gone with them once their bots are removed.
    " and c.relname not in ('bot_wishes', 'bot_requests', 'bot_tenants')"
    # Their calendars' rows once more, kept by a trigger.
    " and c.relname <> 'calendar_queue' order by 1"
)


@pytest.fixture
def alice(world: World) -> Person:
    """A row in every table."""
    world.restart_service(CONNECT_REDIRECT_URLS=HOME)
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Alice's, ä€😀"), notify=False)
    world.connect(alice)
    begin(world, alice)
    world.db.execute("insert into bot_preferences (user_id) values (%s)", (alice.user_id,))
    world.db.execute(
        "insert into user_notifications (user_id, kind, reason, message) values (%s, 'reconnect_needed', 'x', 'x')",
        (alice.user_id,),
    )
    return alice


def rows_left(world: World, person: Person) -> dict[str, int]:
    tables = [row["table_name"] for row in world.rows(TABLES_OF_USERS)]
    counts = {name: world.rows(f"select 1 from {name} where user_id = %s", person.user_id) for name in tables}
    return {name: len(rows) for name, rows in counts.items() if rows}


def test_every_table_with_rows_of_users_is_covered(world: World) -> None:
    """A new table must be exported and erased too."""
    assert sorted(user_data.TABLES) == [row["table_name"] for row in world.rows(TABLES_OF_USERS)]


def test_export_gives_every_row_and_no_token(world: World, alice: Person, cli: Cli) -> None:
    bob = world.person("bob")
    world.connect(bob)

    done = cli("export", alice.user_id)

    assert (done.exit_code, done.stderr) == (0, "")
    exported: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    assert {table: len(rows) for table, rows in exported.items()} == rows_left(world, alice)
    assert [row["title"] for row in exported["meetings"]] == ["Alice's, ä€😀"]
    assert exported["calendar_events"][0]["details"]["summary"] == "Alice's, ä€😀"
    assert bob.user_id not in done.stdout
    columns = {column for rows in exported.values() for row in rows for column in row}
    assert not columns & {
        "access_token",
        "refresh_token",
        "sync_token",
        "verifier",
        "nonce_hash",
        "handle_hash",
        "code",
    }
    assert not {"v1.", "v2."} & set(re.findall(r"v[0-9]\.", done.stdout))
    assert alice.refresh_token not in done.stdout


def test_export_gives_more_rows_than_a_page(world: World, alice: Person) -> None:
    world.db.execute(
        "insert into meetings (user_id, title, start_time) select %s, n::text, now() from generate_series(1, 1234) n",
        (alice.user_id,),
    )

    rows = user_data.export_user(world.services, alice.user_id)["meetings"]

    assert len(rows) == len({row["id"] for row in rows}) == 1235


def test_erase_stops_revokes_and_leaves_the_auth_user_alone(world: World, alice: Person, cli: Cli) -> None:
    bob = world.person("bob")
    world.connect(bob)
    before = rows_left(world, bob)

    done = cli("erase", alice.user_id, "--yes", "--json")

    assert (done.exit_code, done.stderr) == (0, "")
    told = done.json
    assert (told["google"]["revoked"], told["google"]["stopped"]) == (True, 1)
    assert told["deleted"]["calendar_webhooks"] == 1
    assert rows_left(world, alice) == {}
    assert rows_left(world, bob) == before
    assert len(world.rows("select 1 from auth.users where id = %s", alice.user_id)) == 1
    assert sorted(channel["state"] for channel in world.google.channels()) == ["live", "stopped"]


def test_erasing_again_and_erasing_nobody_do_nothing(world: World, alice: Person) -> None:
    user_data.erase_user(world.services, alice.user_id)

    for user_id in (alice.user_id, NOBODY):
        told = user_data.erase_user(world.services, user_id)
        assert set(told["deleted"].values()) == {0}
        assert told["google"]["revoked"] is None


def test_erase_goes_on_without_google(world: World, alice: Person) -> None:
    for method in ("channels", "revoke"):
        world.google.add_fault("backend_503", method=method)

    told = user_data.erase_user(world.services, alice.user_id)

    assert (told["google"]["revoked"], told["google"]["left"]) == (False, 1)
    assert rows_left(world, alice) == {}


def test_a_sync_that_runs_while_its_user_is_erased_writes_nothing(world: World, alice: Person) -> None:
    held = world.google.add_fault("hold", method="events.list")
    world.make_due(alice)

    with world.in_background(world.sweep):
        assert world.google.wait_held(held)
        user_data.erase_user(world.services, alice.user_id)
        world.google.release(held)

    assert rows_left(world, alice) == {}


def test_an_erased_user_may_connect_again(world: World, alice: Person) -> None:
    user_data.erase_user(world.services, alice.user_id)
    alice.refresh_token = world.google.grant(alice.email)

    world.connect(alice)

    world.assert_equal(alice)


@pytest.mark.parametrize("arguments", [["export", "alice"], ["burn", NOBODY], ["export"], ["erase", "alice", "--yes"]])
def test_a_wrong_call_is_told_how(cli: Cli, arguments: list[str]) -> None:
    done = cli(*arguments)
    assert done.exit_code == 2
    assert "Usage: calendar-monitor" in done.stderr or "'alice' is no user's id" in done.stderr


def test_erase_asks_whose_rows_these_are_and_takes_no_silence_for_a_yes(world: World, alice: Person, cli: Cli) -> None:
    asked = cli("erase", alice.user_id, answers="n\n")
    assert (asked.exit_code, alice.email in asked.stderr) == (2, True)
    unheard = cli("erase", alice.user_id, "--json")
    assert (unheard.exit_code, unheard.json["error"]["code"]) == (2, "not_confirmed")
    assert rows_left(world, alice)["meetings"] == 1
    assert world.rows("select 1 from operator_actions") == []


def test_an_export_in_a_file_is_for_nobody_else_and_the_audit_knows(
    world: World, alice: Person, cli: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "alice.json"
    assert cli("export", alice.user_id, "--to", str(file)).exit_code == 0
    assert json.loads(file.read_text())["meetings"][0]["title"] == "Alice's, ä€😀"
    assert file.stat().st_mode & 0o077 == 0
    (deed,) = world.rows("select operator, action, target from operator_actions")
    assert deed == {"operator": "olga", "action": "export", "target": alice.user_id}


def test_a_store_that_does_not_answer_is_told_without_a_trace(world: World, alice: Person, cli: Cli) -> None:
    world.supabase.fault("export_user", "http_500", times=4)

    done = cli("export", alice.user_id)

    assert (done.exit_code, "meetings" in done.stdout) == (3, False)
    assert "Traceback" not in done.stderr
    assert "run it again" in done.stderr
