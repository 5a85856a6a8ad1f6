"""What the service does for bots, as its jobs call the database: wishes are claimed and decided, requests delivered."""

from __future__ import annotations

import datetime as dt
from typing import Any

from psycopg.types.json import Jsonb

from tests.sql.database import NOON, Connection, Database, Row, call, meeting, part

LEAD = dt.timedelta(minutes=2)
PLENTY = 60_000.0


def at(hours: float, event_id: str = "event", **columns: Any) -> Row:
    """A meeting of an hour that begins so many hours after noon."""
    start = NOON + dt.timedelta(hours=hours)
    times = {"start_time": start.isoformat(), "end_time": (start + dt.timedelta(hours=1)).isoformat()}
    return meeting(event_id, **{**times, **columns})


def decision(claim: Row, **more: Any) -> Row:
    """That a bot is wanted in a claimed meeting, shared by all that its user or tenant has in the room."""
    return {
        "meeting_id": str(claim["meeting_id"]),
        "revision": claim["revision"],
        "wanted": True,
        "reason": "join_rule",
        "look_again_at": None,
        "provider": "recall",
        "scope": f"tenant:{claim['tenant'] or claim['user_id']}",
        "room_key": claim["room_key"],
        "meeting_start": claim["start_time"].isoformat(),
        "meeting_end": claim["end_time"].isoformat(),
        "meeting_url": claim["meeting_url"],
        "join_at": (claim["start_time"] - LEAD).isoformat(),
        "bot_name": "Notetaker",
        "chat_message": None,
        **more,
    }


NOT_WANTED: Row = {"wanted": False, "reason": "declined"}


class Following:
    """Bots are made by Recall in this database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        db.value("declare_bots", p_provider="recall", p_limit=100)

    # Wishes

    def claim(self, lease: int = 60, by: Connection | None = None) -> list[Row]:
        return call(by or self.db.service, "claim_bot_wishes", p_limit=100, p_lease_seconds=lease)

    def record(self, *decisions: Row, by: Connection | None = None) -> int:
        (row,) = call(by or self.db.service, "record_bot_wishes", p_decisions=Jsonb(list(decisions)))
        return int(row["record_bot_wishes"])

    def decide(self, **more: Any) -> int:
        """Decides all that is due the same way; how many were due."""
        claims = self.claim()
        assert self.record(*(decision(claim, **more) for claim in claims)) == len(claims)
        return len(claims)

    def wishes(self) -> list[Row]:
        """By event, with whether each is due now or marked."""
        return self.db.rows(
            "select w.*, m.google_calendar_event_id as event, m.user_id,"
            " coalesce(w.due_at <= clock_timestamp(), false) as is_due"
            " from public.bot_wishes w join public.meetings m on m.id = w.meeting_id order by event, w.meeting_id"
        )

    def marked(self) -> set[str]:
        rows = self.db.rows(
            "select m.google_calendar_event_id as event from public.bot_marks b"
            " join public.meetings m on m.id = b.meeting_id"
        )
        return {row["event"] for row in rows}

    # Requests

    def requests(self, *, wanted: bool | None = True) -> list[Row]:
        return self.db.rows(
            "select *, coalesce(due_at <= clock_timestamp(), false) as is_due,"
            " extract(epoch from due_at - clock_timestamp())::float as due_in"
            " from public.bot_requests where wanted = coalesce(%s, wanted) order by meeting_start, created_at",
            wanted,
        )

    def request(self, request_id: Any) -> Row:
        (found,) = [each for each in self.requests(wanted=None) if each["id"] == request_id]
        return found

    def claim_requests(self, limit: int = 50, lease: int = 60, creates: float = PLENTY, by: Any = None) -> list[Row]:
        return call(
            by or self.db.service,
            "claim_bot_requests",
            p_provider="recall",
            p_limit=limit,
            p_lease_seconds=lease,
            p_creates_per_minute=creates,
            p_changes_per_minute=PLENTY,
        )

    def end(self, request: Row, outcome: str = "told", by: Connection | None = None, **more: Any) -> bool:
        """What came of a claimed request; by default the provider has the bot as it was wanted then."""
        told = {
            "revision": request["revision"],
            "join_at": request["join_at"].isoformat(),
            "url": request["meeting_url"],
            "bot_id": request["bot_id"] or f"bot of {request['id']}.{request['generation']}",
            "status": "bot_scheduled",
            "provider_state": "scheduled",
        }
        result = {"outcome": outcome, **(told if outcome == "told" else {"revision": request["revision"]}), **more}
        arguments = {"p_request_id": request["id"], "p_fence": request["fence"], "p_result": result}
        (row,) = call(by or self.db.service, "record_bot_delivery", **arguments)
        return bool(row["record_bot_delivery"])

    def deliver(self) -> list[Row]:
        """Everything that is due is told to the provider or removed there; the requests as they stand then."""
        for request in self.claim_requests():
            assert self.end(request, "told" if request["wanted"] else "removed")
        return self.requests()

    def tell(self, request: Row, status: str | None, *, message: str = "m", **more: Any) -> str:
        arguments = {
            "p_provider": "recall",
            "p_message_id": message,
            "p_bot_id": request["bot_id"],
            "p_key": f"{request['id']}.{request['generation']}",
            "p_status": status,
            "p_provider_state": f"their {status}",
            "p_at": NOON,
            **more,
        }
        (answer,) = self.db.call("record_bot_message", **arguments)
        return str(answer["outcome"])

    def show(self, by: Connection | None = None, limit: int = 100) -> int:
        (row,) = call(by or self.db.service, "show_bot_states", p_limit=limit)
        return int(row["show_bot_states"])

    def shown(self, event_id: str = "event") -> Row:
        return self.db.row(
            "select bot_status, bot_reason, bot_provider, bot_id from public.meetings"
            " where google_calendar_event_id = %s",
            event_id,
        )

    # Meetings

    def sync(self, calendar: Row, *meetings: Row) -> None:
        self.db.sync(calendar, part(list(meetings)))


def impatient(db: Database) -> Connection:
    """A connection of the service that may wait for no lock. Those that are held stay so until it has given up: longer
    than autovacuum holds one, which takes the empty end off a table meanwhile."""
    connection = db.another()
    connection.execute("set lock_timeout = '10s'")
    return connection
