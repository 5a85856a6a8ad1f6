"""Every answer carries the security headers."""

from __future__ import annotations

import httpx

from tests.web.calls import CRON, POLL, WEBHOOK, bearer
from tests.web.strangers import Client, signed
from tests.world import World

EXPECTED = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


def test_every_answer_carries_the_security_headers(world: World, stranger: Client) -> None:
    key = bearer(world.supabase.service_key)
    answers = [
        stranger.get("/healthz"),
        stranger.get("/unknown"),
        stranger.get(CRON),
        stranger.post(CRON),
        stranger.post(CRON, key),
        stranger.post(POLL, key, content=b" " * 70_000),
        stranger.post(WEBHOOK, signed(world)),
    ]
    other = Client(world, "203.0.113.8")
    answers.append(other.be_refused_too_often())
    other.close()

    assert [answer.status_code for answer in answers] == [200, 404, 405, 401, 200, 413, 204, 429]
    for answer in answers:
        assert {name: answer.headers.get(name) for name in EXPECTED} == EXPECTED
        assert "strict-transport-security" not in answer.headers


def test_over_https_browsers_are_told_to_stay_there(world: World, stranger: Client) -> None:
    answer = stranger.get("/healthz", {"X-Forwarded-Proto": "https"})

    assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_a_service_with_an_https_address_always_says_so(world: World) -> None:
    world.environment["WEBHOOK_BASE_URL"] = "https://calendar.example.com"
    world.restart_service()

    assert "strict-transport-security" in httpx.get(f"{world.service.url}/healthz", timeout=60).headers
