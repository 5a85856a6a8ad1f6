"""Losses of a grant, named for people."""

from __future__ import annotations

import datetime as dt

import pytest

from sync.core.accounts.connection_loss import TESTING_REASON, name_loss

CONNECTED = dt.datetime(2026, 3, 2, 9, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("code", "after", "reason"),
    [
        ("invalid_grant", dt.timedelta(days=3), "invalid_grant"),
        ("invalid_grant", dt.timedelta(days=7, minutes=20), TESTING_REASON),
        ("invalid_grant", dt.timedelta(days=7, hours=11), TESTING_REASON),
        ("invalid_grant", dt.timedelta(days=6, hours=12), "invalid_grant"),
        ("invalid_grant", dt.timedelta(days=8), "invalid_grant"),
        ("invalid_grant", dt.timedelta(days=200), "invalid_grant"),
        ("admin_policy_enforced", dt.timedelta(days=7, minutes=20), "admin_policy_enforced"),
        ("scope_missing", dt.timedelta(days=1), "scope_missing"),
    ],
)
def test_seven_days_after_consent_means_an_app_in_testing(code: str, after: dt.timedelta, reason: str) -> None:
    assert name_loss(code, CONNECTED, None, CONNECTED + after).reason == reason


def test_an_announced_end_means_an_app_in_testing_whenever_it_is_noticed() -> None:
    now = CONNECTED + dt.timedelta(days=9)
    assert name_loss("invalid_grant", CONNECTED, CONNECTED + dt.timedelta(days=7), now).reason == TESTING_REASON
    assert name_loss("invalid_grant", CONNECTED, CONNECTED + dt.timedelta(days=10), now).reason == "invalid_grant"


def test_a_grant_of_unknown_age_is_taken_as_google_says() -> None:
    assert name_loss("invalid_grant", None, None, CONNECTED).reason == "invalid_grant"


@pytest.mark.parametrize(
    "code", ["invalid_grant", "invalid_rapt", "scope_missing", "no_refresh_token", "something_new"]
)
def test_every_loss_tells_the_user_what_to_do(code: str) -> None:
    assert "onnect" in name_loss(code, CONNECTED, None, CONNECTED).message
