"""What the tests share in which a user is deleted while something is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.sql.database import Connection, Database, Row, connect

DELETION = "delete from auth.users where id = %s"
Work = Callable[[Connection, Row], Any]


def delete(db: Database, user_id: str) -> None:
    with connect(db.admin_url) as admin:
        admin.execute(DELETION, (user_id,))


@contextmanager
def being_deleted(db: Database, user_id: str) -> Iterator[None]:
    """All that is theirs is gone, and nobody else can see it yet."""
    with connect(db.admin_url) as admin, admin.transaction(force_rollback=True):
        admin.execute(DELETION, (user_id,))
        yield


@contextmanager
def begun_to_be_deleted(db: Database, user_id: str) -> Iterator[None]:
    """The deletion holds them, and nothing of theirs yet."""
    with connect(db.admin_url) as admin, admin.transaction(force_rollback=True):
        admin.execute("select 1 from auth.users where id = %s for update", (user_id,))
        yield
