"""What the tests of the feed, the subscriptions and the deliveries share."""

from __future__ import annotations

import uuid
from typing import Any

from tests.sql.database import Connection, Database, Row, call


def told(db: Database, *, after: int = 0) -> list[Row]:
    """The feed's events after a position, as its readers get them."""
    answer = db.value("read_events", p_after=after, p_limit=1000)
    events: list[Row] = answer["events"]
    return events


def types(db: Database, *, after: int = 0) -> list[str]:
    return [event["type"] for event in told(db, after=after)]


def last(db: Database) -> int:
    return int(db.value("read_events", p_after=0, p_limit=0)["last"])


def subscribe(db: Database, after: int | None = None, *, types: list[str] | None = None, most: int = 100) -> str:
    subscription_id = str(uuid.uuid4())
    arguments = {"p_subscription_id": subscription_id, "p_url": "https://a.example", "p_types": types}
    outcome = db.value(
        "add_event_subscription", **arguments, p_content="ids", p_secret="v2.s", p_after=after, p_most=most
    )
    assert outcome == {"outcome": "made"}
    return subscription_id


def claim(db: Database, *, by: Connection | None = None, **more: Any) -> list[Row]:
    arguments = {
        "p_limit": 50,
        "p_doubtful_limit": 50,
        "p_per_subscription": 50,
        "p_lease_seconds": 60,
        "p_slow_ms": 3000,
        "p_most_tries": 10,
        **more,
    }
    claimed: list[Row] = call(by or db.service, "claim_event_deliveries", **arguments)[0]["claim_event_deliveries"]
    return claimed


def end(db: Database, claimed: Row, state: str = "delivered", **more: Any) -> bool:
    recorded = db.value(
        "record_event_delivery",
        p_subscription_id=claimed["subscription_id"],
        p_event_id=claimed["event_id"],
        p_attempt=claimed["attempt"],
        p_end={"state": state, "status": 200 if state == "delivered" else 500, "duration_ms": 5, **more},
    )
    return bool(recorded)
