"""calendar_status: how a calendar stands comes from facts, with the reason."""

from __future__ import annotations

import json

import pytest

from tests.sql.database import Database, Row, connect

SYNCED = {"sync_token": "t", "last_synced_at": "now() - interval '1 hour'", "poll_interval_seconds": "21600"}


def state(db: Database, calendar: Row) -> tuple[str, str | None]:
    (row,) = db.rows("select state, reason from public.calendar_status where calendar_id = %s", calendar["id"])
    return row["state"], row["reason"]


def state_shown(db: Database, calendar: Row) -> tuple[str, str | None]:
    """As its user reads it in my_calendars."""
    with connect(db.postgres_url, "authenticated") as alice:
        alice.execute(
            "select set_config('request.jwt.claims', %s, false)", [json.dumps({"sub": str(calendar["user_id"])})]
        )
        (row,) = alice.execute(
            "select state, reason from public.my_calendars where id = %s", [calendar["id"]]
        ).fetchall()
    return row["state"], row["reason"]


def watched(db: Database, **expressions: str) -> Row:
    calendar = db.calendar(sync_token="t")
    columns = {key: value for key, value in SYNCED.items() if key != "sync_token"}
    planned = {"due_at": "now() + interval '1 hour'", "expiration_time": "'2040-01-01'"}
    db.set(calendar, **{**planned, **columns, **expressions})
    db.channel(calendar, opened_at="2026-01-01", last_notification_at="2026-01-01")
    return calendar


def test_a_synced_calendar_with_a_channel_that_spoke_is_healthy(db: Database) -> None:
    calendar = watched(db)
    assert state(db, calendar) == state_shown(db, calendar) == ("healthy", None)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"due_at": "now() - interval '5 days'"}, ("overdue", "no_process_seen")),
        ({"due_at": "now() - interval '5 minutes'"}, ("healthy", None)),
        ({"due_at": "now() - interval '5 days'", "lease_expires_at": "now() + interval '9 s'"}, ("healthy", None)),
        # Taken up again and again, and never brought to an end.
        ({"last_synced_at": "now() - interval '5 days'"}, ("overdue", "never_finished")),
        ({"claims_unended": "4"}, ("poisoned", "claims_unended")),
        ({"consecutive_failures": "2", "last_error_code": "'backend_error'"}, ("retrying", "backend_error")),
        ({"webhook_failures": "1"}, ("push_doubtful", "missed_pushes")),
        ({"series_cut": "1"}, ("healthy", "occurrences_cut")),
        ({"paused_reason": "'needs_reauth'"}, ("paused", "needs_reauth")),
    ],
)
def test_its_state_is_what_its_facts_say(db: Database, facts: dict[str, str], expected: tuple[str, str]) -> None:
    assert state(db, watched(db, **facts)) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"due_at": "now() - interval '5 days'"}, ("overdue", "not_looked_at")),
        ({"last_synced_at": "now() - interval '5 days'"}, ("overdue", "never_finished")),
        ({"last_synced_at": "null"}, ("connecting", "new")),
        ({"claims_unended": "4"}, ("poisoned", "claims_unended")),
        ({"consecutive_failures": "2", "last_error_code": "'backend_error'"}, ("retrying", "backend_error")),
        ({"expiration_time": "now() - interval '1 s'"}, ("polled_only", "no_live_channel")),
        ({"webhook_failures": "1"}, ("push_doubtful", "missed_pushes")),
        ({"series_cut": "1"}, ("healthy", "occurrences_cut")),
        ({"paused_reason": "'needs_reauth'"}, ("paused", "needs_reauth")),
        ({"access_lost_at": "now()", "last_error_code": "'notFound'"}, ("paused", "notFound")),
        ({"is_active": "false"}, ("inactive", None)),
    ],
)
def test_its_user_reads_the_same_state(db: Database, facts: dict[str, str], expected: tuple[str, str | None]) -> None:
    calendar = watched(db, **facts)
    if "expiration_time" in facts:
        db.admin.execute("update public.calendar_channels set state = 'expired'")
    assert state_shown(db, calendar) == expected
    # Whether any process lives is for operators to know.
    assert state(db, calendar)[0] == expected[0]


def test_whether_anybody_drives_is_told_apart(db: Database) -> None:
    calendar = watched(db, due_at="now() - interval '1 hour'")
    db.admin.execute("insert into public.service_processes (worker_name, meaning) values ('w', '{}')")
    assert state(db, calendar) == ("overdue", "not_looked_at")


@pytest.mark.parametrize(
    ("age", "expected"), [("1 minute", ("connecting", "new")), ("1 hour", ("overdue", "never_finished"))]
)
def test_a_first_sync_that_does_not_end_is_overdue(db: Database, age: str, expected: tuple[str, str]) -> None:
    calendar = db.calendar()
    db.set(calendar, created_at=f"now() - interval '{age}'", due_at="now() + interval '1 minute'")
    assert state(db, calendar) == expected


