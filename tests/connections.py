"""Connections that one test leaves to the next: a login costs more than most of what a test asks.

For a database that stays. One that a test drops, or copies, must have nobody left in it: there `connect` is right.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


def connect(url: str, role: str | None = None) -> Connection:
    """An autocommitting connection that gives rows as dicts, as `role` if one is named."""
    connection = psycopg.connect(url, autocommit=True, row_factory=dict_row)
    if role:
        _become(connection, role)
    return connection


class Kept:
    """Like new connections, but logged in already. The main thread's alone."""

    def __init__(self) -> None:
        self._idle: list[tuple[str, Connection]] = []

    def borrow(self, url: str, role: str | None = None) -> Connection:
        """One that nobody else has, as `connect` gives it."""
        while found := next((each for each in self._idle if each[0] == url), None):
            self._idle.remove(found)
            try:
                _become(found[1], role)
            except psycopg.OperationalError:  # a test has ended it
                found[1].close()
            else:
                return found[1]
        connection = connect(url, role)
        # Psycopg would go on naming what it had prepared before `discard all`.
        connection.prepare_threshold = None
        return connection

    def give_back(self, url: str, connection: Connection) -> None:
        """It forgets all that a session can remember. What is in the midst of something is closed."""
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            connection.close()
            return
        connection.execute("discard all")
        self._idle.append((url, connection))

    def close(self) -> None:
        """Before their server ends."""
        while self._idle:
            self._idle.pop()[1].close()


def _become(connection: Connection, role: str | None) -> None:
    name = sql.Identifier(role) if role else sql.SQL("none")
    connection.execute(sql.SQL("set role {}").format(name))


KEPT = Kept()
