"""The situations of a calendar's life, each a user's own, with one web process and no worker and no cron: all converge.

The process connects them, hears Google's notifications and drives itself; the test only edits calendars, lets faults
strike, and lets pauses pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from scripts.stack.google import address_of
from tests.flows.processes import gunicorn
from tests.world import TLS, Person, World, wait_until

SITUATIONS: dict[str, Callable[[World, Person, str], None]] = {}


def situation(play: Callable[[World, Person, str], None]) -> Callable[[World, Person, str], None]:
    """`play` edits the calendar of a person, who has a synced daily series (its id); the end is awaited for all."""
    SITUATIONS[play.__name__] = play
    return play


@situation
def announced(world: World, person: Person, series: str) -> None:
    world.google.insert_event(person.email, world.event("Announced"))


@situation
def burst(world: World, person: Person, series: str) -> None:
    for number in range(20):
        world.google.insert_event(person.email, world.event(f"Burst {number}", hours=3))


@situation
def sync_token_gone(world: World, person: Person, series: str) -> None:
    world.google.expire_sync_tokens(person.email)
    world.google.delete_event(person.email, series)
    world.google.insert_event(person.email, world.event("After 410"))


@situation
def broken_on_page_two(world: World, person: Person, series: str) -> None:
    world.google.add_fault("small_pages", account=person.email, size=1)
    world.google.add_fault("page_token_rejected", account=person.email, page=2, times=1)
    world.google.bulk_insert(person.email, [world.event(f"Page {number}") for number in range(3)])


@situation
def throttled(world: World, person: Person, series: str) -> None:
    world.google.add_fault("user_rate_limit", account=person.email, method="events.list", times=1)
    world.google.insert_event(person.email, world.event("Throttled"))


@situation
def split(world: World, person: Person, series: str) -> None:
    at = instance(world, person, 9).rpartition("_")[2]
    world.google.split_series(person.email, series, at, {"summary": "From here on"})


@situation
def moved_then_deleted(world: World, person: Person, series: str) -> None:
    world.google.patch_event(person.email, instance(world, person, 5), {"summary": "Moved"})
    world.google.delete_event(person.email, series)


@situation
def kept_by_a_guest(world: World, person: Person, series: str) -> None:
    kept = instance(world, person, 5)
    world.google.patch_event(person.email, kept, {"summary": "Kept"})
    wait_until(lambda: "Kept" in world.live_titles(person), "the edited instance")
    world.google.delete_event(person.email, series, keeping=[kept])


@situation
def access_lost(world: World, person: Person, series: str) -> None:
    """Paused, nothing wiped; then it can be read again, and its time has come."""
    world.google.add_fault("lost_access_404", account=person.email, method="events.list", times=1)
    world.google.insert_event(person.email, world.event("Meanwhile"))
    wait_until(lambda: world.calendar(person)["access_lost_at"], "the loss is seen")
    assert set(world.live_titles(person)) == {"Daily"}
    world.make_due(person)


@situation
def grant_dead(world: World, person: Person, series: str) -> None:
    """Asked to reconnect once; everything resumes and catches up after it."""
    world.google.revoke(person.email)
    world.db.execute("update google_credentials set access_token = null where user_id = %s", (person.user_id,))
    world.google.insert_event(person.email, world.event("Meanwhile"))
    wait_until(lambda: status(world, person)["suspected_at"], "the first refusal")
    # Whoever met it writes its pause afterwards: it must stand before it can be let pass.
    leased = "select 1 from calendar_webhooks where user_id = %s and lease_expires_at is not null"
    wait_until(lambda: not world.rows(leased, person.user_id), "the end of the sync that met it")
    world.let_suspicions_age()
    world.make_due(person)
    wait_until(lambda: status(world, person)["status"] == "needs_reauth", "the second")
    told = world.rows("select kind from user_notifications where user_id = %s", person.user_id)
    assert told == [{"kind": "reconnect_needed"}]
    world.google.restore(person.email)
    person.refresh_token = world.google.grant(person.email)
    connect(world, person)


def instance(world: World, person: Person, number: int) -> str:
    shown = world.google.instances(person.email, world.now.isoformat(), world.event(hours=720)["end"]["dateTime"])
    return address_of([event for event in shown if event["summary"] == "Daily"][number])


def status(world: World, person: Person) -> dict[str, Any]:
    return world.rows("select * from google_credentials where user_id = %s", person.user_id)[0]


def connect(world: World, person: Person) -> None:
    answer = httpx.post(
        f"{world.environment['WEBHOOK_BASE_URL']}/functions/v1/connect-calendar",
        json={"userId": person.user_id, "provider_refresh_token": person.refresh_token},
        headers={"Authorization": f"Bearer {world.supabase.service_key}"},
        timeout=60,
        verify=TLS,
    )
    assert answer.status_code == 200, answer.text


def test_every_situation_converges_with_a_web_process_alone(world: World) -> None:
    people = {name: world.person(name.replace("_", "")) for name in SITUATIONS}
    body = world.event("Daily", hours=4, recurrence=["RRULE:FREQ=DAILY;COUNT=20"])
    series = {
        name: world.google.insert_event(person.email, body, notify=False)["id"] for name, person in people.items()
    }
    world.google.configure(push="deliver", tombstones="sparse", list_orphaned_exceptions=False)
    with gunicorn(world, int(world.environment["PORT"]), SWEEP_SECONDS="1"):
        for person in people.values():
            connect(world, person)
        for person in people.values():
            world.await_equal(person)
        for name, play in SITUATIONS.items():
            play(world, people[name], series[name])
        for person in people.values():
            world.await_equal(person)
        # Its push is lost, nothing else wakes the process, and its bound has come.
        world.google.insert_event(people["announced"].email, world.event("Found", hours=6), notify=False)
        world.forget_notifications(people["announced"])
        world.make_due(people["announced"])
        world.await_equal(people["announced"])
    failed = world.rows("select error_code from calendar_sync_logs where status = 'failed' order by 1")
    assert [row["error_code"] for row in failed] == [
        "invalid_grant",
        "invalid_grant",
        "notFound",
        "userRateLimitExceeded",
    ]
