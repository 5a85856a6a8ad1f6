"""Clients of the emulator for its own tests: the official library, a webhook receiver, and short event bodies."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from googleapiclient import discovery
from googleapiclient.errors import HttpError
from httplib2 import Http

from scripts.stack.google.control import GoogleControl
from scripts.stack.google.discovery import document

ALICE = "alice@example.com"
BOB = "bob@example.com"
FULL_SCOPE = "https://www.googleapis.com/auth/calendar"
WINDOW = ("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z")


class _BearerHttp(Http):
    """Sends one access token and never refreshes it, so that a 401 reaches the test."""

    def __init__(self, token: str) -> None:
        super().__init__(timeout=60)
        self._token = token

    def request(
        self, uri: Any, method: str = "GET", body: Any = None, headers: Any = None, *rest: Any, **more: Any
    ) -> Any:
        """One call with the token."""
        authorized = {**(headers or {}), "authorization": f"Bearer {self._token}"}
        return super().request(uri, method, body, authorized, *rest, **more)


def official(google: GoogleControl, email: str = ALICE, *, scopes: list[str] | None = None) -> Any:
    """google-api-python-client against the emulator, with all scopes unless told otherwise."""
    token = google.access_token(email, scopes=[FULL_SCOPE] if scopes is None else scopes)
    # As text: the library writes into a document it is given as an object.
    build: Any = vars(discovery)["build_from_document"]  # the stubs leave it out
    return build(
        json.dumps(document()),
        http=_BearerHttp(token),
        client_options={"api_endpoint": f"{google.base_url}/calendar/v3/"},
    )


@contextmanager
def refused(code: int, reason: str) -> Iterator[None]:
    """The call is refused with this status and `errors[].reason`."""
    with pytest.raises(HttpError) as caught:
        yield
    error = json.loads(caught.value.content)["error"]
    assert (caught.value.status_code, error["errors"][0]["reason"]) == (code, reason)
    assert error["code"] == code


def list_all(service: Any, calendar: str = "primary", **parameters: Any) -> tuple[list[dict[str, Any]], str | None]:
    """Every item of a listing over all its pages, and the sync token."""
    items: list[dict[str, Any]] = []
    page: dict[str, Any] = {}
    while True:
        token = {"pageToken": page["nextPageToken"]} if "nextPageToken" in page else {}
        page = service.events().list(calendarId=calendar, **parameters, **token).execute()
        items += page["items"]
        if "nextPageToken" not in page:
            return items, page.get("nextSyncToken")
        assert "nextSyncToken" not in page


def timed(start: str, end: str, zone: str = "Europe/Zurich", **more: Any) -> dict[str, Any]:
    """A body of an event at wall-clock times in a zone."""
    return {"start": {"dateTime": start, "timeZone": zone}, "end": {"dateTime": end, "timeZone": zone}, **more}


def single(summary: str = "Call", day: str = "2026-03-03", **more: Any) -> dict[str, Any]:
    """A one-hour event."""
    return timed(f"{day}T14:00:00", f"{day}T15:00:00", summary=summary, **more)


def weekly(summary: str = "Weekly", rule: str = "RRULE:FREQ=WEEKLY;COUNT=8", **more: Any) -> dict[str, Any]:
    """Mondays 09:00 Zurich from 2 March 2026, across the change to summer time."""
    return timed("2026-03-02T09:00:00", "2026-03-02T10:00:00", summary=summary, recurrence=[rule], **more)


def eventually(check: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


class Receiver:
    """A webhook on loopback. `statuses` are answered in turn, then 200; `gate` holds answers back while cleared."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append({name.lower(): value for name, value in self.headers.items()})
                receiver.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
                receiver.gate.wait(60)
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()

    def numbers(self, channel: str, state: str = "exists") -> list[int]:
        """Message numbers received on a channel, in order of arrival."""
        return [
            int(got["x-goog-message-number"])
            for got in self.got
            if got["x-goog-channel-id"] == channel and got["x-goog-resource-state"] == state
        ]
