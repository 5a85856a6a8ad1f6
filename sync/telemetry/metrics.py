"""Every metric that is counted where it happens. Those read from the store, and of processes, are in `exposition`.

No label holds a user, a calendar, an address or a path. Called by web, jobs and clients.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sync.states import SyncType
from sync.telemetry.registry import counter, gauge, histogram
from sync.telemetry.words import Words

# A notification is answered in milliseconds; a cron's call takes its budget of a minute.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0)
# Up to the time-outs: the store's statements end at 8 s, Google's answers at 20 s.
_STORE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 8.0)
_OUTBOUND_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0)
_SYNC_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
# From seconds, as push brings it, to the day that a quiet calendar's bound may be.
_FRESHNESS_BUCKETS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 12 * 3600.0, 86400.0)

HTTP_REQUESTS = counter(
    "http_requests_total", "Requests answered, by route, method and class of status.", "route", "method", "status"
)
HTTP_DURATION = histogram(
    "http_request_duration_seconds", "From a request's being there to its answer.", "route", buckets=_REQUEST_BUCKETS
)
REFUSALS = counter("refusals_total", "Suspicious requests, by kind (see SECURITY.md).", "kind")
NOTIFICATIONS = counter("notifications_total", "Google's notifications, by what became of them.", "outcome")

FRESHNESS = histogram(
    "freshness_seconds",
    "From a change in Google (its `updated`) to its commit, by what brought it: push, poll, or manual.",
    "by",
    buckets=_FRESHNESS_BUCKETS,
)
SYNCS = counter("syncs_total", "Syncs ended, by type, status and reason.", "type", "status", "reason")
SYNC_DURATION = histogram("sync_duration_seconds", "A sync, from its claim to its end.", "type", buckets=_SYNC_BUCKETS)
SYNC_FAILURES = counter("sync_failures_total", "Failed syncs, by the failure's code.", "code")
SYNCS_RUNNING = gauge("syncs_running", "Syncs under way.")
MEETINGS_CHANGED = counter("meetings_changed_total", "Meetings that syncs created, updated or deleted.", "change")
MISSED_PUSHES = counter("missed_pushes_total", "Polls that found an older change which no notification had announced.")

GOOGLE_REQUESTS = counter("google_requests_total", "Requests to Google, by method and outcome.", "method", "outcome")
GOOGLE_DURATION = histogram(
    "google_request_duration_seconds", "One request to Google.", "method", buckets=_OUTBOUND_BUCKETS
)
GOOGLE_BILLABLE = counter("google_billable_requests_total", "Requests of the Calendar API answered 2xx.")
STORE_CALLS = counter("store_calls_total", "Calls of SQL functions, by function and outcome.", "function", "outcome")
STORE_DURATION = histogram("store_call_duration_seconds", "One call of it.", "function", buckets=_STORE_BUCKETS)

RETRIES = counter("retries_total", "Calls repeated at once after a passing failure, by what was called.", "upstream")
BREAKER_OPEN = gauge("breaker_open", "Processes that an upstream does not answer: it gets probes alone.", "upstream")
BREAKER_OPENED = counter("breaker_opened_total", "Outages, as processes found them.", "upstream")
BREAKER_REFUSED = counter("breaker_refused_total", "Calls not sent, since the upstream answers nobody.", "upstream")

CACHE_LOOKUPS = counter(
    "cache_lookups_total", "Looks into a cache, by whether it had what was wanted: hit, miss.", "cache", "outcome"
)
CACHE_EVICTIONS = counter("cache_evictions_total", "What a cache dropped for want of room, or was replaced.", "cache")

MISCONFIGURED = counter("misconfigured_total", "Failures that only the operator can mend, by their code.", "code")

CHANNELS = counter("channels_total", "Push channels: opened, renewed, failed (to open), stopped.", "event")
BOT_DELIVERIES = counter(
    "bot_deliveries_total",
    "Steps of bot requests at their provider, by what was done and its outcome.",
    "provider",
    "step",
    "outcome",
)
EVENT_DELIVERIES = counter("event_deliveries_total", "Attempts at telling subscribers, by outcome.", "outcome")

_reason, _code = Words(), Words()


def sync_ended(sync_type: str, status: str, reason: str, error_code: str | None, seconds: float) -> None:
    SYNCS.labels(sync_type, status, _reason(reason)).inc()
    SYNC_DURATION.labels(sync_type).observe(seconds)
    if error_code:
        SYNC_FAILURES.labels(_code(error_code)).inc()


def misconfigured(code: str) -> None:
    MISCONFIGURED.labels(_code(code)).inc()


def committed(
    sync_type: str, changed_at: Iterable[dt.datetime], now: dt.datetime, created: int, updated: int, deleted: int
) -> None:
    """A sync's commit: how old its changes were, and what they did."""
    by = {SyncType.WEBHOOK: "push", SyncType.MANUAL: "manual"}.get(SyncType(sync_type), "poll")
    freshness = FRESHNESS.labels(by)
    for at in changed_at:
        freshness.observe(max(0.0, (now - at).total_seconds()))
    for change, count in (("created", created), ("updated", updated), ("deleted", deleted)):
        if count:
            MEETINGS_CHANGED.labels(change).inc(count)
