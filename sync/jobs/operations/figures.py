"""What the store says of all calendars, for Prometheus: one cheap call per scrape, and no more than one in 15 s per
process, however many scrape.

Called by `web/metrics` and by the worker's port. A store that does not answer is told by `store_up`, and its figures
are left out: old ones would look like true ones.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sync.clients.store import Store
from sync.errors import StoreFailure
from sync.telemetry.registry import DECLARED, PREFIX, declare

KEPT_SECONDS = 15.0

Json = Mapping[str, Any]


def _gauge(name: str, help: str, *labels: str) -> str:
    return declare(PREFIX + name, "gauge", labels, help).name


UP = _gauge("store_up", "1 if the store answered for this scrape, else 0; then what follows is missing.")
_CALENDARS = _gauge("calendars", "Calendars by state, at the last census.", "state")
_CENSUS = _gauge("census_timestamp_seconds", "When the calendars were last counted whole.")
_WITHIN = _gauge("calendars_within_bound", "Calendars looked at within their own bound, at the last census.")
_LATE = _gauge("calendars_late", "Calendars past their bound by cause, at the last census.", "cause")
_LAPSING = _gauge(
    "channels_lapsing", "Calendars by the time until their push channel lapses, at the last census.", "within"
)
_DUE = _gauge("calendars_due", "Calendars due now, by lane; counted to 10,000.", "lane")
_OLDEST = _gauge("oldest_due_seconds", "How long the first of them has been due.", "lane")
_LEASED = _gauge("calendars_leased", "Calendars that are being synced; counted to 10,000.")
_POISONED = _gauge("calendars_poisoned", "Calendars whose claims are never ended; counted to 10,000.")
_DEAD = _gauge("dead_letters", "Bot requests and event deliveries that were given up; counted to 10,000.", "kind")
_ALERTS = _gauge("alerts_open", "Open alerts (docs/alerts.md), by severity.", "severity")
_PROCESSES = _gauge("processes_alive", "Processes that have said within two minutes that they live.")
_CRON = _gauge("cron_last_run_timestamp_seconds", "When a cron endpoint was last called.", "cron")
_RATE = _gauge("google_quota_per_minute", "Requests to Google that all processes may send in a minute.", "limit")
_USED = _gauge("google_quota_used", "Requests leased in the last minute.")
_REFUSED = _gauge("google_refused_today", "Requests that Google refused for its quota, in its day.")
_BILLABLE = _gauge("google_billable_today", "Requests that Google answered, in its day.")
_FORECAST = _gauge("google_billable_forecast", "What its day, and its month, will come to.", "span")

HELP = {declared.name: declared.help for declared in DECLARED}
# Labels with values of their own making end here.
MOST_CAUSES = 40


class StoreFigures(Collector):
    """Thread-safe; one per process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._kept: tuple[Metric, ...] = ()
        self._kept_until = 0.0

    def describe(self) -> Iterator[Metric]:
        """Else it would be asked for its names by a scrape of its own."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            if time.monotonic() >= self._kept_until:
                self._kept = self._ask()
                self._kept_until = time.monotonic() + KEPT_SECONDS
            return iter(self._kept)

    def _ask(self) -> tuple[Metric, ...]:
        try:
            told = self._store.overview.figures()
        except StoreFailure:
            return (_alone(UP, 0),)
        overview, quota = told["overview"], told["quota"] or {}
        found = [_alone(UP, 1), *_of_calendars(overview), *_of_work(overview), *_of_google(quota)]
        return (*found, _by(_ALERTS, "severity", told["alerts"]))


def _of_calendars(overview: Json) -> Iterator[Metric]:
    yield _by(_CALENDARS, "state", overview["calendars"]["by_state"])
    yield _by(_LATE, "cause", overview["bounds"]["late_by_cause"])
    yield _by(_LAPSING, "within", overview["channels"])
    yield _alone(_WITHIN, overview["bounds"]["within"])
    yield from _when(_CENSUS, overview["counted_at"])


def _of_work(overview: Json) -> Iterator[Metric]:
    lanes = overview["lanes"]
    yield _by(_DUE, "lane", {lane: of["due"] for lane, of in lanes.items()})
    yield _by(_OLDEST, "lane", {lane: of["oldest_due_seconds"] or 0 for lane, of in lanes.items()})
    yield _alone(_LEASED, overview["leased"])
    yield _alone(_POISONED, overview["poisoned"])
    yield _by(_DEAD, "kind", overview["dead_letters"])
    yield _alone(_PROCESSES, overview["processes"]["alive"])
    yield _by(_CRON, "cron", {name: _seconds(at) for name, at in overview["crons"].items()})


def _of_google(quota: Json) -> Iterator[Metric]:
    yield _by(_RATE, "limit", {"now": quota.get("rate_per_minute"), "most": quota.get("most_per_minute")})
    yield _by(_FORECAST, "span", {"day": quota.get("forecast_today"), "month": quota.get("forecast_month")})
    for name, field in ((_USED, "used_this_minute"), (_REFUSED, "refused_today"), (_BILLABLE, "billable_today")):
        yield _alone(name, quota.get(field) or 0)


def _alone(name: str, value: float) -> Metric:
    return GaugeMetricFamily(name, HELP[name], value=value)


def _by(name: str, label: str, values: Mapping[str, float | None]) -> Metric:
    metric = GaugeMetricFamily(name, HELP[name], labels=[label])
    told = sorted((word, value) for word, value in values.items() if value is not None)
    for word, value in told[:MOST_CAUSES]:
        metric.add_metric([word], value)
    if told[MOST_CAUSES:]:
        metric.add_metric(["other"], sum(value for _, value in told[MOST_CAUSES:]))
    return metric


def _when(name: str, at: str | None) -> Iterator[Metric]:
    if at:
        yield _alone(name, _seconds(at))


def _seconds(at: str) -> float:
    return dt.datetime.fromisoformat(at).timestamp()
