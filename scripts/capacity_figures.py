"""What so many calendars need of Google, of Postgres and of processes: arithmetic alone, of figures that were measured
and of what is assumed of the calendars. Called by `scripts/capacity`, which writes its table into docs/capacity.md."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from scripts.polling.world import office_rhythm

DAYS_A_MONTH, MINUTES_A_DAY, SECONDS_A_DAY = 30, 1440, 86400
GB = 1e9


@dataclass(frozen=True, slots=True)
class Google:
    """`requests_a_minute` of a project, `free_a_day` of a billing account, all its projects together."""

    requests_a_minute: int = 10_000
    free_a_day: int = 1_000_000
    # Of a project's minute what is planned for; the rest is for first listings and for catching up after an outage.
    planned_share: float = 0.7
    # A channel lives for a week and is renewed RENEW_LEAD_HOURS before its end: one is opened, one stopped.
    renewals_a_day: float = 2 / (7 - 36 / 24)


@dataclass(frozen=True, slots=True)
class Calendar:
    """One as it is assumed to be: changes and looks a day, what it holds, the meetings it adds a day, which stay when
    they are over, and the pages of tables and indexes that a change's own rows lie on."""

    changes_a_day: float = 2.0
    looks_a_day: float = 1.0
    events: int = 60
    meetings: int = 150
    meetings_a_day: float = 2.5
    change_pages: float = 4.0


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of rows with their indexes. `…_wal_bytes`: of Postgres' log right after a checkpoint, when each page is
    written whole; `…_pages`: how many. A look is its claim and its commit; a push is these with its notification; a
    change adds its rows (without full pages). Rates are of one core of ours, beside Postgres on the other."""

    state_bytes: int = 1480
    event_bytes: int = 1270
    meeting_bytes: int = 1010
    log_bytes: int = 401
    look_wal_bytes: int = 31_600
    push_wal_bytes: int = 38_500
    change_wal_bytes: int = 3100
    look_pages: float = 3.8
    push_pages: float = 4.6
    looks_a_second: float = 400.0
    notifications_a_second: float = 650.0


# Days for which each sync has its row: of looks that found nothing, which then become one of a week, and of all others.
IDLE_LOG_DAYS, LOG_DAYS = 7, 90
PAGE_BYTES = 8192
# Planned for one database: five times what was measured at, and assumed to hold.
CALENDARS_OF_A_DATABASE = 5_000_000
# Of Postgres: of a sync its part of a claim of 16 and its commit.
SYNC_TRANSACTIONS, NOTIFICATION_TRANSACTIONS = 1 + 1 / 16, 1
GOOGLE, MEASURED = Google(), Measured()
# How often is looked where nothing is told: as long as it is free, often.
STEPS = (
    (10_000, replace(Calendar(), looks_a_day=4.0)),
    (1_000_000, Calendar()),
    (100_000_000, Calendar()),
)


@dataclass(frozen=True, slots=True)
class Need:
    """Of so many calendars. `peak_…`: in the busiest hour of the week, all of them in one time zone."""

    calendars: int
    looks_a_day: float
    requests_a_day: float
    billed_a_month: float
    peak_requests_a_minute: float
    projects: int
    databases: int
    disk_gb: float
    history_gb_a_year: float
    log_rows_a_day: float
    logs_gb_a_day: float
    wal_gb_a_day: float
    peak_transactions_a_second: float
    peak_page_writes_a_second: float
    peak_cores: float


def need(calendars: int, each: Calendar, google: Google = GOOGLE, measured: Measured = MEASURED) -> Need:
    syncs = each.changes_a_day + each.looks_a_day
    requests = calendars * (syncs + google.renewals_a_day)
    # People change calendars in office hours; looks and renewals are spread.
    pushes = calendars * each.changes_a_day * max(office_rhythm().weights) / SECONDS_A_DAY
    looks = calendars * each.looks_a_day / SECONDS_A_DAY
    peak_requests = 60 * (pushes + looks) + calendars * google.renewals_a_day / MINUTES_A_DAY
    return Need(
        calendars,
        each.looks_a_day,
        requests,
        DAYS_A_MONTH * max(0.0, requests - google.free_a_day),
        peak_requests,
        math.ceil(peak_requests / (google.requests_a_minute * google.planned_share)),
        math.ceil(calendars / CALENDARS_OF_A_DATABASE),
        disk_gb(calendars, each, measured),
        calendars * each.meetings_a_day * 365 * measured.meeting_bytes / GB,
        calendars * syncs,
        calendars * syncs * measured.log_bytes / GB,
        wal_gb_a_day(calendars, each, measured),
        (pushes + looks) * SYNC_TRANSACTIONS + pushes * NOTIFICATION_TRANSACTIONS,
        looks * measured.look_pages + pushes * (measured.push_pages + each.change_pages),
        (pushes + looks) / measured.looks_a_second + pushes / measured.notifications_a_second,
    )


def disk_gb(calendars: int, each: Calendar, measured: Measured) -> float:
    """When all have been connected for LOG_DAYS, without the meetings that were added since."""
    folded_weeks = min(1.0, 7 * each.looks_a_day) * (LOG_DAYS - IDLE_LOG_DAYS) / 7
    logs = each.changes_a_day * LOG_DAYS + each.looks_a_day * IDLE_LOG_DAYS + folded_weeks
    rows = each.events * measured.event_bytes + each.meetings * measured.meeting_bytes + logs * measured.log_bytes
    return calendars * (measured.state_bytes + rows) / GB


def wal_gb_a_day(calendars: int, each: Calendar, measured: Measured) -> float:
    """The most: as if each calendar were touched but once between two checkpoints."""
    change = measured.push_wal_bytes + measured.change_wal_bytes + PAGE_BYTES * each.change_pages
    return calendars * (each.looks_a_day * measured.look_wal_bytes + each.changes_a_day * change) / GB


def free_until(each: Calendar, google: Google = GOOGLE) -> int:
    """Calendars that the free requests of a day are enough for."""
    return int(google.free_a_day / need(1, each, google).requests_a_day)


def one_project_until(each: Calendar, google: Google = GOOGLE) -> int:
    """Calendars that one project's minute is enough for in the busiest hour."""
    return int(google.requests_a_minute * google.planned_share / need(1, each, google).peak_requests_a_minute)


