"""The typed client of the emulator's control API, for tests, the demo and the stack.

Owns nothing but the wire. Raises `ControlError` with the emulator's sentence when a command is refused.

**Accounts.** `add_account` makes an account with its primary calendar (id = email) and returns a refresh token;
`grant` gives another; `access_token` skips the token endpoint. `revoke(reason)` kills every grant given so far
(reasons: invalid_grant, invalid_rapt, admin_policy_enforced, deleted_client, invalid_client); `restore` brings them
back; a new consent is live either way. `hide_calendar` hides an entry of the calendar list (`showHidden` lists it).

**Calendars and events.** Edits obey Google's rules as the API does and return the event as its owner sees it. Each
takes `notify` (False: no push at all). `bulk_insert` sends one notification per channel. Patches are merge patches:
null removes. An instance's address (`{base}_{YYYYMMDDTHHMMSSZ}` or `{base}_{YYYYMMDD}`) may stand wherever an event id
may, also when the instance's own id is opaque; what comes back carries its own id.
`split_series` returns the new series; `at` is the original start of its first occurrence (id suffix, date or RFC 3339).
`instances` is the oracle: expanded, nothing cancelled, overlapping the window, by start.

**Faults.** `add_fault(kind, **match)`; match by `method` (a call kind or its prefix: "events.list", "events", "token"),
`calendar` (real id, never "primary"), `account`, `mode` ("full"/"incremental"), `page` (from 1), `times` (then it
ends), `skip` (first n spared), `probability` (spread evenly, not drawn). Parameters: `seconds` (slow), `size`
(small_pages), `retry_after`, `status` (gateway: 502–504, 520–530 or 540; default 521).
Without `method` a rule strikes every Calendar call, except:
  token only:       invalid_grant, invalid_rapt, admin_policy_enforced, deleted_client, invalid_client
  token and API:    revoked_grant (401 and invalid_grant)
  events.watch:     unwatchable, webhook_unauthorized, not_a_calendar_user, lost_watch_answer
  events.list:      sync_token_expired, page_token_rejected (pages after the first), empty_page, small_pages,
                    empty_page_token ("" on the last page), repeated_page_token (the page names itself as the next),
                    endless_pages (a new token, and nothing on them, for ever), no_sync_token (the last page has none),
                    empty_time_zone (`timeZone: ""`); each also with method="calendarList.list"
  any:              user_rate_limit, rate_limit, quota_exceeded (all 403), too_many_requests (429), backend_500,
                    backend_502, backend_503, backend_504, gone (410; with page=N strikes page N), lost_access_404,
                    lost_access_403, lost_access_401, access_not_configured, insufficient_permissions, reset_before,
                    reset_after, slow, truncated_body, malformed_json, hold; answers that are not Google's: html_403,
                    captive_portal (200, HTML), backend_500_without_code (JSON), gateway (HTML)
One that passes is a rule with `times=1`: invalid_grant at the token endpoint, lost_access_401 at the API.
`hold` blocks matching calls until `release` (at most 120 s); `wait_held` waits for one. Calls held are already counted.

**Switches** (`configure`), with defaults:
  corrupt_token "gone"|"bad_request"; same_token_when_unchanged True; sync_token_ttl_seconds 30 d;
  updated_min_horizon_seconds 30 d; tombstones "documented" (kind, etag, id, status)|"sparse" (id, status)|"full";
  cancelled_exceptions "linked"|"sparse"|"full"; cancelled_instances_always True (listed even with showDeleted=false);
  list_orphaned_exceptions True (exceptions of a deleted or shortened series are listed as cancelled; False: they
  vanish); list_order "changed"|"reversed"|"id"; page_size_limit 2500; expansion_horizon_days 730;
  deleted_series_instances 3; opaque_instance_ids False (True: of the series made from now on, no other);
  yearly_month_day_in_start_month True (FREQ=YEARLY;BYMONTHDAY=27 alone is yearly; False: every month, as in RFC 5545);
  date_exdate_removes_day False (an EXDATE of dates does not touch a timed series; True: removes what starts on that
  local day); attendee_copies False; handshake "after"|"before"|"never"; expiration_type
  "string"|"number"; channel_default_ttl_seconds, channel_max_ttl_seconds 604800; deliver_after_stop False;
  echo_own_writes True; token_idle_seconds, api_idle_seconds 120 (how long a connection stays open after an answer
  of the token endpoint or the API before it is closed unannounced; 0: at once);
  push "deliver"|"drop"|"hold"; drop_rate 0.0 (spread evenly); drop_next 0; duplicate 0 (extra
  copies); delay_seconds, latency_seconds 0; reorder False (those within reorder_window_seconds 0.25 arrive last
  first); push_timeout_seconds 10; push_retry_base_seconds 1; push_max_attempts 6; project_quota_per_minute 10000;
  user_quota_per_minute 600; quota_status "403"|"429"; retry_after_seconds None; clients {"emulator-client":
  "emulator-secret"}; consent "grant"|"deny"; untick_scopes []; app_in_testing False; rotate_refresh_tokens False;
  access_token_seconds 3599; omit_expires_in False; max_refresh_tokens 100

**Evidence.** `counters()` has `calls` and `by_calendar` (by kind; listings also as `events.list.full` and
`events.list.incremental`), `statuses`, `max_concurrent_lists` by calendar. `deliveries()` lists every attempt: channel,
calendar, number, state, attempt, outcome (delivered|retrying|gave_up|failed|dropped|expired), status, latency_seconds.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
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

    def delete_event(self, calendar_id: str, event_id: str, *, notify: bool = True) -> None:
        """Cancel an event, a series or an instance."""
        self._call("delete_event", calendar_id=calendar_id, event_id=event_id, notify=notify)

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
        """Put a fault in force; its id."""
        return str(self._call("add_fault", kind=kind, **match))

    def clear_faults(self) -> None:
        """End all faults and release every held call."""
        self._call("clear_faults")

    def release(self, fault_id: str) -> None:
        """Let the calls held by this fault go on, and end it."""
        self._call("release", fault_id=fault_id)

    def wait_held(self, fault_id: str, timeout: float = 10.0) -> bool:
        """Whether a call is held by this fault within `timeout` seconds."""
        return bool(self._call("wait_held", fault_id=fault_id, timeout=timeout))

    def configure(self, **switches: Any) -> None:
        """Set switches; all or none of them."""
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

    def wait_push_idle(self, timeout: float = 10.0) -> bool:
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
