"""Every fault on demand, quotas and counters, seen by clients of the emulator."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.server import EmulatorServer
from tests.stack.google_clients import ALICE, BOB, Receiver, list_all, official, refused, single


@pytest.fixture
def google(google: GoogleControl) -> GoogleControl:
    google.add_account(ALICE)
    return google


def fetch(google: GoogleControl, path: str = "calendars/primary/events", **query: Any) -> httpx.Response:
    """One raw call without any client's retries."""
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    return httpx.get(f"{google.base_url}/calendar/v3/{path}", params=query, headers=headers, timeout=60)


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("user_rate_limit", 403, "userRateLimitExceeded"),
        ("rate_limit", 403, "rateLimitExceeded"),
        ("quota_exceeded", 403, "quotaExceeded"),
        ("too_many_requests", 429, "rateLimitExceeded"),
        ("backend_500", 500, "backendError"),
        ("backend_502", 502, "backendError"),
        ("backend_503", 503, "backendError"),
        ("backend_504", 504, "backendError"),
        ("gone", 410, "fullSyncRequired"),
        ("lost_access_404", 404, "notFound"),
        ("lost_access_403", 403, "forbidden"),
        ("lost_access_401", 401, "authError"),
        ("revoked_grant", 401, "authError"),
        ("access_not_configured", 403, "accessNotConfigured"),
        ("insufficient_permissions", 403, "insufficientPermissions"),
    ],
)
def test_a_refusal_strikes_once_and_passes(google: GoogleControl, kind: str, code: int, reason: str) -> None:
    google.add_fault(kind, times=1)
    answer = fetch(google)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["errors"][0]["reason"]) == (code, code, reason)
    assert fetch(google).status_code == 200


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("unwatchable", 400, "pushNotSupportedForRequestedResource"),
        ("webhook_unauthorized", 401, "push.webhookUrlUnauthorized"),
        ("not_a_calendar_user", 403, "notACalendarUser"),
    ],
)
def test_watch_refusals_strike_watch_alone(google: GoogleControl, kind: str, code: int, reason: str) -> None:
    google.add_fault(kind)
    body = {"id": "c", "type": "web_hook", "address": "https://example.com/hook"}
    with refused(code, reason):
        official(google).events().watch(calendarId="primary", body=body).execute()
    assert fetch(google).status_code == 200
    assert google.channels() == []


def test_quota_refusals_may_carry_a_status_and_retry_after(google: GoogleControl) -> None:
    google.add_fault("quota_exceeded", times=1, retry_after=7)
    answer = fetch(google)
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_connections_can_be_reset(google: GoogleControl, kind: str) -> None:
    token = google.access_token(ALICE, scopes=["https://www.googleapis.com/auth/calendar"])
    google.add_fault(kind, times=1)
    with pytest.raises(httpx.TransportError, match="reset"):
        httpx.post(
            f"{google.base_url}/calendar/v3/calendars/primary/events",
            json=single(),
            headers={"Authorization": f"Bearer {token}"},
        )
    assert len(fetch(google).json()["items"]) == (1 if kind == "reset_after" else 0)


