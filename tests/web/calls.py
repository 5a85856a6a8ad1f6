"""Calling the service over HTTP as anybody, and reading its refusals."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import httpx

from tests.world import TLS, Person, World

WEBHOOK = "/functions/v1/google-calendar-webhook"
POLL = "/functions/v1/calendar-polling-service"
CRON = "/functions/v1/calendar-polling-cron"
RENEW = "/functions/v1/renew-calendar-watches"
CONNECT = "/functions/v1/connect-calendar"

PROBLEM_KEYS = {"type", "title", "status", "code", "detail", "success"}


def call(
    world: World,
    path: str,
    headers: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
    *,
    method: str = "POST",
    **content: Any,
) -> httpx.Response:
    return httpx.request(method, f"{world.service.url}{path}", headers=headers, timeout=60, verify=TLS, **content)


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def assert_problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The answer is a problem of the documented form; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert set(problem) == PROBLEM_KEYS
    assert (problem["status"], problem["success"]) == (status, False)
    assert len(problem["detail"]) > 10
    assert code is None or problem["code"] == code
    return problem


def calls_caused(world: World) -> dict[str, int]:
    """Calls of the store since the last reset, by name; but for the counts of refusals, which go out in batches, ten
    seconds after the first: by then a test may be at anything."""
    counts = world.supabase.counters().items()
    return {name: count for name, count in counts if name != "rpc/record_security_events"}


def assert_no_secret(world: World, answer: httpx.Response, *people: Person) -> None:
    """No key of the stack and nobody's token is in the answer or its headers."""
    environment = world.environment
    secrets = [
        value
        for name, value in environment.items()
        if any(word in name for word in ("KEY", "SECRET")) and len(value) > 8
    ]
    tokens = [person.refresh_token for person in people]
    shown = answer.text + str(answer.headers)
    assert not [secret for secret in (*secrets, *tokens) if secret in shown]


def raw_request(world: World, request: bytes) -> bytes:
    """What the service sends back for these very bytes (its connection closes after them)."""
    port = int(world.service.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer
