"""Nothing long or many keeps somebody waiting."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from scripts.stack.ports import free_port
from tests.flows.processes import gunicorn, worker
from tests.flows.test_web_alone import announce
from tests.world import World, wait_until


def test_first_listings_of_many_users_do_not_delay_anothers_push(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.stop_service()
    holds = []
    for number in range(8):
        person = world.person(f"new{number}")
        holds.append(world.google.add_fault("hold", method="events.list", calendar=person.email))
        world.db.execute(
            "insert into calendar_webhooks (user_id, google_calendar_id) values (%s, 'primary')", (person.user_id,)
        )
        world.db.execute(
            "insert into google_credentials (user_id, refresh_token) values (%s, %s)",
            (person.user_id, world.services.vault.seal(person.user_id, "refresh", person.refresh_token)),
        )
    port = free_port()
    with gunicorn(world, port, SWEEP_SECONDS="1", SYNC_THREADS="4"):
        leases = "select 1 from calendar_webhooks where lease_expires_at > now()"
        wait_until(lambda: len(world.rows(leases)) == 2, "first syncs run")
        world.google.insert_event(alice.email, world.event("Pushed"))
        began = time.monotonic()
        assert announce_for(world, port, alice.user_id) == 204
        world.await_equal(alice)
        assert time.monotonic() - began < 5
        assert len(world.rows(leases)) == 2
        for hold in holds:
            world.google.release(hold)


def announce_for(world: World, port: int, user_id: str) -> int:
    world.db.execute("update calendar_channels set state = 'expired' where user_id <> %s", (user_id,))
    return announce(world, port)


def test_a_users_second_poll_is_refused_while_the_first_runs(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    hold = world.google.add_fault("hold", method="events.list", times=1)
    body = {"userId": alice.user_id, "force": True}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(world.post, "/functions/v1/calendar-polling-service", body)
        assert world.google.wait_held(hold)
        second = world.post("/functions/v1/calendar-polling-service", body)
        world.google.release(hold)
        assert first.result().status_code == 200

    assert (second.status_code, second.json()["code"]) == (409, "user_busy")
    assert int(second.headers["Retry-After"]) > 0
    assert world.post("/functions/v1/calendar-polling-service", body).status_code == 200


def test_a_forced_poll_honours_what_google_asked_for(world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.configure(push="drop")
    world.db.execute("update calendar_webhooks set not_before = now() + interval '1 hour'")
    world.reset_counters()

    answer = world.post("/functions/v1/calendar-polling-service", {"userId": alice.user_id, "force": True}).json()

    assert (answer["reason"], list(answer["left"].values())) == ("backing_off", ["backing_off"])
    assert world.google_calls("events.list") == 0


def test_an_audit_holds_up_no_notification(world: World) -> None:
    alice, bob = world.person(), world.person("bob")
    world.connect(alice)
    world.connect(bob)
    world.google.configure(push="drop")
    world.stop_service()
    hold = world.google.add_fault("hold", method="events.list", calendar=bob.email)
    audited = "update calendar_webhooks set audited_at = case when user_id = %s then null else now() end"
    world.db.execute(audited, (bob.user_id,))
    with worker(world, SYNC_THREADS="1", SWEEP_SECONDS="1"):
        world.make_due(bob)
        assert world.google.wait_held(hold)
        world.google.insert_event(alice.email, world.event("Pushed"))
        world.make_due(alice)
        wait_until(lambda: world.calendar(alice)["due_at"], "it is there")
        world.google.release(hold)
        world.await_equal(alice)
