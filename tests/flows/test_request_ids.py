"""One line per request and one per sync, as JSON whoever writes, and a request's id in all that it causes."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx

from tests.flows.processes import gunicorn
from tests.world import TLS, World, wait_until

OURS = "an-id-of-the-caller-1"


def told(log: str, event: str, **fields: Any) -> list[dict[str, Any]]:
    """The lines of an event that have these fields; each must be JSON, but for one that is still being written."""
    lines = [json.loads(line) for line in log.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if line["event"] == event and fields.items() <= line.items()]


def test_a_requests_id_is_in_its_own_line_and_in_that_of_the_sync_it_caused(world: World) -> None:
    alice = world.person()
    port = int(world.environment["PORT"])
    # Looks that nobody asked for are not to find the calendars first.
    with gunicorn(world, port, SWEEP_SECONDS="600") as process:
        key = {"Authorization": f"Bearer {world.supabase.service_key}"}
        body = {"userId": alice.user_id, "provider_refresh_token": alice.refresh_token}
        connected = httpx.post(
            f"http://127.0.0.1:{port}/functions/v1/connect-calendar",
            json=body,
            headers={**key, "X-Request-ID": OURS},
            timeout=60,
            verify=TLS,
        )
        wait_until(lambda: told(process.log, "sync", sync_type="initial"), "the first sync is told")
        world.google.insert_event(alice.email, world.event("Standup"))
        wait_until(lambda: told(process.log, "sync", sync_type="webhook"), "the notification's sync is told")
        odd = httpx.get(
            f"http://127.0.0.1:{port}/x?token=hush", headers={"X-Request-ID": "a b"}, timeout=60, verify=TLS
        )
        with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger:
            stranger.sendall(b"GET /\x00password=hush HTTP/1.1\r\n\r\n")
            assert stranger.recv(100).startswith(b"HTTP/1.1 400")
        process.terminate()
        assert process.wait() == 0
        log = process.log

    assert connected.headers["x-request-id"] == OURS
    (request,) = told(log, "request", route="connect.connect")
    assert request.items() >= {"request_id": OURS, "caller": "service", "status": 200, "method": "POST"}.items()
    assert (request["duration_ms"] > 0, request["bytes"]) == (True, len(connected.content))
    assert {line["request_id"] for line in told(log, "sync", sync_type="initial")} == {OURS}
    syncs = told(log, "sync", sync_type="webhook")
    calendar_id = connected.json()["calendars"][0]["id"]
    assert {(line["calendar_id"], line["user_id"]) for line in syncs} == {(calendar_id, alice.user_id)}
    notifications = told(log, "request", route="webhook.receive", caller="google", status=204)
    assert {line["request_id"] for line in syncs} <= {line["request_id"] for line in notifications}
    # What is no id is not taken for one, and nothing that a stranger sent is told.
    assert told(log, "request", request_id=odd.headers["x-request-id"], route="none", status=404, caller="none")
    assert told(log, "Malformed request", logger="gunicorn.error")
    assert told(log, "request", route="none", status=400)
    assert "hush" not in log
    assert "Booting worker" in log
