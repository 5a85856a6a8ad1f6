"""The polling endpoints' answers: keys, figures and reasons, as the original edge functions gave them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.web.calls import CRON, POLL, assert_no_secret, assert_problem, bearer, call
from tests.world import JsonObject, Person, World

POLL_KEYS = {"success", "message", "processed", "created", "updated", "deleted", "skipped", "reason", "results", "left"}
CRON_KEYS = {
    "success", "message", "total_processed", "total_created", "total_updated", "total_deleted", "total_skipped",
    "total_failed", "total_calendars", "remaining", "results",
}  # fmt: skip
RESULT_KEYS = {
    "userId", "calendarId", "status", "sync_type", "reason", "processed", "created", "updated", "deleted", "error",
}  # fmt: skip


def connected(world: World, calendars: list[str] | None = None) -> Person:
    """Alice, connected and synced; Google's notifications are off from now on."""
    alice = world.person()
    for calendar in calendars or []:
        if calendar != "primary":
            world.google.add_calendar(alice.email, calendar)
    world.connect(alice, calendars)
    world.google.configure(push="drop")
    return alice


def notified(world: World, person: Person) -> None:
    """A notification came a moment ago, and was synced."""
    world.db.execute("update calendar_webhooks set last_webhook_received = now() where user_id = %s", (person.user_id,))


def figures(answer: JsonObject) -> tuple[int, ...]:
    return tuple(answer[name] for name in ("processed", "created", "updated", "deleted"))


def cron(world: World) -> JsonObject:
    answer = call(world, CRON, bearer(world.supabase.service_key))
    assert answer.status_code == 200, answer.text
    assert_no_secret(world, answer)
    body: JsonObject = answer.json()
    assert set(body) == CRON_KEYS
    assert all(set(result) == RESULT_KEYS for result in body["results"])
    return body


def test_a_poll_answers_with_the_original_keys_and_what_it_found(world: World) -> None:
    alice = connected(world)
    kept = world.google.insert_event(alice.email, world.event("Kept"), notify=False)
    gone = world.google.insert_event(alice.email, world.event("Gone", hours=5), notify=False)
    first = world.poll(alice, force=False)
    world.google.patch_event(alice.email, kept["id"], {"summary": "Renamed"}, notify=False)
    world.google.delete_event(alice.email, gone["id"], notify=False)
    second = world.poll(alice, force=False)
    third = world.poll(alice, force=False)

    assert all(set(answer) == POLL_KEYS for answer in (first, second, third))
    assert [figures(answer) for answer in (first, second, third)] == [(2, 2, 0, 0), (2, 0, 1, 1), (0, 0, 0, 0)]
    assert (first["success"], first["skipped"], first["reason"], first["left"]) == (True, False, "asked", {})
    assert first["results"] == [
        {
            "userId": alice.user_id,
            "calendarId": "primary",
            "status": "completed",
            "sync_type": "manual",
            "reason": "asked",
            "processed": 2,
            "created": 2,
            "updated": 0,
            "deleted": 0,
            "error": None,
        }
    ]


def test_a_recent_notification_means_no_poll(world: World) -> None:
    alice = connected(world)
    notified(world, alice)
    world.google.reset_counters()

    answer = world.poll(alice, force=False)

    assert set(answer) == POLL_KEYS
    assert (answer["success"], answer["skipped"], answer["reason"]) == (True, True, "recent_notification")
    assert (answer["left"], answer["results"], figures(answer)) == (
        {"primary": "recent_notification"},
        [],
        (0, 0, 0, 0),
    )
    assert "recent_notification" in answer["message"]
    assert world.google.counters()["calls"] == {}
    assert (world.logs(alice)[-1]["status"], world.logs(alice)[-1]["sync_type"]) == ("skipped", "manual")


def test_force_polls_in_spite_of_a_recent_notification(world: World) -> None:
    alice = connected(world)
    notified(world, alice)
    world.google.insert_event(alice.email, world.event("Unannounced"), notify=False)
    world.google.reset_counters()

    answer = world.poll(alice, force=True)

    assert (answer["skipped"], answer["reason"], figures(answer)) == (False, "forced", (1, 1, 0, 0))
    assert world.google_calls("events.list") == 1


def test_a_user_polls_their_own_calendars_with_their_jwt(world: World) -> None:
    alice = connected(world)
    world.google.insert_event(alice.email, world.event("Mine"), notify=False)

    answer = call(world, POLL, bearer(world.supabase.user_jwt(alice.user_id)), json={"force": True})

    assert (answer.status_code, answer.json()["created"]) == (200, 1)


def test_several_calendars_are_polled_together_and_added_up(world: World) -> None:
    alice = connected(world, ["primary", "team@group.calendar.google.com"])
    world.google.insert_event(alice.email, world.event("Mine"), notify=False)
    world.google.bulk_insert("team@group.calendar.google.com", [world.event("A"), world.event("B")], notify=False)

    answer = world.poll(alice)

    assert figures(answer) == (3, 3, 0, 0)
    assert [(r["calendarId"], r["created"]) for r in answer["results"]] == [
        ("primary", 1),
        ("team@group.calendar.google.com", 2),
    ]


