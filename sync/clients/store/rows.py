"""Rows of the SQL functions ↔ the model's types. Pure shapes; called by `store` alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from sync.model import Claim, PollingFacts, RollClaim, SealedTokens, SyncPart, WatchClaim

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
State = TypeVar("State", bound=StrEnum)


def instant(value: str | None) -> dt.datetime | None:
    """Postgres' timestamptz in JSON → aware UTC."""
    return dt.datetime.fromisoformat(value).astimezone(dt.UTC) if value else None


def maybe(state: type[State], value: str | None) -> State | None:
    """A column of a closed set, or null. Raises ValueError for a word that SQL knows and we do not."""
    return None if value is None else state(value)


def tokens(row: Mapping[str, Any]) -> SealedTokens:
    return SealedTokens(
        row["access_token"],
        instant(row["access_token_expires_at"]),
        row["refresh_token"],
        instant(row.get("connected_at")),
        instant(row.get("refresh_token_expires_at")),
    )


def claim(row: Mapping[str, Any]) -> Claim:
    plain = (
        "calendar_id", "user_id", "google_calendar_id", "fence", "due_reason", "sync_token", "settings_generation",
        "time_zone", "notifications_seen", "notifications_synced", "consecutive_failures", "webhook_failures",
        "has_live_channel",
    )  # fmt: skip
    return Claim(
        **{name: row[name] for name in plain},
        last_webhook_received=instant(row["last_webhook_received"]),
        last_synced_at=instant(row["last_synced_at"]),
        tokens=tokens(row),
        horizon_until=instant(row["horizon_until"]),
        lane=row["lane"],
        is_watched=row["is_watched"],
        polling=polling_facts(row["polling"]),
    )


def polling_facts(stored: Mapping[str, Any]) -> PollingFacts:
    times = ("notified_since", "channel_opened_at", "channel_expires_at", "next_start_at")
    return PollingFacts(**{**stored, **{name: instant(stored[name]) for name in times}})


def roll_claim(row: Mapping[str, Any]) -> RollClaim:
    return RollClaim(row["calendar_id"], row["fence"], row["time_zone"])


def watch_claim(row: Mapping[str, Any]) -> WatchClaim:
    return WatchClaim(row["calendar_id"], row["user_id"], row["google_calendar_id"], row["watch_failures"], tokens(row))


def part_json(part: SyncPart) -> dict[str, Any]:
    """The part of `commit_sync`'s, `stage_sync`'s and `commit_roll`'s argument that holds rows."""
    families = part.families
    return {
        "families": [
            {"base_event_id": family.base_id, "known_from": family.known_from and family.known_from.isoformat()}
            for family in families
            if family.closes
        ],
        "present": [event_id for family in families for event_id in family.present],
        "ended": [event_id for family in families for event_id in family.ended],
        "events": [record(event) for family in families for event in family.events],
        "forgotten": [event_id for family in families for event_id in family.forgotten],
        "meetings": [record(meeting) for family in families for meeting in family.meetings],
        "entering": {event_id: at.isoformat() for family in families for event_id, at in family.entering.items()},
        "alone": [event.google_event_id for family in families if family.alone for event in family.events],
        "cut": [series_id for family in families if family.closes for series_id in family.cut],
        "withheld": {event_id: reason for family in families for event_id, reason in family.withheld.items()},
        "absent_from": part.absent_from.isoformat(),
    }


def record(item: Any) -> dict[str, Any]:
    """A flat dataclass with slots as SQL reads it from JSON."""
    return {name: _plain(getattr(item, name)) for name in item.__slots__}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
