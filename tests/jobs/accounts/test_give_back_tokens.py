"""give-back-tokens: the way back to code that reads tokens in the clear."""

from __future__ import annotations

import os

from sync.clients.vault import Vault
from sync.jobs.accounts.give_back_tokens import GivenBack, give_back_tokens
from tests.command_line import Cli
from tests.world import World


def test_tokens_stand_in_the_clear_again_once_that_is_said(world: World, cli: Cli) -> None:
    alice = world.person()
    world.connect(alice)
    assert cli("give-back-tokens").exit_code == 2
    (sealed,) = world.rows("select refresh_token from google_credentials")
    assert sealed["refresh_token"].startswith("v2.")

    done = cli("give-back-tokens", "--in-the-clear", "--json")
    again = cli("give-back-tokens", "--in-the-clear", "--json")

    assert (done.exit_code, done.json) == (0, {"in_the_clear": 1, "unreadable": 0}), done.stderr
    assert again.json == done.json
    (row,) = world.rows("select refresh_token from google_credentials")
    assert row["refresh_token"] == alice.refresh_token


def test_tokens_that_no_key_opens_stay_and_are_counted(world: World) -> None:
    world.connect(world.person())
    before = world.rows("select refresh_token from google_credentials")
    stranger = Vault([os.urandom(32)], lambda: True)
    assert give_back_tokens(world.services.store, stranger, lambda _: None) == GivenBack(unreadable=1)
    assert world.rows("select refresh_token from google_credentials") == before
