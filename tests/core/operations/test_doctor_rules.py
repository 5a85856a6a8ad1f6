"""The doctor's verdicts, by tables: what is not broken on a real stack (tests/jobs/operations/test_doctor.py)."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sync.alert_model import Observations, OpenBreaker
from sync.core.operations.doctor import accounts, outside, set_up, standing
from sync.core.operations.doctor.outside import ClockReading, Reached
from sync.core.operations.doctor.standing import Seen
from sync.core.operations.doctor.verdict import Grade, Verdict, named, unchecked, warning, well, worst

NOW = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
WELL: dict[str, Any] = {"driven_ago": 5.0, "cron_ago": 60.0, "cron_every": 3600.0, "calendars": 8}


def seen(causes: dict[str, int] | None = None, destinations: tuple[str, ...] = ("mail",), **observed: Any) -> Seen:
    return Seen(Observations(**{**WELL, **observed}), True, destinations, 0, causes or {})


def codes(verdicts: list[Verdict]) -> dict[str, str]:
    return {each.check: each.code for each in verdicts if each.grade is not Grade.OK}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (seen(), {}),
        (seen(cron_ago=None, driven_ago=5.0), {"cron": "cron_never_called"}),
        # Renewals and polls by a scheduler alone are a set-up too.
        (seen(driven_ago=None), {}),
        (seen(driven_ago=7200.0), {}),
        (seen(driven_ago=7200.0, cron_ago=50_000.0), {"processes": "nobody_drives", "cron": "cron_silent"}),
        (seen(past_bound=3, past_bound_cause="not_looked_at"), {"calendars": "past_bound"}),
        (seen(poisoned=1, past_bound=3), {"calendars": "poisoned"}),
        (seen(requests_today=5e5, requests_forecast=1.2e6, requests_per_day=1e6), {"quota": "quota_forecast"}),
        (seen(quota_rate=4000.0, quota_most=10_000.0), {"quota": "quota_refused"}),
        (seen(quota_rate=9000.0, quota_most=10_000.0), {}),
        (seen({"accessNotConfigured": 4, "timeout": 9}), {"Google project": "accessNotConfigured"}),
        (seen(breakers={"google_api": OpenBreaker(1, 300.0, "timeout")}), {"upstreams": "upstream_down"}),
        (seen(paused_lanes={"poll": 60.0}), {"upstreams": "lane_paused"}),
        (seen(dead_bots=1, dead_bots_cause="no_credit"), {"dead letters": "dead_letters"}),
        (seen(dead_events=2), {"dead letters": "dead_letters"}),
        (seen(destinations=()), {"alerts": "no_destination"}),
    ],
)
def test_how_the_service_stands(given: Seen, expected: dict[str, str]) -> None:
    assert codes(standing.standing(given)) == expected


def test_a_destination_that_takes_nothing_is_named_while_it_is_set() -> None:
    observed = Observations(**WELL, destinations={"mail": (3, "refused"), "old": (9, "refused")})
    verdict = standing.standing(Seen(observed, True, ("mail",), 0, {}))[-1]
    assert (verdict.code, verdict.seen) == ("destination_failing", "Took nothing lately: mail (refused).")


CONNECTIONS = dict.fromkeys(
    ("seen", "connected", "lost_in_testing", "ends_by_itself", "of_other_client", "without_scope", "in_the_clear"), 0
)
CHANNELS = {"calendars": 9, "none": 0, "lapsed": 0, "lapsing": 0}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, {}),
        ({"connections": {**CONNECTIONS, "ends_by_itself": 2}}, {"consent screen": "consent_screen_in_testing"}),
        ({"channels": {**CHANNELS, "lapsing": 1}}, {"channels": "channels_lapsing"}),
        ({"channels": {**CHANNELS, "lapsed": 1, "none": 2, "lapsing": 3}}, {"channels": "channels_lapsed"}),
        ({"keys": {"aa": 3, "bb": 2}}, {"encryption keys": "token_key_missing"}),
    ],
)
def test_how_connections_and_channels_stand(facts: dict[str, Any], expected: dict[str, str]) -> None:
    held = {"connections": CONNECTIONS, "channels": CHANNELS, "keys": {"aa": 3}, **facts}
    assert codes(accounts.accounts(accounts.Held(held, frozenset({"aa"})))) == expected


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        (Reached("h", None, is_tls=True, ends_at=NOW + 60 * DAY), "ok"),
        (Reached("h", None, is_tls=True, ends_at=NOW + 13 * DAY), "certificate_ends_soon"),
        (Reached("h", None, is_tls=True, is_public=False, ends_at=NOW + 60 * DAY), "address_private"),
        (Reached("h", "expired", is_tls=True, ends_at=NOW - DAY), "certificate_expired"),
        *(
            (Reached("h", code, is_tls=True), f"address_{code}")
            for code in ("name_unknown", "not_connected", "timeout", "not_yet_valid", "other_host", "not_trusted")
        ),
    ],
)
def test_how_far_a_connection_to_the_door_comes(reached: Reached, expected: str) -> None:
    verdict = outside.address("address", reached, NOW)
    assert verdict.code == expected
    assert bool(verdict.mend) is (expected != "ok")


@pytest.mark.parametrize("code", ["status_403", "status_405", "status_500", "timeout", "no_answer", "not_connected"])
def test_whatever_a_door_answers_has_a_mend(code: str) -> None:
    assert outside.door("door", "https://h/x", code, 3).mend.endswith(".")


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        ({"Google": ClockReading(2.0, 0.6), "Supabase": ClockReading(-1.0, 0.6)}, "ok"),
        ({"Google": ClockReading(20.0, 0.6), "Supabase": None}, "clock_off"),
        # What a slow answer leaves open is not held against the clock.
        ({"Google": ClockReading(8.0, 4.0)}, "ok"),
        ({"Google": ClockReading(-300.0, 0.6)}, "clock_wrong"),
        ({"Google": None, "Supabase": None}, "not_checked"),
    ],
)
def test_how_the_clock_stands(readings: dict[str, ClockReading | None], expected: str) -> None:
    assert outside.clock(readings).code == expected


def test_which_of_two_clocks_disagrees_is_said() -> None:
    told = outside.clock({"Google": ClockReading(0.2, 0.6), "Supabase": ClockReading(20.0, 0.6)})
    assert told.seen == "This machine's clock is 20 s behind the clock of Supabase, and agrees with that of Google."


@pytest.mark.parametrize(
    ("published", "has_secret", "expected"),
    [
        (2, False, "ok"),
        (0, True, "ok"),
        (None, True, "ok"),
        (0, False, "no_signing_keys"),
        (None, False, "keys_unavailable"),
    ],
)
def test_whether_sign_ins_can_be_checked(published: int | None, has_secret: bool, expected: str) -> None:
    assert set_up.sign_in(published, has_secret=has_secret).code == expected


@pytest.mark.parametrize(
    ("code", "grade"),
    [
        (None, Grade.OK),
        ("not_told", Grade.NOT_CHECKED),
        ("invalid_request", Grade.NOT_CHECKED),
        ("deleted_client", Grade.FAILED),
    ],
)
def test_what_the_consent_page_says_of_the_redirect_uri(code: str | None, grade: Grade) -> None:
    assert outside.redirect_uri("https://h/connect/google/callback", code).grade is grade


def test_the_worst_verdict_decides_and_many_names_are_cut() -> None:
    assert worst([]) is Grade.OK
    assert worst([well("a", "s"), unchecked("b", "w"), warning("c", "x", "s", "m")]) is Grade.WARNING
    assert named(f"t{number}" for number in range(8)) == "t0, t1, t2, t3, t4, t5 and 2 more"
