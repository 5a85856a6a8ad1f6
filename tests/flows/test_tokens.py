"""Tokens: ciphertext at rest, bound to their user, under rotating keys; refreshed as rarely as possible."""

from __future__ import annotations

import base64
import os
import subprocess
import sys

import httpx
import pytest

from sync.clients.vault import Vault
from sync.jobs.accounts.rotate_keys import Rotation, rotate_keys
from tests.sealing import plaintexts_accepted
from tests.world import Person, World


@pytest.fixture
def alice(world: World) -> Person:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.reset_counters()
    return alice


def row(world: World, person: Person) -> dict[str, str]:
    return world.rows("select * from google_credentials where user_id = %s", person.user_id)[0]


def access_is_used_up(world: World) -> None:
    world.db.execute("update google_credentials set access_token_expires_at = now()")


def test_no_token_can_be_read_anywhere_in_the_database(world: World, alice: Person) -> None:
    stored = row(world, alice)
    vault = Vault(world.settings.token_encryption_keys)
    access = vault.open(alice.user_id, "access", stored["access_token"])
    everything = dump(world)

    assert stored["refresh_token"] in everything
    assert alice.refresh_token not in everything
    assert access not in everything


def dump(world: World) -> str:
    tables = world.rows("select table_name from information_schema.tables where table_schema = 'public'")
    names = [table["table_name"] for table in tables]
    return "\n".join(str(line) for name in names for line in world.rows(f"select * from public.{name}"))


def test_the_granted_scopes_are_stored(world: World, alice: Person) -> None:
    assert [scope.rsplit("/", 1)[-1] for scope in row(world, alice)["scopes"]] == [
        "calendar.events.readonly",
        "calendar.calendarlist.readonly",
    ]


def test_one_access_token_serves_all_syncs_and_all_processes(world: World, alice: Person) -> None:
    for process in (world.services, world.services, world.services_with()):
        world.make_due(alice)
        assert world.sweep(process).outcomes[0].status == "completed"

    assert world.google_calls("token") == 0


def test_a_used_up_access_token_is_replaced_once_for_all_calendars(world: World, alice: Person) -> None:
    calendars = [f"team{number}@example.com" for number in range(4)]
    for calendar in calendars:
        world.google.add_calendar(alice.email, calendar)
    world.connect(alice, calendars)
    world.reset_counters()
    access_is_used_up(world)
    world.make_due(alice)

    assert len(world.sweep(world.services_with()).outcomes) == 5

    assert world.google_calls("token") == 1


