"""Each kind of alert opens at its threshold, stays through what swings below it, and lets go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from sync.alert_model import Finding, Observations, OpenBreaker, TroubledRegion
from sync.core.operations.alert_rules import find
from sync.core.operations.rule_parts import Limits
from sync.states import AlertKind, AlertSeverity
from tests.docs.pages import ROOT

CROWD = 10_000


@dataclass(frozen=True)
class Rule:
    """What opens an alert; what just does not; what lets an open one stay; what ends it."""

    opens: dict[str, Any]
    too_little: dict[str, Any]
    stays: dict[str, Any]
    over: dict[str, Any]
    which: str = ""


def forecast(ahead: float, spent: float = 500) -> dict[str, Any]:
    return {"requests_per_day": 1000, "requests_today": spent, "requests_forecast": ahead}


def breaker(seconds: float, upstream: str = "google_api") -> dict[str, Any]:
    return {"breakers": {upstream: OpenBreaker(2, seconds, "timeout")}}


def region(state: str, seconds: float, *, is_last: bool = False) -> dict[str, Any]:
    return {"regions": {"eu": TroubledRegion(state, "probe_timeout", 40, seconds, is_last)}}


def quota(rate: float) -> dict[str, Any]:
    return {"quota_rate": rate, "quota_most": 1000.0}


def polls(spent: float, elapsed: float = 0.5) -> dict[str, Any]:
    return {"polls_per_day": 1000, "polls_today": spent, "day_elapsed": elapsed}


def cron(ago: float | None) -> dict[str, Any]:
    return {"cron_ago": ago, "cron_every": 21600.0}


def once(field: str, **more: Any) -> Rule:
    """One is one too many, and none is the end."""
    return Rule({field: 1, **more}, {field: 0}, {field: 1, **more}, {field: 0})


RULES = {
    AlertKind.FAILURE_RATE: Rule(
        {"syncs": 100, "failed": 10},
        {"syncs": 19, "failed": 19},
        {"syncs": 100, "failed": 5},
        {"syncs": 100, "failed": 4},
    ),
    AlertKind.PAST_BOUND: Rule({"past_bound": 10}, {"past_bound": 9}, {"past_bound": 5}, {"past_bound": 4}),
    AlertKind.CHANNELS_LAPSING: Rule({"lapsing": 10}, {"lapsing": 9}, {"lapsing": 5}, {"lapsing": 4}),
    AlertKind.REAUTH_WAVE: Rule(
        {"reauth_users": 100}, {"reauth_users": 99}, {"reauth_users": 50}, {"reauth_users": 49}
    ),
    AlertKind.POISONED: once("poisoned"),
    AlertKind.DRIFT: once("differing"),
    AlertKind.BREAKER_OPEN: Rule(breaker(120), breaker(119), breaker(1), {"breakers": {}}, which=":google_api"),
    AlertKind.QUOTA_FORECAST: Rule(forecast(1000), forecast(9000, spent=99), forecast(950), forecast(949)),
    AlertKind.QUOTA_REFUSED: Rule(quota(500), quota(501), quota(800), quota(801)),
    AlertKind.LANE_PAUSED: Rule(
        {"paused_lanes": {"poll": 14400.0}},
        {"paused_lanes": {"poll": 14399.0}},
        {"paused_lanes": {"poll": 14400.0}},
        {"paused_lanes": {}},
        which=":poll",
    ),
    AlertKind.REGION_DOWN: Rule(
        region("silent", 900.0), region("silent", 899.0), region("silent", 900.0), {"regions": {}}, which=":eu"
    ),
    AlertKind.POLL_BUDGET: Rule(polls(600), polls(199, 0.01), polls(500), polls(499)),
    AlertKind.DEAD_BOTS: once("dead_bots"),
    AlertKind.DEAD_EVENTS: once("dead_events"),
    AlertKind.SUSPICIOUS: Rule(
        {"suspicious": {"bad_jwt": 100}},
        {"suspicious": {}},
        {"suspicious": {"bad_jwt": 1}},
        {"suspicious": {}},
        which=":bad_jwt",
    ),
    AlertKind.WORKER_SILENT: Rule(
        {"driven_ago": 900.0}, {"driven_ago": 899.0}, {"driven_ago": 600.0}, {"driven_ago": 599.0}
    ),
    AlertKind.CRON_SILENT: Rule(cron(14.3 * 3600), cron(14.1 * 3600), cron(9 * 3600), cron(8.9 * 3600)),
    AlertKind.DATABASE_BEHIND: once("is_behind"),
    AlertKind.MAIL_FAILING: once("unmailed"),
    AlertKind.DESTINATION_FAILING: Rule(
        {"destinations": {"slack-1": (3, "http_404")}},
        {"destinations": {"slack-1": (2, "http_404")}},
        {"destinations": {"slack-1": (1, "http_404")}},
        {"destinations": {"slack-1": (0, "http_404")}},
        which=":slack-1",
    ),
}


def found(facts: dict[str, Any], *open_keys: str) -> tuple[Finding, ...]:
    return find(Observations(**{"calendars": CROWD, **facts}), Limits(), open_keys.__contains__)


@pytest.mark.parametrize("kind", AlertKind)
def test_a_kind_opens_stays_and_lets_go(kind: AlertKind) -> None:
    rule = RULES[kind]
    key = f"{kind}{rule.which}"
    assert [each.key for each in found(rule.opens)] == [key]
    assert found(rule.too_little) == ()
    assert [each.key for each in found(rule.stays, key)] == [key]
    assert found(rule.over, key) == ()


@pytest.mark.parametrize("kind", [kind for kind in AlertKind if RULES[kind].stays != RULES[kind].opens])
def test_what_lets_an_alert_stay_opens_none(kind: AlertKind) -> None:
    if kind is not AlertKind.SUSPICIOUS:
        assert found(RULES[kind].stays) == ()


@pytest.mark.parametrize("kind", AlertKind)
def test_the_runbook_has_a_heading_for_every_kind(kind: AlertKind) -> None:
    (finding,) = found(RULES[kind].opens)
    page, _, heading = finding.runbook.partition("#")
    assert f"\n### {heading}\n" in (ROOT / page).read_text(encoding="utf-8")
    assert finding.sentence.endswith(".")


def test_a_service_without_a_history_is_well() -> None:
    assert find(Observations(), Limits(), lambda _key: False) == ()


def test_a_small_service_is_told_of_one_calendar() -> None:
    (late,) = found({"calendars": 3, "past_bound": 1, "past_bound_cause": "not_looked_at"})
    assert (late.calendars, late.cause, late.severity) == (1, "not_looked_at", AlertSeverity.WARNING)
    assert late.sentence == "1 of 3 calendars are past their bound; most: not_looked_at."


@pytest.mark.parametrize(
    "facts",
    [
        {"syncs": 100, "failed": 50},
        {"past_bound": 1000},
        {"lapsing": 1000},
        {"reauth_users": 1000, "reauth_calendars": 1000},
        {"poisoned": 10},
        {"dead_bots": 10},
        {"is_behind": True},
        forecast(1000, spent=900),
        quota(200),
        breaker(120),
    ],
    ids=lambda facts: next(iter(facts)),
)
def test_what_hits_many_is_critical(facts: dict[str, Any]) -> None:
    assert [each.severity for each in found(facts)] == [AlertSeverity.CRITICAL]


def test_calendars_that_wait_for_a_stopped_lane_are_late_for_that_reason() -> None:
    late = {"past_bound": 10, "past_bound_cause": "not_looked_at"}
    assert [each.cause for each in found({**late, "paused_lanes": {"poll": 60.0}})] == ["lane_paused"]
    assert [each.cause for each in found({**late, "paused_lanes": {"bots": 60.0}})] == ["not_looked_at"]


def test_an_upstream_of_bots_holds_up_no_calendar() -> None:
    (one,) = found(breaker(120, "bots_recall"))
    assert (one.severity, one.calendars) == (AlertSeverity.WARNING, None)


def test_of_a_million_calendars_nobody_counts_beyond_what_is_critical() -> None:
    (late,) = found({"calendars": 5_000_000, "past_bound": 10_000})
    assert (late.severity, late.sentence) == (
        AlertSeverity.CRITICAL,
        "10,000 or more of 5,000,000 calendars are past their bound.",
    )
    assert [each.key for each in found({"calendars": 5_000_000, "reauth_users": 10_000})] == ["reauth_wave"]
    assert found({"calendars": 5_000_000, "past_bound": 4_999}) == ()


def test_the_operator_decides_about_the_failure_rate() -> None:
    seen = Observations(syncs=100, failed=10)
    assert find(seen, Limits(failure_share=0.2), lambda _key: False) == ()
    assert len(find(seen, Limits(failure_share=0.05), lambda _key: False)) == 1


def test_each_kind_of_attack_and_each_destination_is_an_alert_of_its_own() -> None:
    attack = {"suspicious": {"bad_jwt": 100, "refused_key": 200}}
    assert [each.key for each in found(attack)] == ["suspicious:bad_jwt", "suspicious:refused_key"]
    failing = {"destinations": {"slack-1": (5, None), "slack-2": (0, None), "mailtos-1": (9, "timeout")}}
    assert [each.key for each in found(failing)] == ["destination_failing:mailtos-1", "destination_failing:slack-1"]


def test_a_cron_that_never_came_twice_is_missed_by_nobody() -> None:
    assert found({"cron_ago": 1e6, "cron_every": None}) == ()


@pytest.mark.parametrize(
    ("facts", "severity", "says"),
    [
        (region("sick", 60.0), AlertSeverity.WARNING, "its channels move to another region"),
        (region("sick", 60.0, is_last=True), AlertSeverity.CRITICAL, "polls alone find changes"),
        (region("silent", 960.0, is_last=True), AlertSeverity.WARNING, "polls alone find changes"),
        (region("silent", 960.0), AlertSeverity.WARNING, "new channels avoid it"),
    ],
)
def test_a_region_says_what_becomes_of_its_channels(facts: dict[str, Any], severity: AlertSeverity, says: str) -> None:
    (down,) = found(facts)
    assert (down.severity, down.calendars, down.cause) == (severity, 40, "probe_timeout")
    assert says in down.sentence
