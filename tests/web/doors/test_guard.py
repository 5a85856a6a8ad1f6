"""Strangers are throttled, whoever proves who they are is not; what is tried is counted."""

from __future__ import annotations

import time
import uuid

from sync.core.accounts.channel_token import channel_token
from sync.web.doors.limits import UNPROVEN_PER_MINUTE, USER_PER_MINUTE
from sync.web.health import READY_SECONDS
from tests.web.calls import CONNECT, CRON, POLL, RENEW, WEBHOOK, assert_problem, bearer, calls_caused
from tests.web.strangers import Client, signed
from tests.world import World


def stored(world: World) -> dict[tuple[str, str], int]:
    """The counts, after what the process still held."""
    world.service.app.extensions["guard"].close()
    rows = world.rows(
        "select kind, address_prefix, sum(count)::int as count from security_events where address_prefix <> '*'"
        # An hour may have ended meanwhile.
        " group by 1, 2"
    )
    return {(row["kind"], row["address_prefix"]): row["count"] for row in rows}


def test_an_address_refused_too_often_is_told_to_wait(world: World, stranger: Client) -> None:
    answer = stranger.be_refused_too_often()

    assert_problem(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    for path in (POLL, CRON, RENEW, CONNECT, WEBHOOK, "/unknown"):
        for headers in ({}, bearer("wrong"), bearer("a.b.c")):
            assert_problem(stranger.post(path, headers), 429, "too_many_requests")
    assert calls_caused(world) == {}


def test_whoever_proves_who_they_are_from_that_address_is_heard(world: World, stranger: Client) -> None:
    alice = world.person()
    stranger.be_refused_too_often()

    for _ in range(UNPROVEN_PER_MINUTE + 10):
        assert stranger.post(WEBHOOK, signed(world)).status_code == 204
    assert stranger.post(CRON, bearer(world.supabase.service_key)).status_code == 200
    assert stranger.post(RENEW, bearer(world.environment["CRON_SECRET"])).status_code == 200
    users = bearer(world.supabase.user_jwt(alice.user_id))
    assert_problem(stranger.post(POLL, users, json={}), 404, "no_calendars")


def test_the_platforms_probes_are_never_throttled(world: World, stranger: Client) -> None:
    stranger.be_refused_too_often()

    for _ in range(UNPROVEN_PER_MINUTE + 10):
        assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").status_code == 200


def test_browsers_preflights_are_never_throttled(world: World, stranger: Client) -> None:
    stranger.be_refused_too_often()

    assert stranger.options(POLL).status_code == 200


def test_many_probes_of_readiness_are_few_calls_of_the_store(world: World, stranger: Client) -> None:
    began = time.monotonic()
    for _ in range(100):
        assert stranger.get("/readyz").status_code == 200

    seconds = time.monotonic() - began
    assert world.rpcs()["calendar_schema_version"] <= 2 + seconds / READY_SECONDS


def test_another_address_is_not_concerned(world: World, stranger: Client) -> None:
    stranger.be_refused_too_often()

    other = Client(world, "203.0.113.8")
    assert_problem(other.post(CRON), 401, "unauthorized")
    other.close()


def test_an_ipv6_customer_is_one_address(world: World, behind_a_proxy: World) -> None:
    first, second = Client(world, "2001:db8:1:2::1"), Client(world, "2001:db8:1:2:ffff::2")
    first.be_refused_too_often()

    assert second.post(CRON).status_code == 429
    first.close()
    second.close()


def test_an_address_cannot_be_invented_in_front_of_the_proxys_own_entry(world: World, stranger: Client) -> None:
    stranger.be_refused_too_often()

    assert stranger.post(CRON, {"X-Forwarded-For": "198.51.100.1, 203.0.113.7"}).status_code == 429


def test_without_a_trusted_proxy_the_header_is_not_believed(world: World) -> None:
    client = Client(world)
    client.be_refused_too_often()

    assert client.post(CRON, {"X-Forwarded-For": "198.51.100.1"}).status_code == 429
    client.close()


def test_unknown_paths_and_methods_count_too(world: World, stranger: Client) -> None:
    for _ in range(UNPROVEN_PER_MINUTE // 2):
        assert stranger.get("/wp-login.php").status_code == 404
        assert stranger.get(CRON).status_code == 405

    assert stranger.get("/wp-login.php").status_code == 429


def test_the_services_own_calls_are_not_counted(world: World, stranger: Client) -> None:
    for _ in range(UNPROVEN_PER_MINUTE + 10):
        answer = stranger.post(POLL, bearer(world.supabase.service_key), content=b"{nonsense")
        assert_problem(answer, 400, "body_malformed")


def test_one_user_cannot_ask_without_end(world: World, stranger: Client) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    alices, bobs = bearer(world.supabase.user_jwt(alice.user_id)), bearer(world.supabase.user_jwt(bob.user_id))
    for _ in range(USER_PER_MINUTE):
        assert_problem(stranger.post(POLL, alices, json={"force": 7}), 400)

    answer = stranger.post(POLL, alices, json={"force": 7})

    assert_problem(answer, 429, "too_many_requests")
    assert int(answer.headers["retry-after"]) >= 1
    assert_problem(stranger.post(POLL, bobs, json={"force": 7}), 400)


def test_each_kind_of_attempt_is_counted_by_network(world: World, stranger: Client) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    world.connect(alice)
    world.google.configure(push="drop")
    (channel,) = world.rows("select * from calendar_channels where state = 'live'")
    token = channel_token(world.settings.channel_token_secrets[0], channel["id"])
    bobs = bearer(world.supabase.user_jwt(bob.user_id))
    expired = bearer(world.supabase.user_jwt(bob.user_id, expires_in=-3600))

    stranger.post(WEBHOOK, {**signed(world), "X-Goog-Channel-Token": "0" * 64})
    stranger.post(WEBHOOK, signed(world))
    stranger.post(WEBHOOK, {**signed(world), "X-Goog-Channel-ID": channel["id"], "X-Goog-Channel-Token": token})
    stranger.post(CRON, bearer("wrong"))
    stranger.post(POLL, {"apikey": "wrong"})
    stranger.post(CRON, bobs)
    stranger.post(POLL, bearer("a.b.c"))
    stranger.post(POLL, bobs, json={"userId": alice.user_id})
    stranger.post(CRON)
    # Nothing to be suspicious of.
    stranger.post(POLL, expired)
    stranger.post(POLL, bobs, json={})
    stranger.get("/unknown")

    network = "203.0.113.0/24"
    assert stored(world) == {
        ("forged_notification", network): 1,
        ("unknown_channel", network): 1,
        ("wrong_resource", network): 1,
        ("refused_key", network): 2,
        ("bad_jwt", network): 2,
        ("other_user", network): 1,
        ("no_key", network): 1,
    }


def test_asking_for_another_users_meeting_is_counted(world: World, stranger: Client) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    world.google.insert_event(alice.email, world.event("Alice's"), notify=False)
    world.connect(alice)
    (meeting,) = world.meetings(alice)
    bobs = bearer(world.supabase.user_jwt(bob.user_id))

    assert_problem(stranger.get(f"/functions/v1/explain?meeting={meeting['id']}", bobs), 404, "meeting_unknown")
    assert_problem(stranger.get(f"/functions/v1/explain?meeting={uuid.uuid4()}", bobs), 404, "meeting_unknown")

    assert stored(world) == {("other_user", "203.0.113.0/24"): 1}


def test_the_throttled_are_counted_too(world: World, stranger: Client) -> None:
    stranger.be_refused_too_often()
    stranger.post(CRON)

    counted = stored(world)
    assert counted["forged_notification", "203.0.113.0/24"] == UNPROVEN_PER_MINUTE + 1
    assert counted["throttled", "203.0.113.0/24"] == 1
