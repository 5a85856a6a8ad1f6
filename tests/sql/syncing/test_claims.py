"""claim_due_calendars and what ends a claim: one worker per calendar, and a dead worker's calendar goes to the next."""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from typing import Any

import pytest

from tests.sql.database import Database, Row, at_once, call, in_background


def ids(rows: list[Row]) -> list[Any]:
    return [row["calendar_id"] for row in rows]


def claim_until_given(db: Database, calendar: Row, within_seconds: float = 10.0) -> Row:
    """The claim a sweep gets once the calendar's lease has run out."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        for claimed in db.claim():
            assert claimed["calendar_id"] == calendar["id"]
            return claimed
    raise AssertionError("the lease never ran out")


def test_claim_tells_all_that_a_sync_needs(db: Database) -> None:
    alice = db.user()
    db.credentials(alice, access_token="v1.access", access_token_expires_at="2040-01-01")
    calendar = db.calendar(
        alice,
        sync_token="st",
        settings_generation=3,
        time_zone="Europe/Zurich",
        last_synced_at="2020-01-02",
        due_reason="why",
    )
    db.channel(calendar, opened_at="2020-01-01")
    (claim,) = db.claim()
    expected = {
        "calendar_id": calendar["id"],
        "user_id": calendar["user_id"],
        "google_calendar_id": calendar["google_calendar_id"],
        "fence": 1,
        "due_reason": "why",
        "sync_token": "st",
        "settings_generation": 3,
        "time_zone": "Europe/Zurich",
        "notifications_seen": 0,
        "notifications_synced": 0,
        "last_webhook_received": None,
        "last_synced_at": dt.datetime(2020, 1, 2, tzinfo=dt.UTC),
        "consecutive_failures": 0,
        "webhook_failures": 0,
        "has_live_channel": True,
        "access_token": "v1.access",
        "access_token_expires_at": dt.datetime(2040, 1, 1, tzinfo=dt.UTC),
        "refresh_token": "v1.refresh",
    }
    assert {name: claim[name] for name in expected} == expected
    after = db.calendar_row(calendar["id"])
    assert (after["claimed_by"], after["leased"], after["due_at"]) == ("test", True, after["lease_expires_at"])


@pytest.mark.parametrize(
    "channel",
    [
        {"state": "superseded", "opened_at": "2020-01-01"},
        {"state": "live", "opened_at": "2020-01-01", "expires_at": "2020-02-01"},
        # Opened after the last sync: a change before it could not have been announced.
        {"state": "live", "opened_at": "2020-01-03"},
    ],
)
def test_only_a_channel_that_lived_since_the_last_sync_could_have_announced(db: Database, channel: Row) -> None:
    calendar = db.calendar(last_synced_at="2020-01-02")
    db.channel(calendar, **channel)
    assert db.claim_one(calendar)["has_live_channel"] is False


@pytest.mark.parametrize("status", ["needs_reauth", "disconnected"])
def test_claim_carries_no_tokens_of_a_lost_connection(db: Database, status: str) -> None:
    alice = db.user()
    db.credentials(alice, status=status)
    assert db.claim_one(db.calendar(alice))["refresh_token"] is None


def test_notified_calendars_come_before_polled_ones_and_the_longest_due_first(db: Database) -> None:
    polled_long = db.calendar(after_seconds=-300)
    polled = db.calendar(after_seconds=-100)
    notified = db.calendar(after_seconds=-10, notifications_seen=1)
    notified_long = db.calendar(after_seconds=-20, notifications_seen=5, notifications_synced=4)
    assert ids(db.claim(limit=3)) == [each["id"] for each in (notified_long, notified, polled_long)]
    assert ids(db.claim()) == [polled["id"]]


@pytest.mark.parametrize(
    "columns", [{"is_active": False}, {"paused_reason": "needs_reauth"}, {"after_seconds": 60}], ids=str
)
def test_sweep_leaves_alone_what_is_not_to_be_synced(db: Database, columns: Row) -> None:
    db.calendar(notifications_seen=1, **columns)
    assert db.claim() == []


def test_duplicate_is_never_claimed_even_when_asked_for(db: Database) -> None:
    calendar = db.calendar()
    duplicate = db.calendar(calendar["user_id"], duplicate_of=calendar["id"], notifications_seen=1)
    assert db.claim(duplicate) == []
    assert ids(db.claim()) == [calendar["id"]]


@pytest.mark.parametrize("columns", [{"is_active": False}, {"paused_reason": "needs_reauth"}], ids=str)
def test_asking_does_not_wake_what_is_paused_or_inactive(db: Database, columns: Row) -> None:
    assert db.claim(db.calendar(**columns)) == []


def test_asking_claims_what_is_not_due_but_never_what_is_leased(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    assert ids(db.claim(calendar)) == [calendar["id"]]
    assert db.claim(calendar) == []


def test_named_calendars_are_claimed_only_when_due_unless_asked_for(db: Database) -> None:
    due, later = db.calendar(), db.calendar(after_seconds=3600)
    claimed = db.call(
        "claim_due_calendars",
        p_worker="w",
        p_limit=9,
        p_lease_seconds=60,
        p_calendar_ids=[due["id"], later["id"]],
    )
    assert ids(claimed) == [due["id"]]


def test_one_claim_leases_200_calendars_at_most(db: Database) -> None:
    alice = db.user()
    db.admin.execute(
        "insert into public.calendar_webhooks (user_id, google_calendar_id, notifications_seen, due_at)"
        " select %s, n::text, n %% 2, now() - interval '1 hour' from generate_series(1, 450) n",
        (alice,),
    )
    assert [len(db.claim(limit=100_000)) for _ in range(4)] == [200, 200, 50, 0]
    assert db.claim(limit=-1) == []


def test_claim_passes_over_a_calendar_that_another_transaction_holds(db: Database) -> None:
    first, second = db.calendar(after_seconds=-20), db.calendar(after_seconds=-10)
    other = db.another()
    with other.transaction():
        assert ids(db.claim(limit=1, by=other)) == [first["id"]]
        # Not committed yet: waiting for it here would hang, and taking it would be two workers on one calendar.
        assert ids(db.claim(limit=1)) == [second["id"]]


def test_workers_that_claim_at_once_never_share_a_calendar(db: Database) -> None:
    alice = db.user()
    db.admin.execute(
        "insert into public.calendar_webhooks (user_id, google_calendar_id, notifications_seen, due_at)"
        " select %s, n::text, n %% 3, now() - interval '1 hour' from generate_series(1, 300) n",
        (alice,),
    )

    def work() -> list[Any]:
        mine: list[Any] = []
        with db.service_connection() as connection:
            while claimed := db.claim(limit=7, by=connection):
                mine += ids(claimed)
        return mine

    claimed = Counter(calendar for worker in at_once(work, work, work, work) for calendar in worker)
    assert (len(claimed), set(claimed.values())) == (300, {1})


def test_lease_that_ran_out_goes_to_the_next_with_a_greater_fence(db: Database) -> None:
    calendar = db.calendar()
    dead = db.claim_one(calendar, lease=1)
    assert db.claim() == []
    heir = claim_until_given(db, calendar)
    assert heir["fence"] > dead["fence"]
    assert db.commit(dead)["committed"] is False
    assert db.fail(dead) is False
    assert db.commit(heir)["committed"] is True


def test_extended_lease_is_kept_and_a_lost_one_cannot_be(db: Database) -> None:
    calendar = db.calendar()

    def extend(claim: Row) -> Any:
        return db.value("extend_lease", p_calendar_id=calendar["id"], p_fence=claim["fence"], p_lease_seconds=500)

    first = db.claim_one(calendar, lease=0)
    second = db.claim_one(calendar)
    assert extend(first) is False
    assert extend(second) is True
    after = db.calendar_row(calendar["id"])
    assert 490 < after["due_in"] <= 500
    assert abs(after["due_at"] - after["lease_expires_at"]) < dt.timedelta(seconds=1)
    db.commit(second)
    assert extend(second) is False
    assert db.calendar_row(calendar["id"])["leased"] is False


def test_released_calendar_is_due_at_once_for_somebody_else(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    release = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"]}
    assert db.value("release_calendar", **release) is True
    assert db.commit(claim)["committed"] is False
    (again,) = db.claim()
    assert again["fence"] == claim["fence"] + 1
    assert db.value("release_calendar", **release) is False
    assert db.calendar_row(calendar["id"])["leased"] is True
    assert db.logs(calendar) == []


def test_failure_counts_and_sets_the_backoff_and_is_logged(db: Database) -> None:
    calendar = db.calendar(sync_token="kept", consecutive_failures=1)
    db.fail(db.claim_one(calendar), p_error_message="it broke", p_google_calls=3, p_duration_ms=7)
    after = db.calendar_row(calendar["id"])
    assert 590 < after["due_in"] <= 600
    assert (after["consecutive_failures"], after["last_error_code"], after["leased"], after["due_reason"]) == (
        2, "google_unavailable", False, "retry",
    )  # fmt: skip
    assert after["not_before"] == after["due_at"]
    assert (after["sync_token"], after["last_synced_at"], after["paused_reason"]) == ("kept", None, None)
    (log,) = db.logs(calendar)
    assert [log[name] for name in ("status", "error_code", "error_message", "google_calls", "duration_ms")] == [
        "failed", "google_unavailable", "it broke", 3, 7,
    ]  # fmt: skip


def test_skip_is_no_failure_and_sets_the_next_look(db: Database) -> None:
    calendar = db.calendar(consecutive_failures=1, last_error_code="old", not_before=None)
    db.skip(db.claim_one(calendar), p_reason="recent_notification")
    after = db.calendar_row(calendar["id"])
    assert (after["consecutive_failures"], after["last_error_code"], after["not_before"]) == (1, "old", None)
    assert 590 < after["due_in"] <= 600
    (log,) = db.logs(calendar)
    assert (log["status"], log["reason"], log["meetings_created"]) == ("skipped", "recent_notification", 0)


def test_repeated_end_of_a_claim_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    assert db.fail(claim) is True
    before = db.row("select * from public.calendar_webhooks where id = %s", calendar["id"])
    assert db.fail(claim, p_next_seconds=5.0) is False
    assert db.row("select * from public.calendar_webhooks where id = %s", calendar["id"]) == before
    assert len(db.logs(calendar)) == 1


def test_late_end_does_not_touch_the_claim_of_the_next(db: Database) -> None:
    calendar = db.calendar()
    late, current = db.claim_one(calendar, lease=0), db.claim_one(calendar)
    assert db.skip(late) is False
    assert db.calendar_row(calendar["id"])["fence"] == current["fence"]
    assert db.calendar_row(calendar["id"])["leased"] is True


def test_claim_waits_for_nobody_while_a_notification_is_being_written(db: Database) -> None:
    calendar, other = db.calendar(), db.another()
    channel = db.channel(calendar)
    with other.transaction():
        db.notify(channel, by=other)
        assert in_background(db.claim).result(5) == []
    assert ids(db.claim()) == [calendar["id"]]


def test_sweep_state_counts_what_is_due_and_what_push_vouches_for(db: Database) -> None:
    db.calendar()
    db.calendar(paused_reason="needs_reauth", last_webhook_received="2020-01-01")
    db.claim_one(db.calendar())
    fresh, stale = db.calendar(after_seconds=60), db.calendar(after_seconds=60)
    db.set(fresh, last_webhook_received="now() - interval '5 hours'")
    db.set(stale, last_webhook_received="now() - interval '7 hours'")
    assert db.call("sweep_state", p_stale_hours=6) == [{"remaining": 1, "vouched_for": 1}]


def test_calendars_of_a_user_are_the_watched_ones_alone(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    first = db.calendar(alice, google_calendar_id="a")
    paused = db.calendar(alice, google_calendar_id="b", paused_reason="needs_reauth")
    db.calendar(alice, is_active=False)
    db.calendar(alice, duplicate_of=first["id"])
    db.calendar(bob)
    assert call(db.service, "calendars_of_user", p_user_id=alice) == [
        {"calendar_id": first["id"], "google_calendar_id": "a", "paused_reason": None},
        {"calendar_id": paused["id"], "google_calendar_id": "b", "paused_reason": "needs_reauth"},
    ]
