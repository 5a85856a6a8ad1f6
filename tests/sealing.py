"""A database that still has tokens of the original system."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.world import World


@contextmanager
def plaintexts_accepted(world: World) -> Iterator[None]:
    world.db.execute("delete from plaintext_tokens_ended")
    try:
        yield
    finally:
        world.db.execute("insert into plaintext_tokens_ended (ended_by) values ('migration') on conflict do nothing")
