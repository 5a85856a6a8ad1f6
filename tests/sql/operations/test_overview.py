"""How the service stands, a calendar's story, the list of calendars: what each tells, page by page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sql.database import Database, Row, call


def overview(db: Database) -> Row:
    """Counted anew."""
    db.admin.execute("update overview_marks set next_at = null where name = 'census'")
    while db.value("count_census", p_limit=2) == 0:
        pass
    db.value("fold_sync_logs", p_limit=9)
    found: Row = db.value("service_overview")
    return found


def synced(db: Database, **expressions: str) -> Row:
    calendar = db.calendar()
    db.sync(calendar, stale_bound_seconds=3600)
    if expressions:
        db.set(calendar, **expressions)
    return calendar


def test_of_nothing_the_overview_is_all_zeros(db: Database) -> None:
    found = db.value("service_overview")
    assert (found["counted_at"], found["calendars"]["total"], found["bounds"]["within"]) == (None, 0, 0)
    assert found["last_hour"]["missed_push_rate"] is None
    assert found["lanes"]["poll"] == {"due": 0, "is_exact": True, "oldest_due_seconds": None}


def test_calendars_are_counted_by_state_and_the_late_ones_by_cause(db: Database) -> None:
    late = "now() - interval '2 hours'"
    for _ in range(3):
        synced(db)
    synced(db, paused_reason="'needs_reauth'", last_synced_at=late)
    synced(db, claims_unended="4", last_synced_at=late)
    synced(db, consecutive_failures="3", last_error_code="'rateLimitExceeded'", last_synced_at=late)
    synced(db, notifications_seen="1", notified_since="now() - interval '6 minutes'")
    synced(db, last_synced_at="now() - interval '60 minutes'")
    synced(db, is_active="false", last_synced_at=late)
    found = overview(db)
    assert (found["calendars"]["total"], found["calendars"]["active"]) == (9, 8)
    assert found["calendars"]["by_state"] == {
        "polled_only": 5,
        "paused": 1,
        "poisoned": 1,
        "retrying": 1,
        "inactive": 1,
    }
    assert found["bounds"] == {
        "within": 4,
        "late": 4,
        "late_by_cause": {"needs_reauth": 1, "poisoned": 1, "rateLimitExceeded": 1, "notification_waits": 1},
    }
    assert found["poisoned"] == 1


def test_what_is_no_more_is_counted_no_more(db: Database) -> None:
    calendar = synced(db, paused_reason="'needs_reauth'")
    assert overview(db)["calendars"]["by_state"] == {"paused": 1}
    db.set(calendar, paused_reason="null")
    assert overview(db)["calendars"]["by_state"] == {"polled_only": 1}
    db.admin.execute("delete from auth.users")
    assert overview(db)["calendars"]["total"] == 0


def test_the_census_shows_nothing_half_counted_and_rests_afterwards(db: Database) -> None:
    for _ in range(3):
        synced(db)
    assert db.value("count_census", p_limit=2) == 0
    assert db.value("service_overview")["calendars"]["total"] == 0
    assert db.value("count_census", p_limit=2) >= 10
    assert db.value("service_overview")["calendars"]["total"] == 3
    synced(db)
    assert 0 < db.value("count_census", p_limit=2) <= 10
    assert db.value("service_overview")["calendars"]["total"] == 3


def test_channels_are_counted_by_the_time_until_they_lapse(db: Database) -> None:
    for hours in (0.5, 5, 23, 70, 100):
        channel = db.channel(synced(db))
        db.admin.execute(
            "update calendar_channels set opened_at = now(), expires_at = now() + make_interval(secs => %s)"
            " where id = %s",
            (hours * 3600, channel["id"]),
        )
    synced(db)
    names = ("under_1_hour", "under_6_hours", "under_24_hours", "under_3_days", "longer", "none")
    assert overview(db)["channels"] == dict.fromkeys(names, 1)


def test_lanes_tell_what_is_due_and_for_how_long(db: Database) -> None:
    hour = "now() - interval '1 hour'"
    synced(db, due_at=hour)
    synced(db, notifications_seen="1", due_at=hour)
    synced(db, claims_unended="2", due_at=hour)
    db.calendar()
    leased = db.calendar()
    call(
        db.service,
        "claim_due_calendars",
        p_worker="w",
        p_limit=1,
        p_lease_seconds=60,
        p_calendar_ids=[leased["id"]],
        p_claim_id=leased["id"],
    )
    found = db.value("service_overview")
    assert {lane: figures["due"] for lane, figures in found["lanes"].items()} == {
        "notified": 1,
        "poll": 1,
        "suspect": 1,
        "first": 1,
    }
    assert 3600 <= found["lanes"]["poll"]["oldest_due_seconds"] < 3660
    assert found["leased"] == 1


def test_of_many_that_are_due_the_census_tells_the_number(db: Database) -> None:
    alice = db.user()
    db.admin.execute(
        "insert into calendar_webhooks (user_id, google_calendar_id, sync_token, due_at)"
        " select %s, n::text, 'token', now() - interval '1 hour' from generate_series(1, 120) n",
        (alice,),
    )
    assert db.value("service_overview")["lanes"]["poll"]["due"] == 100
    lanes = overview(db)["lanes"]
    assert (lanes["poll"]["due"], lanes["poll"]["is_exact"], lanes["first"]["is_exact"]) == (120, False, True)


def test_dead_letters_requests_and_crons_are_told(db: Database) -> None:
    calendar = db.calendar()
    db.sync(calendar)
    (told,) = db.rows("select max(id) as id from change_events")
    subscription = db.insert("event_subscriptions", url="https://a.example", secret="v2.s")
    keys = {"event_id": told["id"], "subscription_id": subscription["id"], "order_key": calendar["id"], "position": 1}
    db.insert("event_deliveries", **keys, state="dead")
    db.admin.execute(
        "insert into google_requests values ('all', (now() at time zone 'America/Los_Angeles')::date, 2, 5)"
    )
    db.value("cron_interval", p_name="polling_cron", p_same_run_seconds=600.0, p_worker="w")
    found = db.value("service_overview")
    assert found["dead_letters"] == {"bots": 0, "events": 1}
    assert (found["google"]["requests_today"], found["google"]["polls_today"]) == (5, 2)
    assert list(found["crons"]) == ["polling_cron"]


def test_failures_are_grouped_by_cause_with_first_and_last(db: Database) -> None:
    for code, count in (("backendError", 2), ("notFound", 1)):
        for _ in range(count):
            db.fail(db.claim_one(db.calendar()), p_error_code=code)
    overview(db)
    causes = db.value("failure_causes", p_hours=1)
    assert [(each["cause"], each["failures"], each["calendars"]) for each in causes] == [
        ("backendError", 2, 2),
        ("notFound", 1, 1),
    ]
    assert causes[0]["first_at"] < causes[0]["last_at"]


# A calendar's story


def story(db: Database, calendar: Row, limit: int = 50) -> list[Row]:
    """All of it, in pages."""
    found: list[Row] = []
    page: dict[str, Any] = {}
    while True:
        entries = db.value("calendar_timeline", p_calendar_id=calendar["id"], p_limit=limit, **page)
        found += entries
        if len(entries) < limit:
            return found
        page = {"p_before": entries[-1]["at"], "p_before_key": entries[-1]["key"]}


@pytest.mark.parametrize("limit", [50, 1, 2])
def test_a_calendars_story_is_told_in_order_whatever_the_pages(db: Database, limit: int) -> None:
    calendar = db.calendar()
    channel = db.channel(calendar, opened_at="2020-01-01")
    db.sync(calendar, sync_type="initial")
    db.notify(channel)
    db.sync(calendar, sync_type="webhook")
    db.skip(db.claim_one(calendar))
    db.sync(calendar, changes_missed=1)
    db.fail(db.claim_one(calendar), p_error_code="backendError")
    db.insert(
        "user_notifications",
        user_id=calendar["user_id"],
        calendar_id=calendar["id"],
        kind="calendar_lost",
        reason="gone",
        message="It is gone.",
    )
    # Two of one moment.
    db.admin.execute(
        "update calendar_sync_logs set created_at = (select max(created_at) from calendar_sync_logs)"
        " where changes_missed > 0"
    )
    found = story(db, calendar, limit)
    kinds = [entry["kind"] for entry in found]
    assert (kinds[0], sorted(kinds[1:3]), kinds[3:]) == (
        "told",
        ["error", "miss"],
        ["skip", "notification", "look", "renewal"],
    )
    assert len({entry["key"] for entry in found}) == 7
    assert next(entry["reason"] for entry in found if entry["kind"] == "error") == "backendError"


def test_another_calendars_story_is_not_told(db: Database) -> None:
    mine, other = synced(db), synced(db)
    assert len(story(db, mine)) == len(story(db, other)) == 1


# The list


def listed(db: Database, limit: int = 50, **asked: Any) -> list[str]:
    """All pages."""
    found: list[str] = []
    after: str | None = None
    while True:
        page = db.value("list_calendars", p_limit=limit, p_after=after, **asked)
        found += [row["calendar_id"] for row in page["calendars"]]
        after = page["next"]
        if after is None:
            return found


@pytest.mark.parametrize("pages", [{"limit": 50}, {"limit": 1}, {"limit": 2, "p_look": 1}])
def test_calendars_are_listed_in_pages_by_state(db: Database, pages: Row) -> None:
    fine = [synced(db) for _ in range(3)]
    bad = [synced(db, consecutive_failures="1", last_error_code="'x'") for _ in range(2)]
    left = [synced(db, due_at="now() - interval '1 hour'")]

    def ids(calendars: list[Row]) -> list[str]:
        return sorted(str(calendar["id"]) for calendar in calendars)

    assert listed(db, **pages) == ids(fine + bad + left)
    assert listed(db, p_states=["retrying"], **pages) == ids(bad)
    assert listed(db, p_states=["overdue"], **pages) == ids(left)
    assert listed(db, p_states=["polled_only"], **pages) == ids(fine)
    assert listed(db, p_states=["retrying", "polled_only"], **pages) == ids(fine + bad)


def test_calendars_are_found_by_their_user_or_the_google_account(db: Database) -> None:
    alices, bobs = synced(db), synced(db)
    db.credentials(str(alices["user_id"]), google_account="Alice@example.com")
    db.credentials(str(bobs["user_id"]), google_account="bob@example.com")
    assert listed(db, p_user_id=alices["user_id"]) == listed(db, p_account="alice@") == [str(alices["id"])]
    assert listed(db, p_account="nobody") == []
    (row,) = db.value("list_calendars", p_account="BOB")["calendars"]
    assert (row["google_account"], row["state"]) == ("bob@example.com", "polled_only")