def test_a_token_moved_to_another_users_row_does_not_open(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(bob)
    world.google.configure(push="drop")
    world.db.execute(
        "update google_credentials b set refresh_token = a.refresh_token, access_token = a.access_token "
        "from google_credentials a where a.user_id = %s and b.user_id = %s",
        (alice.user_id, bob.user_id),
    )
    world.reset_counters()
    world.make_due(bob)

    outcome = world.sweep(world.services_with()).outcomes[0]

    assert (outcome.status, outcome.error_code) == ("failed", "token_not_this_users")
    assert world.google.counters()["calls"] == {}
    assert row(world, bob)["status"] == "connected"


def test_a_new_key_opens_what_the_old_one_sealed_and_seals_it_anew(world: World, alice: Person) -> None:
    old = world.environment["TOKEN_ENCRYPTION_KEYS"]
    new = base64.urlsafe_b64encode(os.urandom(32)).decode()
    sealed = row(world, alice)["refresh_token"]
    access_is_used_up(world)
    world.make_due(alice)
    assert world.sweep(world.services_with(TOKEN_ENCRYPTION_KEYS=f"{new},{old}")).outcomes[0].status == "completed"

    assert row(world, alice)["refresh_token"] != sealed
    # Now the old key can go.
    access_is_used_up(world)
    world.make_due(alice)
    assert world.sweep(world.services_with(TOKEN_ENCRYPTION_KEYS=new)).outcomes[0].status == "completed"


def test_a_key_that_is_missing_is_a_failure_by_name_and_no_lost_connection(world: World, alice: Person) -> None:
    other = base64.urlsafe_b64encode(os.urandom(32)).decode()
    world.make_due(alice)

    outcome = world.sweep(world.services_with(TOKEN_ENCRYPTION_KEYS=other)).outcomes[0]

    assert outcome.error_code == "token_key_missing"
    assert row(world, alice)["status"] == "connected"
    world.make_due(alice)
    assert world.sweep(world.services_with()).outcomes[0].status == "completed"


def plant_plaintext(world: World, person: Person) -> None:
    world.db.execute(
        "update google_credentials set refresh_token = %s, access_token = 'ya29.plain', access_token_expires_at = null",
        (person.refresh_token,),
    )
    world.make_due(person)


def test_a_planted_plaintext_is_no_token(world: World, alice: Person) -> None:
    plant_plaintext(world, alice)

    outcome = world.sweep(world.services_with()).outcomes[0]

    assert (outcome.status, outcome.error_code) == ("failed", "token_not_sealed")
    assert world.google.counters()["calls"] == {}
    answer = httpx.get(
        f"{world.service.url}/functions/v1/calendars",
        params={"userId": alice.user_id},
        headers={"Authorization": f"Bearer {world.supabase.service_key}"},
        timeout=60,
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "needs_reauth")
    world.connect(alice)
    world.await_equal(alice)


def test_plaintexts_are_accepted_until_none_is_left(world: World, alice: Person) -> None:
    plant_plaintext(world, alice)
    with plaintexts_accepted(world):
        store = world.services.store
        assert not store.connections.end_plaintext()
        assert store.connections.accepts_plaintext()
        vault = Vault(world.settings.token_encryption_keys, store.connections.accepts_plaintext)
        assert rotate_keys(store, vault, lambda _: None) == Rotation(sealed=1)
        assert not store.connections.accepts_plaintext()


def test_a_plaintext_row_of_the_original_system_is_encrypted_at_its_first_use(world: World, alice: Person) -> None:
    plant_plaintext(world, alice)
    with plaintexts_accepted(world):
        assert world.sweep(world.services_with()).outcomes[0].status == "completed"

    stored = row(world, alice)
    assert stored["refresh_token"].startswith("v2.")
    assert stored["access_token"].startswith("v2.")
    assert alice.refresh_token not in dump(world)


def test_a_rotated_refresh_token_is_stored_before_its_access_token_is_used(world: World, alice: Person) -> None:
    world.google.configure(rotate_refresh_tokens=True)
    before = row(world, alice)["refresh_token"]
    access_is_used_up(world)
    hold = world.google.add_fault("hold", method="events.list")
    world.make_due(alice)
    with world.in_background(lambda: world.sweep(world.services_with())):
        assert world.google.wait_held(hold)
        assert row(world, alice)["refresh_token"] != before
        world.google.release(hold)

    # And it is the one that works from now on, in any process.
    for _ in range(2):
        access_is_used_up(world)
        world.make_due(alice)
        assert world.sweep(world.services_with()).outcomes[0].status == "completed"
    assert row(world, alice)["status"] == "connected"


def test_no_token_is_logged_at_any_level(world: World, alice: Person) -> None:
    access_is_used_up(world)
    world.google.add_fault("lost_access_401", method="events.list", times=1)
    world.make_due(alice)
    code = (
        "from sync.settings import load; from sync.logs import configure_logs; from sync.jobs.services import *;"
        "from sync.jobs.driving.poll_due import poll_due; configure_logs('debug');"
        "print(poll_due(build_services(load()), budget_seconds=20))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], **world.environment, "LOG_LEVEL": "debug"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    vault = Vault(world.settings.token_encryption_keys)
    secrets = [alice.refresh_token, vault.open(alice.user_id, "access", row(world, alice)["access_token"])]
    assert "completed" in done.stdout + done.stderr
    assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
