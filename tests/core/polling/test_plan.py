"""What a claimed calendar gets, by tables."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from sync.core.polling.plan import SyncPlan, plan_sync
from sync.model import Claim, SealedTokens

NOW = dt.datetime(2026, 3, 10, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
GENERATION = 3
QUIET = Claim(
    calendar_id="c",
    user_id="u",
    google_calendar_id="primary",
    fence=7,
    due_reason="poll_interval",
    sync_token="token",
    settings_generation=GENERATION,
    time_zone="UTC",
    notifications_seen=3,
    notifications_synced=3,
    last_webhook_received=NOW - 7 * HOUR,
    last_synced_at=NOW - 5 * HOUR,
    consecutive_failures=0,
    webhook_failures=0,
    has_live_channel=True,
    tokens=SealedTokens(None, None, None),
)
VOUCHED: dict[str, Any] = {"last_webhook_received": NOW - 2 * HOUR}
NOTIFIED: dict[str, Any] = {"notifications_seen": 4, "last_webhook_received": NOW}


def planned(
    facts: dict[str, Any], *, asked: bool = False, forced: bool = False, stale_hours: float = 6, jitter: float = 0
) -> SyncPlan:
    claim = dataclasses.replace(QUIET, **facts)
    return plan_sync(
        claim, stale_hours=stale_hours, asked=asked, forced=forced, now=NOW, generation=GENERATION, jitter=jitter
    )


@pytest.mark.parametrize(
    ("facts", "action", "sync_type", "reason"),
    [
        ({}, "incremental", "incremental", "poll_interval"),
        ({"last_webhook_received": None}, "incremental", "incremental", "poll_interval"),
        ({"last_synced_at": None}, "full", "initial", "first_sync"),
        ({"last_synced_at": None, **NOTIFIED}, "full", "initial", "first_sync"),
        ({"last_synced_at": None, **VOUCHED}, "full", "initial", "first_sync"),
        (NOTIFIED, "incremental", "webhook", "notified"),
        ({**NOTIFIED, "sync_token": None}, "full", "webhook", "no_sync_token"),
        (VOUCHED, "skip", "incremental", "recent_notification"),
        ({**VOUCHED, "due_reason": "operator"}, "incremental", "manual", "operator"),
        ({**VOUCHED, "due_reason": "operator", "sync_token": None}, "full", "manual", "no_sync_token"),
        ({**VOUCHED, "sync_token": None}, "full", "full", "no_sync_token"),
        ({**VOUCHED, "settings_generation": GENERATION - 1}, "full", "full", "settings_changed"),
        ({**VOUCHED, "consecutive_failures": 1}, "incremental", "incremental", "retry"),
        ({"sync_token": ""}, "full", "full", "no_sync_token"),
        ({"settings_generation": None}, "full", "full", "settings_changed"),
        ({"consecutive_failures": 2}, "incremental", "incremental", "retry"),
    ],
)
def test_a_due_calendar_gets_what_its_facts_call_for(
    facts: dict[str, Any], action: str, sync_type: str, reason: str
) -> None:
    plan = planned(facts)

    assert (plan.action, plan.sync_type, plan.reason) == (action, sync_type, reason)


@pytest.mark.parametrize(
    ("facts", "forced", "action", "sync_type", "reason"),
    [
        ({}, False, "incremental", "manual", "asked"),
        ({}, True, "incremental", "manual", "forced"),
        (VOUCHED, False, "skip", "manual", "recent_notification"),
        (VOUCHED, True, "incremental", "manual", "forced"),
        ({**VOUCHED, "consecutive_failures": 1}, False, "incremental", "manual", "asked"),
        ({**VOUCHED, "sync_token": None}, False, "full", "manual", "no_sync_token"),
        (NOTIFIED, False, "incremental", "webhook", "notified"),
        ({"last_synced_at": None}, True, "full", "initial", "first_sync"),
    ],
)
def test_an_asked_poll_keeps_the_rule_unless_forced(
    facts: dict[str, Any], forced: bool, action: str, sync_type: str, reason: str
) -> None:
    plan = planned(facts, asked=True, forced=forced)

    assert (plan.action, plan.sync_type, plan.reason) == (action, sync_type, reason)


@pytest.mark.parametrize(
    ("age", "action"),
    [
        (dt.timedelta(0), "skip"),
        (6 * HOUR - dt.timedelta(seconds=1), "skip"),
        (6 * HOUR, "incremental"),
        (6 * HOUR + dt.timedelta(seconds=1), "incremental"),
    ],
)
def test_a_notification_vouches_for_exactly_the_stale_hours(age: dt.timedelta, action: str) -> None:
    assert planned({"last_webhook_received": NOW - age}).action == action


@pytest.mark.parametrize(
    ("stale_hours", "jitter", "seconds"),
    [(6, 0.0, 4 * 3600), (6, 0.5, 4 * 3600 + 150), (6, 0.99, 4 * 3600 + 297), (3, 0.5, 3600 + 75)],
)
def test_the_look_after_a_skip_is_spread_over_minutes_behind_what_was_vouched_for(
    stale_hours: float, jitter: float, seconds: float
) -> None:
    assert planned(VOUCHED, stale_hours=stale_hours, jitter=jitter).skip_seconds == pytest.approx(seconds)


def test_the_stale_hours_are_the_settings() -> None:
    assert planned(VOUCHED, stale_hours=1.5).action == "incremental"


def test_a_missed_push_takes_back_what_the_notification_vouched_for() -> None:
    plan = planned({**VOUCHED, "webhook_failures": 1, "due_reason": "poll_after_missed_push"})

    assert (plan.action, plan.reason) == ("incremental", "poll_after_missed_push")


@pytest.mark.parametrize("reason", ["watch_opened", "reconnected", "connected"])
def test_a_time_without_a_channel_is_made_up_for_whatever_came_before(reason: str) -> None:
    plan = planned({**VOUCHED, "due_reason": reason})

    assert (plan.action, plan.reason) == ("incremental", reason)