def test_a_channel_that_never_spoke_or_lapsed_is_no_health(db: Database) -> None:
    calendar = watched(db)
    db.admin.execute("update public.calendar_channels set last_notification_at = null")
    assert state(db, calendar) == ("push_doubtful", "channel_unproven")
    db.admin.execute("update public.calendar_channels set expires_at = now() - interval '1 second'")
    assert state(db, calendar) == ("polled_only", "no_live_channel")


def test_a_claim_looks_ahead_but_into_no_backoff(db: Database) -> None:
    soon = db.calendar(sync_token="t", after_seconds=3600)
    failing = db.calendar(sync_token="t", after_seconds=3600)
    later = db.calendar(sync_token="t", after_seconds=9000)
    db.set(failing, not_before="now() + interval '1 hour'")
    arguments = {"p_worker": "w", "p_limit": 9, "p_lease_seconds": 60}
    claimed = db.call("claim_due_calendars", **arguments, p_ahead_seconds=7200.0)
    assert [row["calendar_id"] for row in claimed] == [soon["id"]]
    assert later["id"] != soon["id"]


def test_a_crons_interval_is_what_lay_between_its_runs(db: Database) -> None:
    def note() -> float | None:
        return db.value("cron_interval", p_name="cron", p_same_run_seconds=600.0, p_worker="w")  # type: ignore[no-any-return]

    assert [note(), note()] == [None, None]
    db.admin.execute("update public.service_jobs set taken_at = taken_at - interval '2 hours'")
    assert [round(note() or 0, -1), round(note() or 0, -1)] == [7200, 7200]


SPOKE = {"last_webhook_received": "now() - interval '2 hours'", "belief_unproven_days": "0.01"}
ODD = {"silence_odd_at": "now() - interval '1 minute'"}
SILENT_DAYS = {"belief_unproven_days": "1.5", "last_webhook_received": "now() - interval '40 hours'"}
SUSPECT = {"push_state": "'suspect'", "push_reason": "'missed_push'", "push_since": "'2026-02-02'"}
FAILING = {"push_state": "'failing'", "push_reason": "'low_recall'", "push_since": "'2026-02-02'"}
REFUSED = {"paused_reason": "'needs_reauth'", "paused_at": "'2026-03-03'"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("healthy", None)),
        (SILENT_DAYS, ("quiet", "nothing_announced")),
        (ODD, ("suspect", "improbable_silence")),
        ({**ODD, "last_webhook_received": "now() - interval '1 minute'"}, ("healthy", None)),
        ({**ODD, **SILENT_DAYS}, ("suspect", "improbable_silence")),
        ({**SUSPECT, **ODD}, ("suspect", "missed_push")),
        ({**FAILING, **ODD}, ("failing", "low_recall")),
        ({**FAILING, **REFUSED}, ("paused", "needs_reauth")),
        ({"access_lost_at": "now()", "last_error_code": "'notFound'", **ODD}, ("paused", "notFound")),
        ({"is_active": "false", **REFUSED}, ("disconnected", "disconnected")),
    ],
)
def test_its_push_stands_as_its_facts_say(
    db: Database, facts: dict[str, str], expected: tuple[str, str | None]
) -> None:
    assert push(db, watched(db, **{**SPOKE, **facts})) == expected


def push(db: Database, calendar: Row) -> tuple[str, str | None]:
    row = db.row("select * from public.calendar_status where calendar_id = %s", calendar["id"])
    assert row["push_since"] is not None
    return row["push_state"], row["push_reason"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("pushNotSupportedForRequestedResource", ("unsupported", "pushNotSupportedForRequestedResource")),
        ("backendError", ("failing", "backendError")),
        (None, ("failing", "no_live_channel")),
    ],
)
def test_without_a_channel_push_fails_or_cannot_be(db: Database, code: str | None, expected: tuple[str, str]) -> None:
    calendar = db.calendar(sync_token="t", watch_error_code=code)
    db.set(calendar, **{"last_synced_at": "now()", **SUSPECT})
    assert push(db, calendar) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [({}, ("suspect", "region_sick")), (SUSPECT, ("suspect", "region_sick")), (FAILING, ("failing", "low_recall"))],
)
def test_a_region_in_trouble_is_what_its_calendars_suffer_from(
    db: Database, facts: dict[str, str], expected: tuple[str, str]
) -> None:
    calendar = watched(db, **{**SPOKE, **facts})
    db.admin.execute("update public.calendar_channels set address = 'https://eu.example.com'")
    for name, state in (("us", "healthy"), ("eu", "sick")):
        db.insert("ingress_regions", name=name, address=f"https://{name}.example.com", state=state, since="2026-04-04")
    assert push(db, calendar) == expected
