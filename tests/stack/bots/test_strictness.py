"""The fakes refuse what the documented APIs refuse, so that no client passes here that would fail there."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.stack.bots import BotControl, ControlError, FakeServer

ROOM = "https://meet.google.com/abc-defg-hij"
A_MONTH = timedelta(days=30)


def call(fake: FakeServer, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    sent = {
        "Authorization": f"Token {fake.api_key}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return httpx.request(method, fake.api_url + path, json=body, headers=sent, trust_env=False, timeout=60)


def ahead(fake: FakeServer) -> str:
    """A month from its now."""
    return (datetime.fromisoformat(fake.control.now()) + A_MONTH).isoformat()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"meeting_url": None}, "meeting_url"),
        ({"bot_name": ""}, "bot_name"),
        ({"join_at": "2020-01-01T00:00:00Z"}, "join_at"),
        ({"join_at": "2036-01-01T00:00:00Z"}, "join_at"),
        ({"join_at": "2026-12-01T00:00:00"}, "join_at"),
        ({"metadata": {}}, "metadata"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {"a": "x" * 1000}}, "metadata"),
        ({"deduplication_key": "x" * 1025}, "deduplication_key"),
        ({"bot_chat_message": {"message": "Hello"}}, "bot_chat_message"),
        ({"dedup_key": "misspelt"}, "dedup_key"),
    ],
)
def test_attendee_names_the_field_that_it_refuses(attendee: FakeServer, changes: dict[str, Any], field: str) -> None:
    answer = call(attendee, "POST", "/bots", {"meeting_url": ROOM, "bot_name": "Notes", **changes})
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_attendees_paths_have_no_slash_at_the_end_and_recalls_have(attendee: FakeServer, recall: FakeServer) -> None:
    assert (call(attendee, "GET", "/bots").status_code, call(attendee, "GET", "/bots/").status_code) == (200, 404)
    assert (call(recall, "GET", "/bot/").status_code, call(recall, "GET", "/bot").status_code) == (200, 404)


def test_attendee_answers_a_taken_key_with_400_and_its_text(attendee: FakeServer) -> None:
    body = {"meeting_url": ROOM, "bot_name": "Notes", "deduplication_key": "k"}
    assert call(attendee, "POST", "/bots", body).status_code == 201

    again = call(attendee, "POST", "/bots", body)

    assert (again.status_code, again.json()["error"][:33]) == (400, "Deduplication key already in use.")


def test_attendee_deletes_and_changes_in_scheduled_alone_and_metadata_always(attendee: FakeServer) -> None:
    bot = call(attendee, "POST", "/bots", {"meeting_url": ROOM, "bot_name": "Notes", "join_at": ahead(attendee)})
    path = f"/bots/{bot.json()['id']}"
    assert call(attendee, "POST", f"{path}/leave").status_code == 400
    attendee.control.set_state(bot.json()["id"], "staged")

    assert call(attendee, "PATCH", path, {"metadata": {"a": "b"}}).json()["metadata"] == {"a": "b"}
    statuses = [
        call(attendee, "PATCH", path, {"bot_name": "Minutes"}).status_code,
        call(attendee, "DELETE", path).status_code,
        call(attendee, "POST", f"{path}/leave").status_code,
    ]
    assert statuses == [400, 400, 400]


def test_recall_blocks_a_read_with_a_body_and_a_local_address(recall: FakeServer) -> None:
    for method, body in (("GET", {}), ("POST", {"meeting_url": "https://localhost/x"})):
        answer = call(recall, method, "/bot/", body)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html")


def test_recall_replays_refusals_too_for_an_hour(recall: FakeServer) -> None:
    refused = call(recall, "POST", "/bot/", {"bot_name": "Notes"}, Idempotency_Key="k")
    replayed = call(recall, "POST", "/bot/", {"meeting_url": ROOM}, Idempotency_Key="k")
    recall.control.advance(3601)
    anew = call(recall, "POST", "/bot/", {"meeting_url": ROOM}, Idempotency_Key="k")

    assert [answer.status_code for answer in (refused, replayed, anew)] == [400, 400, 201]


@pytest.mark.parametrize(("minutes", "status"), [(11, 204), (9, 405)])
def test_recall_deletes_more_than_ten_minutes_ahead_alone(recall: FakeServer, minutes: int, status: int) -> None:
    bot = call(recall, "POST", "/bot/", {"meeting_url": ROOM, "join_at": ahead(recall)}).json()
    recall.control.advance(A_MONTH.total_seconds() - 60 * minutes)

    assert call(recall, "DELETE", f"/bot/{bot['id']}/").status_code == status


@pytest.mark.parametrize("kind", ["attendee", "recall"])
def test_no_key_and_a_wrong_key_are_401(bot_fakes: dict[str, FakeServer], kind: str) -> None:
    for given in ("Token wrong", f"Bearer {bot_fakes[kind].api_key}", ""):
        answer = call(bot_fakes[kind], "GET", "/bots" if kind == "attendee" else "/bot/", Authorization=given)
        assert answer.status_code == 401


def test_the_receiver_takes_nothing_unsigned(bot_receiver: FakeServer) -> None:
    assert call(bot_receiver, "POST", "", {"type": "bot.wanted", "data": {}}).status_code == 401
    assert bot_receiver.control.bots() == []


def test_a_misspelt_command_switch_or_fault_is_refused(attendee: FakeServer) -> None:
    control = attendee.control
    for attempt in (
        lambda: control.configure(page_sise=1),
        lambda: control.add_fault("lost"),
        lambda: control.add_fault("slow", cal="create"),
        lambda: control.set_state("bot_0", "ended"),
        lambda: control._call("explode"),
    ):
        with pytest.raises(ControlError):
            attempt()


def test_faults_strike_every_so_many_calls_exactly(attendee: FakeServer) -> None:
    attendee.control.add_fault("status", call="find", probability=0.25, status=503)
    statuses = [call(attendee, "GET", "/bots").status_code for _ in range(8)]
    assert statuses == [200, 200, 200, 503] * 2


def test_a_fake_runs_as_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "scripts.stack.bots",
        "attendee",
        "--api-key",
        "k",
        "--message-url",
        "http://127.0.0.1:9",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert process.stdout is not None
    with process.stdout:
        url = process.stdout.readline().strip()
        answer = httpx.get(f"{url}/bots", headers={"Authorization": "Token k"}, trust_env=False)
        assert (answer.status_code, answer.json()["results"]) == (200, [])
        assert BotControl(url.removesuffix("/api/v1")).bots() == []
        process.terminate()
        assert process.wait(60) == 0
