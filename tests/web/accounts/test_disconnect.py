"""Leaving: channels stopped, grant given back, no token kept, and nothing that runs meanwhile brings anything back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from sync.jobs.accounts.disconnect import finish_disconnects
from sync.jobs.syncing.sync_calendar import sync_claim
from tests.web.calls import assert_no_secret, assert_problem, bearer, call
from tests.web.consent import CALENDARS, DISCONNECT, HOME, begin, come_back, connect, consent, jwt, result_of, stored
from tests.world import Person, World

# Whatever table holds rows of users: a new one must cascade too.
TABLES_OF_USERS = (
    "select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid"
    " where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attname = 'user_id' order by 1"
)
TEAM = "team@group.calendar.google.com"


@pytest.fixture
def alice(world: World) -> Person:
    """Connected with two calendars, a meeting past and one ahead in each."""
    world.restart_service(CONNECT_REDIRECT_URLS=HOME)
    alice = world.person()
    world.google.add_calendar(alice.email, TEAM)
    for calendar in (alice.email, TEAM):
        world.google.insert_event(calendar, world.event("Over", hours=-5), notify=False)
        world.google.insert_event(calendar, world.event("Ahead"), notify=False)
    world.connect(alice, ["primary", TEAM])
    return alice


def disconnect(world: World, person: Person, **body: Any) -> httpx.Response:
    return call(world, DISCONNECT, jwt(world, person), json=body)


def channels(world: World) -> list[str]:
    return [channel["state"] for channel in world.google.channels()]


def is_grant_alive(world: World, person: Person) -> bool:
    form = {"grant_type": "refresh_token", "refresh_token": person.refresh_token}
    client = {"client_id": "emulator-client", "client_secret": "emulator-secret"}
    return httpx.post(f"{world.google.base_url}/token", data={**form, **client}, timeout=60).status_code == 200


def assert_gone(world: World, person: Person) -> None:
    row = stored(world, person)
    assert row is not None
    assert row["status"] == "disconnected"
    kept = ("access_token", "refresh_token", "access_token_expires_at", "refresh_token_expires_at", "scopes")
    assert [row[name] for name in (*kept, "google_account")] == [None] * 6
    calendars = world.rows("select * from calendar_webhooks where user_id = %s", person.user_id)
    assert {(row["is_active"], row["sync_token"], row["lease_expires_at"]) for row in calendars} == {
        (False, None, None)
    }
    assert world.rows("select 1 from calendar_events where user_id = %s", person.user_id) == []
    assert world.rows("select 1 from calendar_channels where state in ('live', 'opening')") == []


def test_leaving_stops_channels_revokes_and_keeps_no_token(world: World, alice: Person) -> None:
    answer = disconnect(world, alice)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["status"], told["revoked"], told["revoke_error"]) == ("disconnected", True, None)
    assert (told["calendars"], told["channels_stopped"], told["channels_left"]) == (2, 2, 0)
    assert_no_secret(world, answer, alice)
    assert_gone(world, alice)
    assert channels(world) == ["stopped", "stopped"]
    assert not is_grant_alive(world, alice)


def test_nothing_is_called_for_a_user_who_left(world: World, alice: Person) -> None:
    disconnect(world, alice)
    world.google.insert_event(alice.email, world.event("Unseen"))
    world.make_due(alice)
    world.reset_counters()

    world.sweep()
    world.renew()
    answer = world.post("/functions/v1/calendar-polling-service", {"userId": alice.user_id, "force": True})

    assert answer.json()["code"] == "no_calendars"
    assert world.google.counters()["calls"] == {}
    assert_problem(call(world, CALENDARS, jwt(world, alice), method="GET"), 409, "disconnected")
    assert_gone(world, alice)


def test_meetings_ahead_are_cancelled_and_history_stays(world: World, alice: Person) -> None:
    assert disconnect(world, alice, meetings="keep").json()["meetings"] == "keep"

    found = [(row["title"], row["status"], row["status_reason"]) for row in world.meetings(alice)]
    assert sorted(found) == [("Ahead", "cancelled", "disconnected")] * 2 + [("Over", "confirmed", None)] * 2


def test_meetings_go_when_the_user_says_so(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.google.insert_event(bob.email, world.event("Bob's"), notify=False)
    world.connect(bob)
    world.db.execute(
        "insert into meetings (user_id, title, start_time) values (%s, 'Original', now())", (alice.user_id,)
    )

    disconnect(world, alice, meetings="delete")

    assert world.meetings(alice) == []
    assert world.live_titles(bob) == ["Bob's"]


def test_leaving_twice_is_leaving_once(world: World, alice: Person) -> None:
    disconnect(world, alice)
    revocations = world.google_calls("revoke")

    again = disconnect(world, alice)

    assert (again.status_code, again.json()["status"], again.json()["revoked"]) == (200, "disconnected", None)
    assert world.google_calls("revoke") == revocations
    assert_gone(world, alice)
    assert disconnect(world, alice, meetings="delete").status_code == 200
    assert world.meetings(alice) == []


def test_who_never_connected_may_leave_too(world: World) -> None:
    nobody = world.person()
    answer = disconnect(world, nobody)

    assert (answer.status_code, answer.json()["calendars"], answer.json()["revoked"]) == (200, 0, None)
    assert stored(world, nobody) is None


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("backend_503", "token_endpoint_failed"),
        ("reset_before", "token_endpoint_unreachable"),
        ("invalid_client", "invalid_client"),
    ],
)
def test_a_failing_revocation_leaves_no_token_behind(world: World, alice: Person, fault: str, error: str) -> None:
    world.google.add_fault(fault, method="revoke")

    told = disconnect(world, alice).json()

    assert (told["revoked"], told["revoke_error"]) == (False, error)
    assert_gone(world, alice)


def test_a_passing_fault_of_the_revocation_is_tried_once_more(world: World, alice: Person) -> None:
    world.google.add_fault("backend_503", method="revoke", times=1)

    assert disconnect(world, alice).json()["revoked"] is True


def test_a_grant_that_was_withdrawn_at_google_is_revoked_already(world: World, alice: Person) -> None:
    world.google.revoke(alice.email)

    assert disconnect(world, alice).json()["revoked"] is True
    assert_gone(world, alice)


def test_a_token_that_cannot_be_read_goes_all_the_same(world: World, alice: Person) -> None:
    world.db.execute("update google_credentials set refresh_token = 'v1.AAAA'")

    told = disconnect(world, alice).json()

    assert (told["revoked"], told["revoke_error"]) == (False, "token_damaged")
    assert_gone(world, alice)


def test_channels_that_google_does_not_stop_lapse_without_doing_work(world: World, alice: Person) -> None:
    world.google.add_fault("backend_500", method="channels")

    told = disconnect(world, alice).json()

    assert (told["channels_stopped"], told["channels_left"], told["revoked"]) == (0, 2, True)
    assert_gone(world, alice)
    world.google.clear_faults()
    world.reset_counters()
    world.google.insert_event(alice.email, world.event("Unseen"))
    assert world.google.wait_push_idle()
    assert world.google_calls("events.list") == 0
    assert_gone(world, alice)


def test_a_sync_in_progress_brings_nothing_back(world: World, alice: Person) -> None:
    world.google.configure(push="drop")
    world.google.insert_event(alice.email, world.event("Late", hours=7))
    held = world.google.add_fault("hold", method="events.list")
    world.make_due(alice)

    with world.in_background(world.sweep):
        assert world.google.wait_held(held)
        assert disconnect(world, alice).json()["revoked"] is True
        world.google.release(held)

    assert_gone(world, alice)
    assert "Late" not in [row["title"] for row in world.meetings(alice)]
    assert {log["status"] for log in world.logs(alice)} == {"completed"}


@pytest.mark.parametrize("ending", ["fails", "refreshes"])
def test_a_claim_of_before_neither_pauses_nor_stores_tokens(world: World, alice: Person, ending: str) -> None:
    late = world.services_with()
    world.make_due(alice)
    claim = late.leases.claim(1)[0]
    disconnect(world, alice)
    world.db.execute("update calendar_webhooks set paused_reason = null")
    if ending == "refreshes":
        fresh = world.google.grant(alice.email)
        sealed = late.tokens.seal(alice.user_id, fresh, late.tokens.grant_of(fresh))
        assert claim.tokens.refresh
        assert late.store.connections.save_tokens(alice.user_id, claim.tokens.refresh, sealed) is False

    assert sync_claim(late, claim).status in {"failed", "lost"}

    assert_gone(world, alice)


def test_a_watch_in_progress_never_becomes_live(world: World, alice: Person) -> None:
    world.db.execute("update calendar_webhooks set expiration_time = now() where google_calendar_id = 'primary'")
    held = world.google.add_fault("hold", method="events.watch")

    with world.in_background(world.renew):
        assert world.google.wait_held(held)
        disconnect(world, alice)
        world.google.release(held)

    assert_gone(world, alice)


def test_a_flow_that_was_begun_before_leaving_connects_nothing(world: World, alice: Person) -> None:
    way_back = consent(begin(world, alice))
    disconnect(world, alice)

    assert result_of(come_back(way_back)) == "state_used"
    assert_gone(world, alice)


def test_who_left_may_come_back(world: World, alice: Person) -> None:
    disconnect(world, alice)
    world.google.insert_event(alice.email, world.event("Meanwhile", hours=8))

    assert connect(world, alice) == "connected"

    world.await_equal(alice)
    assert {
        row["title"]: row["status"]
        for row in world.meetings(alice)
        if row["calendar_id"] == world.calendar(alice)["id"]
    } == {
        "Over": "confirmed",
        "Ahead": "confirmed",
        "Meanwhile": "confirmed",
    }
    world.google.insert_event(alice.email, world.event("Pushed", hours=9))
    world.await_equal(alice)


@pytest.mark.parametrize("rpc", ["begin_disconnect", "finish_disconnect"])
def test_a_lost_answer_of_the_store_changes_nothing(world: World, alice: Person, rpc: str) -> None:
    world.supabase.fault(rpc, "drop_after")

    told = disconnect(world, alice).json()

    assert (told["revoked"], told["channels_stopped"]) == (True, 2)
    assert_gone(world, alice)


def test_a_store_that_goes_away_halfway_is_finished_later(world: World, alice: Person) -> None:
    world.supabase.fault("finish_disconnect", "http_500", times=4)
    assert_problem(disconnect(world, alice), 503, "store_unavailable")
    row = stored(world, alice)
    assert row is not None
    assert row["status"] == "disconnected"
    assert finish_disconnects(world.services) == 0  # somebody may still be at it

    world.db.execute("update google_credentials set status_at = now() - interval '6 minutes'")
    world.post("/functions/v1/renew-calendar-watches")

    assert_gone(world, alice)
    assert finish_disconnects(world.services) == 0


def test_a_process_that_died_before_google_was_asked_is_taken_over(world: World, alice: Person) -> None:
    world.services.store.accounts.begin_disconnect(alice.user_id, "keep")
    assert channels(world) == ["live", "live"]
    world.db.execute("update google_credentials set status_at = now() - interval '6 minutes'")

    assert finish_disconnects(world.services) == 1

    assert channels(world) == ["stopped", "stopped"]
    assert not is_grant_alive(world, alice)
    assert_gone(world, alice)


def test_a_reconnection_between_the_steps_is_kept(world: World, alice: Person) -> None:
    world.services.store.accounts.begin_disconnect(alice.user_id, "keep")
    world.connect(alice)

    assert world.services.store.accounts.finish_disconnect(alice.user_id) is False

    row = stored(world, alice)
    assert row is not None
    assert row["status"] == "connected"
    assert row["refresh_token"]
    world.await_equal(alice)


def test_the_service_acts_for_anybody_and_a_user_for_themselves(world: World, alice: Person) -> None:
    bob = world.person("bob")
    body = {"userId": alice.user_id}
    assert_problem(call(world, DISCONNECT, json=body), 401, "unauthorized")
    assert_problem(call(world, DISCONNECT, bearer(world.environment["CRON_SECRET"]), json=body), 401, "unauthorized")
    assert_problem(call(world, DISCONNECT, jwt(world, bob), json=body), 403, "not_your_account")
    assert_problem(call(world, DISCONNECT, bearer(world.supabase.service_key), json={}), 400, "user_id_missing")
    assert_problem(disconnect(world, alice, meetings="all"), 400, "meetings_malformed")
    assert channels(world) == ["live", "live"]

    assert call(world, DISCONNECT, bearer(world.supabase.service_key), json=body).status_code == 200
    assert_gone(world, alice)


def test_deleting_the_auth_user_leaves_no_row_of_theirs(world: World, alice: Person) -> None:
    begin(world, alice)
    world.db.execute(
        "insert into user_notifications (user_id, kind, reason, message) values (%s, 'reconnect_needed', 'x', 'x')",
        (alice.user_id,),
    )
    meeting, user = "(select id from meetings where user_id = %s limit 1)", alice.user_id
    world.db.execute("insert into bot_preferences (user_id) values (%s)", (user,))
    world.db.execute("insert into bot_tenants values (%s, 'acme')", (user,))
    world.db.execute(f"insert into bot_wishes (meeting_id, user_id) values ({meeting}, %s)", (user, user))
    # A bot outlives its user until its provider has removed it: tests/flows/bots.
    tables = {row["name"] for row in world.rows(TABLES_OF_USERS)} - {"bot_requests"}
    of_alice = {table: f"select 1 from {table} where user_id = %s" for table in tables}
    assert {table for table, query in of_alice.items() if not world.rows(query, alice.user_id)} == set()

    world.db.execute("delete from auth.users where id = %s", (alice.user_id,))

    assert {table for table, query in of_alice.items() if world.rows(query, alice.user_id)} == set()
