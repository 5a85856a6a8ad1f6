"""The periodic jobs, as data: what, how often. One process does each for all, whichever comes first.

Called by the web's processes and by the worker, which give them to their driver.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync.jobs.accounts.disconnect import finish_disconnects
from sync.jobs.accounts.mail_users import mail_users
from sync.jobs.bots.follow_bots import follow_bots
from sync.jobs.bots.reconcile_bots import reconcile_bots
from sync.jobs.operations.follow_budget import follow_polling_budget
from sync.jobs.operations.keep_overview import keep_overview
from sync.jobs.operations.report_breakers import BreakerReports
from sync.jobs.operations.retention import drop_old
from sync.jobs.operations.watch_ingress import watch_ingress
from sync.jobs.operations.watch_over import EVERY_SECONDS, JOB, watch_over
from sync.jobs.services import Services
from sync.jobs.syncing.audit_drift import audit_drift
from sync.jobs.syncing.hide_private import hide_private
from sync.jobs.syncing.roll_horizon import roll_horizons
from sync.jobs.watching.renew_watches import renew_watches

# Watches are renewed days before they lapse; minutes are soon enough for new and failed ones.
RENEW_SECONDS = 60
# Horizons lag by hours before they are moved; all that lag are moved at once.
ROLL_SECONDS = 600
# One calendar at a time: a steady trickle of full listings that no quota notices.
AUDIT_SECONDS = 600
# What is kept for months is nobody's hurry to drop; hourly, there is never much of it.
DROP_SECONDS = 3600
# What a commit of this process asks for is followed at once; this is for those of others.
BOTS_SECONDS = 5
# Messages tell how bots fare; a listing only repairs what they did not.
RECONCILE_SECONDS = 300
# What was counted and is lost with a process is at most this much of it; the price follows slowly anyway.
REPORT_SECONDS = 60
PRICE_SECONDS = 300
# How old figures on a dashboard may be; the census rests for longer where it costs more.
OVERVIEW_SECONDS = 15
# Three failed probes are an outage: it is known after three minutes.
WATCH_SECONDS = 60
# Often enough to be seen as alive, whatever else runs; asks only when the last word is older than its time.
DECLARE_SECONDS = 5
# Said this often by a process that lives that long at least.
DRIVE_SECONDS = 300
# A run ends then, and what is left waits for the next.
BUDGET_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Duty:
    """What is done every so often; `at_start`: also when the process begins. `is_everybodys`: each process does it.
    `follows_commits`: also as soon as a sync of this process has changed meetings."""

    name: str
    every_seconds: int
    work: Callable[[], object]
    at_start: bool = False
    is_everybodys: bool = False
    follows_commits: bool = False


def duties(services: Services, should_stop: Callable[[], bool], *, at_start: bool) -> list[Duty]:
    """All of them. `at_start`: the first ones begin at once (a worker), not only after their time (the web)."""
    budget = BUDGET_SECONDS
    return [
        Duty("declare_settings", DECLARE_SECONDS, services.in_force.now, at_start=True, is_everybodys=True),
        Duty("report_breakers", DECLARE_SECONDS, BreakerReports(services).report, is_everybodys=True),
        # Not at the start: a process that a cron woke may be gone by then.
        Duty("drive", DRIVE_SECONDS, lambda: None),
        Duty(
            "renew_watches",
            RENEW_SECONDS,
            lambda: renew_watches(services, budget_seconds=budget, should_stop=should_stop),
            at_start,
        ),
        Duty("hide_private", RENEW_SECONDS, lambda: hide_private(services, should_stop), at_start),
        Duty(
            "follow_bots",
            BOTS_SECONDS,
            lambda: follow_bots(services, should_stop),
            at_start=True,
            is_everybodys=True,
            follows_commits=True,
        ),
        Duty("reconcile_bots", RECONCILE_SECONDS, lambda: reconcile_bots(services, should_stop)),
        Duty("refresh_polling", REPORT_SECONDS, services.polling.refresh, at_start=True, is_everybodys=True),
        Duty("refresh_ingress", REPORT_SECONDS, services.ingress.refresh, at_start=True, is_everybodys=True),
        Duty("watch_ingress", WATCH_SECONDS, lambda: watch_ingress(services)),
        Duty("follow_polling_budget", PRICE_SECONDS, lambda: follow_polling_budget(services)),
        Duty(
            "keep_overview",
            OVERVIEW_SECONDS,
            lambda: keep_overview(services, budget_seconds=budget, should_stop=should_stop),
            at_start,
        ),
        Duty("mail_users", RENEW_SECONDS, lambda: mail_users(services, should_stop)),
        Duty(JOB, EVERY_SECONDS, lambda: watch_over(services, is_driving=True)),
        Duty("finish_disconnects", RENEW_SECONDS, lambda: finish_disconnects(services)),
        Duty(
            "roll_horizons",
            ROLL_SECONDS,
            lambda: roll_horizons(services, budget_seconds=budget, should_stop=should_stop),
            at_start,
        ),
        Duty("drop_old", DROP_SECONDS, lambda: drop_old(services, budget_seconds=budget, should_stop=should_stop)),
        Duty("audit_drift", AUDIT_SECONDS, lambda: audit_drift(services, limit=1, should_stop=should_stop)),
    ]
