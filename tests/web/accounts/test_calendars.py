"""/functions/v1/calendars: the user's list with its state, adding, removing, adding again, and the first sync's
progress."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from tests.web.calls import assert_problem, bearer, call
from tests.web.consent import CALENDARS, EVENTS, LISTS, jwt
from tests.world import Person, World, wait_until

TEAM = "team@group.calendar.google.com"


@pytest.fixture
def alice(world: World) -> Person:
    """Alice's primary calendar and the team's, each with a meeting; nothing is connected yet."""
    alice = world.person()
    world.google.add_calendar(alice.email, TEAM, summary="The team", time_zone="Europe/Zurich", access_role="writer")
    world.google.insert_event(alice.email, world.event("Mine"), notify=False)
    world.google.insert_event(TEAM, world.event("Ours", hours=5), notify=False)
    return alice


def listed(world: World, person: Person) -> dict[str, dict[str, Any]]:
    answer = call(world, CALENDARS, jwt(world, person), method="GET")
    assert answer.status_code == 200, answer.text
    return {calendar["id"]: calendar for calendar in answer.json()["calendars"]}


def add(world: World, person: Person, *ids: str) -> list[dict[str, Any]]:
    answer = call(world, CALENDARS, jwt(world, person), json={"calendarIds": list(ids)})
    assert answer.status_code == 200, answer.text
    calendars: list[dict[str, Any]] = answer.json()["calendars"]
    for calendar in calendars:
        world.await_synced(calendar["id"])
    return calendars


def remove(world: World, person: Person, *ids: str, **more: Any) -> httpx.Response:
    return call(world, f"{CALENDARS}/remove", jwt(world, person), json={"calendarIds": list(ids), **more})


def google_channels(world: World) -> list[str]:
    return [channel["state"] for channel in world.google.channels()]


def listings(world: World) -> tuple[int, int]:
    """Whole ones, and those of changes only; since the last look."""
    calls = world.google.counters()["calls"]
    world.google.reset_counters()
    return calls.get("calendarList.list.full", 0), calls.get("calendarList.list.incremental", 0)


def test_a_list_is_asked_for_its_changes_and_is_as_google_has_it(world: World, alice: Person) -> None:
    world.connect(alice)
    world.google.reset_counters()
    before = listed(world, alice)
    assert listings(world) == (1, 0)

    assert listed(world, alice) == before
    world.google.add_calendar(alice.email, "new@group.calendar.google.com", summary="New")
    assert set(listed(world, alice)) == {*before, "new@group.calendar.google.com"}
    world.google.share_calendar(TEAM, alice.email, "none")
    assert set(listed(world, alice)) == {alice.email, "new@group.calendar.google.com"}
    assert listings(world) == (0, 3)


def test_a_list_whose_token_google_forgot_is_read_anew(world: World, alice: Person) -> None:
    world.connect(alice)
    before = listed(world, alice)
    world.google.add_fault("sync_token_expired", method="calendarList.list", times=1)
    world.google.add_calendar(alice.email, "new@group.calendar.google.com", summary="New")
    world.google.reset_counters()

    assert set(listed(world, alice)) == {*before, "new@group.calendar.google.com"}
    assert listings(world) == (1, 1)
    listed(world, alice)
    assert listings(world) == (0, 1)


def test_another_grant_reads_its_own_list(world: World, alice: Person) -> None:
    world.connect(alice)
    listed(world, alice)
    # The user comes back with another Google account.
    bob = world.person("bob")
    alice.refresh_token = bob.refresh_token
    world.connect(alice)
    world.google.reset_counters()

    found = listed(world, alice)

    # Nor is Google shown the token of the former account's list.
    assert listings(world) == (1, 0)
    assert bob.email in found
    assert TEAM not in found


def test_a_calendar_that_is_hidden_from_view_can_be_chosen(world: World, alice: Person) -> None:
    world.connect(alice)
    world.google.hide_calendar(alice.email, TEAM)

    assert TEAM in listed(world, alice)
    (team,) = add(world, alice, TEAM)
    assert team["google_calendar_id"] == TEAM


def test_the_list_says_of_each_calendar_how_it_stands(world: World, alice: Person) -> None:
    world.connect(alice)

    calendars = listed(world, alice)

    assert calendars[alice.email] == {
        "id": alice.email,
        "summary": calendars[alice.email]["summary"],
        "primary": True,
        "access_role": "owner",
        "time_zone": "UTC",
        "connected": True,
        "watch": "live",
        "reason": None,
        "initial_sync": "done",
        "initial_events": 1,
        "initial_meetings": 1,
    }
    assert calendars[TEAM] == {
        "id": TEAM,
        "summary": "The team",
        "primary": False,
        "access_role": "writer",
        "time_zone": "Europe/Zurich",
        "connected": False,
        "watch": "none",
        "reason": None,
        "initial_sync": None,
        "initial_events": None,
        "initial_meetings": None,
    }


def test_a_calendar_that_cannot_be_watched_is_polled_for_a_reason(world: World, alice: Person) -> None:
    world.google.add_fault("unwatchable", method="events.watch", calendar=TEAM)
    world.connect(alice, ["primary", TEAM])

    team = listed(world, alice)[TEAM]

    assert (team["watch"], team["reason"]) == ("polled", "pushNotSupportedForRequestedResource")


def test_a_watched_calendar_that_left_the_list_is_still_shown(world: World, alice: Person) -> None:
    world.connect(alice, [TEAM])
    world.google.share_calendar(TEAM, alice.email, "none")

    team = listed(world, alice)[TEAM]

    assert (team["connected"], team["summary"]) == (True, None)


def test_a_user_adds_calendars_by_their_names(world: World, alice: Person) -> None:
    world.connect(alice, [TEAM])

    added = add(world, alice, alice.email, TEAM)

    assert {calendar["google_calendar_id"]: calendar["watch"] for calendar in added} == {
        "primary": "live",
        TEAM: "live",
    }
    world.await_equal(alice)
    world.google.insert_event(alice.email, world.event("Pushed", hours=8))
    wait_until(lambda: world.live_titles(alice) == ["Mine", "Ours", "Pushed"], "both calendars' meetings")


def test_a_calendar_that_is_not_theirs_is_not_added(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(alice)

    answer = call(world, CALENDARS, jwt(world, alice), json={"calendarIds": ["primary", bob.email]})

    assert bob.email in assert_problem(answer, 422, "calendar_unknown")["detail"]
    assert listed(world, alice)[TEAM]["connected"] is False


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_removed_calendar_is_left_alone(world: World, alice: Person, method: str) -> None:
    world.connect(alice, ["primary", TEAM])
    path = CALENDARS if method == "DELETE" else f"{CALENDARS}/remove"

    answer = call(world, path, jwt(world, alice), method=method, json={"calendarIds": [TEAM]})

    assert (answer.status_code, answer.json()["removed"]) == (200, [TEAM])
    assert sorted(google_channels(world)) == ["live", "stopped"]
    row = world.calendar(alice, TEAM)
    assert (row["is_active"], row["sync_token"], row["initial_sync"]) == (False, None, "pending")
    assert world.rows("select 1 from calendar_events where calendar_id = %s", row["id"]) == []
    assert listed(world, alice)[TEAM]["watch"] == "none"
    world.google.insert_event(TEAM, world.event("Unseen"))
    world.make_due(alice)
    world.reset_counters()
    world.sweep()
    assert world.google_calls("events.list") == 1  # the primary calendar's
    assert "Unseen" not in world.live_titles(alice)


def test_what_is_not_over_is_cancelled_and_history_stays(world: World, alice: Person) -> None:
    world.google.insert_event(TEAM, world.event("Over", hours=-5), notify=False)
    world.google.insert_event(TEAM, world.event("Now on", hours=-0.5), notify=False)
    world.connect(alice, ["primary", TEAM])

    remove(world, alice, TEAM, meetings="keep")

    assert {row["title"]: (row["status"], row["status_reason"]) for row in world.meetings(alice)} == {
        "Over": ("confirmed", None),
        "Now on": ("cancelled", "calendar_removed"),
        "Ours": ("cancelled", "calendar_removed"),
        "Mine": ("confirmed", None),
    }


def test_a_users_meetings_go_when_they_say_so(world: World, alice: Person) -> None:
    world.connect(alice, ["primary", TEAM])

    remove(world, alice, TEAM, meetings="delete")

    assert [row["title"] for row in world.meetings(alice)] == ["Mine"]


def test_a_removed_calendar_that_is_added_again_is_listed_anew(world: World, alice: Person) -> None:
    world.connect(alice, ["primary", TEAM])
    remove(world, alice, TEAM)
    world.google.insert_event(TEAM, world.event("Meanwhile", hours=9))

    (again,) = add(world, alice, TEAM)

    assert again["id"] == str(world.calendar(alice, TEAM)["id"])
    assert world.live_titles(alice) == ["Mine", "Ours", "Meanwhile"]
    world.assert_equal(alice, TEAM)
    assert world.logs(alice)[-1]["sync_type"] == "initial"
    assert [row["status_reason"] for row in world.meetings(alice)] == [None] * 3
    world.google.insert_event(TEAM, world.event("Pushed", hours=10))
    world.await_equal(alice, TEAM)


def test_removing_by_address_and_removing_twice(world: World, alice: Person) -> None:
    world.connect(alice)

    assert remove(world, alice, alice.email).json()["removed"] == ["primary"]
    assert remove(world, alice, alice.email).json()["removed"] == ["primary"]

    assert world.calendar(alice)["is_active"] is False


def test_a_calendar_they_never_had_is_not_removed(world: World, alice: Person) -> None:
    world.connect(alice)
    for unknown in (TEAM, "nobody@example.com"):
        assert_problem(remove(world, alice, "primary", unknown), 422, "calendar_unknown")
    assert world.calendar(alice)["is_active"] is True


def test_removing_works_without_google(world: World, alice: Person) -> None:
    world.connect(alice, ["primary", TEAM])
    world.google.add_fault("backend_503")

    assert remove(world, alice, TEAM).json()["removed"] == [TEAM]

    world.google.clear_faults()
    world.db.execute("update calendar_channels set stop_after = now() where stop_after is not null")
    world.renew()
    assert sorted(google_channels(world)) == ["live", "stopped"]


def test_a_sync_in_progress_does_not_bring_a_removed_calendar_back(world: World, alice: Person) -> None:
    world.connect(alice, ["primary", TEAM])
    world.google.configure(push="drop")
    world.google.insert_event(TEAM, world.event("Late", hours=7))
    held = world.google.add_fault("hold", method="events.list", calendar=TEAM)
    world.db.execute("update calendar_webhooks set due_at = now() where google_calendar_id = %s", (TEAM,))

    with world.in_background(world.sweep):
        assert world.google.wait_held(held)
        assert remove(world, alice, TEAM).status_code == 200
        world.google.release(held)

    row = world.calendar(alice, TEAM)
    assert (row["is_active"], row["sync_token"], row["last_synced_at"]) == (False, None, None)
    assert "Late" not in [meeting["title"] for meeting in world.meetings(alice)]
    assert world.rows("select 1 from calendar_events where calendar_id = %s", row["id"]) == []


def test_a_watch_in_progress_does_not_outlive_its_calendar(world: World, alice: Person) -> None:
    world.connect(alice, ["primary", TEAM])
    team = world.calendar(alice, TEAM)
    world.db.execute("update calendar_webhooks set expiration_time = now() where id = %s", (team["id"],))
    held = world.google.add_fault("hold", method="events.watch", calendar=TEAM)

    with world.in_background(world.renew):
        assert world.google.wait_held(held)
        remove(world, alice, TEAM)
        world.google.release(held)

    assert sorted(google_channels(world)) == ["live", "stopped", "stopped"]
    assert world.calendar(alice, TEAM)["webhook_id"] is None


def test_the_service_acts_for_anybody_and_a_user_for_themselves(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.connect(alice)
    service = bearer(world.supabase.service_key)
    body = {"userId": alice.user_id, "calendarIds": ["primary"]}

    assert call(world, f"{CALENDARS}?userId={alice.user_id}", service, method="GET").status_code == 200
    assert call(world, CALENDARS, service, json=body).status_code == 200
    assert call(world, CALENDARS, service, method="DELETE", json=body).status_code == 200
    assert_problem(call(world, CALENDARS, service, method="GET"), 400, "user_id_missing")
    for method, path in itertools.product(("POST", "DELETE"), (CALENDARS,)):
        assert_problem(call(world, path, jwt(world, bob), method=method, json=body), 403, "not_your_account")
        assert_problem(call(world, path, method=method, json=body), 401, "unauthorized")
        cron = bearer(world.environment["CRON_SECRET"])
        assert_problem(call(world, path, cron, method=method, json=body), 401, "unauthorized")
    stranger = call(world, f"{CALENDARS}?userId={alice.user_id}", jwt(world, bob), method="GET")
    assert_problem(stranger, 403, "not_your_account")


def test_one_users_removal_leaves_anothers_calendar_of_the_same_name(world: World, alice: Person) -> None:
    bob = world.person("bob")
    world.google.share_calendar(TEAM, bob.email, "reader")
    for person in (alice, bob):
        world.connect(person, ["primary", TEAM])

    remove(world, alice, TEAM, "primary", meetings="delete")

    assert [world.calendar(bob, name)["is_active"] for name in ("primary", TEAM)] == [True, True]
    assert "Ours" in world.live_titles(bob)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "calendar_ids_missing"),
        ({"calendarIds": []}, "calendar_ids_missing"),
        ({"calendarIds": "primary"}, "calendar_ids_malformed"),
        ({"calendarIds": ["primary"], "meetings": "burn"}, "meetings_malformed"),
        ({"calendarIds": ["primary"], "meetings": None}, "meetings_malformed"),
    ],
)
def test_a_bad_body_is_told_what_is_wrong(world: World, alice: Person, body: dict[str, Any], code: str) -> None:
    assert_problem(call(world, CALENDARS, jwt(world, alice), method="DELETE", json=body), 400, code)


def test_who_is_not_connected_is_told_so(world: World, alice: Person) -> None:
    for method in ("GET", "POST"):
        body = {"calendarIds": ["primary"]}
        assert_problem(call(world, CALENDARS, jwt(world, alice), method=method, json=body), 409, "not_connected")


def test_a_dead_grant_is_found_and_told(world: World, alice: Person) -> None:
    world.connect(alice)
    world.google.revoke(alice.email)
    world.restart_service()

    assert_problem(call(world, CALENDARS, jwt(world, alice), method="GET"), 503, "google_unavailable")
    world.let_suspicions_age()
    assert_problem(call(world, CALENDARS, jwt(world, alice), method="GET"), 409, "needs_reauth")

    assert world.rows("select status from google_credentials") == [{"status": "needs_reauth"}]
    assert_problem(call(world, CALENDARS, jwt(world, alice), json={"calendarIds": [TEAM]}), 409, "needs_reauth")


def test_a_grant_without_the_list_goes_on_reading_events(world: World, alice: Person) -> None:
    alice.refresh_token = world.google.grant(alice.email, scopes=[EVENTS])
    world.connect(alice)

    assert (
        LISTS.rsplit("/", 1)[1]
        in assert_problem(call(world, CALENDARS, jwt(world, alice), method="GET"), 409, "scope_missing")["detail"]
    )

    assert world.rows("select status from google_credentials") == [{"status": "connected"}]
    assert add(world, alice, "primary")[0]["watch"] == "live"


def progress(world: World, person: Person) -> tuple[str, int, int]:
    """What the front end reads with the user's own key, under row level security."""
    with world.supabase.rest(key=world.supabase.anon_key) as client:
        (row,) = client.get("my_calendars", headers=jwt(world, person)).json()
    return row["initial_sync"], row["initial_events"], row["initial_meetings"]


