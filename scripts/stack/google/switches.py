"""Everything a test can switch: the [R] and [U] variants of Google's behaviour, quotas, and how push misbehaves.

Owns names, defaults and validation of switches. Refuses unknown names, so that a misspelt switch fails its test.
Read by every other module; written only through the control API's `configure`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from .errors import ControlError
from .expansion import Reading
from .http import IDLE_SECONDS

CHOICES: dict[str, tuple[str, ...]] = {
    "corrupt_token": ("gone", "bad_request"),
    "tombstones": ("documented", "sparse", "full"),
    "cancelled_exceptions": ("linked", "sparse", "full"),
    "list_order": ("changed", "reversed", "id"),
    "handshake": ("after", "before", "never"),
    "expiration_type": ("string", "number"),
    "quota_status": ("403", "429"),
    "consent": ("grant", "deny"),
    "push": ("deliver", "drop", "hold"),
}


@dataclass
class Switches:
    """The current variant of everything; docs/emulator.md says what each one means."""

    # Sync tokens and listing
    corrupt_token: str = "gone"  # noqa: S105 - the name of a variant
    same_token_when_unchanged: bool = True
    sync_token_ttl_seconds: float = 30 * 86400
    updated_min_horizon_seconds: float = 30 * 86400
    tombstones: str = "documented"
    cancelled_exceptions: str = "linked"
    cancelled_instances_always: bool = True
    list_orphaned_exceptions: bool = True
    list_order: str = "changed"
    page_size_limit: int = 2500
    expansion_horizon_days: int = 730
    deleted_series_instances: int = 3
    # Series
    opaque_instance_ids: bool = False
    yearly_month_day_in_start_month: bool = True
    date_exdate_removes_day: bool = False
    # Editing
    attendee_copies: bool = False
    # Channels
    handshake: str = "after"
    expiration_type: str = "string"
    channel_default_ttl_seconds: int = 604800
    channel_max_ttl_seconds: int = 604800
    deliver_after_stop: bool = False
    echo_own_writes: bool = True
    # Push
    push: str = "deliver"
    drop_rate: float = 0.0
    drop_next: int = 0
    duplicate: int = 0
    delay_seconds: float = 0.0
    latency_seconds: float = 0.0
    reorder: bool = False
    reorder_window_seconds: float = 0.25
    push_timeout_seconds: float = 10.0
    push_retry_base_seconds: float = 1.0
    push_max_attempts: int = 6
    # Connections
    token_idle_seconds: float = IDLE_SECONDS
    api_idle_seconds: float = IDLE_SECONDS
    # Quotas
    project_quota_per_minute: int = 10_000
    user_quota_per_minute: int = 600
    quota_status: str = "403"
    retry_after_seconds: int | None = None
    # OAuth
    clients: dict[str, str] = field(default_factory=lambda: {"emulator-client": "emulator-secret"})
    consent: str = "grant"
    untick_scopes: list[str] = field(default_factory=list)
    app_in_testing: bool = False
    rotate_refresh_tokens: bool = False
    access_token_seconds: int = 3599
    omit_expires_in: bool = False
    max_refresh_tokens: int = 100

    def reading(self) -> Reading:
        """How recurrence lines are read."""
        return Reading(self.yearly_month_day_in_start_month, self.date_exdate_removes_day)

    def update(self, changes: dict[str, Any]) -> None:
        """Apply named switches; all or none.

        Raises `ControlError` for an unknown name, a value of another type, or a choice that does not exist.
        """
        known = {item.name: item for item in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ControlError(f"no switch is called {name!r}; there are {sorted(known)}")
            if name in CHOICES and value not in CHOICES[name]:
                raise ControlError(f"{name} is one of {CHOICES[name]}, not {value!r}")
            current = getattr(self, name)
            if isinstance(current, bool) and not isinstance(value, bool):
                raise ControlError(f"{name} is true or false, not {value!r}")
            if isinstance(current, int | float) and not isinstance(value, int | float):
                raise ControlError(f"{name} is a number, not {value!r}")
        for name, value in changes.items():
            setattr(self, name, value)
