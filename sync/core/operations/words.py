"""What operators are told: states, causes and lanes in their words, and how grave a state is. Pure. Called by the
dashboard and the cli.

A word of SQL that is not named here is shown as it is, without its underscores: a new one is never hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GRAVE = {
    "good": {"healthy", "quiet", "completed", "delivered", "enabled", "resolved", "done", "connected", "live"},
    "warn": {
        "polled_only", "push_doubtful", "suspect", "unsupported", "retrying", "paused", "warning", "connecting",
        "pending", "half-open", "silent", "nothing_to_do", "skipped", "miss", "tentative",
    },
    "bad": {
        "failing", "overdue", "poisoned", "disconnected", "needs_reauth", "failed", "dead", "disabled", "open",
        "critical", "sick", "error", "not_found", "watch_error", "down",
    },
}  # fmt: skip

_WORDS = {
    "needs_reauth": "grant revoked",
    "user_gone": "user deleted",
    "poisoned": "ends its process",
    "claims_unended": "ends its process",
    "notification_waits": "notification waits",
    "not_looked_at": "not looked at",
    "no_process_seen": "no process running",
    "never_finished": "never finished",
    "rate_limited": "quota",
    "quota_exceeded": "quota",
    "user_rate_limited": "quota",
    "polled_only": "polled only",
    "push_doubtful": "push doubtful",
    "notified": "notified",
    "first": "first sync",
    "poll": "polls",
    "suspect": "suspects",
    "audit": "drift audit",
    "bots": "bots",
    "events": "events",
    "none": "no channel",
    "under_1_hour": "under 1 hour",
    "under_6_hours": "under 6 hours",
    "under_24_hours": "under 24 hours",
    "under_3_days": "under 3 days",
    "longer": "longer",
}
# In the order in which a channel's time runs out.
LAPSES = ("none", "under_1_hour", "under_6_hours", "under_24_hours", "under_3_days", "longer")


def words(code: object) -> str:
    """An operator's words for a code of the database; empty of nothing."""
    if not isinstance(code, str):
        return "" if code is None else str(code)
    return _WORDS.get(code, code.replace("_", " "))


def gravity(state: object) -> str:
    """good | warn | bad, as the badge's class; empty of what is neither."""
    return next((grave for grave, states in _GRAVE.items() if state in states), "")


def verdict(overview: Mapping[str, Any]) -> dict[str, object]:
    """One sentence, one number and how grave it is: {sentence, late, total, gravity}."""
    bounds = overview["bounds"]
    late, active = int(bounds["late"]), int(overview["calendars"]["active"])
    sentence = f"{active:,} {_plural(active, 'calendar')}, {int(bounds['within']):,} within their bound"
    if late:
        causes = sorted(bounds["late_by_cause"].items(), key=lambda cause: (-cause[1], cause[0]))
        named = ", ".join(f"{words(cause)} ({count:,})" for cause, count in causes[:4])
        more = sum(count for _, count in causes[4:])
        sentence += f"; {late:,} late: {named}" + (f", other ({more:,})" if more else "")
    return {"sentence": sentence + ".", "late": late, "total": active, "gravity": "bad" if late else "good"}


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"