def test_the_first_syncs_progress_is_there_to_be_read(world: World, alice: Person) -> None:
    held = world.google.add_fault("hold", method="events.list")
    world.connect(alice, synced=False)
    assert world.google.wait_held(held)
    assert progress(world, alice) == ("running", 0, 0)
    assert listed(world, alice)[alice.email]["initial_sync"] == "running"

    world.google.release(held)
    wait_until(lambda: progress(world, alice) == ("done", 1, 1), "the first sync is done")
    assert world.rows("select calendar_name, time_zone from my_calendars") == [
        {"calendar_name": alice.email, "time_zone": alice.time_zone}
    ]

    world.google.insert_event(alice.email, world.event("Later", hours=6))
    world.await_equal(alice)
    assert progress(world, alice) == ("done", 1, 1)


def test_a_first_sync_that_failed_says_so_until_it_runs_again(world: World, alice: Person) -> None:
    world.google.add_fault("lost_access_404", method="events.list", times=1)
    world.connect(alice, synced=False)
    wait_until(lambda: progress(world, alice) == ("failed", 0, 0), "the failure")

    world.make_due(alice)
    world.sweep()

    assert progress(world, alice) == ("done", 1, 1)


def test_a_large_first_sync_counts_as_it_goes(world: World) -> None:
    alice = world.person()
    bodies = [world.event(f"M{number}", hours=2 + number / 10) for number in range(1300)]
    world.google.bulk_insert(alice.email, bodies, notify=False)
    # The answer to the first part is lost: it is staged twice and counted once.
    world.supabase.fault("stage_sync", "drop_after")
    world.supabase.fault("stage_sync", "delay", seconds=0.01)
    world.supabase.fault("stage_sync", "hold")
    world.connect(alice, synced=False)
    wait_until(lambda: world.rpcs().get("stage_sync") == 3, "the second part")

    state, events, meetings = progress(world, alice)
    assert state == "running"
    assert 0 < events < 1300
    assert events == meetings == world.rows("select count(*) as n from calendar_events")[0]["n"]

    world.supabase.clear_faults()
    wait_until(lambda: progress(world, alice) == ("done", 1300, 1300), "all of it")