def test_bodies_can_be_truncated_and_malformed(google: GoogleControl) -> None:
    google.add_fault("truncated_body", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        fetch(google)
    google.add_fault("malformed_json", times=1)
    with pytest.raises(json.JSONDecodeError):
        fetch(google).json()


def test_bodies_can_unpack_to_more_than_anybody_should_take(google: GoogleControl) -> None:
    google.add_fault("oversized_body", times=1)
    with httpx.stream("GET", f"{google.base_url}/calendar/v3/calendars/primary/events") as answer:
        packed = sum(len(part) for part in answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert packed < 1024 * 1024


def test_calls_can_be_slow(google: GoogleControl) -> None:
    google.add_fault("slow", seconds=0.2, times=1)
    assert fetch(google).elapsed.total_seconds() >= 0.2


def test_sync_tokens_can_be_refused_while_full_listings_work(google: GoogleControl) -> None:
    _, token = list_all(official(google))
    google.add_fault("sync_token_expired", calendar=ALICE, times=1)
    assert fetch(google).status_code == 200
    assert fetch(google, syncToken=token).status_code == 410
    assert fetch(google, syncToken=token).status_code == 200


def test_a_410_can_strike_on_page_three(google: GoogleControl) -> None:
    google.bulk_insert(ALICE, [single() for _ in range(4)])
    google.add_fault("gone", method="events.list", page=3, times=1)
    events = official(google).events()
    page: dict[str, Any] = {}
    for _ in range(2):
        token = {"pageToken": page["nextPageToken"]} if page else {}
        page = events.list(calendarId="primary", maxResults=1, **token).execute()
    with refused(410, "fullSyncRequired"):
        events.list(calendarId="primary", maxResults=1, pageToken=page["nextPageToken"]).execute()


def test_page_tokens_can_be_rejected(google: GoogleControl) -> None:
    google.bulk_insert(ALICE, [single() for _ in range(2)])
    google.add_fault("page_token_rejected", times=1)
    page = fetch(google, maxResults=1).json()
    assert fetch(google, maxResults=1, pageToken=page["nextPageToken"]).status_code == 400
    assert fetch(google, maxResults=1, pageToken=page["nextPageToken"]).status_code == 200


def test_pages_can_be_small_or_empty_and_lose_nothing(google: GoogleControl) -> None:
    google.bulk_insert(ALICE, [single(f"n{n}") for n in range(5)])
    google.add_fault("small_pages", size=2)
    google.add_fault("empty_page", page=2, times=1)
    items, token = list_all(official(google))
    assert [item["summary"] for item in items] == [f"n{n}" for n in range(5)]
    assert google.counters()["calls"]["events.list"] == 4
    assert token


def test_a_lost_answer_leaves_an_orphan_channel(google: GoogleControl) -> None:
    hook = Receiver()
    google.add_fault("lost_watch_answer", times=1)
    body = {"id": "orphan", "type": "web_hook", "address": hook.url}
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    with pytest.raises(httpx.TransportError):
        httpx.post(f"{google.base_url}/calendar/v3/calendars/primary/events/watch", json=body, headers=headers)
    google.insert_event(ALICE, single())
    assert google.wait_push_idle()
    assert len(hook.numbers("orphan")) == 1
    assert google.channels()[0]["state"] == "live"
    hook.close()


def test_a_held_call_waits_for_its_release(google: GoogleControl) -> None:
    fault = google.add_fault("hold", method="events.list", times=1)
    answers: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: answers.append(fetch(google)))
    thread.start()
    assert google.wait_held(fault)
    google.insert_event(ALICE, single("while held"))
    assert answers == []
    google.release(fault)
    thread.join(60)
    assert answers[0].json()["items"][0]["summary"] == "while held"


def test_concurrent_listings_of_one_calendar_are_noticed(google: GoogleControl) -> None:
    fault = google.add_fault("hold", method="events.list", times=2)
    threads = [threading.Thread(target=fetch, args=(google,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    while google.counters()["max_concurrent_lists"].get(ALICE, 0) < 2:
        assert google.wait_held(fault)
    google.release(fault)
    for thread in threads:
        thread.join(60)
    google.reset_counters()
    fetch(google)
    fetch(google)
    assert google.counters()["max_concurrent_lists"] == {ALICE: 1}


def test_rules_match_account_mode_skip_and_probability(google: GoogleControl) -> None:
    google.add_account(BOB)
    google.add_fault("backend_500", account=BOB)
    assert fetch(google).status_code == 200
    google.clear_faults()
    google.add_fault("backend_503", mode="full", skip=1, probability=0.5)
    assert [fetch(google).status_code for _ in range(5)] == [200, 200, 503, 200, 503]


def test_counters_and_log_tell_what_was_asked_without_secrets(google: GoogleControl) -> None:
    _, token = list_all(official(google))
    fetch(google, syncToken=token)
    fetch(google, "users/me/calendarList")
    counters = google.counters()
    assert counters["calls"]["events.list"] == 2
    assert counters["by_calendar"][ALICE] == {"events.list": 2, "events.list.full": 1, "events.list.incremental": 1}
    assert counters["statuses"]["calendarList.list"] == {"200": 1}
    assert str(token) not in json.dumps(google.requests())
    assert [item["mode"] for item in google.requests()] == ["full", "incremental", "full"]


@pytest.mark.parametrize(
    ("switches", "code", "reason"),
    [
        ({"user_quota_per_minute": 2}, 403, "userRateLimitExceeded"),
        ({"project_quota_per_minute": 2}, 403, "rateLimitExceeded"),
        ({"user_quota_per_minute": 2, "quota_status": "429", "retry_after_seconds": 5}, 429, "rateLimitExceeded"),
    ],
)
def test_quotas_are_sliding_minutes(google: GoogleControl, switches: dict[str, Any], code: int, reason: str) -> None:
    google.configure(**switches)
    assert [fetch(google).status_code for _ in range(2)] == [200, 200]
    answer = fetch(google)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (code, reason)
    assert answer.headers.get("retry-after") == ({429: "5"}.get(code))
    google.advance(61)
    assert fetch(google).status_code == 200


@pytest.mark.parametrize("query", [{"nonsense": "1"}, {"maxResults": "many"}, {"singleEvents": "yes"}, {"alt": "xml"}])
def test_unknown_and_malformed_parameters_are_refused(google: GoogleControl, query: dict[str, str]) -> None:
    answer = fetch(google, **query)
    assert (answer.status_code, answer.json()["error"]["errors"][0]["reason"]) == (400, "invalid")


def test_an_outage_breaks_kept_connections_and_keeps_the_state() -> None:
    server = EmulatorServer().start()
    google = GoogleControl(server.url)
    google.add_account(ALICE)
    headers = {"Authorization": f"Bearer {google.access_token(ALICE)}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.get("/calendar/v3/users/me/calendarList").status_code == 200
        server.stop()
        with pytest.raises(httpx.TransportError):
            client.get("/calendar/v3/users/me/calendarList")
        server.start()
        assert client.get("/calendar/v3/users/me/calendarList").status_code == 200
    server.stop()
