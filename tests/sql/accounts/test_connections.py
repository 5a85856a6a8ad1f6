"""connect_calendars, save_tokens, lose_connection: a user is told once, and their reconnection wins."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.database import Connection, Database, Row, call, in_background, meeting, part


def connect(
    db: Database,
    user_id: str,
    *calendars: str,
    refresh: str = "v1.new",
    account: str | None = "somebody@example.com",
    by: Connection | None = None,
) -> dict[str, Any]:
    answer = call(
        by or db.service,
        "connect_calendars",
        p_user_id=user_id,
        p_google_calendar_ids=list(calendars or ("primary",)),
        p_refresh_token=refresh,
        p_access_token="v1.access",
        p_access_token_expires_at="2040-01-01T00:00:00+00:00",
        p_scopes=["calendar.readonly"],
        p_watch_seconds=60,
        p_google_account=account,
    )
    return {row["google_calendar_id"]: row["calendar_id"] for row in answer}


def lose(db: Database, user_id: str, used: str | None = "v1.new", by: Connection | None = None) -> bool:
    arguments = {"p_user_id": user_id, "p_reason": "invalid_grant", "p_used_refresh_token": used}
    (row,) = call(by or db.service, "lose_connection", **arguments)
    return bool(row["lose_connection"])


def save(db: Database, user_id: str, used: str, rotated: str | None = None) -> bool:
    return bool(
        db.value(
            "save_tokens",
            p_user_id=user_id,
            p_used_refresh_token=used,
            p_access_token="v1.fresh",
            p_access_token_expires_at="2041-01-01T00:00:00+00:00",
            p_refresh_token=rotated,
        )
    )


def grant(db: Database, user_id: str) -> Row:
    return db.row("select * from public.google_credentials where user_id = %s", user_id)


def test_connecting_stores_the_grant_and_waits_for_the_watch(db: Database) -> None:
    alice = db.user()
    calendars = connect(db, alice, "primary", "team@group.calendar.google.com")
    assert set(calendars) == {"primary", "team@group.calendar.google.com"}
    stored = grant(db, alice)
    assert [stored[name] for name in ("refresh_token", "access_token", "scopes", "status")] == [
        "v1.new", "v1.access", ["calendar.readonly"], "connected",
    ]  # fmt: skip
    for calendar_id in calendars.values():
        after = db.calendar_row(calendar_id)
        assert 50 < after["due_in"] <= 60
        assert (after["due_reason"], after["is_active"], after["user_id"]) == ("connected", True, stored["user_id"])
    assert db.claim() == []


def test_connecting_again_keeps_the_calendar_and_its_sync_state(db: Database) -> None:
    alice = db.user()
    first = connect(db, alice)
    db.sync(db.calendar_row(first["primary"]), part([meeting()]))
    assert connect(db, alice, refresh="v1.newer") == first
    after = db.calendar_row(first["primary"])
    assert (after["sync_token"], after["due_in"] <= 60) == ("token", True)
    assert grant(db, alice)["refresh_token"] == "v1.newer"


def test_connecting_names_only_what_was_asked_for(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    connect(db, alice, "a")
    connect(db, bob, "a", "b")
    assert set(connect(db, alice, "b", "b")) == {"b"}
    assert len(db.rows("select 1 from public.calendar_webhooks")) == 4


def test_connecting_an_unknown_user_is_refused_and_stores_nothing(db: Database) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        connect(db, "00000000-0000-0000-0000-000000000001")
    assert db.rows("select 1 from public.calendar_webhooks") == []


def test_connecting_does_not_touch_a_running_sync(db: Database) -> None:
    alice = db.user()
    calendar = db.calendar_row(connect(db, alice)["primary"])
    claim = db.claim_one(calendar, lease=600)
    connect(db, alice)
    assert db.claim(calendar) == []
    assert db.commit(claim)["committed"] is True


def test_sync_with_the_grant_of_who_knows_whose_account_commits_nothing(db: Database) -> None:
    alice = db.user()
    primary, team = (db.calendar_row(each) for each in connect(db, alice, "primary", "team").values())
    claims = [db.claim_one(calendar, lease=600) for calendar in (primary, team)]
    connect(db, alice, account=None)
    assert [db.commit(claim)["committed"] for claim in claims] == [False, True]
    # Each of them is watched anew, whether it was named or not.
    watches = db.call("claim_expiring_watches", p_limit=9, p_lease_seconds=60)
    assert {row["calendar_id"] for row in watches} == {primary["id"], team["id"]}


def test_calendar_that_was_watched_no_more_is_watched_again(db: Database) -> None:
    alice = db.user()
    calendar = db.calendar(alice, google_calendar_id="primary", is_active=False, watch_retry_at="2040-01-01")
    assert connect(db, alice) == {"primary": calendar["id"]}
    after = db.calendar_row(calendar["id"])
    assert (after["is_active"], after["watch_retry_at"]) == (True, None)
    assert 50 < after["due_in"] <= 60


def test_loss_pauses_all_calendars_of_the_user_and_is_told_once(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    mine = connect(db, alice, "primary", "team")
    connect(db, bob)
    assert [lose(db, alice), lose(db, alice)] == [True, False]
    stored = grant(db, alice)
    assert (stored["status"], stored["status_reason"], stored["access_token"]) == (
        "needs_reauth", "invalid_grant", None,
    )  # fmt: skip
    paused = db.rows("select id from public.calendar_webhooks where paused_reason = 'needs_reauth'")
    assert {row["id"] for row in paused} == set(mine.values())
    assert grant(db, bob)["status"] == "connected"


def test_workers_that_lose_the_grant_at_once_tell_it_once(db: Database) -> None:
    alice, other = db.user(), db.another()
    connect(db, alice, "primary", "team")
    with db.service.transaction():
        first = lose(db, alice)
        second = in_background(lambda: lose(db, alice, by=other))
        db.await_waiting()
    assert [first, second.result(60)] == [True, False]


def test_reconnecting_resumes_what_was_paused(db: Database) -> None:
    alice = db.user()
    calendars = connect(db, alice, "primary", "team")
    db.fail(db.claim_one(db.calendar_row(calendars["team"])), p_next_seconds=6000.0)
    lose(db, alice)
    connect(db, alice, "primary", refresh="v1.newer")
    for calendar_id in calendars.values():
        after = db.calendar_row(calendar_id)
        assert (after["paused_reason"], after["paused_at"], after["not_before"]) == (None, None, None)
        assert (after["consecutive_failures"], after["due_in"] <= 60) == (0, True)
    assert grant(db, alice)["status"] == "connected"
    assert lose(db, alice, "v1.newer") is True


def test_late_loss_of_an_earlier_grant_changes_nothing(db: Database) -> None:
    alice = db.user()
    calendar_id = connect(db, alice, refresh="v1.old")["primary"]
    connect(db, alice, refresh="v1.newer")
    assert lose(db, alice, "v1.old") is False
    assert grant(db, alice)["status"] == "connected"
    assert db.calendar_row(calendar_id)["paused_reason"] is None


@pytest.mark.parametrize("before", ["no grant", "old grant", "lost grant"])
def test_loss_during_a_reconnection_does_not_pause_it(db: Database, before: str) -> None:
    alice, other = db.user(), db.another()
    calendar = db.calendar(alice, google_calendar_id="primary")
    if before != "no grant":
        db.credentials(alice, "v1.old", status="connected" if before == "old grant" else "needs_reauth")
    used = None if before == "no grant" else "v1.old"
    with db.service.transaction():
        connect(db, alice)
        late = in_background(lambda: lose(db, alice, used, by=other))
        db.await_waiting()
    assert late.result(60) is False
    assert db.calendar_row(calendar["id"])["paused_reason"] is None
    assert grant(db, alice)["status"] == "connected"


def test_calendar_without_any_grant_is_paused(db: Database) -> None:
    calendar = db.calendar()
    lose(db, calendar["user_id"], None)
    assert db.calendar_row(calendar["id"])["paused_reason"] == "needs_reauth"


def test_fresh_access_token_is_kept_and_a_rotated_refresh_token_replaces_the_used_one(db: Database) -> None:
    alice = db.user()
    db.credentials(alice, "v1.used")
    assert save(db, alice, "v1.used") is True
    assert (grant(db, alice)["access_token"], grant(db, alice)["refresh_token"]) == ("v1.fresh", "v1.used")
    assert save(db, alice, "v1.used", "v1.rotated") is True
    assert grant(db, alice)["refresh_token"] == "v1.rotated"


def test_reconnection_wins_over_tokens_of_the_earlier_grant(db: Database) -> None:
    alice = db.user()
    connect(db, alice, refresh="v1.old")
    connect(db, alice, refresh="v1.newer")
    assert save(db, alice, "v1.old", "v1.rotated") is False
    assert (grant(db, alice)["access_token"], grant(db, alice)["refresh_token"]) == ("v1.access", "v1.newer")


def test_meetings_without_a_calendar_are_adopted_and_not_inserted_again(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    for user in (alice, bob):
        db.insert("meetings", user_id=user, google_calendar_event_id="event", title="Old", start_time="2030-01-15")
    calendar = db.calendar_row(connect(db, alice)["primary"])
    assert db.sync(calendar, part([meeting(title="New")]), is_full=True)["created"] == 0
    mine = db.rows("select title, calendar_id from public.meetings where user_id = %s", alice)
    assert mine == [{"title": "New", "calendar_id": calendar["id"]}]
    bobs = db.rows("select title, calendar_id from public.meetings where user_id = %s", bob)
    assert bobs == [{"title": "Old", "calendar_id": None}]


def test_other_calendars_than_the_primary_adopt_no_meetings(db: Database) -> None:
    alice = db.user()
    db.insert("meetings", user_id=alice, google_calendar_event_id="event", start_time="2030-01-15")
    connect(db, alice, "team")
    assert db.row("select calendar_id from public.meetings")["calendar_id"] is None


def suspect(
    db: Database,
    user_id: str,
    used: str = "v1.new",
    client: str = "ours",
    after: float = 60,
    by: Connection | None = None,
) -> str:
    arguments = {"p_user_id": user_id, "p_used_refresh_token": used, "p_oauth_client": client}
    (row,) = call(by or db.service, "suspect_connection", **arguments, p_confirm_seconds=after)
    return str(row["standing"])


def test_a_refused_grant_is_confirmed_by_a_second_refusal_a_pause_later_and_not_before(db: Database) -> None:
    alice = db.user()
    connect(db, alice)
    assert [suspect(db, alice), suspect(db, alice), suspect(db, alice, after=0)] == [
        "suspected", "suspected", "confirmed",
    ]  # fmt: skip
    assert grant(db, alice)["status"] == "connected"


def test_workers_that_hear_one_refusal_at_once_suspect_once(db: Database) -> None:
    alice, other = db.user(), db.another()
    connect(db, alice)
    with db.service.transaction():
        first = suspect(db, alice)
        second = in_background(lambda: suspect(db, alice, by=other))
        db.await_waiting()
    assert [first, second.result(60)] == ["suspected", "suspected"]
    since = grant(db, alice)["suspected_at"]
    assert suspect(db, alice, by=other) == "suspected"
    assert grant(db, alice)["suspected_at"] == since


@pytest.mark.parametrize("how", ["works again", "reconnected"])
def test_a_suspicion_ends_when_the_grant_works(db: Database, how: str) -> None:
    alice = db.user()
    connect(db, alice)
    suspect(db, alice)
    if how == "reconnected":
        connect(db, alice)
    else:
        save(db, alice, "v1.new")
    assert grant(db, alice)["suspected_at"] is None
    assert suspect(db, alice, after=0.5) == "suspected"


def test_a_refusal_of_an_earlier_grant_suspects_nobody(db: Database) -> None:
    alice = db.user()
    connect(db, alice, refresh="v1.newer")
    assert suspect(db, alice, "v1.old") == "superseded"
    assert grant(db, alice)["suspected_at"] is None


def test_a_grant_refused_under_another_oauth_client_is_not_suspected(db: Database) -> None:
    alice = db.user()
    connect(db, alice)
    used = {"p_user_id": alice, "p_used_refresh_token": "v1.new", "p_access_token": "v1.fresh"}
    db.value("save_tokens", **used, p_access_token_expires_at=None, p_oauth_client="ours")
    assert suspect(db, alice, client="theirs", after=0) == "other_client"
    assert grant(db, alice)["suspected_at"] is None
    assert suspect(db, alice, client="ours") == "suspected"


def test_reconnecting_under_suspicion_ends_the_backoff(db: Database) -> None:
    alice = db.user()
    calendars = connect(db, alice, "primary", "team")
    for calendar_id in calendars.values():
        db.fail(db.claim_one(db.calendar_row(calendar_id)), p_next_seconds=6000.0)
    suspect(db, alice)
    connect(db, alice, "primary", refresh="v1.newer")
    for calendar_id in calendars.values():
        after = db.calendar_row(calendar_id)
        assert (after["not_before"], after["consecutive_failures"], after["due_in"] <= 60) == (None, 0, True)


def regain(db: Database, user_id: str, used: str, rotated: str | None = None) -> bool:
    return bool(
        db.value(
            "regain_connection",
            p_user_id=user_id,
            p_used_refresh_token=used,
            p_access_token="v1.fresh",
            p_access_token_expires_at="2041-01-01T00:00:00+00:00",
            p_refresh_token=rotated,
            p_oauth_client="ours",
        )
    )


def test_a_lost_connection_that_works_after_all_resumes_everything(db: Database) -> None:
    alice, bob = db.user(), db.user("bob")
    calendars = connect(db, alice, "primary", "team")
    connect(db, bob)
    lose(db, alice)
    lost = call(db.service, "lost_connections", p_after="00000000-0000-0000-0000-000000000000", p_limit=10)
    assert [(str(row["user_id"]), row["refresh_token"]) for row in lost] == [(str(alice), "v1.new")]
    assert [regain(db, alice, "v1.new", "v1.rotated"), regain(db, alice, "v1.rotated")] == [True, False]
    stored = grant(db, alice)
    assert [stored[name] for name in ("status", "access_token", "refresh_token", "oauth_client")] == [
        "connected", "v1.fresh", "v1.rotated", "ours",
    ]  # fmt: skip
    for calendar_id in calendars.values():
        after = db.calendar_row(calendar_id)
        assert (after["paused_reason"], after["due_reason"], after["due_in"] <= 60) == (None, "reconnected", True)
    told = db.rows("select kind, resolved_at is null as open from public.user_notifications order by created_at")
    assert told == [{"kind": "reconnect_needed", "open": False}, {"kind": "reconnected", "open": True}]


def test_regaining_an_earlier_grant_changes_nothing(db: Database) -> None:
    alice = db.user()
    connect(db, alice, refresh="v1.newer")
    lose(db, alice, "v1.newer")
    assert regain(db, alice, "v1.old") is False
    assert grant(db, alice)["status"] == "needs_reauth"
