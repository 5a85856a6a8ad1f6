"""Which meetings want a bot. SQL: bots, wishes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sync.bot_model import BotProviderName, JoinRule
from sync.clients.store import rows
from sync.clients.store.rpc import Rpc
from sync.wish_model import MeetingFacts, Preferences, WishClaim


class WishCalls:
    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    def declare(self, provider: BotProviderName | None, policy: str, *, limit: int) -> int:
        """Says whose bots are made from now on, and by which settings wishes are decided; how many meetings ahead were
        found that are to be decided of, or anew."""
        return int(self._rpc.call("declare_bots", p_provider=provider, p_limit=limit, p_policy=policy))

    def claim(self, *, limit: int, lease_seconds: int) -> list[WishClaim]:
        found = self._rpc.rows("claim_bot_wishes", p_limit=limit, p_lease_seconds=lease_seconds)
        return [_wish_claim(row) for row in found]

    def record(self, decisions: Sequence[Mapping[str, Any]]) -> int:
        """How many were kept; the others' meetings have changed since they were claimed, and are due again."""
        return int(self._rpc.call("record_bot_wishes", p_decisions=list(decisions)))

    def show(self, *, limit: int) -> int:
        """Shows on meetings what came of their wishes; how many were looked at."""
        return int(self._rpc.call("show_bot_states", p_limit=limit))


def _wish_claim(row: Mapping[str, Any]) -> WishClaim:
    start, end = rows.instant(row["start_time"]), rows.instant(row["end_time"])
    # An original row may lack its end, or both: then it is over.
    start = start or end or rows.EPOCH
    meeting = MeetingFacts(
        id=row["meeting_id"],
        user_id=row["user_id"],
        calendar_id=row["calendar_id"],
        tenant=row["tenant"],
        meeting_url=row["meeting_url"],
        room_key=row["room_key"],
        start=start,
        end=end or start,
        status=row["status"],
        status_reason=row["status_reason"],
        answer=row["event_status"],
        is_all_day=bool(row["is_all_day"]),
        is_private=bool(row["is_private"]),
        is_organiser=row["is_organiser"],
        other_attendees=row["other_attendees"],
        has_outsiders=row["has_outsiders"],
        override=row["bot_override"],
        access_lost_at=rows.instant(row["access_lost_at"]),
        bot_start=rows.instant(row["bot_start"]),
    )
    return WishClaim(meeting, _preferences(row["preferences"]), row["revision"])


def _preferences(stored: Mapping[str, Any] | None) -> Preferences:
    if stored is None:
        return Preferences()
    return Preferences(
        join_rule=JoinRule(stored["join_rule"]) if stored["join_rule"] else None,
        calendar_rules={calendar_id: JoinRule(rule) for calendar_id, rule in stored["calendar_rules"].items()},
        skip_all_day=stored["skip_all_day"],
        skip_private=stored["skip_private"],
        skip_alone=stored["skip_alone"],
        attendance=stored["attendance"],
        bot_name=stored["bot_name"],
        chat_message=stored["chat_message"],
        keep_when_access_lost=stored["when_access_lost"] == "keep",
    )
