"""The original functions' addresses pass a call on to the monitor: under Node, with what they use of Deno."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.cron_service import ROOT

FUNCTIONS = ROOT / "supabase" / "functions"
NAMES = sorted(path.parent.name for path in FUNCTIONS.glob("*/index.ts"))
SHIM = """
import { readFileSync, writeFileSync } from "node:fs";
const [index, plain, monitor, requests] = process.argv.slice(2);
let serve;
globalThis.Deno = { serve: (handler) => { serve = handler; }, env: { get: () => monitor || undefined } };
writeFileSync(plain, readFileSync(index, "utf8").replace(": Request", "").replaceAll("../_shared", process.env.SHARED));
await import(plain);
const answers = [];
for (const [url, options] of JSON.parse(requests)) {
  const answer = await serve(new Request(url, options));
  answers.push([answer.status, Object.fromEntries(answer.headers), await answer.text()]);
}
console.log(JSON.stringify(answers));
process.exit(0);
"""
node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node on this machine")


class Monitor(BaseHTTPRequestHandler):
    """Keeps what it was asked, and answers as the service does."""

    asked: list[tuple[str, str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        said = b"" if "webhook" in self.path else b'{"success": true}'
        self.send_response(204 if not said else 401)
        self.send_header("content-type", "application/json")
        self.send_header("set-cookie", "secret=1")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def monitor() -> Iterator[ThreadingHTTPServer]:
    Monitor.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Monitor)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def call(tmp_path: Path, name: str, url: str, *requests: list[Any]) -> list[list[Any]]:
    """What the function answers to these requests, as [status, headers, body]."""
    shim = tmp_path / "shim.mjs"
    shim.write_text(SHIM)
    index, plain = FUNCTIONS / name / "index.ts", tmp_path / "index.mjs"
    command = ["node", str(shim), str(index), str(plain), url, json.dumps(requests)]
    shared = {"SHARED": str(FUNCTIONS / "_shared"), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=shared, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    answers: list[list[Any]] = json.loads(done.stdout)
    return answers


@node
def test_a_call_arrives_as_it_was_made_without_what_is_nobodys_business(
    tmp_path: Path, monitor: ThreadingHTTPServer
) -> None:
    headers = {
        "authorization": "Bearer key",
        "content-type": "application/json",
        "cookie": "a=b",
        "x-forwarded-for": "1",
    }
    url = f"http://127.0.0.1:{monitor.server_port}/"
    asked = [
        "https://x.supabase.co/calendar-polling-cron?a=1",
        {"method": "POST", "headers": headers, "body": '{"b": 2}'},
    ]
    ((status, answered, body),) = call(tmp_path, "calendar-polling-cron", url, asked)
    ((method, path, received, sent),) = Monitor.asked
    assert (method, path, sent) == ("POST", "/functions/v1/calendar-polling-cron?a=1", b'{"b": 2}')
    assert received["authorization"] == "Bearer key"
    assert {"cookie", "x-forwarded-for"} & set(received) == set()
    assert (status, json.loads(body)) == (401, {"success": True})
    assert "set-cookie" not in answered


@node
def test_google_s_notification_keeps_its_headers(tmp_path: Path, monitor: ThreadingHTTPServer) -> None:
    headers = {"x-goog-channel-id": "c", "x-goog-channel-token": "t", "x-goog-resource-id": "r"}
    url = f"http://127.0.0.1:{monitor.server_port}"
    asked = ["https://x.supabase.co/google-calendar-webhook", {"method": "POST", "headers": headers}]
    ((status, _, _),) = call(tmp_path, "google-calendar-webhook", url, asked)
    assert status == 204
    assert {key: Monitor.asked[0][2].get(key) for key in headers} == headers


@node
def test_what_is_not_set_up_or_not_there_is_said(tmp_path: Path) -> None:
    asked = ["https://x.supabase.co/f", {"method": "POST", "body": "{}"}]
    ((status, _, body),) = call(tmp_path, "renew-calendar-watches", "", asked)
    assert (status, json.loads(body)["code"]) == (500, "monitor_url_missing")
    ((status, _, body),) = call(tmp_path, "renew-calendar-watches", "http://127.0.0.1:9", asked)
    assert (status, json.loads(body)["code"]) == (502, "monitor_unreachable")


@node
def test_a_browser_may_ask_first(tmp_path: Path) -> None:
    ((status, headers, _),) = call(tmp_path, "calendar-polling-service", "", ["https://x/f", {"method": "OPTIONS"}])
    assert (status, headers["access-control-allow-origin"]) == (204, "*")


def test_each_passes_on_to_its_own_path() -> None:
    assert len(NAMES) == 4
    for name in NAMES:
        assert f'forward(request, "{name}", ' in (FUNCTIONS / name / "index.ts").read_text()
