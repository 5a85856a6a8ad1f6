"""A migrated database as the tests of its functions see it: factories as the superuser, calls as the service.

Alice is the user a test is about, Bob another one. A factory takes only what the test is about.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from tests.connections import Connection as Connection
from tests.connections import Kept
from tests.connections import Row as Row
from tests.connections import connect as connect

NOON = dt.datetime(2030, 1, 15, 12, tzinfo=dt.UTC)
_numbers = itertools.count(1)


def call(connection: Connection, function: str, **arguments: Any) -> list[Row]:
    """Calls a set-returning or scalar function by argument names; a scalar comes as [{function: value}]."""
    named = sql.SQL(", ").join(
        sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in arguments
    )
    statement = sql.SQL("select * from {}({})").format(sql.Identifier("public", function), named)
    adapted = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in arguments.items()}
    return connection.execute(statement, adapted).fetchall()


def meeting(event_id: str = "event", **columns: Any) -> Row:
    """One derived occurrence, as the service passes it to a commit."""
    return {
        "google_calendar_event_id": event_id,
        "base_event_id": event_id.split("_")[0],
        "title": "Standup",
        "description": None,
        "meeting_url": "https://zoom.us/j/1",
        "start_time": NOON.isoformat(),
        "end_time": (NOON + dt.timedelta(hours=1)).isoformat(),
        "event_status": "accepted",
        "status": "confirmed",
        "is_all_day": False,
        "time_zone": "UTC",
        "provider": "zoom",
        "room_key": "zoom:1",
        "placement": "inside",
        "is_private": False,
        "is_organiser": True,
        "other_attendees": 0,
        "has_outsiders": None,
        **columns,
    }


def event(event_id: str = "event", **columns: Any) -> Row:
    """One mirror row, as the service passes it to a commit."""
    return {
        "google_event_id": event_id,
        "base_event_id": event_id.split("_")[0],
        "recurring_event_id": None,
        "kind": "single",
        "status": "confirmed",
        "starts_at": NOON.isoformat(),
        "ends_at": (NOON + dt.timedelta(hours=1)).isoformat(),
        "original_start_at": None,
        "google_updated_at": NOON.isoformat(),
        "details": {"id": event_id},
        **columns,
    }


def part(
    meetings: Sequence[Row] = (),
    events: Sequence[Row] | None = None,
    families: Sequence[str] | None = None,
    known_from: str | None = None,
    **more: Any,
) -> Row:
    """The rows of a commit: by default each meeting is an event of its own, and all their families were derived."""
    if events is None:
        events = [event(each["google_calendar_event_id"]) for each in meetings]
    if families is None:
        families = sorted({each["base_event_id"] for each in [*meetings, *events]})
    return {
        "families": [{"base_event_id": base_id, "known_from": known_from} for base_id in families],
        "present": [],
        "ended": [],
        "events": list(events),
        "forgotten": [],
        "meetings": list(meetings),
        "entering": {},
        "cut": [],
        "withheld": {},
        "absent_from": "2030-01-01T00:00:00+00:00",
        **more,
    }


def facts(**more: Any) -> Row:
    """The scalars of a commit: an incremental sync that no notification asked for."""
    return {
        "sync_id": str(uuid.uuid4()),
        "sync_type": "incremental",
        "reason": "poll_interval",
        "is_full": False,
        "sync_token": "token",
        "generation": None,
        "time_zone": "UTC",
        "notifications_read": 0,
        "horizon_until": "2030-03-01T00:00:00+00:00",
        "next_poll_seconds": 3600,
        "next_reason": "poll_interval",
        "coalesce_seconds": 0.0,
        "missed_push": False,
        "reopen_watch": False,
        "events_processed": 0,
        "google_calls": 1,
        "duration_ms": 5,
        **more,
    }


class Database:
    """`admin`: the superuser's connection. `service`: one as service_role, the way the API calls."""

    def __init__(self, admin_url: str, postgres_url: str, kept: Kept | None = None) -> None:
        """With `kept`, its connections come from there, and go there again."""
        self.admin_url = admin_url
        self.postgres_url = postgres_url
        self._kept = kept
        self._all: list[tuple[str, Connection]] = []
        self.admin = self._connection(admin_url, None)
        self.service = self.another()

    def service_connection(self) -> Connection:
        """One that a thread opens and closes itself."""
        return connect(self.postgres_url, "service_role")

    def another(self, role: str | None = "service_role") -> Connection:
        """One more connection of the service, or of the owner, closed with the test."""
        return self._connection(self.postgres_url, role)

    def close(self) -> None:
        for url, connection in reversed(self._all):
            if self._kept:
                self._kept.give_back(url, connection)
            else:
                connection.close()

    def _connection(self, url: str, role: str | None) -> Connection:
        connection = self._kept.borrow(url, role) if self._kept else connect(url, role)
        self._all.append((url, connection))
        return connection

    # Rows

    def rows(self, query: str, *parameters: Any) -> list[Row]:
        return self.admin.execute(query.encode(), parameters or None).fetchall()

    def row(self, query: str, *parameters: Any) -> Row:
        (only,) = self.rows(query, *parameters)
        return only

    def insert(self, table: str, **columns: Any) -> Row:
        statement = sql.SQL("insert into public.{} ({}) values ({}) returning *").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(map(sql.Placeholder, columns)),
        )
        (only,) = self.admin.execute(statement, columns).fetchall()
        return only

    def user(self, name: str = "alice") -> str:
        user_id = str(uuid.uuid4())
        self.admin.execute(
            "insert into auth.users (id, email) values (%s, %s)", (user_id, f"{name}{next(_numbers)}@example.com")
        )
        return user_id

    def credentials(self, user_id: str, refresh_token: str = "v1.refresh", **columns: Any) -> Row:
        return self.insert("google_credentials", user_id=user_id, refresh_token=refresh_token, **columns)

    def calendar(self, user_id: str | None = None, *, after_seconds: float = -1, **columns: Any) -> Row:
        """A calendar that is due since `-after_seconds`, or will be."""
        created = self.insert(
            "calendar_webhooks",
            user_id=user_id or self.user(),
            **{"google_calendar_id": f"calendar{next(_numbers)}@group.calendar.google.com", **columns},
        )
        if "due_at" not in columns:
            self.admin.execute(
                "update public.calendar_webhooks set due_at = clock_timestamp() + make_interval(secs => %s)"
                " where id = %s",
                (after_seconds, created["id"]),
            )
        return self.calendar_row(created["id"])

    def calendar_row(self, calendar_id: Any) -> Row:
        """The calendar, with `due_in` (seconds) and `leased` by the database's clock."""
        return self.row(
            "select *, extract(epoch from due_at - clock_timestamp())::float as due_in,"
            " coalesce(lease_expires_at > clock_timestamp(), false) as leased"
            " from public.calendar_webhooks where id = %s",
            calendar_id,
        )

    def set(self, calendar: Row, **expressions: str) -> None:
        """Sets columns of a calendar to SQL expressions, such as `now() - interval '1 hour'`."""
        assignments = ", ".join(f"{name} = {expression}" for name, expression in expressions.items())
        self.admin.execute(
            f"update public.calendar_webhooks set {assignments} where id = %s".encode(), (calendar["id"],)
        )

    def channel(self, calendar: Row, state: str = "live", **columns: Any) -> Row:
        return self.insert(
            "calendar_channels",
            calendar_id=calendar["id"],
            user_id=calendar["user_id"],
            state=state,
            **{"id": f"channel-{next(_numbers)}", "resource_id": "resource", "expires_at": "2040-01-01", **columns},
        )

    def channel_row(self, channel_id: str) -> Row:
        return self.row("select * from public.calendar_channels where id = %s", channel_id)

    def meetings(self, calendar: Row) -> list[Row]:
        """With each row's physical version: equal ctid and xmin mean that it was not written."""
        return self.rows(
            "select *, ctid::text, xmin::text from public.meetings where calendar_id = %s"
            " order by google_calendar_event_id",
            calendar["id"],
        )

    def logs(self, calendar: Row) -> list[Row]:
        return self.rows(
            "select * from public.calendar_sync_logs where calendar_id = %s order by created_at, fence", calendar["id"]
        )

    # The service's calls

    def call(self, function: str, **arguments: Any) -> list[Row]:
        return call(self.service, function, **arguments)

    def value(self, function: str, **arguments: Any) -> Any:
        (row,) = self.call(function, **arguments)
        return row[function]

    def notify(
        self,
        channel: Row,
        number: int | None = 2,
        *,
        state: str = "exists",
        resource: str = "resource",
        by: Connection | None = None,
    ) -> Row:
        (answer,) = call(
            by or self.service,
            "record_notification",
            p_channel_id=channel["id"],
            p_resource_id=resource,
            p_resource_state=state,
            p_message_number=number,
        )
        return answer

    def claim(self, *calendars: Row, limit: int = 50, lease: int = 60, by: Connection | None = None) -> list[Row]:
        """Claims what is due, or these calendars whether they are due or not."""
        return call(
            by or self.service,
            "claim_due_calendars",
            p_worker="test",
            p_limit=limit,
            p_lease_seconds=lease,
            p_calendar_ids=[calendar["id"] for calendar in calendars] if calendars else None,
            p_even_if_not_due=bool(calendars),
        )

    def claim_one(self, calendar: Row, lease: int = 60) -> Row:
        (claimed,) = self.claim(calendar, lease=lease)
        return claimed

    def commit(self, claim: Row, rows: Row | None = None, **more: Any) -> Row:
        (answer,) = self.call(
            "commit_sync",
            p_calendar_id=claim["calendar_id"],
            p_fence=claim["fence"],
            p_sync={**facts(notifications_read=claim["notifications_seen"]), **(rows or part()), **more},
        )
        return answer

    def sync(self, calendar: Row, rows: Row | None = None, **more: Any) -> Row:
        """Claims and commits."""
        return self.commit(self.claim_one(calendar), rows, **more)

    def skip(self, claim: Row, **more: Any) -> bool:
        return self._end(claim, "skipped", **more)

    def fail(self, claim: Row, **more: Any) -> bool:
        return self._end(claim, "failed", **{"p_error_code": "google_unavailable", **more})

    def _end(self, claim: Row, status: str, **more: Any) -> bool:
        arguments = {"p_sync_type": "incremental", "p_reason": "retry", "p_next_seconds": 600.0, **more}
        return bool(
            self.value(
                "end_claim",
                p_calendar_id=claim["calendar_id"],
                p_fence=claim["fence"],
                p_status=status,
                **arguments,
            )
        )

    def await_waiting(self, count: int = 1, within_seconds: float = 60.0) -> None:
        """Until that many connections of this database wait for a lock."""
        deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=within_seconds)
        while True:
            waiting = self.row(
                "select count(*) as n from pg_stat_activity where datname = current_database()"
                " and wait_event_type = 'Lock'"
            )["n"]
            if waiting >= count:
                return
            assert dt.datetime.now(dt.UTC) < deadline, f"{waiting} of {count} connections wait for a lock"


def at_once(*jobs: Callable[[], Any]) -> list[Any]:
    """Runs the jobs in threads that start together; their answers in order. Raises the first failure."""
    barrier = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        barrier.wait(60)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


def in_background(job: Callable[[], Any]) -> Future[Any]:
    """Starts the job in a thread of its own."""
    pool = ThreadPoolExecutor(1)
    started = pool.submit(job)
    pool.shutdown(wait=False)
    return started
