"""No secret comes to light: the whole main job, with everything that can fail, searched for every known secret."""

from __future__ import annotations

import json
from urllib.parse import quote, urlsplit

import httpx
import jwt
import pytest

from sync.core.accounts.channel_token import channel_token
from tests.flows.processes import Process, gunicorn, worker
from tests.flows.watcher import Watcher
from tests.web.consent import COMPLETE, handle_of, query_of, result_of
from tests.world import Person, World, wait_until

PAGE = "https://app.example.com/connected"
CLIENT_SECRET = "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g"
TITLE, NOTE = "Takeover-of-Initech-title", "Takeover-of-Initech-description"
LISTING_FAULTS = (
    "backend_500", "user_rate_limit", "too_many_requests", "lost_access_401", "lost_access_403", "lost_access_404",
    "insufficient_permissions", "access_not_configured", "sync_token_expired", "reset_before", "truncated_body",
    "malformed_json",
)  # fmt: skip
TOKEN_FAULTS = ("invalid_grant", "invalid_rapt", "deleted_client", "invalid_client", "backend_503", "malformed_json")
STORE_FAULTS = ("http_500", "drop_before", "drop_after")


@pytest.fixture
def watcher(world: World) -> Watcher:
    world.environment |= {
        "GOOGLE_CLIENT_SECRET": CLIENT_SECRET,
        "CONNECT_REDIRECT_URLS": PAGE,
        "LOG_LEVEL": "debug",
        "CRON_BUDGET_SECONDS": "5",
    }
    world.google.configure(
        clients={"emulator-client": CLIENT_SECRET}, rotate_refresh_tokens=True, access_token_seconds=70
    )
    return Watcher(world)


def connect_by_import(watcher: Watcher, person: Person, key: dict[str, str]) -> None:
    body = {
        "userId": person.user_id,
        "provider_token": watcher.keep("access token", watcher.world.google.access_token(person.email)),
        "provider_refresh_token": watcher.keep("refresh token", person.refresh_token),
    }
    assert watcher.ask("POST", "/functions/v1/connect-calendar", key, json=body).status_code == 200
    for tokens in ("1//not-a-token-of-anybodys-at-all-0123456789", body["provider_refresh_token"]):
        refused = {**body, "provider_refresh_token": watcher.keep("refresh token", tokens), "calendarIds": ["nobody's"]}
        assert watcher.ask("POST", "/functions/v1/connect-calendar", key, json=refused).status_code >= 400


def connect_by_consent(watcher: Watcher, person: Person) -> None:
    """There, back and completed; and back and completed again, which is refused."""
    answer = watcher.ask("POST", "/connect/google", watcher.user_jwt(person), json={"redirect_to": PAGE})
    page = httpx.get(answer.json()["url"], timeout=60)
    assert page.status_code == 302, page.text
    back = page.headers["location"]
    watcher.keep("code", query_of(back)["code"])
    parts = urlsplit(back)
    handle = watcher.keep_given("handle", handle_of(watcher.ask("GET", f"{parts.path}?{parts.query}")))
    assert result_of(watcher.ask("GET", f"{parts.path}?{parts.query}")) == "state_used"
    for status in (200, 400):
        done = watcher.ask("POST", COMPLETE, watcher.user_jwt(person), json={"handle": handle})
        assert done.status_code == status, done.text


def be_refused(watcher: Watcher, alice: Person, bob: Person) -> None:
    """Everything at every door that does not open, with credentials that are nearly or were once good."""
    world = watcher.world
    forged = jwt.encode({"sub": alice.user_id}, watcher.keep("stranger's secret", "s" * 20 + "-a-strangers-secret"))
    credentials = [
        {"Authorization": f"Bearer {world.environment['SUPABASE_SERVICE_ROLE_KEY']}x"},
        {"apikey": f"{world.environment['CRON_SECRET']}x"},
        {"Authorization": f"Bearer {watcher.keep('forged JWT', forged)}"},
        watcher.user_jwt(bob, expires_in=-3600),
        watcher.user_jwt(bob),
        watcher.user_jwt(bob, algorithm="ES256"),
    ]
    for headers in credentials:
        for path in ("calendar-polling-service", "calendar-polling-cron", "connect-calendar", "calendars"):
            body = {"userId": alice.user_id, "provider_refresh_token": alice.refresh_token, "calendarIds": ["primary"]}
            assert watcher.ask("POST", f"/functions/v1/{path}", headers, json=body).status_code in (401, 403)
    (first, *_) = world.rows("select * from calendar_channels where state = 'live'")
    token = channel_token(world.environment["CHANNEL_TOKEN_SECRET"], first["id"])
    for channel_id, resource in ((first["id"] + "x", first["resource_id"]), (first["id"], "another")):
        notification = {
            "X-Goog-Channel-ID": channel_id,
            "X-Goog-Channel-Token": token,
            "X-Goog-Resource-ID": resource,
            "X-Goog-Resource-State": "exists",
        }
        assert watcher.ask("POST", "/functions/v1/google-calendar-webhook", notification).status_code == 401


