"""Several real processes share the work: never two syncs of one calendar at once; any of them may be stopped."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx

from scripts.stack.ports import free_port
from sync.core.accounts.channel_token import channel_token
from sync.core.polling.plan import COALESCE_SECONDS
from tests.flows.processes import Process, gunicorn, worker
from tests.world import TLS, Person, World, wait_until

WEBHOOK = "/functions/v1/google-calendar-webhook"


def announce(world: World, port: int, person: Person | None = None) -> int:
    """A notification of the live channel (of several: this person's), sent to a process of our choice."""
    user = person.user_id if person else None
    live = world.rows(
        "select c.id, c.resource_id from calendar_channels c join calendar_webhooks w on w.id = c.calendar_id"
        " where c.state = 'live' and (%s::uuid is null or w.user_id = %s)",
        user,
        user,
    )[0]
    headers = {
        "X-Goog-Channel-ID": live["id"],
        "X-Goog-Channel-Token": channel_token(world.settings.channel_token_secrets[0], live["id"]),
        "X-Goog-Resource-ID": live["resource_id"],
        "X-Goog-Resource-State": "exists",
    }
    return httpx.post(f"http://127.0.0.1:{port}{WEBHOOK}", headers=headers, timeout=30, verify=TLS).status_code


def connected(world: World) -> Person:
    """Connected by this process, which then leaves the field to the replicas."""
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.stop_service()
    world.reset_counters()
    return alice


def test_a_storm_of_notifications_to_two_replicas_never_syncs_one_calendar_twice_at_once(world: World) -> None:
    """One that a busy machine draws out has one sync more for each pause that passes meanwhile."""
    alice = connected(world)
    ports = free_port(), free_port()
    world.google.add_fault("slow", method="events.list", seconds=0.3)
    with gunicorn(world, ports[0], workers=2), gunicorn(world, ports[1]), worker(world):
        began = time.monotonic()
        for number in range(4):
            world.google.insert_event(alice.email, world.event(f"M{number}", hours=number + 2))
            with ThreadPoolExecutor(8) as pool:
                statuses = set(pool.map(lambda n: announce(world, ports[n % 2]), range(16)))
            assert statuses == {204}
        world.await_equal(alice)
        # What came while the calendar was locked is counted by the next claim.
        wait_until(lambda: world.calendar(alice)["notifications_seen"] == 64, "all are counted")
        world.await_synced(world.calendar(alice)["id"])
        pauses = int((time.monotonic() - began) / COALESCE_SECONDS)

    assert world.google.counters()["max_concurrent_lists"] == {alice.email: 1}
    assert world.google_calls("events.list") <= 4 + pauses
    assert not [log for log in world.logs(alice) if log["status"] != "completed"]


def test_sigterm_during_a_sync_gives_it_back_between_two_pages(world: World) -> None:
    alice = connected(world)
    for number in range(3):
        world.google.insert_event(alice.email, world.event(f"M{number}", hours=number + 2))
    world.google.add_fault("small_pages", size=1)
    hold = world.google.add_fault("hold", method="events.list", page=1, times=1)
    port = free_port()
    with gunicorn(world, port, workers=2) as process:
        assert announce(world, port) == 204
        assert world.google.wait_held(hold)
        await_end_is_heard(process, port)
        world.google.release(hold)
        assert process.wait() == 0, process.log

    assert world.calendar(alice)["lease_expires_at"] is None
    assert world.google_calls("events.list") == 1
    world.google.clear_faults()
    assert world.sweep().outcomes[0].status == "completed"
    world.assert_equal(alice)


def test_sigterm_lets_a_running_request_end(world: World) -> None:
    alice = connected(world)
    world.google.insert_event(alice.email, world.event("New"))
    hold = world.google.add_fault("hold", method="events.list", times=1)
    port = free_port()
    with gunicorn(world, port) as process, ThreadPoolExecutor(1) as pool:
        body = {"userId": alice.user_id, "force": True}
        headers = {"Authorization": f"Bearer {world.supabase.service_key}"}
        url = f"http://127.0.0.1:{port}/functions/v1/calendar-polling-service"
        polling = pool.submit(httpx.post, url, json=body, headers=headers, timeout=60)
        assert world.google.wait_held(hold)
        process.terminate()
        world.google.release(hold)
        assert polling.result().json()["created"] == 1
        assert process.wait() == 0, process.log

    assert world.calendar(alice)["lease_expires_at"] is None
    world.assert_equal(alice)


def test_sigterm_during_a_crons_sweep_gives_every_claim_back(world: World) -> None:
    people = [connected(world) for _ in range(6)]
    for person in people:
        world.google.insert_event(person.email, world.event("New"))
    world.google.add_fault("small_pages", size=1)
    hold = world.google.add_fault("hold", method="events.list")
    port = free_port()
    world.reset_counters()
    with gunicorn(world, port, SYNC_THREADS="1", SWEEP_SECONDS="600") as process, ThreadPoolExecutor(1) as pool:
        # A call is counted when it arrives: this one comes once the look before it was answered.
        wait_until(lambda: world.rpcs().get("count_late_polls"), "it has looked by itself and found nothing")
        world.db.execute("update calendar_webhooks set due_at = now(), not_before = null")
        headers = {"Authorization": f"Bearer {world.supabase.service_key}"}
        url = f"http://127.0.0.1:{port}/functions/v1/calendar-polling-cron"
        sweeping = pool.submit(httpx.post, url, headers=headers, timeout=60)
        wait_until(lambda: world.rpcs()["claim_due_calendars"] > 1, "the cron's sweep has begun")
        assert world.google.wait_held(hold)
        await_end_is_heard(process, port)
        world.google.release(hold)
        assert sweeping.result().json()["remaining"] >= len(people) - 1
        assert process.wait() == 0, process.log

    assert world.rows("select 1 from calendar_webhooks where lease_expires_at is not null") == []


def await_end_is_heard(process: Process, port: int) -> None:
    """Tells it to end. One that has heard it lets go of whoever is connected and asks nothing."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as idle:
        idle.request("GET", "/healthz")
        assert idle.getresponse().read()
        process.terminate()
        assert idle.sock.recv(1) == b""
