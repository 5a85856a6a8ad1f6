"""What is known of the doors, in SQL: counters side by side, samples, looks through a silent door, findings."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.sql.database import Database, Row

EU, US = "https://eu.example.com/hook", "https://us.example.com/hook"
NOW = "2026-11-26T12:00:00+00:00"


def judged(name: str, address: str, **more: Any) -> dict[str, Any]:
    base = {"state": "healthy", "expected": 0, "probe_failures": 0, "probe_passes": 1, "flaps": 0, "judged_at": NOW}
    return {"name": name, "address": address, **base, "starts_window": False, **more}


def report(db: Database, address: str, **counts: float) -> None:
    names = ("pushes", "announced", "missed", "missing", "looks")
    db.call("report_ingress", p_counts=Jsonb([{"address": address, **dict.fromkeys(names, 0.0), **counts}]))


def record(db: Database, *regions: dict[str, Any]) -> None:
    db.call("record_ingress", p_regions=Jsonb(list(regions)))


def regions(db: Database) -> dict[str, Row]:
    return {row["name"]: row for row in db.call("read_ingress")}


def watched(db: Database, address: str = EU, **columns: Any) -> Row:
    calendar = db.calendar(after_seconds=3600, sync_token="token", **columns)
    db.channel(calendar, address=address, opened_at=NOW)
    return calendar


def test_counts_of_all_processes_add_up_and_a_new_window_takes_off_what_was_read(db: Database) -> None:
    record(db, judged("eu", EU), judged("us", US))
    report(db, EU, pushes=2, announced=3)
    read = regions(db)["eu"]
    report(db, EU, pushes=1, missed=4, missing=1, looks=2)
    report(db, "https://elsewhere.example.com", pushes=9)

    record(db, judged("eu", EU, starts_window=True, **{key: read[key] for key in COUNTERS}), judged("us", US))

    after = regions(db)
    assert [after["eu"][key] for key in COUNTERS] == [1, 0, 4, 1, 2]
    assert [after["us"][key] for key in COUNTERS] == [0, 0, 0, 0, 0]


COUNTERS = ("pushes", "announced", "missed", "missing", "looks")


def test_regions_that_are_served_no_more_are_forgotten(db: Database) -> None:
    record(db, judged("eu", EU), judged("us", US))
    record(db, judged("us", EU, state="sick", reason="probe_timeout", since=NOW))
    assert {name: (row["address"], row["state"]) for name, row in regions(db).items()} == {"us": (EU, "sick")}


def test_a_sample_tells_how_many_channels_there_are_and_what_they_would_send(db: Database) -> None:
    record(db, judged("eu", EU), judged("us", US))
    busy: dict[str, Any] = {"belief_changes": 20, "belief_change_days": 7, "belief_announced": 19, "belief_missed": 0}
    watched(db, **busy, time_zone="Asia/Tokyo")
    watched(db, **{**busy, "belief_missed": 20}, time_zone="Asia/Tokyo")
    watched(db, belief_changes=2, belief_change_days=0, time_zone="UTC")
    watched(db, US, paused_reason="needs_reauth")
    watched(db, is_active=False)
    lapsed = db.calendar()
    db.channel(lapsed, address=EU, expires_at="2026-01-01")

    seen = db.value("sample_ingress", p_from="00000000-0000-0000-0000-000000000000", p_limit=1000, p_now=NOW)

    eu, us = regions(db)["eu"], regions(db)["us"]
    assert (seen, eu["channels"], us["channels"]) == (6, 3, 0)
    assert eu["rates"] == pytest.approx({"Asia/Tokyo": 2.0 + 2.0 * 20 / 40, "UTC": 2 / 3})
    assert us["rates"] == {}


def test_a_sample_of_many_stands_for_all(db: Database) -> None:
    record(db, judged("eu", EU))
    user = db.user()
    for part in range(16):
        calendar = db.calendar(user, id=f"{part:x}8000000-0000-4000-8000-000000000000")
        db.channel(calendar, address=EU)

    # From 0 to the eighth of sixteen.
    db.value("sample_ingress", p_from="00000000-0000-0000-0000-000000000000", p_limit=8, p_now=NOW)

    assert regions(db)["eu"]["channels"] == pytest.approx(16, rel=0.1)


def test_a_few_calendars_are_looked_at_for_a_silent_region_and_those_that_change_most(db: Database) -> None:
    busy = [watched(db, belief_changes=30 + number, belief_change_days=4) for number in range(3)]
    still = watched(db)
    failing = watched(db, belief_changes=90, belief_change_days=4, consecutive_failures=1)
    elsewhere = watched(db, US, belief_changes=90, belief_change_days=4)

    assert db.value("look_through_region", p_address=EU, p_limit=2) == 2

    due = {str(row["id"]) for row in db.rows("select id from public.calendar_webhooks where due_at <= now()")}
    assert due == {str(calendar["id"]) for calendar in busy[1:]}
    reasons = {db.calendar_row(each["id"])["due_reason"] for each in (still, failing, elsewhere)}
    assert "region_silent" not in reasons


def test_findings_have_one_row_for_each_cause(db: Database) -> None:
    assert db.call("push_findings") == []
    record(db, judged("eu", EU, state="sick", reason="probe_timeout", since=NOW), judged("us", US))
    db.admin.execute("update public.ingress_regions set channels = 1234")
    for hours, failures in ((2, 1), (5, 3), (40, 3), (3, 0), (-1, 5)):
        calendar = watched(db, watch_failures=failures, watch_error_code="rateLimitExceeded")
        db.set(calendar, expiration_time=f"now() + interval '{hours} hours'")

    sick, lapsing = db.call("push_findings")

    assert (sick["kind"], sick["name"], sick["reason"], sick["calendars"]) == (
        "region_sick",
        "eu",
        "probe_timeout",
        1234,
    )
    assert sick["since"].isoformat() == NOW
    assert (lapsing["kind"], lapsing["reason"], lapsing["calendars"]) == ("channels_lapsing", "rateLimitExceeded", 2)
    assert db.row("select %s < now() + interval '3 hours' as soon", lapsing["lapses_at"])["soon"]
