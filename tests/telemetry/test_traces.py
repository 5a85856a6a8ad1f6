"""Traces by the standard variables: against a small OTLP receiver; without the variables nothing is even imported."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from structlog.testing import capture_logs

from sync.telemetry.traces import configure_traces
from tests.world import World, wait_until


class Receiver:
    """A collector of OTLP over HTTP: the spans it was sent, by their names."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sent = ExportTraceServiceRequest.FromString(body)
                for sender in sent.resource_spans:
                    named = {told.key: told.value.string_value for told in sender.resource.attributes}
                    receiver.services.add(named["service.name"])
                    receiver.spans += [span for scope in sender.scope_spans for span in scope.spans]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    receiver = Receiver()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    stop = configure_traces(version="0")
    yield receiver
    stop()
    receiver.stop()


def test_a_notification_its_sync_and_their_calls_are_one_trace(collector: Receiver, world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.insert_event(alice.email, world.event("A secret title"))
    world.await_equal(alice)
    notification, sync = wait_until(lambda: traced(collector), "the notification and its sync were sent")

    assert collector.services == {"hybrid-calendar-monitor"}
    for name in ("events.list", "commit_sync"):
        wait_until(partial(under, collector, sync, name), f"{name} was sent")
    ids = {span.span_id: span for span in collector.spans}
    assert notification.parent_span_id not in ids
    told = str(collector.spans)
    for secret in ("A secret title", alice.email, alice.refresh_token, world.supabase.service_key):
        assert secret not in told


def under(collector: Receiver, parent: Any, name: str) -> list[Any]:
    return [span for span in collector.named(name) if span.parent_span_id == parent.span_id]


def traced(collector: Receiver) -> tuple[Any, Any] | None:
    pairs = [
        (notification, sync)
        for notification in collector.named("webhook.receive")
        for sync in collector.named("sync")
        if sync.parent_span_id == notification.span_id
    ]
    return pairs[-1] if pairs else None


def test_a_failure_is_told_by_its_kind_alone(collector: Receiver, world: World) -> None:
    alice = world.person()
    world.connect(alice)
    world.google.add_fault("lost_access_404", method="events.list", times=3)
    world.post("/functions/v1/calendar-polling-service", {"userId": alice.user_id, "force": True})

    def failed() -> list[Any]:
        return [span for span in collector.named("events.list") if span.status.code == 2]

    wait_until(failed, "the failed call was sent")
    (span,) = failed()
    assert span.status.message == ""
    assert span.events[:] == []
    assert {a.key: a.value.string_value for a in span.attributes} == {"error.type": "CalendarLost"}


def test_without_the_variables_nothing_is_imported() -> None:
    code = (
        "import sys, app; from sync.telemetry.traces import configure_traces, span\n"
        "configure_traces({}, version='0')\n"
        "with span('x'): pass\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=30).returncode == 0


@pytest.mark.parametrize(
    ("environment", "is_told"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_what_is_not_spoken_is_said_and_what_is_switched_off_is_off(environment: dict[str, str], is_told: bool) -> None:
    with capture_logs() as lines:
        configure_traces(environment, version="0")()
    assert [line["event"] for line in lines] == ["traces_off"] * is_told
