"""scripts/give_back_tokens: the way back to code that reads tokens in the clear."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sync.clients.vault import Vault
from sync.jobs.accounts.give_back_tokens import GivenBack, give_back_tokens
from tests.world import World

ROOT = Path(__file__).resolve().parents[3]


def test_tokens_stand_in_the_clear_again_once_that_is_said(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    command = [sys.executable, "scripts/give_back_tokens"]
    refused = subprocess.run(command, cwd=ROOT, env=world.environment, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    (sealed,) = world.rows("select refresh_token from google_credentials")
    assert sealed["refresh_token"].startswith("v2.")

    done = subprocess.run([*command, "--in-the-clear"], cwd=ROOT, env=world.environment, capture_output=True, text=True,
                          check=False)  # fmt: skip

    assert (done.returncode, done.stdout) == (0, "in the clear: 1, unreadable: 0\n"), done.stderr
    (row,) = world.rows("select refresh_token from google_credentials")
    assert row["refresh_token"] == alice.refresh_token


def test_tokens_that_no_key_opens_stay_and_are_counted(world: World) -> None:
    world.connect(world.person())
    before = world.rows("select refresh_token from google_credentials")
    stranger = Vault([os.urandom(32)], lambda: True)
    assert give_back_tokens(world.services.store, stranger, lambda _: None) == GivenBack(unreadable=1)
    assert world.rows("select refresh_token from google_credentials") == before
