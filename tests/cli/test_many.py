"""connect, backfill: many users and calendars, and going on after an interruption."""

from __future__ import annotations

import json
from pathlib import Path

from tests.command_line import Cli
from tests.world import Person, World


def _line(person: Person, **more: object) -> str:
    return json.dumps({"userId": person.user_id, "provider_refresh_token": person.refresh_token, **more})


def test_connect_takes_the_token_from_stdin_watches_and_lists(world: World, cli: Cli) -> None:
    alice = world.person()
    world.google.insert_event(alice.email, world.event("Review"))

    done = cli("connect", alice.user_id, "--json", answers=f"{alice.refresh_token}\n")

    assert done.exit_code == 0, done.stderr
    assert (done.json["google_account"], done.json["calendars"][0]["first_sync"]) == (alice.email, "completed")
    world.assert_equal(alice)
    assert alice.refresh_token not in done.stdout + done.stderr
    deeds = world.rows("select action, target, params from operator_actions")
    assert deeds == [{"action": "connect", "target": alice.user_id, "params": {}}]


def test_what_connecting_refuses_is_said_in_a_sentence(world: World, cli: Cli) -> None:
    alice = world.person()
    nobody = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    unknown = cli("connect", nobody, "--json", answers=f"{alice.refresh_token}\n")
    assert (unknown.exit_code, unknown.json["error"]["code"]) == (2, "unknown_user")
    dead = cli("connect", alice.user_id, "--json", answers="1//nonsense\n")
    assert (dead.exit_code, dead.json["error"]["code"]) == (2, "invalid_grant")
    assert "sign in again" in dead.stderr
    missing = cli("connect", alice.user_id, "--calendar", "nosuch@example.com", answers=f"{alice.refresh_token}\n")
    assert (missing.exit_code, "nosuch@example.com" in missing.stderr) == (2, True)


def test_many_are_connected_from_a_file_and_a_second_call_passes_them_over(
    world: World, cli: Cli, tmp_path: Path
) -> None:
    alice, bob, eve = world.person("alice"), world.person("bob"), world.person("eve")
    world.google.revoke(eve.email)
    file = tmp_path / "grants.jsonl"
    file.write_text("\n".join([_line(alice), _line(bob, calendarIds=["primary"]), "", _line(eve)]))

    first, again = cli("connect", "--from", str(file), "--json"), cli("connect", "--from", str(file), "--json")

    refused = {eve.user_id: "invalid_grant"}
    assert first.json == {"connected": 2, "already": 0, "refused": 1, "why": refused}, first.stderr
    assert again.json == {"connected": 0, "already": 2, "refused": 1, "why": refused}
    assert first.exit_code == 1


def test_a_line_that_is_none_is_named_before_anybody_is_connected(world: World, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "grants.jsonl"
    file.write_text(_line(world.person()) + '\n{"userId": 7}\n')
    refused = cli("connect", "--from", str(file))
    assert (refused.exit_code, "Line 2" in refused.stderr) == (2, True)
    assert world.rows("select 1 from google_credentials") == []


def test_backfill_lists_whole_what_waits_and_nothing_else(world: World, cli: Cli) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        world.google.insert_event(person.email, world.event("Review"), notify=False)
        world.connect(person)
    world.stop_service()
    world.db.execute("delete from meetings where user_id <> %s", (people[2].user_id,))
    world.db.execute(
        "update calendar_webhooks set sync_token = null, due_at = now() where user_id <> %s", (people[2].user_id,)
    )
    world.make_due(people[2])

    filled = cli("backfill", "--json")

    assert (filled.exit_code, filled.json["completed"], filled.json["left"]) == (0, 2, 0), filled.stderr
    for person in people:
        world.assert_equal(person)
    assert world.rows("select user_id from calendar_webhooks where due_at <= now()") == [
        {"user_id": world.calendar(people[2])["user_id"]}
    ]
    assert cli("backfill", "--json").json["completed"] == 0


def test_a_calendar_that_cannot_be_listed_is_counted_with_its_cause(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    world.stop_service()
    world.db.execute("update calendar_webhooks set sync_token = null, due_at = now()")
    world.google.add_fault("lost_access_404", method="events.list")
    filled = cli("backfill", "--json")
    assert (filled.exit_code, filled.json["failed"], sum(filled.json["causes"].values())) == (1, 1, 1)


def test_what_a_killed_process_held_is_under_way_until_its_lease_lapses(world: World, cli: Cli) -> None:
    world.connect(world.person())
    world.stop_service()
    world.db.execute(
        "update calendar_webhooks set sync_token = null, due_at = now(), claim_id = gen_random_uuid(), "
        "lease_expires_at = now() + interval '1 minute'"
    )
    held = cli("backfill", "--json").json
    assert (held["completed"], held["left"], held["under_way"]) == (0, 0, 1)

    world.db.execute("update calendar_webhooks set lease_expires_at = now()")
    freed = cli("backfill", "--json").json
    assert (freed["completed"], freed["left"], freed["under_way"]) == (1, 0, 0)
