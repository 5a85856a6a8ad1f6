"""An alert is told when it opens, seldom while it lasts, when it gets worse, and when it has been over for a while."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from sync.alert_model import Alert, AlertChange, Finding
from sync.core.operations.alert_course import WELL_FOR, next_round
from sync.core.operations.alert_text import STORM_KINDS, message
from sync.core.operations.retries import OLDEST_SECONDS, next_attempt_seconds
from sync.states import AlertKind, AlertSeverity

NOON = dt.datetime(2030, 1, 15, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(hours=24)
WARNING, CRITICAL = AlertSeverity.WARNING, AlertSeverity.CRITICAL


def finding(kind: AlertKind = AlertKind.PAST_BOUND, **more: Any) -> Finding:
    said = {"severity": WARNING, "calendars": 5, "cause": "not_looked_at", "sentence": f"It is {kind}."}
    return Finding(kind, more.pop("key", str(kind)), **{**said, **more})


def alert(**more: Any) -> Alert:
    """Open and told since noon."""
    facts = {
        "alert_id": "a1", "revision": 3, "key": "past_bound", "kind": "past_bound", "severity": WARNING, "calendars": 5,
        "cause": "not_looked_at", "sentence": "It is past_bound.", "runbook": "docs/alerts.md#past_bound",
        "opened_at": NOON, "told_at": NOON, "told_calendars": 5, "well_since": None,
    }  # fmt: skip
    return Alert(**{**facts, **more})


def one(alerts: list[Alert], findings: list[Finding], *, after: dt.timedelta = dt.timedelta(minutes=1)) -> AlertChange:
    (change,) = next_round(alerts, findings, NOON + after, DAY)
    return change


def test_what_is_new_is_opened_and_told() -> None:
    change = one([], [finding()])
    assert (change.news, change.alert_id, change.key, change.calendars) == ("opened", None, "past_bound", 5)


def test_what_lasts_is_told_again_after_a_day_and_not_before() -> None:
    assert one([alert()], [finding()], after=DAY - dt.timedelta(seconds=1)).news is None
    change = one([alert()], [finding()], after=DAY)
    assert (change.news, change.alert_id, change.revision) == ("reminder", "a1", 3)


@pytest.mark.parametrize(("calendars", "news"), [(49, None), (50, "worse")])
def test_ten_times_the_calendars_are_told_at_once(calendars: int, news: str | None) -> None:
    assert one([alert()], [finding(calendars=calendars)]).news == news


def test_what_became_critical_is_told_at_once_and_stays_so() -> None:
    worse = one([alert()], [finding(severity=CRITICAL)])
    assert (worse.news, worse.severity) == ("worse", CRITICAL)
    better = one([alert(severity=CRITICAL)], [finding(severity=WARNING)])
    assert (better.news, better.severity) == (None, CRITICAL)


def test_what_is_not_found_is_over_after_a_while_and_is_told_once() -> None:
    quiet = one([alert()], [])
    assert (quiet.news, quiet.well_since) == (None, NOON + dt.timedelta(minutes=1))
    still = replace(alert(), well_since=NOON)
    assert one([still], [], after=WELL_FOR - dt.timedelta(seconds=1)).news is None
    assert one([still], [], after=WELL_FOR).news == "resolved"


def test_what_comes_back_meanwhile_goes_on_as_if_nothing_had_been() -> None:
    change = one([alert(well_since=NOON)], [finding()])
    assert (change.news, change.well_since, change.alert_id) == (None, None, "a1")


def test_an_alert_of_other_code_is_ended_too() -> None:
    assert one([alert(kind="unheard_of", key="unheard_of", well_since=NOON)], [], after=WELL_FOR).news == "resolved"


def test_all_news_of_a_round_are_one_message_the_worst_first() -> None:
    findings = [finding(), finding(AlertKind.DATABASE_BEHIND, severity=CRITICAL, calendars=None)]
    text = message(next_round([], findings, NOON, DAY), "monitor.example.com", NOON)
    assert text is not None
    assert (text.severity, text.title) == (CRITICAL, "[monitor.example.com] 2 new: database behind, …")
    worst, other = text.body.split("\n\n")
    assert worst == "New, critical: It is database_behind.\ndocs/alerts.md#database_behind"
    assert other == "New, warning: It is past_bound.\ndocs/alerts.md#past_bound"


def test_no_news_are_no_message() -> None:
    assert message(next_round([alert()], [finding()], NOON, DAY), "monitor.example.com", NOON) is None


def test_an_end_says_how_long_it_lasted() -> None:
    over = next_round([alert(well_since=NOON)], [], NOON + dt.timedelta(minutes=90), DAY)
    text = message(over, "monitor.example.com", NOON + dt.timedelta(minutes=90))
    assert text is not None
    assert text.title == "[monitor.example.com] Over: past bound (5)"
    assert text.body == "Over: past_bound, since 2030-01-15 12:00 UTC (90 minutes). It was: It is past_bound."


def test_a_storm_is_summed_up() -> None:
    kinds = list(AlertKind)[: STORM_KINDS + 1]
    text = message(next_round([], [finding(kind) for kind in kinds], NOON, DAY), "monitor.example.com", NOON)
    assert text is not None
    assert text.body.startswith(f"{len(kinds)} kinds of alerts at once")
    assert [f"{kind}: 1 new, 5 calendars" in text.body for kind in kinds] == [True] * len(kinds)
    assert text.body.count("It is ") == 1
    few = message(next_round([], [finding(kind) for kind in kinds[1:]], NOON, DAY), "monitor.example.com", NOON)
    assert few is not None
    assert few.body.count("It is ") == STORM_KINDS


def test_a_message_is_tried_less_and_less_often_for_a_day() -> None:
    assert [next_attempt_seconds(attempt, 0.0) for attempt in (1, 2, 3, 6, 60)] == [60, 120, 300, 3600, 3600]
    assert next_attempt_seconds(30, OLDEST_SECONDS - 3600) == 3600
    assert next_attempt_seconds(30, OLDEST_SECONDS - 3599) is None