def test_one_calendar_may_be_left_alone_and_another_polled(world: World) -> None:
    alice = connected(world, ["primary", "team@group.calendar.google.com"])
    world.db.execute("update calendar_webhooks set last_webhook_received = now() where google_calendar_id = 'primary'")

    answer = world.poll(alice, force=False)

    assert (answer["skipped"], answer["left"]) == (False, {"primary": "recent_notification"})
    assert [r["calendarId"] for r in answer["results"]] == ["team@group.calendar.google.com"]


def test_one_calendar_that_fails_does_not_hide_the_others(world: World) -> None:
    alice = connected(world, ["primary", "team@group.calendar.google.com"])
    world.google.add_fault("lost_access_404", method="events.list", calendar="team@group.calendar.google.com")
    world.google.insert_event(alice.email, world.event("Mine"), notify=False)

    answer = world.poll(alice)

    assert (answer["success"], answer["created"]) == (False, 1)
    assert {r["calendarId"]: (r["status"], r["error"]) for r in answer["results"]} == {
        "primary": ("completed", None),
        "team@group.calendar.google.com": ("failed", "notFound"),
    }


@pytest.mark.parametrize(
    ("fault", "code"),
    [("lost_access_404", "notFound"), ("access_not_configured", "accessNotConfigured"), ("revoked_grant", None)],
)
def test_when_nothing_could_be_polled_the_call_fails_and_says_why(world: World, fault: str, code: str | None) -> None:
    alice = connected(world)
    world.google.add_fault(fault, account=alice.email)

    answer = call(world, POLL, bearer(world.supabase.service_key), json={"userId": alice.user_id, "force": True})

    problem = assert_problem(answer, 502, code)
    assert_no_secret(world, answer, alice)
    log = world.logs(alice)[-1]
    assert (log["status"], log["error_code"]) == ("failed", problem["code"])


def test_a_user_who_must_reconnect_is_told_so(world: World) -> None:
    alice = connected(world)
    world.db.execute("update calendar_webhooks set paused_reason = 'needs_reauth', paused_at = now()")

    answer = world.poll(alice)

    assert (answer["skipped"], answer["reason"]) == (True, "needs_reauth")


def test_who_has_no_calendar_is_told_so(world: World) -> None:
    body = {"userId": str(uuid.uuid4())}

    assert_problem(call(world, POLL, bearer(world.supabase.service_key), json=body), 404, "no_calendars")


def test_a_sweep_without_work_answers_zeros(world: World) -> None:
    body = cron(world)

    assert body["success"] is True
    assert body["results"] == []
    assert {value for name, value in body.items() if name.startswith("total_") or name == "remaining"} == {0}


def test_a_sweep_polls_what_is_due_and_adds_up(world: World) -> None:
    alice, bob = connected(world), connected(world)
    world.google.insert_event(alice.email, world.event("A"), notify=False)
    world.google.bulk_insert(bob.email, [world.event("B"), world.event("C")], notify=False)
    world.make_due()

    body = cron(world)

    assert (body["total_processed"], body["total_created"], body["total_failed"], body["remaining"]) == (3, 3, 0, 0)
    assert {r["userId"]: r["created"] for r in body["results"]} == {alice.user_id: 1, bob.user_id: 2}
    assert {r["sync_type"] for r in body["results"]} == {"incremental"}


def test_a_sweep_leaves_vouched_calendars_alone_and_counts_them(world: World) -> None:
    alice, bob = connected(world), connected(world)
    for person in (alice, bob):
        notified(world, person)
    world.make_due(alice)
    world.google.reset_counters()

    body = cron(world)

    assert (body["total_skipped"], body["total_processed"]) == (2, 0)
    assert world.google.counters()["calls"] == {}


def test_a_sweep_counts_no_calendar_as_synced_and_skipped(world: World) -> None:
    alice = connected(world)
    notified(world, alice)
    world.db.execute("update calendar_webhooks set notifications_seen = notifications_seen + 1, due_at = now()")

    body = cron(world)

    assert [(r["status"], r["sync_type"]) for r in body["results"]] == [("completed", "webhook")]
    assert body["total_skipped"] == 0


def test_a_sweep_goes_on_past_a_failure_and_names_it_first(world: World) -> None:
    alice, bob = connected(world), connected(world)
    world.google.add_fault("lost_access_404", method="events.list", calendar=bob.email)
    world.make_due()

    body = cron(world)

    assert (body["success"], body["total_failed"]) == (True, 1)
    assert [(r["userId"], r["status"], r["error"]) for r in body["results"]] == [
        (bob.user_id, "failed", "notFound"),
        (alice.user_id, "completed", None),
    ]


@pytest.mark.parametrize("body", [None, b"", b"{}", b"not json at all", b"[1]"])
def test_the_cron_endpoint_does_not_read_its_body(world: World, body: Any) -> None:
    assert call(world, CRON, bearer(world.supabase.service_key), content=body).status_code == 200
