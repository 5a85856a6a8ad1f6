"""The typed client of the emulator's control API, for tests, the demo and the stack.

Owns nothing but the wire: a method for every command of control_api.py. docs/emulator.md says what the switches and
faults are, and what comes back. Raises `ControlError` with the emulator's sentence when a command is refused.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Literal, cast

from .errors import ControlError, JsonObject

CALL_TIMEOUT_SECONDS = 150.0  # longer than the longest hold


class GoogleControl:
    """Drives one running emulator."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    def _call(self, command: str, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self.base_url}/_emulator/{command}",
            data=json.dumps(arguments).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=CALL_TIMEOUT_SECONDS) as answer:
                return json.load(answer)["result"]
        except urllib.error.HTTPError as error:
            raise ControlError(json.load(error).get("error", f"HTTP {error.code}")) from None

    # Accounts and grants

    def reset(self) -> None:
        """Forget everything: accounts, events, channels, faults, switches, counters and the clock's offset."""
        self._call("reset")

    def add_account(self, email: str, *, time_zone: str = "UTC", scopes: list[str] | None = None) -> str:
        """An account with its primary calendar, and a refresh token for it (default: the two read-only scopes)."""
        return str(self._call("add_account", email=email, time_zone=time_zone, scopes=scopes))

    def grant(self, email: str, *, scopes: list[str] | None = None) -> str:
        """Another refresh token."""
        return str(self._call("grant", email=email, scopes=scopes))

    def access_token(self, email: str, *, scopes: list[str] | None = None) -> str:
        """An access token of a grant of its own."""
        return str(self._call("access_token", email=email, scopes=scopes))

    def revoke(self, email: str, reason: str = "invalid_grant") -> None:
        """Kill every grant the account has given."""
        self._call("revoke", email=email, reason=reason)

    def restore(self, email: str) -> None:
        """Undo `revoke`."""
        self._call("restore", email=email)

    # Calendars

    def add_calendar(
        self,
        email: str,
        calendar_id: str,
        *,
        summary: str | None = None,
        time_zone: str = "UTC",
        watchable: bool = True,
        access_role: str = "owner",
    ) -> None:
        """A further calendar on the account's list; a role below owner means somebody else owns it."""
        self._call(
            "add_calendar",
            email=email,
            calendar_id=calendar_id,
            summary=summary,
            time_zone=time_zone,
            watchable=watchable,
            access_role=access_role,
        )

    def share_calendar(self, calendar_id: str, email: str, role: str) -> None:
        """Set an account's role (freeBusyReader, reader, writer, owner, none); expires its sync tokens."""
        self._call("share_calendar", calendar_id=calendar_id, email=email, role=role)

    def hide_calendar(self, email: str, calendar_id: str, *, hidden: bool = True) -> None:
        """Hide a calendar in the account's list, or show it again."""
        self._call("hide_calendar", email=email, calendar_id=calendar_id, hidden=hidden)

    # Events

    def insert_event(self, calendar_id: str, body: JsonObject, *, notify: bool = True) -> JsonObject:
        """A new event."""
        return self._event("insert_event", calendar_id=calendar_id, body=body, notify=notify)

    def bulk_insert(self, calendar_id: str, bodies: list[JsonObject], *, notify: bool = True) -> list[JsonObject]:
        """Many new events at once."""
        answer = self._call("bulk_insert", calendar_id=calendar_id, bodies=bodies, notify=notify)
        return cast("list[JsonObject]", answer)

    def patch_event(self, calendar_id: str, event_id: str, body: JsonObject, *, notify: bool = True) -> JsonObject:
        """Merge changes into an event or instance."""
        return self._event("patch_event", calendar_id=calendar_id, event_id=event_id, body=body, notify=notify)

    def update_event(self, calendar_id: str, event_id: str, body: JsonObject, *, notify: bool = True) -> JsonObject:
        """Replace an event or instance."""
        return self._event("update_event", calendar_id=calendar_id, event_id=event_id, body=body, notify=notify)

    def delete_event(
        self, calendar_id: str, event_id: str, *, keeping: Sequence[str] = (), notify: bool = True
    ) -> None:
        """Cancel an event, a series (but for instances that a guest keeps) or an instance."""
        arguments = {"calendar_id": calendar_id, "event_id": event_id, "keeping": list(keeping)}
        self._call("delete_event", **arguments, notify=notify)

    def move_event(self, calendar_id: str, event_id: str, destination: str, *, notify: bool = True) -> JsonObject:
        """Move an event to another calendar."""
        arguments = {"calendar_id": calendar_id, "event_id": event_id, "destination": destination}
        return self._event("move_event", **arguments, notify=notify)

    def split_series(
        self,
        calendar_id: str,
        master_id: str,
        at: str,
        changes: JsonObject | None = None,
        style: Literal["web", "client"] = "web",
        *,
        notify: bool = True,
    ) -> JsonObject:
        """Edit "this and following" occurrences; the new series."""
        arguments = {"calendar_id": calendar_id, "master_id": master_id, "at": at, "changes": changes, "style": style}
        return self._event("split_series", **arguments, notify=notify)

    def complete_conference(self, calendar_id: str, event_id: str, url: str, *, notify: bool = True) -> JsonObject:
        """The join link of an event arrives."""
        return self._event("complete_conference", calendar_id=calendar_id, event_id=event_id, url=url, notify=notify)

    def plant_item(self, calendar_id: str, item: Any, *, notify: bool = True) -> None:
        """What the calendar's listings say as it stands: Google was seen to send what it would not store."""
        self._call("plant_item", calendar_id=calendar_id, item=item, notify=notify)

    def announce(self, calendar_id: str) -> None:
        """A notification without a change, as one that comes before its change can be listed."""
        self._call("announce", calendar_id=calendar_id)

    def get_event(self, calendar_id: str, event_id: str) -> JsonObject:
        """An event, a deleted one, or an instance."""
        return self._event("get_event", calendar_id=calendar_id, event_id=event_id)

    def instances(self, calendar_id: str, time_min: str, time_max: str) -> list[JsonObject]:
        """The oracle; times are RFC 3339 with an offset."""
        answer = self._call("instances", calendar_id=calendar_id, time_min=time_min, time_max=time_max)
        return cast("list[JsonObject]", answer)

    def expire_sync_tokens(self, calendar_id: str | None = None) -> None:
        """All sync tokens so far answer 410: of a calendar, or of all."""
        self._call("expire_sync_tokens", calendar_id=calendar_id)

    def _event(self, command: str, **arguments: Any) -> JsonObject:
        return cast("JsonObject", self._call(command, **arguments))

    # Faults and switches

    def add_fault(self, kind: str, **match: Any) -> str:
        """Put a fault in force; its id. docs/emulator.md has the kinds and what a rule can match."""
        return str(self._call("add_fault", kind=kind, **match))

    def clear_faults(self) -> None:
        """End all faults and release every held call."""
        self._call("clear_faults")

    def release(self, fault_id: str) -> None:
        """Let the calls held by this fault go on, and end it."""
        self._call("release", fault_id=fault_id)

    def wait_held(self, fault_id: str, timeout: float = 60.0) -> bool:
        """Whether a call is held by this fault within `timeout` seconds."""
        return bool(self._call("wait_held", fault_id=fault_id, timeout=timeout))

    def configure(self, **switches: Any) -> None:
        """Set switches; all or none of them. docs/emulator.md has their names, defaults and meaning."""
        self._call("configure", **switches)

    def advance(self, seconds: float) -> None:
        """Move the emulator's clock."""
        self._call("advance", seconds=seconds)

    def now(self) -> str:
        """The emulator's time."""
        return str(self._call("now"))

    # Push

    def flush_push(self) -> int:
        """Send what is held or delayed, now; how many."""
        return int(self._call("flush_push"))

    def wait_push_idle(self, timeout: float = 60.0) -> bool:
        """Whether every notification (but held ones) is delivered or given up within `timeout` seconds."""
        return bool(self._call("wait_push_idle", timeout=timeout))

    def end_channel(self, channel_id: str) -> None:
        """Let a channel die silently."""
        self._call("end_channel", channel_id=channel_id)

    # Evidence

    def counters(self) -> dict[str, Any]:
        """Counts of calls."""
        return cast("dict[str, Any]", self._call("counters"))

    def requests(self) -> list[JsonObject]:
        """The latest requests, oldest first."""
        return cast("list[JsonObject]", self._call("requests"))

    def reset_counters(self) -> None:
        """Forget counts and the request log."""
        self._call("reset_counters")

    def deliveries(self) -> list[JsonObject]:
        """Every attempt to deliver a notification, oldest first."""
        return cast("list[JsonObject]", self._call("deliveries"))

    def channels(self) -> list[JsonObject]:
        """Every channel with its state: live, stopped, expired."""
        return cast("list[JsonObject]", self._call("channels"))
