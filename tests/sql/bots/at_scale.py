"""Bots beside two hundred thousand calendars, and the calls about them, for the tests of plans."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb

from tests.sql.database import Database

# The index that each hot function stands on, and how many rows it may fetch of all tables.
HOT = {
    "declare_bots": ("meetings_by_end", 300),
    "claim_bot_wishes": ("bot_wishes_due", 1500),
    "record_bot_wishes": ("bot_requests_slot", 30),
    "show_bot_states": ("bot_requests_unshown", 4000),
    "claim_bot_requests": ("bot_requests_due", 1000),
    "record_bot_delivery": ("bot_requests_pkey", 10),
    "record_bot_message": ("bot_requests_bot", 10),
    "drop_old_bots": ("bot_requests_over", 30_000),
}


def calls(db: Database) -> dict[str, dict[str, Any]]:
    """Every call that a decision, a delivery, a message or a listing makes."""
    (wish,) = db.rows("select meeting_id, revision, user_id from public.bot_wishes order by meeting_id limit 1")
    request = str(wish["user_id"])
    db.admin.execute("update bot_requests set fence = 1, lease_expires_at = '2040-01-01' where id = %s", [request])
    decision = {
        **{name: str(wish[name]) for name in ("meeting_id", "revision")},
        "wanted": True,
        "reason": "r",
        "provider": "recall",
        "scope": f"user:{request}",
        "room_key": "h",
        **dict.fromkeys(("meeting_start", "meeting_end", "join_at"), "2030-01-01T00:00:00Z"),
        "meeting_url": "https://h",
        "bot_name": "b",
    }
    listed = {"id": f"bot of {request}", "key": f"{request}.1", "status": "bot_joined", "is_alive": True}
    return {
        "declare_bots": {"p_provider": "recall", "p_limit": 50},
        "claim_bot_wishes": {"p_limit": 200, "p_lease_seconds": 20},
        "record_bot_wishes": {"p_decisions": Jsonb([decision])},
        "show_bot_states": {"p_limit": 50},
        "claim_bot_requests": {
            "p_provider": "recall",
            "p_limit": 16,
            "p_lease_seconds": 90,
            "p_creates_per_minute": 60.0,
            "p_changes_per_minute": 300.0,
        },
        "record_bot_delivery": {"p_request_id": request, "p_fence": 1, "p_result": {"outcome": "told", "revision": 1}},
        "record_bot_message": {
            "p_provider": "recall",
            "p_message_id": "m",
            "p_bot_id": f"bot of {request}",
            "p_key": None,
            "p_status": "bot_joined",
            "p_provider_state": "s",
            "p_at": None,
        },
        "compare_bots": {"p_provider": "recall", "p_bots": Jsonb([listed])},
        "drop_old_bots": {"p_keep_days": 30, "p_limit": 50},
        "explain_bot": {"p_meeting_id": wish["meeting_id"]},
    }