_LINES = (
    ("assumed: looks per calendar and day", "looks_a_day"),
    ("Google: requests a day", "requests_a_day"),
    ("of these billed a month, beyond what is free", "billed_a_month"),
    ("requests a minute, at the peak", "peak_requests_a_minute"),
    ("Google projects", "projects"),
    ("Postgres: databases", "databases"),
    ("GB on disk, all together", "disk_gb"),
    ("GB more each year, of meetings that are over", "history_gb_a_year"),
    ("rows of sync logs a day", "log_rows_a_day"),
    ("their GB a day", "logs_gb_a_day"),
    ("GB of Postgres' own log a day, at most", "wal_gb_a_day"),
    ("transactions a second, at the peak", "peak_transactions_a_second"),
    ("pages written a second, at the peak", "peak_page_writes_a_second"),
    ("cores of the service, at the peak", "peak_cores"),
)


def table() -> str:
    """In Markdown: a column for each of STEPS."""
    needs = [need(calendars, each) for calendars, each in STEPS]
    lines = [
        "| calendars | " + " | ".join(shown(each.calendars) for each in needs) + " |",
        "|---|" + "---|" * len(needs),
    ]
    lines += [
        f"| {what} | " + " | ".join(shown(getattr(each, field)) for each in needs) + " |" for what, field in _LINES
    ]
    each = STEPS[-1][1]
    return "\n".join(lines) + (
        f"\n\nWith one look a day the free requests are enough for {shown(free_until(each))} calendars, and one"
        f" project's minute for {shown(one_project_until(each))}.\n"
    )


def shown(value: float) -> str:
    """With two digits that count, for more would pretend."""
    if value < 10:
        return f"{value:.2g}"
    digits = 1 - math.floor(math.log10(value))
    return f"{round(value, digits):,.0f}"
