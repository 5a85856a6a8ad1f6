"""claim_due_calendars and what ends a claim: one worker per calendar, and a dead worker's calendar goes to the next."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections import Counter
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Database, Row, at_once, call, in_background


def ids(rows: list[Row]) -> list[Any]:
    return [row["calendar_id"] for row in rows]


def claim_until_given(db: Database, calendar: Row, within_seconds: float = 60.0) -> Row:
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
    synced = {"sync_token": "token"}
    polled_long = db.calendar(after_seconds=-300, **synced)
    polled = db.calendar(after_seconds=-100, **synced)
    notified = db.calendar(after_seconds=-10, notifications_seen=1, **synced)
    notified_long = db.calendar(after_seconds=-20, notifications_seen=5, notifications_synced=4, **synced)
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
    dead = db.claim_one(calendar)
    assert db.claim() == []
    db.set(calendar, **dict.fromkeys(("lease_expires_at", "due_at"), "clock_timestamp() + interval '0.5 seconds'"))
    heir = claim_until_given(db, calendar)
    assert heir["fence"] > dead["fence"]
    assert db.commit(dead)["committed"] is False
    assert db.fail(dead) is False
    assert db.commit(heir)["committed"] is True


def test_extended_lease_is_kept_and_a_lost_one_cannot_be(db: Database) -> None:
    calendar = db.calendar()

    def extend(claim: Row) -> bool:
        kept = db.call("keep_leases", p_calendar_ids=[calendar["id"]], p_fences=[claim["fence"]], p_lease_seconds=500)
        return [row["keep_leases"] for row in kept] == [calendar["id"]]

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


def test_calendar_released_for_an_outage_waits_for_its_end_and_counts_nothing(db: Database) -> None:
    calendar = db.calendar(consecutive_failures=1, last_error_code="before")
    claim = db.claim_one(calendar)

    release = {"p_calendar_id": calendar["id"], "p_fence": claim["fence"], "p_after_seconds": 40.0}
    assert db.value("release_calendar", **release) is True

    after = db.calendar_row(calendar["id"])
    assert 30 < after["due_in"] <= 40
    assert (after["consecutive_failures"], after["last_error_code"], after["due_reason"]) == (
        1, "before", calendar["due_reason"],
    )  # fmt: skip


def test_outage_never_shortens_a_calendars_own_backoff(db: Database) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar)
    db.set(calendar, not_before="now() + interval '10 minutes'")

    db.value("release_calendar", p_calendar_id=calendar["id"], p_fence=claim["fence"], p_after_seconds=40.0)

    assert 590 < db.calendar_row(calendar["id"])["due_in"] <= 600


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
        assert in_background(db.claim).result(60) == []
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
    db.set(paused, not_before="clock_timestamp() + interval '1 hour'")
    a, b = call(db.service, "calendars_of_user", p_user_id=alice)
    assert a == {"calendar_id": first["id"], "google_calendar_id": "a", "paused_reason": None, "backoff_seconds": 0.0}
    assert (b["calendar_id"], b["paused_reason"]) == (paused["id"], "needs_reauth")
    assert 3590 < b["backoff_seconds"] <= 3600


def claim_as(db: Database, claim_id: str | None = None, **more: Any) -> list[Row]:
    arguments: Row = {"p_worker": "w", "p_limit": 50, "p_lease_seconds": 60, "p_claim_id": claim_id, **more}
    return db.call("claim_due_calendars", **arguments)


def test_a_claim_asked_again_gives_the_same_leases_and_takes_no_more(db: Database) -> None:
    first = db.calendar()
    name = str(uuid.uuid4())
    once = claim_as(db, name)
    db.calendar()
    again = claim_as(db, name)
    assert ids(once) == ids(again) == [first["id"]]
    assert once[0]["fence"] == again[0]["fence"]
    db.commit(once[0])
    assert ids(claim_as(db, name)) != [first["id"]]


def test_polls_and_first_syncs_keep_their_share_however_many_notifications_wait(db: Database) -> None:
    notified = [db.calendar(sync_token="t", notifications_seen=1, after_seconds=-9000) for _ in range(30)]
    overdue = [db.calendar(sync_token="t", after_seconds=-36000) for _ in range(3)]
    new = db.calendar()
    claimed = ids(db.claim(limit=12))
    assert len(claimed) == 12
    assert {each["id"] for each in [*overdue, new]} <= set(claimed)
    assert len({each["id"] for each in notified} & set(claimed)) == 8


def test_of_one_at_a_time_what_waited_for_long_comes_first(db: Database) -> None:
    overdue = db.calendar(sync_token="t", after_seconds=-36000)
    notified = db.calendar(sync_token="t", notifications_seen=1, after_seconds=-5)
    recent = db.calendar(sync_token="t", after_seconds=-30)
    order = [ids(db.claim(limit=1))[0] for _ in range(3)]
    assert order == [overdue["id"], notified["id"], recent["id"]]


def test_room_is_kept_by_lane(db: Database) -> None:
    for _ in range(3):
        db.calendar(sync_token="t", notifications_seen=1)
        db.calendar(sync_token="t")
        db.calendar()
    claimed = claim_as(db, p_room=Jsonb({"notified": 2, "first": 1}))
    assert sorted(row["lane"] for row in claimed) == ["first", "notified", "notified"]


def test_no_user_fills_a_claim_while_others_wait(db: Database) -> None:
    alice = db.user()
    for _ in range(20):
        db.calendar(alice, sync_token="t", after_seconds=-9000)
    bob = db.calendar(sync_token="t", after_seconds=-5)
    claimed = claim_as(db, p_limit=6, p_per_user=4, p_room=Jsonb({"poll": 6}))
    assert bob["id"] in ids(claimed)
    assert len(claimed) == 5


def test_a_claim_that_ends_its_process_is_counted_and_claimed_alone(db: Database) -> None:
    deadly, other = db.calendar(sync_token="t"), db.calendar(sync_token="t")
    for _ in range(2):
        for row in db.claim(lease=0):
            if row["calendar_id"] == other["id"]:
                db.commit(row)
        db.set(other, due_at="now() - interval '1 second'", not_before="null")
    assert ids(db.claim()) == [other["id"]]
    assert claim_as(db, p_room=Jsonb({"poll": 5, "suspect": 0})) == []
    (alone,) = claim_as(db, p_room=Jsonb({"poll": 5, "suspect": 1}))
    assert (alone["calendar_id"], alone["lane"]) == (deadly["id"], "suspect")
    db.commit(alone)
    assert db.calendar_row(deadly["id"])["claims_unended"] == 0


def test_a_suspect_waits_longer_with_every_claim_that_was_never_ended(db: Database) -> None:
    calendar = db.calendar(sync_token="t", claims_unended=2)
    waits = []
    for _ in range(4):
        (claim,) = claim_as(db, p_room=Jsonb({"suspect": 1}), p_lease_seconds=0)
        waits.append(round(db.calendar_row(calendar["id"])["due_in"], -1))
        db.set(calendar, due_at="now() - interval '1 second'")
    assert waits == [0, 60, 120, 240]
    db.value("release_calendar", p_calendar_id=calendar["id"], p_fence=claim["fence"])
    assert db.calendar_row(calendar["id"])["claims_unended"] == 5


def test_asking_for_a_calendar_honours_its_backoff(db: Database) -> None:
    calendar = db.calendar(after_seconds=600, not_before=dt.datetime.now(dt.UTC) + dt.timedelta(seconds=600))
    assert db.claim(calendar) == []


def test_one_turn_per_user_at_a_time(db: Database) -> None:
    alice, bob = db.user(), db.user()
    first, second = str(uuid.uuid4()), str(uuid.uuid4())

    def take(user_id: str, holder: str, seconds: int = 60) -> bool:
        return bool(db.value("take_turn", p_user_id=user_id, p_holder=holder, p_lease_seconds=seconds))

    assert take(alice, first)
    assert take(alice, first)
    assert not take(alice, second)
    assert take(bob, second)
    db.call("end_turn", p_user_id=alice, p_holder=second)
    assert not take(alice, second)
    db.call("end_turn", p_user_id=alice, p_holder=first)
    assert take(alice, second, 0)
    assert take(alice, first)


def test_a_job_is_taken_by_one_process_each_time(db: Database) -> None:
    def take(every: float) -> bool:
        return bool(db.value("take_job", p_name="roll", p_every_seconds=every, p_worker="w"))

    assert [take(60), take(60), take(0), take(60)] == [True, False, True, False]
