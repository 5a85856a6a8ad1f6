"""rotate-keys: every token under the newest key, interruptible, beside a running service."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

import pytest

from sync.clients.vault import Vault
from sync.core.polling.purse import Lane
from sync.jobs.accounts.rotate_keys import Rotation, rotate_keys
from sync.jobs.services import build_services
from sync.settings import load
from tests.command_line import Cli
from tests.sealing import plaintexts_accepted
from tests.world import World


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_after_a_rotation_the_old_key_can_go(world: World, cli: Cli) -> None:
    people = [world.person() for _ in range(3)]
    for person in people:
        world.connect(person)
    world.db.execute(
        "update google_credentials set refresh_token = %s, access_token = null where user_id = %s",
        (people[2].refresh_token, people[2].user_id),
    )
    key = new_key()
    both = world.services_with(TOKEN_ENCRYPTION_KEYS=f"{key},{world.environment['TOKEN_ENCRYPTION_KEYS']}")

    with plaintexts_accepted(world):
        first = cli("rotate-keys", "--json", services=both)
    again = cli("rotate-keys", services=both)

    assert (first.exit_code, first.json) == (0, {"sealed": 3, "current": 0, "unreadable": 0}), first.stderr
    assert [line.split()[-1] for line in again.stdout.splitlines()] == ["0", "3", "0"]
    assert {deed["action"] for deed in world.rows("select action from operator_actions")} == {"rotate_keys"}
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


def test_an_interrupted_rotation_goes_on_where_it_stood(world: World) -> None:
    for _ in range(3):
        world.connect(world.person())
    vault = Vault([os.urandom(32), *world.settings.token_encryption_keys])

    def interrupt(_done: Rotation) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_keys(world.services.store, vault, interrupt, at_once=1)
    assert rotate_keys(world.services.store, vault, lambda _: None) == Rotation(sealed=2, current=1)


class Interrupting(Vault):
    """Before the first seal, as between a batch's reading and a row's writing, something else happens."""

    meanwhile: Callable[[], object] | None = None

    def seal(self, user_id: str, kind: str, token: str) -> str:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        return super().seal(user_id, kind, token)


def test_a_token_that_is_refreshed_meanwhile_leaves_none_under_the_old_key(world: World) -> None:
    """The service stores a new access token beside the refresh token as it stands."""
    alice = world.person()
    world.connect(alice)
    key = os.urandom(32)
    vault = Interrupting([key, *world.settings.token_encryption_keys])
    fresh = vault.seal(alice.user_id, "access", "ya29.fresh")
    vault.meanwhile = lambda: world.db.execute("update google_credentials set access_token = %s", (fresh,))

    assert rotate_keys(world.services.store, vault, lambda _: None) == Rotation(sealed=1)

    ((_, tokens),) = world.services.store.connections.read_tokens("00000000-0000-0000-0000-000000000000", 10)
    assert Vault([key]).open(alice.user_id, "refresh", tokens.refresh or "") == alice.refresh_token
    assert Vault([key]).open(alice.user_id, "access", tokens.access or "") == "ya29.fresh"


def test_the_command_ends_with_1_if_no_key_opens_a_token(world: World, cli: Cli) -> None:
    world.connect(world.person())
    stranger = world.services_with(TOKEN_ENCRYPTION_KEYS=new_key())
    assert cli("rotate-keys", "--json", services=stranger).exit_code == 1
