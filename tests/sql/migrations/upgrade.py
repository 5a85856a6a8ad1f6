"""An original database taken through the migrations as by an operator: pushed, mended if asked to, pushed again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from scripts.stack import migrate
from tests.sql.conftest import Scratch
from tests.sql.database import Connection, Database, Row, connect, meeting, part
from tests.sql.migrations.originals import ALICE, BOB, CHARLIE, ROWS, SCHEMA, TABLES, Original
from tests.sql.migrations.shape import SHAPE

# The preflight's error that lists mends.
ASKS = "PF002"


def original_columns(connection: Connection) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {table: [] for table in TABLES}
    query = "select table_name, column_name from information_schema.columns where table_name = any(%s) order by 1, 2"
    for row in connection.execute(query, [list(TABLES)]):
        found[row["table_name"]].append(row["column_name"])
    return found


def contents(connection: Connection, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Every row of every original table in the given columns, as text."""
    return {
        table: [
            row["row"]
            for row in connection.execute(
                f"select row_to_json(r)::text as row from (select {', '.join(names)} from public.{table}) r"
                " order by 1".encode()
            )
        ]
        for table, names in columns.items()
    }


def fill_original(admin_url: str, owner_url: str, original: Original) -> None:
    """The original system's tables and rows in an empty database, with the users they belong to."""
    with connect(admin_url) as admin, connect(owner_url) as owner:
        for user, person in ((ALICE, "alice"), (BOB, "bob"), (CHARLIE, "charlie")):
            admin.execute("insert into auth.users (id, email) values (%s, %s)", (user, f"{person}@example.com"))
        for script in (SCHEMA, original.schema, ROWS, original.rows):
            owner.execute(script.encode())


class Upgrade:
    """An original database after the migrations, and what it held before; `asked`: the mends that came first."""

    def __init__(self, original: Original, scratch: Scratch) -> None:
        admin_url, self.owner_url = scratch.create()
        fill_original(admin_url, self.owner_url, original)
        with connect(self.owner_url) as owner:
            self.columns = original_columns(owner)
            self.before = contents(owner, self.columns)
        self.asked = self._migrate()
        self.db = Database(admin_url, self.owner_url)

    def calendar(self, user_id: str = ALICE) -> Row:
        row = self.db.row(
            "select id from public.calendar_webhooks where user_id = %s and duplicate_of is null", user_id
        )
        return self.db.calendar_row(row["id"])

    def connect(self, user_id: str) -> dict[str, Any]:
        answer = self.db.call(
            "connect_calendars",
            p_user_id=user_id,
            p_google_calendar_ids=["primary", "team"],
            p_refresh_token="v1.new",
            p_access_token=None,
            p_access_token_expires_at=None,
            p_scopes=["calendar"],
            p_watch_seconds=0,
        )
        return {row["google_calendar_id"]: row["calendar_id"] for row in answer}

    @contextmanager
    def undone(self) -> Iterator[Database]:
        """The database in one transaction of the service, which is rolled back."""
        admin = self.db.admin
        self.db.admin = self.db.service
        try:
            with self.db.service.transaction(force_rollback=True):
                yield self.db
        finally:
            self.db.admin = admin

    def _migrate(self) -> str:
        before = self._everything()
        try:
            migrate.apply(self.owner_url)
        except migrate.MigrationError as refused:
            cause = refused.__cause__
            if not isinstance(cause, psycopg.Error) or cause.sqlstate != ASKS:
                raise
            asked = cause.diag.message_primary or ""
        else:
            return ""
        assert self._everything() == before
        with connect(self.owner_url) as owner:
            owner.execute(asked.encode())
        migrate.apply(self.owner_url)
        return asked

    def _everything(self) -> tuple[list[Row], dict[str, list[str]]]:
        with connect(self.owner_url) as owner:
            return owner.execute(SHAPE).fetchall(), contents(owner, self.columns)

    def exercise(self) -> None:
        """Two users connect two calendars each, of which everything is done once."""
        db = self.db
        for user in (ALICE, CHARLIE):
            calendars = self.connect(user)
            assert set(calendars) == {"primary", "team"}
            for calendar_id in calendars.values():
                calendar = db.calendar_row(calendar_id)
                # The same event stands in both calendars.
                answer = db.sync(calendar, part([meeting("event"), meeting("new")]))
                assert answer["committed"] is True
                db.call(
                    "begin_channel", p_channel_id=f"{calendar_id}", p_calendar_id=calendar_id, p_address="https://h"
                )
                resource = f"resource of {calendar_id}"
                arguments = {"p_resource_id": resource, "p_expires_at": "2041-01-01"}
                db.call("activate_channel", p_channel_id=f"{calendar_id}", **arguments)
                assert db.notify({"id": f"{calendar_id}"}, resource=resource)["outcome"] == "due"
                assert db.sync(calendar, part(), is_full=True, sync_type="webhook")["committed"] is True
                assert db.skip(db.claim_one(calendar)) is True
                assert db.fail(db.claim_one(calendar)) is True
        assert db.value("lose_connection", p_user_id=ALICE, p_reason="r", p_used_refresh_token="v1.new") is True
