"""Alerts in the store: what is seen by index, recorded once however many look, told to each destination in order."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from sync.jobs.operations.observe import NEWEST_MIGRATION
from tests.sql.database import Connection, Database, Row, at_once, call
from tests.workflows.cron_service import ROOT

AT = "2030-01-15T12:00:00+00:00"
LATER = "2030-01-15T12:10:00+00:00"
MESSAGE = {"severity": "warning", "title": "1 new", "body": "It is late."}


def change(**more: Any) -> Row:
    """One that opens."""
    return {
        "id": None, "revision": None, "key": "past_bound", "kind": "past_bound", "severity": "warning", "calendars": 5,
        "cause": "not_looked_at", "sentence": "It is late.", "runbook": "docs/alerts.md#past_bound",
        "well_since": None, "is_told": True, "is_reminder": False, "is_resolved": False, **more,
    }  # fmt: skip


def record(
    connection: Connection, *changes: Row, message: Row | None = None, to: tuple[str, ...] = (), at: str = AT
) -> bool:
    (answer,) = call(
        connection,
        "record_alerts",
        p_at=at,
        p_changes=Jsonb(list(changes)),
        p_message=Jsonb(message),
        p_destinations=list(to),
    )
    return bool(answer["record_alerts"])


def stored(db: Database) -> list[Row]:
    return db.rows("select * from alerts order by opened_at, key")


def as_it_stands(alert: Row, **more: Any) -> Row:
    return change(id=str(alert["id"]), revision=alert["revision"], key=alert["key"], **more)


def test_of_processes_that_look_at_once_one_opens_the_alert_and_tells_it(db: Database) -> None:
    lookers = [db.another() for _ in range(6)]
    took = at_once(*(lambda by=by: record(by, change(), message=MESSAGE, to=("slack-1",)) for by in lookers))
    assert sorted(took) == [False] * 5 + [True]
    assert [(row["state"], row["told_calendars"]) for row in stored(db)] == [("open", 5)]
    assert len(db.rows("select 1 from alert_deliveries")) == 1


def test_of_processes_that_look_at_once_one_reminds(db: Database) -> None:
    record(db.service, change())
    (alert,) = stored(db)
    lookers = [db.another() for _ in range(4)]
    reminder = as_it_stands(alert, is_reminder=True)
    took = at_once(*(lambda by=by: record(by, reminder, message=MESSAGE, to=("slack-1",)) for by in lookers))
    assert sorted(took) == [False] * 3 + [True]
    (reminded,) = stored(db)
    assert (reminded["reminders"], reminded["revision"]) == (1, 2)
    assert len(db.rows("select 1 from alert_deliveries")) == 1


def test_a_round_is_taken_whole_or_not_at_all(db: Database) -> None:
    record(db.service, change())
    (alert,) = stored(db)
    record(db.service, as_it_stands(alert, calendars=6, is_told=False))
    outdated = [as_it_stands(alert, calendars=7), change(key="drift", kind="drift")]
    assert not record(db.service, *outdated, message=MESSAGE, to=("slack-1",))
    assert [(row["key"], row["calendars"], row["told_calendars"]) for row in stored(db)] == [("past_bound", 6, 5)]
    assert db.rows("select 1 from alert_deliveries") == []


def test_what_is_over_is_resolved_and_what_comes_again_is_another_alert(db: Database) -> None:
    record(db.service, change())
    (alert,) = stored(db)
    record(db.service, as_it_stands(alert, is_told=False, well_since=AT), at=AT)
    (fading,) = db.rows("select * from read_open_alerts()")
    assert fading["well_since"] is not None
    assert record(db.service, as_it_stands(fading, well_since=AT, is_resolved=True), at=LATER)
    assert db.rows("select * from read_open_alerts()") == []
    assert record(db.service, change(), at="2030-01-16T00:00:00+00:00")
    former, now = stored(db)
    assert (former["state"], former["resolved_at"].isoformat(), former["seen_at"].isoformat()) == (
        "resolved",
        LATER,
        AT,
    )
    assert (now["state"], now["id"] != former["id"]) == ("open", True)


def claim(connection: Connection, *names: str, lease: float = 60.0) -> list[Row]:
    found = call(connection, "claim_alert_deliveries", p_destinations=list(names), p_lease_seconds=lease)
    return sorted(found, key=lambda row: str(row["destination"]))


def end(db: Database, delivery: Row, error_code: str | None = None, next_seconds: float | None = None) -> None:
    db.call(
        "record_alert_delivery",
        p_delivery_id=delivery["delivery_id"],
        p_attempt=delivery["attempt"],
        p_error_code=error_code,
        p_next_seconds=next_seconds,
    )


def test_a_message_is_sent_by_one_process_at_a_time(db: Database) -> None:
    record(db.service, change(), message=MESSAGE, to=("slack-1", "json-1"))
    senders = [db.another() for _ in range(4)]
    claimed = [
        each for found in at_once(*(lambda by=by: claim(by, "slack-1", "json-1") for by in senders)) for each in found
    ]
    assert sorted(each["destination"] for each in claimed) == ["json-1", "slack-1"]
    assert {(each["title"], each["body"], each["severity"]) for each in claimed} == {
        ("1 new", "It is late.", "warning")
    }


def test_what_its_process_did_not_end_is_sent_again_when_the_lease_is_over(db: Database) -> None:
    record(db.service, change(), message=MESSAGE, to=("slack-1",))
    (first,) = claim(db.service, "slack-1", lease=0.0)
    (second,) = claim(db.service, "slack-1")
    assert (first["attempt"], second["attempt"]) == (1, 2)
    end(db, first, "timeout", 0.0)
    assert db.rows("select state, failures from alert_deliveries, alert_destinations") == [
        {"state": "pending", "failures": 0}
    ]


def test_a_destination_is_told_in_order_and_one_that_fails_holds_up_no_other(db: Database) -> None:
    record(db.service, change(), message=MESSAGE, to=("bad-1", "good-1"))
    record(db.service, change(key="drift"), message={**MESSAGE, "title": "2"}, to=("bad-1", "good-1"))
    bad, good = claim(db.service, "bad-1", "good-1")
    end(db, bad, "http_500", 600.0)
    end(db, good)
    end(db, good, "http_500", 0.0)
    (following,) = claim(db.service, "bad-1", "good-1")
    assert (following["destination"], following["title"]) == ("good-1", "2")
    states = {row["name"]: row for row in db.rows("select * from alert_destinations")}
    assert (states["bad-1"]["failures"], states["bad-1"]["error_code"]) == (1, "http_500")
    assert (states["good-1"]["failures"], states["good-1"]["error_code"]) == (0, None)


def test_what_is_given_up_lets_the_next_one_pass(db: Database) -> None:
    for title in ("1", "2"):
        record(db.service, change(key=title), message={**MESSAGE, "title": title}, to=("slack-1",))
    (first,) = claim(db.service, "slack-1")
    end(db, first, "http_404", None)
    assert [each["title"] for each in claim(db.service, "slack-1")] == ["2"]
    assert [row["state"] for row in db.rows("select state from alert_deliveries order by id")] == ["dead", "pending"]


def test_what_is_old_goes_and_what_is_open_stays(db: Database) -> None:
    record(db.service, change(), change(key="drift"), message=MESSAGE, to=("slack-1",))
    db.admin.execute(
        "update alerts set state = 'resolved', resolved_at = now() - interval '91 days' where key = 'drift'"
    )
    db.admin.execute("update alert_deliveries set written_at = now() - interval '91 days'")
    assert db.value("drop_old_alerts", p_keep_days=90, p_limit=100) == 1
    assert [row["key"] for row in stored(db)] == ["past_bound"]
    assert db.rows("select 1 from alert_deliveries") == []


def observe(db: Database, *, with_mail: bool = True) -> Row:
    seen: Row = db.value(
        "alert_observations", p_day="2030-01-01", p_lapsing_seconds=43200.0, p_with_mail=with_mail,
        p_newest=NEWEST_MIGRATION,
    )  # fmt: skip
    return seen


def test_an_empty_service_has_nothing_to_see(db: Database) -> None:
    seen = observe(db)
    assert {name: value for name, value in seen.items() if value} == {}


def test_the_newest_migration_is_the_one_the_code_asks_for(db: Database) -> None:
    names = sorted(path.name for path in (ROOT / "supabase" / "migrations").glob("*.sql"))
    assert names[-1].split("_")[0] == NEWEST_MIGRATION
    assert not db.value("alert_observations", p_day="2030-01-01", p_lapsing_seconds=1.0, p_with_mail=False,
        p_newest=NEWEST_MIGRATION)["is_behind"]  # fmt: skip
    assert db.value("alert_observations", p_day="2030-01-01", p_lapsing_seconds=1.0, p_with_mail=False,
        p_newest="20990101000000")["is_behind"]  # fmt: skip


LONG_AGO = "now() - interval '2 days'"
# A column of a calendar that is well otherwise, and what is seen of it.
CALENDARS: dict[str, tuple[dict[str, str], Row]] = {
    "left": ({"due_at": "now() - interval '16 minutes'"}, {"past_bound": 1, "past_bound_cause": "not_looked_at"}),
    "due": ({"due_at": "now() - interval '14 minutes'"}, {}),
    "failing": (
        {"consecutive_failures": "3", "last_error_code": "'backendError'", "last_synced_at": LONG_AGO},
        {"past_bound": 1, "past_bound_cause": "backendError"},
    ),
    "failed": ({"consecutive_failures": "3", "last_synced_at": "now()"}, {}),
    "lapsing": (
        {"expiration_time": "now() + interval '11 hours'", "watch_error_code": "'forbidden'"},
        {"lapsing": 1, "lapsing_cause": "forbidden"},
    ),
    "renewed": ({"expiration_time": "now() + interval '13 hours'"}, {}),
    "reauth": (
        {"paused_reason": "'needs_reauth'", "paused_at": "now() - interval '59 minutes'"},
        {"reauth_users": 1, "reauth_calendars": 1, "calendars": 0},
    ),
    "paused": ({"paused_reason": "'needs_reauth'", "paused_at": LONG_AGO}, {"calendars": 0}),
    "poisoned": ({"claims_unended": "4", "due_at": LONG_AGO}, {"poisoned": 1}),
    "suspect": ({"claims_unended": "3"}, {}),
    "inactive": ({"is_active": "false", "due_at": LONG_AGO, "claims_unended": "4"}, {"calendars": 0}),
}


@pytest.mark.parametrize("case", CALENDARS)
def test_calendars_are_seen_as_they_stand(db: Database, case: str) -> None:
    columns, expected = CALENDARS[case]
    db.set(db.calendar(after_seconds=600), last_synced_at="now()")
    db.admin.execute(
        "update calendar_webhooks set " + ", ".join(f"{name} = {value}" for name, value in columns.items())
    )
    seen = {name: value for name, value in observe(db).items() if value}
    assert seen == {name: value for name, value in {"calendars": 1, **expected}.items() if value}


def test_syncs_and_audits_are_seen_in_their_windows(db: Database) -> None:
    alice = db.user()
    for status, code, age in (
        ("completed", None, "14 minutes"),
        ("failed", "backendError", "14 minutes"),
        ("skipped", None, "1 minute"),
        ("failed", "quotaExceeded", "16 minutes"),
    ):
        db.admin.execute(
            "insert into calendar_sync_logs (user_id, calendar_id, sync_type, status, error_code, created_at)"
            " values (%s, %s, 'full', %s, %s, now() - %s::interval)",
            (alice, alice, status, code, age),
        )
    db.insert("calendar_sync_logs", user_id=alice, calendar_id=alice, sync_type="full", status="skipped", differing=3)
    seen = {name: value for name, value in observe(db).items() if value}
    assert seen == {
        "syncs": 2, "failed": 1, "failed_calendars": 1, "failed_cause": "backendError", "differing": 3,
        "differing_calendars": 1,
    }  # fmt: skip


def test_what_was_given_up_is_seen(db: Database) -> None:
    alice = db.user()
    facts: Row = {**dict.fromkeys(("meeting_start", "join_at"), "2030-01-01"), "wanted": True, "provider": "recall"}
    dead = {"dead_at": "2020-01-01", "last_error_code": "bad_link"}
    texts = {"scope": "user:", "room_key": "zoom:1", "meeting_url": "https://zoom.us/j/1", "bot_name": "Bot"}
    for end_at in ("2040-01-01", "2020-01-01"):
        db.insert("bot_requests", user_id=alice, meeting_end=end_at, **dead, **facts, **texts)
    db.calendar(alice, after_seconds=600)
    told = db.row("select max(id) as id from change_events")["id"]
    subscription = db.insert("event_subscriptions", url="https://h", secret="v2.s", state="disabled")["id"]
    delivery = {"event_id": told, "subscription_id": subscription, "position": 1, "order_key": alice}
    db.insert("event_deliveries", **delivery, state="dead", last_error_code="timeout")
    seen = {name: value for name, value in observe(db).items() if name.startswith("dead")}
    assert seen == {
        "dead_bots": 1, "dead_bots_cause": "bad_link", "dead_events": 1, "dead_events_subscriptions": 1,
        "dead_events_cause": "timeout",
    }  # fmt: skip


def test_attacks_silence_and_waiting_mail_are_seen(db: Database) -> None:
    alice = db.user()
    db.admin.execute(
        "insert into security_events (hour, kind, address_prefix, count, alerted_at) values"
        " (date_trunc('hour', now()), 'bad_jwt', '*', 0, now()),"
        " (date_trunc('hour', now()), 'bad_jwt', '10.0.0.0/24', 120, null),"
        " (date_trunc('hour', now()), 'no_key', '10.0.0.0/24', 50, null)"
    )
    db.admin.execute(
        "insert into service_jobs (name, taken_at, taken_by, every_seconds) values"
        " ('drive', now() - interval '20 minutes', 'w', null), ('polling_cron', now() - interval '1 day', 'w', 3600)"
    )
    db.insert("user_notifications", user_id=alice, kind="reconnect_needed", reason="r", message="m")
    db.admin.execute("update user_notifications set created_at = now() - interval '2 hours'")
    db.insert("google_requests", project="all", day="2030-01-01", polls=40, requests=70)
    db.insert("google_requests", project="all", day="2029-12-31", polls=30, requests=50)
    seen = observe(db)
    assert seen["suspicious"] == {"bad_jwt": 120}
    assert (round(seen["driven_ago"], -1), round(seen["cron_ago"], -1), seen["cron_every"]) == (1200, 86400, 3600)
    assert (seen["unmailed"], observe(db, with_mail=False)["unmailed"]) == (1, 0)
    assert (seen["polls_today"], seen["requests_today"], seen["requests_yesterday"]) == (40, 70, 50)


def test_the_quota_and_stopped_lanes_are_seen(db: Database) -> None:
    db.insert("lane_pauses", lane="poll", paused_by="anna")
    db.admin.execute("update lane_pauses set paused_at = now() - interval '5 hours'")
    db.insert(
        "google_quota", scope="project", most=600, rate=200, refused_rate=300, shrunk_at="now()", refused_at="now()"
    )
    seen = observe(db)
    assert round(seen["paused_lanes"]["poll"], -1) == 18000
    assert (round(seen["quota_rate"]), seen["quota_most"]) == (200, 600)


def test_regions_in_trouble_are_seen(db: Database) -> None:
    for name, state in (("eu", "sick"), ("us", "healthy")):
        db.insert("ingress_regions", name=name, address=f"https://{name}.example.com", state=state, channels=7.4)
    db.admin.execute("update ingress_regions set since = now() - interval '1 hour', reason = 'probe_timeout'")
    (eu,) = observe(db)["regions"].values()
    assert (eu["state"], eu["cause"], eu["calendars"], round(eu["seconds"], -1)) == ("sick", "probe_timeout", 7, 3600)
    assert not eu["is_last"]
    db.admin.execute("update ingress_regions set state = 'silent'")
    assert [region["is_last"] for region in observe(db)["regions"].values()] == [True, True]


def test_an_upstream_is_seen_as_living_processes_find_it(db: Database) -> None:
    for worker, seen_at in (("a", "now"), ("b", "now"), ("gone", "2020-01-01")):
        db.insert("service_processes", worker_name=worker, meaning="{}", seen_at=seen_at)
        row = {"worker_name": worker, "since": "now", "times_opened": 1, "error_code": "timeout"}
        db.insert("service_breakers", upstream="google_api", state="open", **row)
        db.insert("service_breakers", upstream="database", state="closed", **row)
    db.admin.execute("update service_breakers set since = now() - interval '5 minutes' where worker_name = 'b'")
    (breaker,) = observe(db)["breakers"].items()
    assert breaker[0] == "google_api"
    assert (breaker[1]["processes"], breaker[1]["cause"], round(breaker[1]["seconds"], -1)) == (2, "timeout", 300)


def test_a_destination_is_seen_while_it_is_in_use(db: Database) -> None:
    record(db.service, change(), message=MESSAGE, to=("slack-1",))
    (delivery,) = claim(db.service, "slack-1")
    end(db, delivery, "http_404", 60.0)
    assert observe(db)["destinations"] == {"slack-1": {"failures": 1, "cause": "http_404"}}
    db.admin.execute("update alert_destinations set declared_at = now() - interval '2 hours'")
    assert observe(db)["destinations"] == {}
