"""Alerts, as types that cross floors: what is looked at, what is found, what becomes of it. Plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.states import AlertKind, AlertSeverity

RUNBOOK = "docs/alerts.md"


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """An upstream that does not answer so many living processes, the first of them for so long."""

    processes: int
    seconds: float
    cause: str | None


@dataclass(frozen=True, slots=True)
class TroubledRegion:
    """A door through which no notifications come, for so long. `is_last`: no other region is well."""

    state: str
    cause: str | None
    calendars: int
    seconds: float
    is_last: bool


@dataclass(frozen=True, slots=True)
class Observations:
    """What one round sees. Counts of calendars unless a name says otherwise; `…_cause`: the most frequent code among
    them. `…_ago` in seconds; None: never seen.

    `syncs`, `failed`: of the last quarter of an hour. `reauth_…`: of the last hour. `differing`: meetings that audits
    of the last day found wrong. `suspicious`: refusals by kind that were counted as an attack. `destinations`: failed
    attempts in a row and their code, by name. `requests_forecast`: of Google's day. `quota_rate`: requests a minute
    that are sent at most now, of the `quota_most` that settings allow. `paused_lanes`: seconds since then, by lane.
    """

    calendars: int = 0
    syncs: int = 0
    failed: int = 0
    failed_calendars: int = 0
    failed_cause: str | None = None
    lapsing: int = 0
    lapsing_cause: str | None = None
    past_bound: int = 0
    past_bound_cause: str | None = None
    reauth_users: int = 0
    reauth_calendars: int = 0
    poisoned: int = 0
    dead_bots: int = 0
    dead_bots_cause: str | None = None
    dead_events: int = 0
    dead_events_subscriptions: int = 0
    dead_events_cause: str | None = None
    suspicious: Mapping[str, int] = field(default_factory=dict)
    differing: int = 0
    differing_calendars: int = 0
    driven_ago: float | None = None
    cron_ago: float | None = None
    cron_every: float | None = None
    is_behind: bool = False
    unmailed: int = 0
    destinations: Mapping[str, tuple[int, str | None]] = field(default_factory=dict)
    breakers: Mapping[str, OpenBreaker] = field(default_factory=dict)
    quota_rate: float | None = None
    quota_most: float | None = None
    paused_lanes: Mapping[str, float] = field(default_factory=dict)
    regions: Mapping[str, TroubledRegion] = field(default_factory=dict)
    requests_today: float = 0.0
    requests_yesterday: float | None = None
    requests_forecast: float = 0.0
    requests_per_day: float = 1e12
    polls_today: float = 0.0
    polls_per_day: float = 1e12
    day_elapsed: float = 0.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong now. `key`: its kind, and which one of several. `calendars`: None: it is about none."""

    kind: AlertKind
    key: str
    severity: AlertSeverity
    calendars: int | None
    cause: str | None
    sentence: str

    @property
    def runbook(self) -> str:
        return f"{RUNBOOK}#{self.kind}"


@dataclass(frozen=True, slots=True)
class Alert:
    """An open alert as it is stored. `kind` may be one that other code knows. `well_since`: not found since then."""

    alert_id: str
    revision: int
    key: str
    kind: str
    severity: AlertSeverity
    calendars: int | None
    cause: str | None
    sentence: str
    runbook: str
    opened_at: dt.datetime
    told_at: dt.datetime | None
    told_calendars: int | None
    well_since: dt.datetime | None


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What becomes of one alert in a round: how it stands from now on, and `news`: why it is told ("opened", "worse",
    "reminder", "resolved"; None: it is not)."""

    alert_id: str | None
    revision: int | None
    key: str
    kind: str
    severity: AlertSeverity
    calendars: int | None
    cause: str | None
    sentence: str
    runbook: str
    well_since: dt.datetime | None = None
    is_resolved: bool = False
    news: str | None = None
    opened_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class AlertMessage:
    """One text for all news of a round."""

    severity: AlertSeverity
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class AlertDelivery:
    """A claimed attempt to tell one destination."""

    delivery_id: int
    destination: str
    attempt: int
    message: AlertMessage
    age_seconds: float
