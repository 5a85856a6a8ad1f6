"""The life of push channels: opened before they are needed, superseded in one step, stopped with their own resource."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.sql.database import Connection, Database, Row, call

LAPSES = "2040-01-01T00:00:00+00:00"


def claim_watches(db: Database, *, limit: int = 50, by: Connection | None = None) -> list[Any]:
    claimed = call(by or db.service, "claim_expiring_watches", p_limit=limit, p_lease_seconds=120)
    return [row["calendar_id"] for row in claimed]


def activate(db: Database, channel_id: str, resource: str = "resource", expires_at: str = LAPSES) -> list[str]:
    answer = db.call("activate_channel", p_channel_id=channel_id, p_resource_id=resource, p_expires_at=expires_at)
    return [row["channel_id"] for row in answer]


def fail(db: Database, channel_id: str, retry_seconds: float = 600.0) -> None:
    db.call("fail_channel", p_channel_id=channel_id, p_error_code="push_unsupported", p_retry_seconds=retry_seconds)


def claim_dead(db: Database, *, limit: int = 50, lease: int = 60, **more: Any) -> list[str]:
    claimed = db.call("claim_dead_channels", p_limit=limit, p_lease_seconds=lease, p_abandoned_seconds=300, **more)
    return [row["channel_id"] for row in claimed]


def stoppable(db: Database, calendar: Row, state: str = "superseded", **columns: Any) -> str:
    channel = db.channel(calendar, state, stop_after="2020-01-01", **columns)
    return str(channel["id"])


def begin(db: Database, calendar: Row, channel_id: str = "new") -> Row:
    db.call("begin_channel", p_channel_id=channel_id, p_calendar_id=calendar["id"], p_address="https://host/hook")
    return db.channel_row(channel_id)


@pytest.mark.parametrize(
    ("expiration", "has_channel", "is_claimed"),
    [
        (None, False, True),
        ("now() + interval '30 minutes'", True, True),
        ("now() + interval '2 hours'", True, False),
        ("now() - interval '2 hours'", True, True),
    ],
)
def test_watch_is_claimed_when_it_lapses_soon_or_has_no_channel(
    db: Database, expiration: str | None, has_channel: bool, is_claimed: bool
) -> None:
    calendar = db.calendar(watch_lead_seconds=3600)
    db.set(calendar, expiration_time=expiration or "null")
    db.channel(calendar, "live" if has_channel else "superseded")
    assert claim_watches(db) == ([calendar["id"]] if is_claimed else [])


@pytest.mark.parametrize("columns", [{"is_active": False}, {"paused_reason": "needs_reauth"}], ids=str)
def test_watch_of_what_is_not_synced_is_not_renewed(db: Database, columns: Row) -> None:
    calendar = db.calendar(**columns)
    db.calendar(calendar["user_id"], duplicate_of=calendar["id"])
    assert claim_watches(db) == []


def test_watch_claim_is_a_lease_and_carries_the_tokens(db: Database) -> None:
    alice = db.user()
    db.credentials(alice)
    calendar = db.calendar(alice, watch_failures=2)
    arguments = {"p_limit": 5, "p_lease_seconds": 120}
    (claimed,) = db.call("claim_expiring_watches", **arguments)
    assert (claimed["calendar_id"], claimed["refresh_token"], claimed["watch_failures"]) == (
        calendar["id"], "v1.refresh", 2,
    )  # fmt: skip
    assert claim_watches(db) == []
    db.set(calendar, watch_retry_at="now() - interval '1 second'")
    assert claim_watches(db) == [calendar["id"]]


def test_two_renewals_never_share_a_watch(db: Database) -> None:
    alice, other = db.user(), db.another()
    first, second = (
        db.calendar(alice, expiration_time="2020-01-01"),
        db.calendar(alice, expiration_time="2020-01-02"),
    )
    with other.transaction():
        assert claim_watches(db, limit=1, by=other) == [first["id"]]
        assert claim_watches(db) == [second["id"]]


@pytest.mark.parametrize("method", ["hashjoin", "mergejoin", "nestloop", "hashagg", "sort", "material"])
def test_watch_and_stop_claims_keep_their_limit_under_every_plan(db: Database, method: str) -> None:
    alice = db.user()
    for number in range(6):
        calendar = db.calendar(alice, google_calendar_id=f"{number}")
        stoppable(db, calendar, "failed")
    db.service.execute(f"set enable_{method} = off".encode())
    assert len(claim_watches(db, limit=2)) == 2
    assert len(claim_dead(db, limit=2)) == 2


@pytest.mark.parametrize("inner", ["off", "on"])
def test_watch_and_stop_claims_keep_their_limit_in_a_nested_loop(db: Database, inner: str) -> None:
    alice = db.user()
    for number in range(6):
        stoppable(db, db.calendar(alice, google_calendar_id=f"{number}"), "failed")
    for method in ("hashjoin", "mergejoin", "hashagg", "sort", "material", "indexscan", "bitmapscan"):
        db.service.execute(f"set enable_{method} = {'off' if method != 'sort' else inner}".encode())
    assert len(claim_watches(db, limit=2)) == 2
    assert len(claim_dead(db, limit=2)) == 2


def test_one_claim_takes_200_watches_at_most(db: Database) -> None:
    db.admin.execute(
        "insert into public.calendar_webhooks (user_id, google_calendar_id)"
        " select %s, n::text from generate_series(1, 250) n",
        (db.user(),),
    )
    assert [len(claim_watches(db, limit=100_000)) for _ in range(3)] == [200, 50, 0]


def test_channel_is_stored_before_google_is_asked_and_only_once(db: Database) -> None:
    calendar = db.calendar()
    first = begin(db, calendar)
    assert (first["state"], first["user_id"], first["resource_id"], first["address"]) == (
        "opening", calendar["user_id"], None, "https://host/hook",
    )  # fmt: skip
    assert begin(db, calendar) == first


def test_activated_channel_supersedes_the_live_ones_and_names_those_to_stop(db: Database) -> None:
    calendar = db.calendar(watch_failures=3, watch_error_code="quota", watch_retry_at=LAPSES)
    old = db.channel(calendar)["id"]
    lapsed = db.channel(calendar, expires_at="2020-01-01")["id"]
    bystander = db.channel(db.calendar())["id"]
    begin(db, calendar)
    assert activate(db, "new", "its-resource") == [old]
    assert [db.channel_row(each)["state"] for each in ("new", old, lapsed, bystander)] == [
        "live", "superseded", "expired", "live",
    ]  # fmt: skip
    after = db.calendar_row(calendar["id"])
    assert [after[name] for name in ("webhook_id", "resource_id", "watch_failures", "watch_error_code")] == [
        "new", "its-resource", 0, None,
    ]  # fmt: skip
    assert (after["expiration_time"], after["watch_retry_at"]) == (dt.datetime.fromisoformat(LAPSES), None)
    assert claim_dead(db) == [old]


def test_repeated_activation_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    begin(db, calendar)
    activate(db, "new")
    state = "select * from public.calendar_webhooks, public.calendar_channels"
    before = db.rows(state)
    assert activate(db, "new", expires_at="2041-01-01") == []
    assert db.rows(state) == before


def test_channel_of_another_resource_has_the_calendar_listed_anew(db: Database) -> None:
    """And a sync that runs commits nothing of what it listed under the name before."""
    calendar = db.calendar(resource_id="before", sync_token="token")
    claim = db.claim_one(calendar)
    begin(db, calendar)
    activate(db, "new", "another")
    after = db.calendar_row(calendar["id"])
    assert (after["sync_token"], after["resource_id"], after["due_in"] <= 0) == (None, "another", True)
    assert db.commit(claim)["committed"] is False


def test_channel_of_the_same_resource_changes_nothing_else(db: Database) -> None:
    calendar = db.calendar(resource_id="before", sync_token="token", fence=3)
    db.channel(calendar, resource_id="before")
    begin(db, calendar)
    activate(db, "new", "before")
    after = db.calendar_row(calendar["id"])
    assert (after["sync_token"], after["fence"], after["due_at"]) == ("token", 3, calendar["due_at"])


@pytest.mark.parametrize("first", ["primary", "alice@example.com"])
def test_of_two_names_of_one_calendar_the_primary_one_stays(db: Database, first: str) -> None:
    alice = db.user()
    names = {name: db.calendar(alice, google_calendar_id=name) for name in ("primary", "alice@example.com")}
    names["bob"] = db.calendar(db.user("bob"), google_calendar_id="primary")
    for name in dict.fromkeys((first, *names)):
        begin(db, names[name], name)
        activate(db, name, "one resource")
    watched = db.rows("select id from public.calendar_webhooks where is_active order by id")
    assert [row["id"] for row in watched] == sorted(names[each]["id"] for each in ("primary", "bob"))
    assert claim_dead(db) == ["alice@example.com"]


def test_calendars_of_one_resource_that_are_no_names_of_the_primary_one_both_stay(db: Database) -> None:
    alice = db.user()
    for name in ("team", "sales"):
        begin(db, db.calendar(alice, google_calendar_id=name), name)
        activate(db, name, "one resource")
    assert [db.channel_row(name)["state"] for name in ("team", "sales")] == ["live", "live"]


def test_watch_after_a_gap_makes_the_calendar_due(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    begin(db, calendar)
    activate(db, "new")
    (claimed,) = db.claim()
    assert claimed["due_reason"] == "watch_opened"


def test_renewal_without_a_gap_leaves_the_due_time(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600)
    db.channel(calendar)
    begin(db, calendar)
    activate(db, "new")
    assert db.calendar_row(calendar["id"])["due_at"] == calendar["due_at"]


@pytest.mark.parametrize("held", ["lease", "backoff"])
def test_opened_watch_shortens_neither_lease_nor_backoff(db: Database, held: str) -> None:
    calendar = db.calendar()
    claim = db.claim_one(calendar, lease=500)
    if held == "backoff":
        db.fail(claim, p_next_seconds=500.0)
    begin(db, calendar)
    activate(db, "new")
    assert 490 < db.calendar_row(calendar["id"])["due_in"] <= 500


def test_failed_watch_leaves_the_current_channel_and_the_polling(db: Database) -> None:
    calendar = db.calendar(after_seconds=3600, last_synced_at="2020-01-01", webhook_id="old", expiration_time=LAPSES)
    old = db.channel(calendar)["id"]
    begin(db, calendar)
    fail(db, "new")
    after = db.calendar_row(calendar["id"])
    assert (after["due_at"], after["webhook_id"], after["expiration_time"], after["is_active"]) == (
        calendar["due_at"], "old", dt.datetime.fromisoformat(LAPSES), True,
    )  # fmt: skip
    assert (after["watch_failures"], after["watch_error_code"]) == (1, "push_unsupported")
    assert (db.channel_row("new")["state"], db.channel_row(old)["state"]) == ("failed", "live")


def test_failed_watch_is_not_tried_again_before_its_backoff(db: Database) -> None:
    calendar = db.calendar()
    begin(db, calendar)
    fail(db, "new", retry_seconds=600)
    assert claim_watches(db) == []
    fail(db, begin(db, calendar, "next")["id"], retry_seconds=-1)
    assert claim_watches(db) == [calendar["id"]]


def test_calendar_that_waited_for_its_watch_is_listed_when_the_watch_failed(db: Database) -> None:
    calendar = db.calendar(after_seconds=60)
    begin(db, calendar)
    fail(db, "new")
    assert db.calendar_row(calendar["id"])["due_in"] <= 0


def test_repeated_failure_counts_once(db: Database) -> None:
    calendar = db.calendar()
    begin(db, calendar)
    fail(db, "new")
    fail(db, "new")
    assert db.calendar_row(calendar["id"])["watch_failures"] == 1


def test_failure_that_comes_after_the_activation_changes_nothing(db: Database) -> None:
    calendar = db.calendar()
    begin(db, calendar)
    activate(db, "new")
    before = db.calendar_row(calendar["id"])
    fail(db, "new")
    after = db.calendar_row(calendar["id"])
    assert (after["watch_failures"], after["watch_retry_at"]) == (before["watch_failures"], None)
    assert db.channel_row("new")["state"] == "live"


def test_orphan_whose_answer_was_lost_is_stopped_once_it_speaks(db: Database) -> None:
    calendar = db.calendar()
    begin(db, calendar)
    fail(db, "new")
    assert claim_dead(db) == []
    assert db.notify({"id": "new"}, 1, state="sync", resource="told-late")["outcome"] == "dead_channel"
    assert claim_dead(db) == ["new"]
    assert db.channel_row("new")["resource_id"] == "told-late"


def test_orphan_that_spoke_before_its_failure_is_stopped(db: Database) -> None:
    begin(db, db.calendar())
    db.notify({"id": "new"}, 1, state="sync")
    fail(db, "new")
    assert claim_dead(db) == ["new"]


def adoptable(db: Database) -> list[str]:
    found = db.call("adoptable_channels", p_abandoned_seconds=300, p_channel_ids=["new"])
    return [row["channel_id"] for row in found]


def test_orphan_that_speaks_while_its_failure_is_recorded_is_adopted(db: Database) -> None:
    """Its failure holds the channel, so that what it says is left for whoever asks next."""
    begin(db, db.calendar())
    other = db.another()
    with db.service.transaction():
        fail(db, "new")
        assert db.notify({"id": "new"}, 1, state="sync", by=other)["outcome"] == "handshake"
    assert adoptable(db) == ["new"]


def test_orphan_whose_failure_overtakes_its_handshake_is_told_of_as_dead(db: Database) -> None:
    """It was still being opened when its handshake came in: whoever recorded the failure has looked for it already."""
    begin(db, db.calendar())
    other = db.another()
    with ThreadPoolExecutor(1) as pool:
        with db.admin.transaction():
            db.admin.execute("lock table public.calendar_notifications in share mode")
            answer = pool.submit(db.notify, {"id": "new"}, 1, state="sync", by=other)
            db.await_waiting()
            fail(db, "new")
        assert answer.result()["outcome"] == "dead_channel"
    assert adoptable(db) == ["new"]


def test_a_forged_notification_of_a_failed_channel_does_not_have_it_stopped(db: Database) -> None:
    calendar = db.calendar()
    db.channel(calendar, "failed", id="new")
    assert db.notify({"id": "new"}, resource="forged")["outcome"] == "refused"
    assert claim_dead(db) == []


def test_abandoned_opening_counts_as_failed_and_a_fresh_one_does_not(db: Database) -> None:
    calendar = db.calendar()
    silent = db.channel(calendar, "opening", resource_id=None, expires_at=None)["id"]
    spoke = db.channel(calendar, "opening", expires_at=None)["id"]
    db.admin.execute("update public.calendar_channels set created_at = now() - interval '301 seconds'")
    begin(db, calendar)
    assert claim_dead(db) == [spoke]
    assert [db.channel_row(each)["state"] for each in (silent, spoke, "new")] == ["failed", "failed", "opening"]


def test_channel_that_was_given_up_too_early_lives_and_is_not_stopped(db: Database) -> None:
    calendar = db.calendar()
    slow = db.channel(calendar, "opening", created_at="2020-01-01")["id"]
    claim_dead(db, p_channel_ids=["none"])
    assert db.channel_row(slow)["state"] == "failed"
    activate(db, slow)
    assert claim_dead(db) == []
    assert db.channel_row(slow)["state"] == "live"


def test_dead_channel_of_a_calendar_that_is_watched_again_lives_on(db: Database) -> None:
    calendar = db.calendar(is_active=False)
    channel = db.channel(calendar)
    db.notify(channel)
    db.set(calendar, is_active="true")
    assert claim_dead(db) == []


def test_old_channel_is_stopped_only_once_another_one_speaks(db: Database) -> None:
    calendar = db.calendar()
    old = stoppable(db, calendar)
    assert claim_dead(db) == []
    begin(db, calendar)
    activate(db, "new")
    assert claim_dead(db) == [old]


@pytest.mark.parametrize("state", ["superseded", "live"])
def test_channels_of_a_calendar_that_is_watched_no_more_are_stopped(db: Database, state: str) -> None:
    channel = stoppable(db, db.calendar(is_active=False), state)
    assert claim_dead(db) == [channel]


def test_stop_claim_is_a_lease(db: Database) -> None:
    calendar = db.calendar()
    db.channel(calendar)
    old, other = stoppable(db, calendar), db.another()
    with other.transaction():
        claimed = call(
            other, "claim_dead_channels", p_limit=9, p_lease_seconds=60, p_abandoned_seconds=300, p_channel_ids=[old]
        )
        assert [row["resource_id"] for row in claimed] == ["resource"]
        assert claim_dead(db) == []
    assert claim_dead(db) == []
    assert db.channel_row(old)["stop_attempts"] == 1


def test_stopped_channel_is_ended_and_a_failed_stop_is_tried_later(db: Database) -> None:
    first, second = (stoppable(db, db.calendar(), "failed") for _ in range(2))
    db.call("end_channel", p_channel_id=first)
    db.call("end_channel", p_channel_id=second, p_retry_seconds=600.0)
    assert claim_dead(db) == []
    assert [db.channel_row(each)["state"] for each in (first, second)] == ["stopped", "failed"]
    assert db.channel_row(second)["stop_after"] is not None
    db.call("end_channel", p_channel_id=second, p_retry_seconds=-1.0)
    assert claim_dead(db) == [second]


def test_orphan_that_still_speaks_is_stopped_whatever_its_age(db: Database) -> None:
    orphan = db.channel(db.calendar(), "failed", expires_at=None, created_at="2020-01-01")
    db.notify(orphan)
    assert claim_dead(db) == [orphan["id"]]


def test_channel_that_lapsed_by_itself_need_not_be_stopped(db: Database) -> None:
    calendar = db.calendar()
    db.channel(calendar)
    lapsed = stoppable(db, calendar, expires_at="2020-01-02")
    orphan = stoppable(db, calendar, "failed", expires_at=None, created_at="2020-01-01")
    assert claim_dead(db) == []
    for channel in (lapsed, orphan):
        after = db.channel_row(channel)
        assert (after["state"], after["stop_after"]) == ("expired", None)


def retire(db: Database, after_seconds: float = 3600, limit: int = 50) -> int:
    return int(db.value("retire_lost_calendars", p_after_seconds=after_seconds, p_limit=limit))


@pytest.mark.parametrize(
    ("columns", "is_given_up"),
    [
        ({"access_lost_at": "2020-01-01"}, True),
        ({"paused_reason": "needs_reauth", "paused_at": "2020-01-01"}, True),
        ({"paused_reason": "user_gone", "paused_at": "2020-01-01"}, False),
        ({"access_lost_at": LAPSES}, False),
        ({"access_lost_at": "2020-01-01", "lease_expires_at": LAPSES}, False),
        ({"access_lost_at": "2020-01-01", "is_active": False}, False),
        ({}, False),
    ],
    ids=str,
)
def test_what_cannot_be_read_for_long_is_given_up_once(db: Database, columns: Row, is_given_up: bool) -> None:
    calendar = db.calendar(**columns, sync_token="token", expiration_time=LAPSES)
    channel = db.channel(calendar)["id"]
    ahead = db.insert(
        "meetings", user_id=calendar["user_id"], calendar_id=calendar["id"], start_time=LAPSES, end_time=LAPSES
    )
    assert [retire(db), retire(db)] == [int(is_given_up), 0]
    after = db.calendar_row(calendar["id"])
    assert (after["sync_token"], after["retired_at"] is not None) == (None if is_given_up else "token", is_given_up)
    (meeting,) = db.rows("select * from public.meetings where id = %s", ahead["id"])
    assert meeting["status_reason"] == ("calendar_lost" if is_given_up else None)
    assert db.channel_row(channel)["state"] == ("superseded" if is_given_up else "live")
    assert (claim_dead(db) == [channel]) is is_given_up


def test_calendars_are_given_up_in_batches(db: Database) -> None:
    alice = db.user()
    for number in range(3):
        db.calendar(alice, google_calendar_id=f"{number}", access_lost_at="2020-01-01")
    assert [retire(db, limit=2) for _ in range(3)] == [2, 1, 0]


def moved(db: Database, *addresses: str, delay: float = 0, limit: int = 500) -> int:
    return int(db.value("renew_moved_watches", p_addresses=list(addresses), p_delay_seconds=delay, p_limit=limit))


def test_channels_that_point_elsewhere_are_renewed_each_once(db: Database) -> None:
    calendars = {}
    for address in ("a", "b", "c", "d"):
        calendars[address] = db.calendar(expiration_time=LAPSES)
        db.channel(calendars[address], address=address)
    assert moved(db, "b", "d", limit=1) == 1
    assert moved(db, "b", "d") == 1
    assert moved(db, "b", "d") == 0
    assert sorted(claim_watches(db)) == sorted(calendars[each]["id"] for each in ("a", "c"))


def test_moved_watches_are_due_after_their_delay(db: Database) -> None:
    calendar = db.calendar(expiration_time=LAPSES)
    db.channel(calendar, address="before")
    assert moved(db, "now", delay=600) == 1
    assert claim_watches(db) == []
    due = "select extract(epoch from watch_due_at - now())::float as due_in from public.calendar_webhooks"
    assert 590 < db.row(due)["due_in"] <= 600


def test_released_watches_are_due_at_once(db: Database) -> None:
    calendar = db.calendar()
    assert claim_watches(db) == [calendar["id"]]
    db.call("release_watches", p_calendar_ids=[str(calendar["id"])])
    assert claim_watches(db) == [calendar["id"]]