def go_wrong(watcher: Watcher, person: Person, key: dict[str, str]) -> None:
    """Each fault of Google and of the store under a poll and a renewal; the user comes back after each."""
    world = watcher.world
    faults = [("events.list", kind) for kind in LISTING_FAULTS] + [("token", kind) for kind in TOKEN_FAULTS]
    for method, kind in faults:
        world.google.add_fault(kind, method=method, times=2)
        if method == "token":
            world.db.execute("update google_credentials set access_token = null, access_token_expires_at = null")
        look_around(watcher, person, key)
        world.google.clear_faults()
    for kind in STORE_FAULTS:
        world.supabase.fault("commit_sync", kind, times=2)  # type: ignore[arg-type]
        world.supabase.fault("save_tokens", kind, times=2)  # type: ignore[arg-type]
        look_around(watcher, person, key)
        world.supabase.clear_faults()
    world.google.add_fault("unwatchable", times=2)
    world.db.execute("update calendar_webhooks set expiration_time = now(), watch_retry_at = null")
    look_around(watcher, person, key)
    world.google.clear_faults()


def look_around(watcher: Watcher, person: Person, key: dict[str, str]) -> None:
    watcher.world.make_due()
    watcher.ask("POST", "/functions/v1/calendar-polling-service", key, json={"userId": person.user_id, "force": True})
    watcher.ask("POST", "/functions/v1/renew-calendar-watches", key)
    watcher.ask("POST", "/functions/v1/calendar-polling-cron", key)
    watcher.ask("GET", f"/functions/v1/calendars?userId={person.user_id}", key)
    watcher.look()
    watcher.world.db.execute("update google_credentials set status = 'connected' where status = 'needs_reauth'")
    watcher.world.db.execute("update calendar_webhooks set paused_reason = null, paused_at = null")


def run_the_main_job(watcher: Watcher, processes: tuple[Process, Process]) -> None:
    world = watcher.world
    key = {"Authorization": f"Bearer {world.environment['SUPABASE_SERVICE_ROLE_KEY']}"}
    alice, bob = world.person("alice"), world.person("bob")
    connect_by_import(watcher, alice, key)
    connect_by_consent(watcher, bob)
    wait_until(lambda: len(world.google.channels()) >= 2, "both calendars are watched")
    watcher.look()
    world.google.insert_event(alice.email, world.event(TITLE, description=NOTE))
    wait_until(lambda: TITLE in world.live_titles(alice), "the meeting by push")
    (meeting,) = world.meetings(alice)
    watcher.ask("GET", f"/functions/v1/explain?meeting={meeting['id']}", key)
    be_refused(watcher, alice, bob)
    go_wrong(watcher, alice, key)
    for path in ("/healthz", "/readyz", "/openapi.json", "/unknown?token=" + world.environment["CRON_SECRET"]):
        watcher.ask("GET", path)
    for token in (world.environment["METRICS_TOKEN"], world.environment["METRICS_TOKEN"] + "x"):
        watcher.ask("GET", "/metrics", {"Authorization": f"Bearer {token}"})
    watcher.ask("POST", "/connect/google/disconnect", key, json={"userId": bob.user_id})
    watcher.look()
    for process in processes:
        process.terminate()
        process.wait()
    watcher.seen["logs"] = "\n".join(process.log for process in processes)


@pytest.mark.timeout(240)
def test_no_secret_is_in_a_log_an_answer_the_database_or_an_argument(watcher: Watcher) -> None:
    world = watcher.world
    world.environment["METRICS_TOKEN"] = watcher.keep("metrics token", "a-token-of-prometheus-alone")
    with (
        gunicorn(world, int(world.environment["PORT"]), LOG_LEVEL="debug") as web,
        worker(world, LOG_LEVEL="debug") as beside,
    ):
        run_the_main_job(watcher, (web, beside))

    assert watcher.found() == []
    assert all(json.loads(line)["event"] for line in watcher.seen["logs"].splitlines() if line)
    assert "calendar_monitor_syncs_total{" in watcher.seen["answers"]
    # The search itself: what is there is found, and there was much to find.
    kinds = {name.rstrip(" 0123456789") for name in watcher.secrets}
    assert {"access token", "refresh token", "channel token", "user JWT", "code", "forged JWT"} <= kinds
    assert len(set(watcher.secrets.values())) > 20
    assert len(watcher.seen["logs"].splitlines()) > 50
    for place in ("logs", "answers"):
        assert TITLE not in watcher.seen[place]
        assert NOTE not in watcher.seen[place]
    assert TITLE in watcher.seen["database"]
    assert "gunicorn" in watcher.seen["process arguments"]


def test_the_search_finds_what_is_there(watcher: Watcher) -> None:
    world = watcher.world
    alice = world.person()
    token = watcher.keep("refresh token", alice.refresh_token)
    world.db.execute(
        "insert into google_credentials (user_id, refresh_token) values (%s, %s)", (alice.user_id, f"plain:{token}")
    )
    watcher.seen["logs"] = f"key={quote(world.environment['SUPABASE_SERVICE_ROLE_KEY'])}"

    assert [hit.rstrip(" 0123456789") for hit in watcher.found()] == [
        "SUPABASE_SERVICE_ROLE_KEY in logs",
        "refresh token 1 in database",
    ]
