"""scripts/rotate_keys: every token under the newest key, interruptible, beside a running service."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

from sync.clients.vault import Vault
from sync.core.polling.purse import Lane
from sync.jobs.accounts.rotate_keys import Rotation, rotate_keys
from sync.jobs.services import build_services
from sync.settings import load
from tests.sealing import plaintexts_accepted
from tests.world import World

ROOT = Path(__file__).resolve().parents[3]


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_after_a_rotation_the_old_key_can_go(world: World) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        world.connect(person)
    world.db.execute(
        "update google_credentials set refresh_token = %s, access_token = null where user_id = %s",
        (people[2].refresh_token, people[2].user_id),
    )
    key = new_key()
    both = {**world.environment, "TOKEN_ENCRYPTION_KEYS": f"{key},{world.environment['TOKEN_ENCRYPTION_KEYS']}"}
    command = [sys.executable, "scripts/rotate_keys"]

    with plaintexts_accepted(world):
        first = subprocess.run(command, cwd=ROOT, env=both, capture_output=True, text=True, check=False)
    again = subprocess.run(command, cwd=ROOT, env=both, capture_output=True, text=True, check=False)

    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "sealed anew: 3, already current: 0, unreadable: 0"
    assert again.stdout.splitlines()[-1] == "sealed anew: 0, already current: 3, unreadable: 0"
    only_new = build_services(load({**world.environment, "TOKEN_ENCRYPTION_KEYS": key}))
    for user_id, tokens in only_new.store.connections.read_tokens("00000000-0000-0000-0000-000000000000", 10):
        assert only_new.tokens.of(user_id, tokens, Lane.POLL).token()


def test_tokens_that_no_key_opens_are_counted_and_left(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    before = world.rows("select refresh_token from google_credentials")
    stranger = Vault([os.urandom(32)])

    assert rotate_keys(world.services.store, stranger, lambda _: None) == Rotation(unreadable=1)

    assert world.rows("select refresh_token from google_credentials") == before
