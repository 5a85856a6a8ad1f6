"""Nothing long or many keeps somebody waiting."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from scripts.stack.ports import free_port
from sync.jobs.driving.driver import Driver
from sync.jobs.driving.duties import Duty
from sync.jobs.driving.poll_user import poll_user
from sync.jobs.syncing.audit_drift import audit_drift
from sync.web.doors.long_work import FOR_USERS
from tests.flows.processes import gunicorn
from tests.flows.test_web_alone import announce
from tests.world import TLS, World, wait_until


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
        assert announce_for(world, port, alice.user_id) == 204
        world.await_equal(alice)
        # Those still run.
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


def test_long_work_of_many_users_leaves_half_of_the_threads_to_others(world: World) -> None:
    people = [world.person(f"user{number}") for number in range(FOR_USERS + 4)]
    for person in people:
        world.connect(person)
    world.google.configure(push="drop")
    world.stop_service()
    hold = world.google.add_fault("hold", method="events.list")
    port = free_port()

    def call(path: str, body: dict[str, object] | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {world.supabase.service_key}"}
        return httpx.post(f"http://127.0.0.1:{port}{path}", json=body or {}, headers=headers, timeout=60, verify=TLS)

    def poll(user_id: str) -> httpx.Response:
        return call("/functions/v1/calendar-polling-service", {"userId": user_id, "force": True})

    with gunicorn(world, port), ThreadPoolExecutor(len(people)) as pool:
        polls = [pool.submit(poll, person.user_id) for person in people]
        wait_until(lambda: sum(each.done() for each in polls) == 4, "those beyond the share are answered")
        turned_away = [each.result() for each in polls if each.done()]
        for _ in range(20):
            assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30, verify=TLS).status_code == 200
        assert call("/functions/v1/renew-calendar-watches").status_code == 200
        # Answered although these still hold their threads.
        assert len([each for each in polls if not each.done()]) == FOR_USERS
        world.google.release(hold)
        assert {each.result().status_code for each in polls if each.result() not in turned_away} == {200}

    assert {(answer.status_code, answer.json()["code"]) for answer in turned_away} == {(503, "too_much_at_once")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in turned_away)


def test_a_users_poll_keeps_its_time_and_names_what_it_left(world: World) -> None:
    alice = world.person()
    calendars = [f"team{number}@example.com" for number in range(6)]
    for calendar in calendars:
        world.google.add_calendar(alice.email, calendar)
    world.connect(alice, calendars)
    world.google.configure(push="drop")
    world.google.add_fault("slow", method="events.list", seconds=1.5)

    polled = poll_user(world.services, alice.user_id, forced=True, budget_seconds=4)

    assert 1 <= len(polled.outcomes) <= 4
    assert len(polled.outcomes) + len(polled.left) == 6
    assert set(polled.left.values()) == {"time_budget_used_up"}
    assert not world.rows("select 1 from calendar_webhooks where lease_expires_at is not null")


def test_one_user_has_no_more_calendars_watched_than_they_may(world: World) -> None:
    world.restart_service(MAX_CALENDARS_PER_USER="2")
    alice = world.person()
    calendars = [f"team{number}@example.com" for number in range(3)]
    for calendar in calendars:
        world.google.add_calendar(alice.email, calendar)

    def ask(path: str, wanted: list[str], **more: str) -> httpx.Response:
        return world.post(f"/functions/v1/{path}", {"userId": alice.user_id, "calendarIds": wanted, **more})

    token = {"provider_refresh_token": alice.refresh_token}
    too_many = ask("connect-calendar", calendars, **token)
    assert (too_many.status_code, too_many.json()["code"]) == (422, "too_many_calendars")
    assert ask("connect-calendar", calendars[:2], **token).status_code == 200
    assert ask("connect-calendar", calendars[:2], **token).status_code == 200
    assert ask("calendars", calendars[2:]).json()["code"] == "too_many_calendars"
    assert ask("calendars/remove", calendars[:1]).status_code == 200
    assert ask("calendars", calendars[2:]).status_code == 200

    fewer = poll_user(world.services_with(MAX_CALENDARS_PER_USER="1"), alice.user_id, forced=True)
    assert (len(fewer.outcomes), list(fewer.left.values())) == (1, ["too_many_calendars"])


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
    services = world.services_with(SYNC_THREADS="1", SWEEP_SECONDS="1")
    bobs = [str(world.calendar(bob)["id"])]
    hold = world.google.add_fault("hold", method="events.list", calendar=bob.email)
    driver = Driver(services)
    audit = Duty("audit_drift", 60, lambda: audit_drift(services, limit=1, calendar_ids=bobs), at_start=True)
    driver.start([audit])
    assert world.google.wait_held(hold)

    world.google.insert_event(alice.email, world.event("Pushed"))
    world.make_due(alice)
    world.await_equal(alice)

    assert world.calendar(bob)["lease_expires_at"] is not None
    world.google.release(hold)
    driver.shut_down()
